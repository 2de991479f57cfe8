"""Compares Kafka's topics with Postgres: either may be older, after a restore.

What the topic `articles` has and Postgres has not, was published after the backup that Postgres was restored from: it
is taken over, so that no version and no number is given again. What Postgres has and a log that is another one has not,
is sent again. The same holds for opening balances in `counter-adjustments`, and for what is in `site-structure`.

Drafts are in no topic. A database that was restored is recognised by its identity, by the witness in Kafka and by what
the topic has; the next versions and numbers then skip more than can have been given since its backup.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from services.ingest.articles.compared_log import ComparedLog, open_compared_logs
from services.ingest.articles.copies import ArticleChange, StoredArticle, due_at
from services.ingest.articles.library_recovery import recover_library
from services.ingest.articles.opening_balances import queue_missing_balances, take_over_balances
from services.ingest.articles.store import (
    addresses_of,
    insert_article,
    message_of,
    read_article,
    save_change,
    taken_old_addresses,
)
from services.ingest.articles.structure_recovery import queue_missing_structures, take_over_structures
from services.ingest.articles.witness import GROUP, Witness, read_last_given
from services.ingest.auth.actors import Actor
from services.ingest.content.errors import InvalidContentError
from services.ingest.metrics import RECOVERED, RECOVERY_CONFLICTS
from services.ingest.queries import SQL
from shared.articles import Article
from shared.consumer_offsets import ConsumerOffsets
from shared.logs import log
from shared.postgres import POSTGRES_DATA_ERRORS, Connection
from shared.topics import ARTICLES, COUNTER_ADJUSTMENTS, SITE_STRUCTURE

ARTICLE_OFFSETS = ConsumerOffsets("ingest", GROUP, ARTICLES.name)
BALANCE_OFFSETS = ConsumerOffsets("ingest", GROUP, COUNTER_ADJUSTMENTS.name)
STRUCTURE_OFFSETS = ConsumerOffsets("ingest", GROUP, SITE_STRUCTURE.name)
RECOVERY = Actor("recovery")
RECOVERED_NOTE = "Published after the backup that Postgres was restored from; taken from the topic articles"
COLLIDED_NOTE = "Changed before it was known that a newer version is published; renumbered above that version"
SKIPPED = 1_000
"""Versions of an article, and numbers, that are skipped after a restore, and one more for each second since the last
comparison that the database knows of: more than were given meanwhile."""
RESENT_AT_ONCE = 200

for _result in ("taken_over", "sent_again"):
    RECOVERED.labels(_result)


@dataclass
class ComparisonReport:
    """By what Postgres and the topics differed."""

    was_restored: bool = False
    """Postgres is older than what was given: versions and numbers skip some."""
    is_known_log: bool = False
    """The topic `articles` is the log that was compared before."""
    articles: int = 0
    """Articles that were read from the topic."""
    unreadable: int = 0
    """Records that cannot be decoded. They are no conflict: `render` dead-letters each."""
    taken_over: int = 0
    sent_again: int = 0
    balances_taken_over: int = 0
    balances_sent_again: int = 0
    structures_taken_over: int = 0
    """Structures of sites and static pages."""
    structures_sent_again: int = 0
    conflicts: list[str] = field(default_factory=list)
    """What could not be taken over as it was, or had to give way, for an operator."""


class TopicRecovery:
    """Compares one database with the topics.

    Args:
        connection: To Postgres, outside of transactions.
        reader: A consumer without a group.
    """

    def __init__(self, connection: Connection, reader: AIOKafkaConsumer) -> None:
        self._connection = connection
        self._reader = reader
        self._read_to: dict[TopicPartition, int] = {}
        self._skipped = 0
        self._report = ComparisonReport()

    async def compare(
        self,
        witness: Witness | None,
        *,
        is_relay: bool = True,
        everything: bool = False,
        after_restore: bool = False,
    ) -> ComparisonReport:
        """Take over what only the topics have, and queue what only Postgres has.

        Args:
            witness: From Kafka, read before; None if there is none, or it was compared already.
            is_relay: No other relay is sending. Only then the result is stored, and articles may be changed.
            everything: Read the topics from their beginnings, and queue what they lack, though they are known.
            after_restore: The operator knows that the database was restored.

        Raises:
            KafkaError, OSError, TimeoutError: Kafka is unavailable.
            asyncpg.PostgresError: Postgres is unavailable.
        """
        connection = self._connection
        self._report = report = ComparisonReport()
        last = await connection.fetchrow(SQL["last_comparison"])
        assert last is not None
        former = max(last["versions_skipped"], witness.versions_skipped if witness else 0)
        self._skipped = former + SKIPPED + last["age"]
        topics = (ARTICLE_OFFSETS, BALANCE_OFFSETS, STRUCTURE_OFFSETS)
        articles, balances, structures = await open_compared_logs(connection, self._reader, topics)
        given = await read_last_given(connection)
        report.is_known_log = articles.is_known
        report.was_restored = after_restore or _is_restored(last, articles, given, witness)
        if report.was_restored:
            number = max(given.number, witness.number if witness else given.number + last["age"]) + SKIPPED
            async with connection.transaction():
                await connection.execute(SQL["skip_versions"], self._skipped)
                await connection.fetchval(SQL["reserve_numbers"], number)
            log.warning("Postgres was restored; versions and numbers skip those that may have been given since")
        await self._compare_articles(articles, everything=everything)
        await self._compare_balances(balances, everything=everything)
        await self._compare_structures(structures, everything=everything)
        if is_relay:
            async with connection.transaction():
                await ARTICLE_OFFSETS.reset(connection, articles.moved())
                await BALANCE_OFFSETS.reset(connection, balances.moved())
                await STRUCTURE_OFFSETS.reset(connection, structures.moved())
                await connection.execute(SQL["confirm_comparison"])
        taken_over = report.taken_over + report.balances_taken_over + report.structures_taken_over
        RECOVERED.labels("taken_over").inc(taken_over)
        sent_again = report.sent_again + report.balances_sent_again + report.structures_sent_again
        RECOVERED.labels("sent_again").inc(sent_again)
        return report

    async def _compare_articles(self, topic: ComparedLog, *, everything: bool) -> None:
        versions: dict[str, int] = {}
        async for records in topic.records(self._reader, self._read_to, everything=everything):
            await self._take_over(self._newest(records, versions))
        self._report.articles = len(versions)
        if everything or not topic.is_known:
            rows = await self._connection.fetch(SQL["live_versions"])
            missing = [row["id"] for row in rows if versions.get(row["id"], 0) < row["version"]]
            await queue_live_articles(self._connection, missing)
            self._report.sent_again = len(missing)

    async def _compare_balances(self, topic: ComparedLog, *, everything: bool) -> None:
        known: set[str] = set()
        async for records in topic.records(self._reader, self._read_to, everything=everything):
            self._report.balances_taken_over += await take_over_balances(self._connection, records, known)
        if everything or not topic.is_known:
            self._report.balances_sent_again = await queue_missing_balances(self._connection, known)

    async def _compare_structures(self, topic: ComparedLog, *, everything: bool) -> None:
        versions: dict[str, int] = {}
        async for records in topic.records(self._reader, self._read_to, everything=everything):
            self._report.structures_taken_over += await take_over_structures(self._connection, records, versions)
        if everything or not topic.is_known:
            self._report.structures_sent_again = await queue_missing_structures(self._connection, versions)

    def _newest(self, records: Sequence[ConsumerRecord], versions: dict[str, int]) -> list[Article]:
        newest: dict[str, Article] = {}
        for record in records:
            if record.value is None:
                continue
            try:
                article = msgspec.json.decode(record.value, type=Article)
            except (msgspec.DecodeError, UnicodeError) as error:
                self._report.unreadable += 1  # render dead-letters it with its reason
                place = f"{record.topic}-{record.partition}@{record.offset}"
                log.warning("unreadable record is not compared", record=place, reason=str(error))
                continue
            if article.version >= versions.get(article.id, 0):
                versions[article.id] = article.version
                newest[article.id] = article
        return list(newest.values())

    async def _take_over(self, articles: Sequence[Article]) -> None:
        rows = await self._connection.fetch(SQL["live_states"], [one.id for one in articles])
        states = {row["id"]: row for row in rows}
        for article in articles:
            state = states.get(article.id)
            live_version = -1 if state is None or state["version"] is None else state["version"]
            is_same = live_version == article.version and not (state and state["is_waiting"])
            if live_version > article.version or is_same:
                continue
            try:
                async with self._connection.transaction():
                    self._report.taken_over += await self._take_over_one(article)
            except (
                asyncpg.IntegrityConstraintViolationError,
                InvalidContentError,
                *POSTGRES_DATA_ERRORS,
            ) as error:
                self._conflict(f"article {article.id}", f"is published, and cannot be taken over: {error}")

    async def _take_over_one(self, article: Article) -> bool:
        connection = self._connection
        stored = await read_article(connection, article.id, for_update=True, also_discarded=True)
        live = None if stored is None else stored.live
        if live is not None and (live.version > article.version or live == article):
            return False
        is_waiting = await connection.fetchval(SQL["is_waiting_to_be_sent"], article.id)
        if live is not None and live.version == article.version and not is_waiting:
            return False
        await connection.fetchval(SQL["reserve_numbers"], article.number + SKIPPED)
        if stored is None:
            if not await self._insert(article):
                return False
        elif live is not None and is_waiting:
            await self._renumber(stored, live, article)
        else:
            await self._update(stored, article)
        await recover_library(connection, article)
        await connection.execute(SQL["skip_versions"], self._skipped)
        self._report.was_restored = True
        log.warning("article taken over from the topic", article=article.id, version=article.version)
        return True

    async def _insert(self, article: Article) -> bool:
        connection = self._connection
        row = await connection.fetchrow(SQL["renumber_draft"], article.number, article.id)
        if row is not None:
            self._conflict(
                f"draft {row['id']}",
                f"had the number {article.number} of published article {article.id}, and has {row['number']} now",
            )
        owner = await connection.fetchval(SQL["number_owner"], article.number, article.id)
        if owner is not None:
            self._conflict(
                f"article {article.id}",
                f"is published with number {article.number}, which article {owner} has here; it is not taken over",
            )
            return False
        unclaimed, notes = await self._unclaimed(article)
        head = _head_of(article, self._skipped)
        if article.external_id is not None:
            identity = (article.site, article.source_system, article.external_id, article.id)
            owner = await connection.fetchval(SQL["external_id_owner"], *identity)
            if owner is not None:
                head = msgspec.structs.replace(head, source_system=None, external_id=None)
                notes.append(f"its external_id {article.external_id!r} stays that of article {owner}")
        self._report_notes(article, notes)
        note = "; ".join([RECOVERED_NOTE, *notes])
        change = _recovered(head, article)
        await insert_article(connection, change, RECOVERY, note, is_recovery=True, unclaimed=unclaimed)
        return True

    async def _update(self, stored: StoredArticle, article: Article) -> None:
        head, live = stored.head, stored.live
        has_draft = head.version > (live.version if live is not None else 0) and (
            head.version >= article.version or article.state != "published"
        )
        if has_draft and article.state != "killed":
            version = max(head.version, article.version) + 1 + self._skipped
            head = msgspec.structs.replace(head, version=version)
        else:
            head = _head_of(article, self._skipped)
            if head.version <= stored.head.version:
                head = msgspec.structs.replace(head, version=stored.head.version + 1 + self._skipped)
        unclaimed, notes = await self._unclaimed(article, head)
        self._report_notes(article, notes)
        change, note = _recovered(head, article, stored), "; ".join([RECOVERED_NOTE, *notes])
        await save_change(self._connection, stored, change, RECOVERY, note, is_recovery=True, unclaimed=unclaimed)

    async def _renumber(self, stored: StoredArticle, live: Article, article: Article) -> None:
        """Give a change that waits to be sent a version above the published one: it stays the last change."""
        head = stored.head
        version = max(head.version, article.version) + 1 + self._skipped
        renumbered = msgspec.structs.replace(live, version=version)
        head = renumbered if head == live else msgspec.structs.replace(head, version=version)
        await self._connection.execute(SQL["discard_waiting"], article.id)
        change = replace(_recovered(head, renumbered, stored), is_public_change=True)
        await save_change(self._connection, stored, change, RECOVERY, COLLIDED_NOTE, is_recovery=True)

    async def _unclaimed(self, *versions: Article) -> tuple[set[str], list[str]]:
        """Return the old addresses that other articles have now, and a note about each."""
        article, addresses = versions[0], sorted(addresses_of(*versions))
        taken = await taken_old_addresses(self._connection, article.site, addresses, article.id)
        return set(taken), [f"its old URL {url} stays that of article {owner}" for url, owner in taken.items()]

    def _report_notes(self, article: Article, notes: Sequence[str]) -> None:
        for note in notes:
            self._conflict(f"article {article.id}", f"is taken over, but {note}")

    def _conflict(self, what: str, reason: str) -> None:
        self._report.conflicts.append(f"{what} {reason}")
        RECOVERY_CONFLICTS.inc()
        log.error("conflict between Postgres and the topics", what=what, reason=reason)


def _is_restored(last: asyncpg.Record, articles: ComparedLog, given: Witness, witness: Witness | None) -> bool:
    """Return whether Postgres may be older than what was given before."""
    if witness is not None and witness.revision > given.revision:
        return True
    if not last["was_compared"]:
        return False
    # Without the log that was compared, a server that was stopped may have been restored from a copy of its files.
    cannot_know = articles.was_compared and not articles.is_known and not last["is_same_start"]
    return not last["is_same_database"] or cannot_know


def _head_of(article: Article, skipped: int) -> Article:
    """Return the working version of a published version: the same, or a later one if it may have had another text."""
    version = article.version if article.state == "published" else article.version + 1 + skipped
    return msgspec.structs.replace(article, version=version)


def _recovered(head: Article, live: Article, stored: StoredArticle | None = None) -> ArticleChange:
    """Return the recovery of a live copy; a schedule stays, unless it was due before the last publication."""
    change = ArticleChange("recover", head, live, is_public_change=False, copies=("working", "live"))
    if head.state == "scheduled":
        return replace(change, scheduled=head)
    if stored is None or not stored.has_successor or live.state == "killed":
        return change
    assert stored.scheduled is not None
    due = due_at(stored.scheduled)
    if due is None or due <= live.modified_at:
        return change
    return replace(change, scheduled=stored.scheduled, live_changes=stored.live_changes)


async def queue_live_articles(connection: Connection, ids: Sequence[str]) -> None:
    """Queue the published version of articles, whatever its state, to be sent to the topic."""
    for first in range(0, len(ids), RESENT_AT_ONCE):
        async with connection.transaction():
            for one in ids[first : first + RESENT_AT_ONCE]:
                stored = await read_article(connection, one, for_update=True, also_discarded=True)
                if stored is not None and stored.live is not None:
                    await connection.execute(SQL["insert_into_outbox"], *message_of(stored.live))
