"""Stores a change of an article in Postgres: the article, its revision and its outbox message, in one transaction.

The outbox holds exactly what was committed; the relay publishes it to Kafka (articles.outbox_relay).
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, get_type_hints

import asyncpg
import msgspec

from services.ingest.articles.copies import ArticleChange, LiveChanges, Refusal, StoredArticle
from services.ingest.articles.previews import end_links
from services.ingest.articles.topic_comparison import NotComparedError, check_compared
from services.ingest.auth.actors import Actor
from services.ingest.content.errors import InvalidContentError, field_error
from services.ingest.metrics import ARTICLE_CHANGES
from services.ingest.queries import SQL
from shared.articles import ARTICLE_BYTES_MAX, PUBLICATION_BYTES_MAX, Article
from shared.http.problems import Problem
from shared.old_urls import old_addresses
from shared.postgres import Connection
from shared.topics import ARTICLES
from shared.tracing import start_outbox_span


class ArticleTooLargeError(Problem):
    """An article too large for a Kafka message, which would block the relay indefinitely."""

    def __init__(self, size: int, limit: int) -> None:
        detail = f"The article must have at most {limit:,} bytes as JSON to be published (got {size:,})."
        super().__init__(413, detail, limit=limit, size=size)


async def read_article(
    connection: Connection, article_id: str, *, for_update: bool = False, also_discarded: bool = False
) -> StoredArticle | None:
    """Return an article, or None; with `for_update` its row is locked until the transaction ends."""
    row = await connection.fetchrow(SQL["article_for_update" if for_update else "article"], article_id, also_discarded)
    return None if row is None else stored_article(row)


def stored_article(row: asyncpg.Record) -> StoredArticle:
    """Return the article of a row with the columns of the query `article`."""
    head, live, scheduled = (
        None if row[name] is None else msgspec.json.decode(row[name], type=Article)
        for name in ("content", "live", "scheduled")
    )
    assert head is not None, "the column is not null"
    return StoredArticle(
        head,
        live,
        None if row["author"] is None else Actor(row["author"], row["author_token"]),
        row["schedule_error"],
        head if scheduled is None and head.state == "scheduled" else scheduled,  # a former version has scheduled it
        _live_changes(row["live_changes"]),
        None if row["refusal"] is None else msgspec.json.decode(row["refusal"], type=Refusal),
        bool(row["is_discarded"]),
    )


_FIELD_TYPES = get_type_hints(Article, include_extras=True)


def _live_changes(stored: str) -> LiveChanges:
    if stored == "{}":
        return {}
    fields = msgspec.json.decode(stored, type=dict[str, dict[str, msgspec.Raw]])
    return {
        copy: {name: msgspec.json.decode(value, type=_FIELD_TYPES[name]) for name, value in changed.items()}
        for copy, changed in fields.items()
    }


async def insert_article(
    connection: Connection,
    change: ArticleChange,
    actor: Actor,
    note: str = "",
    *,
    is_recovery: bool = False,
    unclaimed: Collection[str] = (),
) -> None:
    """Insert a new article with its first revision.

    Args:
        connection: In a transaction.
        change: The result of the first change.
        actor: Who makes it.
        note: Why.
        is_recovery: It is taken over from the topic, before the comparison is complete.
        unclaimed: Old addresses that stay those of other articles.

    Raises:
        NotComparedError: the database was not compared with the topics yet.
        asyncpg.UniqueViolationError: another article has its external ID.
        InvalidContentError: another article of the site has one of its old URLs.
        ArticleTooLargeError: it is too large for a Kafka message.
    """
    if not is_recovery:
        await check_compared(connection)
    await connection.execute(SQL["insert_article"], *_article_row(change, actor))
    await _claim_old_addresses(connection, set(), change, unclaimed)
    await _append_revision(connection, change, actor, note)


async def insert_articles(connection: Connection, changes: Sequence[ArticleChange], actor: Actor) -> None:
    """Insert new articles as `insert_article` does, with a few statements for all of them.

    Raises:
        NotComparedError: the database was not compared with the topics yet.
        asyncpg.PostgresError: one of them cannot be stored.
        ArticleTooLargeError: one of them is too large for a Kafka message.
    """
    await check_compared(connection)
    messages = [_outbox_row(change) for change in changes if change.is_public_change]
    await connection.executemany(SQL["insert_article"], [_article_row(change, actor) for change in changes])
    claims = [(one.head.site, sorted(addresses_of(one.head)), one.head.id) for one in changes if one.head.old_urls]
    if claims:
        await connection.executemany(SQL["insert_old_addresses"], claims)
    await connection.executemany(SQL["insert_revision"], [_revision_row(change, actor, "") for change in changes])
    await connection.executemany(SQL["insert_into_outbox"], messages)
    for change in changes:
        ARTICLE_CHANGES.labels(change.action).inc()


def _article_row(change: ArticleChange, actor: Actor) -> tuple[Any, ...]:
    head = change.head
    identity = (head.id, head.number, head.site, head.version, head.state, head.title, head.source_system)
    content = (head.external_id, _json(head), _json(change.live), change.unpublish_due_at)
    more = (_json(change.scheduled), change.scheduled_for)
    return (*identity, *content, actor.id, head.modified_at, actor.name, change.publish_due_at, *more)


async def save_change(
    connection: Connection,
    before: StoredArticle,
    change: ArticleChange,
    actor: Actor,
    note: str = "",
    *,
    is_recovery: bool = False,
    unclaimed: Collection[str] = (),
) -> ArticleChange:
    """Store a change of an article that `read_article` has locked, and return it as it is stored.

    Each change makes the next version. The first one after a restore that was noticed skips those that may have been
    given since the backup, as a recovery may.

    Args:
        connection: In the transaction that locked the article.
        before: The article as stored. Of several changes at once, all have the first one's.
        change: The result of the change.
        actor: Who makes it.
        note: Why.
        is_recovery: It is taken over from the topic, before the comparison is complete, with a version of its own.
        unclaimed: Old addresses that stay those of other articles.

    Raises:
        NotComparedError: the database was not compared with the topics yet.
        RuntimeError: the article is not at the version before the change: it was not locked.
        InvalidContentError: another article of the site has one of its old URLs.
        ArticleTooLargeError: it is too large for a Kafka message.
    """
    version_before = before.head.version
    if not is_recovery:
        skipped = await _skipped_versions(connection, before.head)
        if change.head.version > before.head.version + 1:  # a further change in the same transaction
            version_before = change.head.version - 1 + skipped
        change = _skip_versions(change, before.head.version, skipped)
    head = change.head
    author = actor if change.action in ("edit", "restore", "import") else before.author
    done = await connection.fetchval(
        SQL["update_article"],
        head.id,
        head.version,
        head.state,
        head.title,
        _json(head),
        _json(change.live),
        change.publish_due_at,
        change.unpublish_due_at,
        change.schedule_error,
        None if author is None else author.id,
        head.modified_at,
        None if author is None else author.name,
        version_before,
        _json(change.scheduled),
        change.scheduled_for,
        _json(change.live_changes),
        _json(change.refusal),
        head.modified_at if change.is_discarded else None,
    )
    if done is None:
        raise RuntimeError(f"article {head.id} is not at version {version_before}")
    claimed = set() if before.is_discarded else addresses_of(before.head, before.live, before.scheduled)
    await _claim_old_addresses(connection, claimed, change, unclaimed)
    await end_links(connection, before, change)
    await _append_revision(connection, change, actor, note)
    return change


async def _skipped_versions(connection: Connection, head: Article) -> int:
    row = await connection.fetchrow(SQL["change_state"], head.id, head.version)
    assert row is not None
    if not row["is_compared"]:
        raise NotComparedError
    return int(row["skipped"])


def _skip_versions(change: ArticleChange, version_before: int, skipped: int) -> ArticleChange:
    """Return a change whose own versions, those above the former one, are higher."""
    if not skipped:
        return change
    copies = {
        name: msgspec.structs.replace(copy, version=copy.version + skipped)
        for name in ("head", "live", "scheduled", "changed")
        if (copy := getattr(change, name)) is not None and copy.version > version_before
    }
    return replace(change, **copies)


async def _claim_old_addresses(
    connection: Connection, before: set[str], change: ArticleChange, unclaimed: Collection[str] = ()
) -> None:
    """Reserve the old addresses of an article's copies on its site, and release those that it gave up."""
    head = change.head
    copies = () if change.is_discarded else (head, change.live, change.scheduled)
    claimed = addresses_of(*copies) - set(unclaimed)
    if claimed == before:
        return
    await connection.execute(SQL["release_old_addresses"], head.id, list(claimed))
    if claimed:
        await connection.execute(SQL["claim_old_addresses"], head.site, list(claimed), head.id)
        taken = await taken_old_addresses(connection, head.site, list(claimed - before), head.id)
        if taken:
            raise InvalidContentError(
                [field_error("old_urls", "old_url_taken", url=url, article=owner) for url, owner in taken.items()]
            )


def addresses_of(*versions: Article | None) -> set[str]:
    """Return the old addresses of versions of an article."""
    return {address for one in versions if one is not None for address in old_addresses(one.old_urls)}


async def taken_old_addresses(
    connection: Connection, site: str, addresses: Sequence[str], article: str | None
) -> dict[str, str]:
    """Return those of the addresses that other articles of a site have, with their articles."""
    rows = await connection.fetch(SQL["taken_old_addresses"], site, list(addresses), article)
    return {row["address"]: row["article"] for row in rows}


async def _append_revision(connection: Connection, change: ArticleChange, actor: Actor, note: str) -> None:
    await connection.execute(SQL["insert_revision"], *_revision_row(change, actor, note))
    if change.is_public_change:  # drafts never leave Postgres
        await connection.execute(SQL["insert_into_outbox"], *_outbox_row(change))
    ARTICLE_CHANGES.labels(change.action).inc()


def _revision_row(change: ArticleChange, actor: Actor, note: str) -> tuple[Any, ...]:
    head, revised = change.head, change.revised
    described = (change.action, revised.state, actor.name, actor.id, note)
    public = (change.is_public_change, head.modified_at, list(change.copies))
    return (head.id, head.version, *described, head.site, _json(revised), *public)


def _outbox_row(change: ArticleChange) -> tuple[Any, ...]:
    assert change.live is not None
    return message_of(change.live)


def message_of(live: Article) -> tuple[Any, ...]:
    """Return the outbox row of a published version.

    Raises:
        ArticleTooLargeError: it is too large for a Kafka message.
    """
    value = _encode(live)
    return (ARTICLES.name, live.id, value, _json(start_outbox_span(ARTICLES.name, live.id)))


def _encode(live: Article) -> bytes:
    """Return the message of a live copy. A withdrawal is never too large: it adds a few bytes to what was published."""
    value = msgspec.json.encode(live)
    limit = ARTICLE_BYTES_MAX + PUBLICATION_BYTES_MAX
    if len(value) > limit and live.state == "published":
        raise ArticleTooLargeError(len(value), limit)
    return value


def _json(content: Any) -> str | None:
    return None if content is None else msgspec.json.encode(content).decode()


async def database_time(connection: "asyncpg.Pool | Connection") -> datetime:
    """Return the time of Postgres, the clock that all replicas share."""
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return now
