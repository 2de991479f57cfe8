"""Changes of articles into Postgres: the article, its revision and what Kafka is to be told, in one transaction.

What stands in the outbox is exactly what was committed; the relay takes it to Kafka.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from services.ingest.articles.workflow import Change, Kept
from services.ingest.auth.actors import Actor
from services.ingest.metrics import ARTICLE_CHANGES
from services.ingest.queries import SQL
from shared.articles import ARTICLE_BYTES_MAX, Article
from shared.postgres import Connection
from shared.topics import ARTICLES
from shared.tracing import start_outbox_span


class TooLargeError(ValueError):
    """An article that Kafka would not take: it would stop the relay for ever."""


async def read(connection: Connection, article_id: str, *, for_update: bool = False) -> Kept | None:
    """Return an article, or None; for an update it is locked until the transaction ends."""
    row = await connection.fetchrow(SQL["article_for_update" if for_update else "article"], article_id)
    return None if row is None else kept_of(row["content"], row["live"], row["written_by"], row["problem"])


def kept_of(content: str, live: str | None, written_by: str | None, problem: str | None) -> Kept:
    """Return the article of a row's columns."""
    return Kept(
        msgspec.json.decode(content, type=Article),
        None if live is None else msgspec.json.decode(live, type=Article),
        written_by,
        problem,
    )


async def insert(connection: Connection, change: Change, actor: Actor, note: str = "") -> None:
    """Save a new article with its first revision.

    Raises:
        asyncpg.UniqueViolationError: its external id is another article's.
        TooLargeError: it is too large for a message.
    """
    await connection.execute(SQL["insert_article"], *_article_row(change, actor))
    await _note(connection, change, actor, note)


async def insert_many(connection: Connection, changes: Sequence[Change], actor: Actor) -> None:
    """Save new articles as `insert` does, in a few steps for all of them.

    Raises:
        asyncpg.PostgresError: one of them cannot be stored.
        TooLargeError: one of them is too large for a message.
    """
    told = [_outbox_row(change) for change in changes if change.is_told]
    await connection.executemany(SQL["insert_article"], [_article_row(change, actor) for change in changes])
    await connection.executemany(SQL["insert_revision"], [_revision_row(change, actor, "") for change in changes])
    await connection.executemany(SQL["put_in_outbox"], told)
    for change in changes:
        ARTICLE_CHANGES.labels(change.action).inc()


def _article_row(change: Change, actor: Actor) -> tuple[Any, ...]:
    head = change.head
    names = (head.id, head.number, head.site, head.version, head.state, head.title, head.source_system)
    content = (head.external_id, _json(head), _json(change.live), change.unpublish_due_at)
    return (*names, *content, actor.token, head.modified_at)


async def save(connection: Connection, before: Kept, change: Change, actor: Actor, note: str = "") -> None:
    """Save a change of an article that `read` has locked.

    Raises:
        RuntimeError: the article is not at the version before: it was not locked.
        TooLargeError: it is too large for a message.
    """
    head = change.head
    is_text = change.action in ("edit", "restore", "import")
    done = await connection.fetchval(
        SQL["change_article"],
        head.id,
        head.version,
        head.state,
        head.title,
        _json(head),
        _json(change.live),
        change.publish_due_at,
        change.unpublish_due_at,
        change.problem,
        actor.token if is_text else before.written_by,
        head.modified_at,
    )
    if done is None:
        raise RuntimeError(f"article {head.id} is not at version {head.version - 1}")
    await _note(connection, change, actor, note)


async def _note(connection: Connection, change: Change, actor: Actor, note: str) -> None:
    await connection.execute(SQL["insert_revision"], *_revision_row(change, actor, note))
    if change.is_told:  # a draft stays in here: what was never public cannot leak
        await connection.execute(SQL["put_in_outbox"], *_outbox_row(change))
    ARTICLE_CHANGES.labels(change.action).inc()


def _revision_row(change: Change, actor: Actor, note: str) -> tuple[Any, ...]:
    head = change.head
    said = (change.action, head.state, actor.name, actor.token, note)
    return (head.id, head.version, *said, head.site, _json(head), change.is_told, head.modified_at)


def _outbox_row(change: Change) -> tuple[Any, ...]:
    value = _message(change)
    return (ARTICLES.name, change.head.id, value, _json(start_outbox_span(ARTICLES.name, change.head.id)))


def _message(change: Change) -> bytes:
    assert change.live is not None
    value = msgspec.json.encode(change.live)
    if len(value) > ARTICLE_BYTES_MAX:
        raise TooLargeError(f"the article has {len(value):,} bytes as JSON; {ARTICLE_BYTES_MAX:,} is the most")
    return value


def _json(content: Any) -> str | None:
    return None if content is None else msgspec.json.encode(content).decode()


async def database_time(connection: Connection) -> datetime:
    """Return Postgres's time: the one clock that all replicas share."""
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return now
