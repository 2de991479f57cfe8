"""Compares the topic `articles` with Postgres before anything is sent: either may be older, after a restore.

Only the relay writes to the topic, and it compares after it has fenced all former relays. What the topic has and
Postgres has not, was published after the backup that Postgres was restored from: it is taken over, so that no version
and no number is given again. What Postgres has and a log that is another one has not, is sent again.
"""

from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from services.ingest.articles.store import insert_article, message_of, read_article, save_change
from services.ingest.articles.workflow import ArticleChange, StoredArticle, due_at
from services.ingest.auth.actors import Actor
from services.ingest.content.errors import InvalidContentError
from services.ingest.queries import SQL
from shared.articles import Article
from shared.consumer_offsets import ConsumerOffsets, LogPosition
from shared.kafka.connection import KafkaConfig
from shared.kafka.last_record import read_checksums, record_checksum
from shared.kafka.log_reader import log_reader, read_range
from shared.kafka.topic_identity import read_topic
from shared.logs import log
from shared.postgres import Connection
from shared.topics import ARTICLES

OFFSETS = ConsumerOffsets("ingest", "ingest-relay", ARTICLES.name)
RECOVERY = Actor("recovery")
RECOVERED = "Published after the backup that Postgres was restored from; taken from the topic articles"
COLLIDED = "Changed before it was known that a newer version is published; renumbered above that version"
NUMBERS_SKIPPED = 1_000
"""After a recovery: more than the drafts that the backup lacks, whose numbers were given too."""
RESENT_AT_ONCE = 200


async def recover_from_topic(connection: Connection, kafka: KafkaConfig) -> None:
    """Take over what only the topic has, and queue what only Postgres has.

    Raises:
        KafkaError, OSError, TimeoutError: Kafka is unavailable.
        asyncpg.PostgresError: Postgres is unavailable.
    """
    async with log_reader(kafka) as reader:
        identity, numbers = await read_topic(reader._client, ARTICLES.name)  # noqa: SLF001 - it has no public attribute
        places = [TopicPartition(ARTICLES.name, number) for number in numbers]
        beginnings = await reader.beginning_offsets(places)
        ends = await reader.end_offsets(places)
        start = {place.partition: LogPosition(identity, beginnings[place]) for place in places}
        stored = await OFFSETS.read(connection)
        is_known = await _is_known_log(reader, stored, start, ends)
        if is_known:
            start |= stored
        versions: dict[str, int] = {}
        count = 0
        for place in places:
            first = max(start[place.partition].next_offset, beginnings[place])
            async for records in read_range(reader, place, first, ends[place]):
                count += await _take_over(connection, _newest(records, versions))
                if records:
                    last = records[-1]
                    checksum = record_checksum(last.timestamp, last.value)
                    start[place.partition] = LogPosition(identity, last.offset + 1, checksum)
    resent = 0 if is_known else await _resend(connection, versions)
    await OFFSETS.reset(connection, start)
    if count or resent:
        log.warning("compared Postgres with the topic articles", taken_over=count, queued_again=resent)


async def _is_known_log(
    reader: AIOKafkaConsumer,
    stored: dict[int, LogPosition],
    start: dict[int, LogPosition],
    ends: dict[TopicPartition, int],
) -> bool:
    """Return whether the log is the one that was compared last, with its last records."""
    last_records = {}
    for place, end in ends.items():
        position = stored.get(place.partition)
        if position is None or position.identity != start[place.partition].identity or position.next_offset > end:
            return False
        if position.last_record is not None and position.next_offset > start[place.partition].next_offset:
            last_records[place] = position.next_offset - 1
    found = await read_checksums(reader, last_records)
    reader.resume(*last_records)
    return all(found[place] == stored[place.partition].last_record for place in last_records)


def _newest(records: Sequence[ConsumerRecord], versions: dict[str, int]) -> list[Article]:
    newest: dict[str, Article] = {}
    for record in records:
        if record.value is None:
            continue
        try:
            article = msgspec.json.decode(record.value, type=Article)
        except msgspec.DecodeError as error:
            log.error("a published article cannot be decoded", offset=record.offset, reason=str(error))
            continue
        if article.version >= versions.get(article.id, 0):
            versions[article.id] = article.version
            newest[article.id] = article
    return list(newest.values())


async def _take_over(connection: Connection, articles: Sequence[Article]) -> int:
    count = 0
    for article in articles:
        try:
            async with connection.transaction():
                count += await _take_over_one(connection, article)
        except (
            asyncpg.IntegrityConstraintViolationError,
            InvalidContentError,
        ) as error:  # its number or old URL is taken
            log.error("a published article cannot be taken over from the topic", article=article.id, reason=str(error))
    return count


async def _take_over_one(connection: Connection, article: Article) -> bool:
    stored = await read_article(connection, article.id, for_update=True)
    live = None if stored is None else stored.live
    if live is not None and (live.version > article.version or live == article):
        return False
    if live is not None and live.version == article.version and not await _is_waiting(connection, article.id):
        return False
    await connection.fetchval(SQL["reserve_numbers"], article.number + NUMBERS_SKIPPED)
    if stored is None:
        await connection.execute(SQL["renumber_draft"], article.number, article.id)
        await insert_article(connection, _recovered(article, article), RECOVERY, RECOVERED)
    else:
        await _update(connection, stored, article)
    log.warning("article taken over from the topic", article=article.id, version=article.version)
    return True


async def _update(connection: Connection, stored: StoredArticle, article: Article) -> None:
    head, live = stored.head, stored.live
    if live is not None and await _is_waiting(connection, article.id):
        # It was changed here meanwhile: that change is the last one, and gets the next version.
        version = max(head.version, article.version) + 1
        live = msgspec.structs.replace(live, version=version)
        head = live if head == stored.live else msgspec.structs.replace(head, version=version)
        await connection.execute(SQL["discard_waiting"], article.id)
        change = ArticleChange(
            "recover", head, live, is_public_change=True, publish_due_at=_due(head), unpublish_due_at=live.unpublish_at
        )
        await save_change(connection, stored, change, RECOVERY, COLLIDED, skips_versions=True)
        return
    has_draft = head.version > (live.version if live is not None else 0) and (
        head.version >= article.version or article.state != "published"
    )
    kept = head if has_draft and article.state != "killed" else article
    head = msgspec.structs.replace(kept, version=max(head.version + 1, article.version))
    await save_change(connection, stored, _recovered(head, article), RECOVERY, RECOVERED, skips_versions=True)


async def _is_waiting(connection: Connection, article_id: str) -> bool:
    return bool(await connection.fetchval(SQL["is_waiting_to_be_sent"], article_id))


def _recovered(head: Article, live: Article) -> ArticleChange:
    until = live.unpublish_at if live.state == "published" else None
    return ArticleChange(
        "recover", head, live, is_public_change=False, publish_due_at=_due(head), unpublish_due_at=until
    )


def _due(head: Article) -> datetime | None:
    return due_at(head) if head.state == "scheduled" else None


async def _resend(connection: Connection, versions: dict[str, int]) -> int:
    """Queue the articles of which the topic has no version as new as Postgres; return how many."""
    rows = await connection.fetch(SQL["live_versions"])
    missing = [row["id"] for row in rows if versions.get(row["id"], 0) < row["version"]]
    await queue_live_articles(connection, missing)
    return len(missing)


async def queue_live_articles(connection: Connection, ids: Sequence[str]) -> None:
    """Queue the published version of articles, whatever its state, to be sent to the topic."""
    for first in range(0, len(ids), RESENT_AT_ONCE):
        async with connection.transaction():
            for one in ids[first : first + RESENT_AT_ONCE]:
                stored = await read_article(connection, one, for_update=True)
                if stored is not None and stored.live is not None:
                    await connection.execute(SQL["insert_into_outbox"], *message_of(stored.live))
