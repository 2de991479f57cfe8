"""Restores of Postgres and of Kafka against each other: what consumers fill is complete, whatever their groups say.

The consumers are the services' own, on a real broker and a real Postgres. They guard against offsets that Kafka keeps:
after a restore those are ahead of the database, and what lies between was lost.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
import msgspec
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from services.ingest.articles.publication_status import CONSUMER_GROUP, save_publication
from services.render.builder.consumer import Builder
from services.stats.counting.adjustments import follow_adjustments
from services.stats.counting.article_titles import follow_titles
from shared.articles import Article, Paragraph
from shared.consumer_offsets import ConsumerOffsets
from shared.events import Adjustment
from shared.kafka import database_consumer
from shared.kafka.config import KafkaConfig
from shared.kafka.consumer import create_broker, run_broker
from shared.kafka.database_consumer import DatabaseConsumer
from shared.kafka.producer import Producer
from shared.postgres import open_pool
from shared.role import Process
from shared.sites import Section, Site, Sites
from shared.topics import ARTICLES, COUNTER_ADJUSTMENTS, PAGES_LIVE, create_topics
from tests.chaos.polling import becomes_true
from tests.databases import url_of
from tests.ingest.conftest import NOW

SLOW_SECONDS = 2.5
SITE = Site(
    slug="haihau",
    name="Hải Hậu",
    origins=["https://haihau.example"],
    timezone="Asia/Ho_Chi_Minh",
    sections=[Section("tin-tuc", "Tin tức")],
)
State = dict[str, Any]


def article(number: int, version: int, state: Any = "published") -> Article:
    return Article(
        id=f"a-{number}",
        number=number,
        site="haihau",
        version=version,
        state=state,
        title=f"Bài {number}, bản {version}",
        slug=f"bai-{number}",
        section="tin-tuc",
        language="vi",
        body=[Paragraph("Đoạn")],
        modified_at=NOW,
        first_published_at=NOW,
    )


async def publish(bootstrap: str, *articles: Article, amount: int = 0) -> None:
    """Send articles, and an adjustment of an amount."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    for one in articles:
        await producer.send_and_wait(ARTICLES.name, msgspec.json.encode(one), key=one.id.encode())
    if amount:
        at = time.time_ns() // 1_000_000
        adjustment = Adjustment(
            id=str(uuid.uuid4()), site="haihau", article=None, measure="views", amount=amount, who="a", why="b", at=at
        )
        await producer.send_and_wait(
            COUNTER_ADJUSTMENTS.name, msgspec.json.encode(adjustment), key=adjustment.id.encode()
        )
    await producer.stop()


@asynccontextmanager
async def consumers(url: str, bootstrap: str) -> AsyncIterator[Process]:
    """Run the services' consumers that fill a database, except the counter of views."""
    kafka, process = KafkaConfig(bootstrap), Process()
    stats, ingest, render = [
        await open_pool(url, role=f"presstally_{service}", size=4) for service in ("stats", "ingest", "render")
    ]
    producer = Producer(kafka)
    producer.start()
    broker = create_broker(kafka)
    builder = Builder(render, producer, Sites({SITE.slug: SITE}))
    followers = [
        follow_adjustments(broker, stats, producer, process),
        *follow_titles(broker, stats, producer, process),
        DatabaseConsumer(
            broker,
            ingest,
            ConsumerOffsets("ingest", CONSUMER_GROUP, PAGES_LIVE.name),
            CONSUMER_GROUP,
            partial(save_publication, producer),
            process=process,
        ),
        DatabaseConsumer(
            broker,
            render,
            ConsumerOffsets("render", "builder", ARTICLES.name),
            "render-builder",
            builder.on_article,
            process=process,
        ),
    ]
    watching = [process.spawn(follower.watch(), "watch") for follower in followers]
    try:
        async with run_broker(broker, kafka, process):
            yield process
            assert process.failure is None
    finally:
        for task in watching:
            task.cancel()
        await producer.stop()
        for pool in (stats, ingest, render):
            pool.terminate()


async def state(url: str) -> State:
    """Return what the database says is public, and the sum of the adjustments."""
    connection = await asyncpg.connect(url)
    try:
        rows = {
            "portal": "SELECT id, version FROM render.public_articles",
            "titles": "SELECT id, version FROM stats.articles WHERE title IS NOT NULL",
            "links": "SELECT article, version FROM stats.links WHERE path IS NOT NULL",
            "publications": "SELECT article, version FROM ingest.publications WHERE status = 'live'",
        }
        found: State = {name: dict(await connection.fetch(sql)) for name, sql in rows.items()}
        found["adjusted"] = int(await connection.fetchval("SELECT coalesce(sum(amount), 0) FROM stats.adjustments"))
        return found
    finally:
        await connection.close()


def expected(versions: dict[str, int], adjusted: int) -> State:
    """Return the state that the oracle says: each public article with its newest version."""
    return {**dict.fromkeys(("portal", "titles", "links", "publications"), versions), "adjusted": adjusted}


async def becomes(url: str, wanted: State) -> None:
    """Wait until the database has the wanted state."""

    async def is_so() -> bool:
        return await state(url) == wanted

    assert await becomes_true(is_so, 60), f"{await state(url)} is not {wanted}"


async def copy(server: str, url: str) -> str:
    """Dump a database and restore the dump under another name."""
    name = f"restored_{uuid.uuid4().hex[:8]}"
    connection = await asyncpg.connect(server)
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE {url.rsplit('/', 1)[1]}")
    await connection.close()
    return url_of(server, name)


@pytest.fixture
async def topics(bootstrap: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """New topics on the broker: a topic of the same name with another id, as after Kafka was lost."""
    monkeypatch.setattr(database_consumer, "CHECK_SECONDS", 0.5)
    await lose_topics(bootstrap)
    return bootstrap


async def lose_topics(bootstrap: str) -> None:
    """Delete all topics and create them again, empty."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    names = [name for name in await admin.list_topics() if not name.startswith("__")]
    if names:
        await admin.delete_topics(names)

        async def are_gone() -> bool:
            return not set(await admin.list_topics()) & set(names)

        assert await becomes_true(are_gone, 60)
    await admin.close()
    await create_topics(KafkaConfig(bootstrap), 2, 1)


async def test_older_postgres_with_newer_kafka_gets_what_came_after_the_dump(
    topics: str, database: str, postgres_url: str
) -> None:
    """Titles, addresses, publications, pages and adjustments of after the dump come back, also of killed articles."""
    await publish(topics, article(1, 1), article(2, 1), amount=1_100)
    async with consumers(database, topics):
        await becomes(database, expected({"a-1": 1, "a-2": 1}, 1_100))
    dump = await copy(postgres_url, database)
    await publish(topics, article(1, 4), article(3, 2), article(2, 3, "killed"), amount=500_000)
    after = expected({"a-1": 4, "a-3": 2}, 501_100)
    async with consumers(database, topics):
        await becomes(database, after)
    async with consumers(dump, topics):
        await becomes(dump, after)


async def test_empty_postgres_with_newer_kafka_gets_everything(topics: str, database: str, postgres_url: str) -> None:
    """A database without rows is filled from the beginning of the topics, though the groups have read them."""
    empty = await copy(postgres_url, database)
    await publish(topics, article(1, 2), article(2, 1), amount=7)
    async with consumers(database, topics):
        await becomes(database, expected({"a-1": 2, "a-2": 1}, 7))
    async with consumers(empty, topics):
        await becomes(empty, expected({"a-1": 2, "a-2": 1}, 7))


async def test_newer_postgres_with_empty_kafka_keeps_everything(topics: str, database: str) -> None:
    """A new log is read from its beginning, also while the consumers run; nothing is lost or older than before."""
    await publish(topics, article(1, 5), article(2, 1), amount=7)
    async with consumers(database, topics):
        await becomes(database, expected({"a-1": 5, "a-2": 1}, 7))
        await lose_topics(topics)
        await publish(topics, article(1, 4), article(3, 1), amount=3)
        await becomes(database, expected({"a-1": 5, "a-2": 1, "a-3": 1}, 10))


async def test_both_older_or_empty_begin_again(topics: str, database: str, postgres_url: str) -> None:
    """An older database with a log that has another record at its offset reads that log from its beginning."""
    await publish(topics, article(1, 1), amount=1)
    async with consumers(database, topics):
        await becomes(database, expected({"a-1": 1}, 1))
    dump = await copy(postgres_url, database)
    identity = "UPDATE {}.consumer_offsets SET last_record = last_record + 1 WHERE last_record IS NOT NULL"
    connection = await asyncpg.connect(dump)
    for schema in ("stats", "ingest", "render"):
        await connection.execute(identity.format(schema))
    await connection.execute("DELETE FROM stats.articles; DELETE FROM stats.links; DELETE FROM ingest.publications")
    await connection.close()
    async with consumers(dump, topics):
        await becomes(dump, expected({"a-1": 1}, 1))
        await publish(topics, article(2, 1), amount=1)
        await becomes(dump, expected({"a-1": 1, "a-2": 1}, 2))


async def test_comparison_after_the_broker_stopped_does_nothing(topics: str, database: str) -> None:
    """Positions are compared until the role ends, which is after its broker: a stop is no error then."""
    kafka, process = KafkaConfig(topics), Process()
    pool = await open_pool(database, role="presstally_stats", size=2)
    producer = Producer(kafka)
    producer.start()
    broker = create_broker(kafka)
    follower = follow_adjustments(broker, pool, producer, process)

    async def is_following() -> bool:
        return bool(follower._followed)

    async with run_broker(broker, kafka, process):
        assert await becomes_true(is_following, 60)
    follower._followed.update({TopicPartition(COUNTER_ADJUSTMENTS.name, 0): None})  # type: ignore[dict-item] # as at a stop
    await follower._compare()
    follower._pause_and_load([TopicPartition(COUNTER_ADJUSTMENTS.name, 0)])
    assert process.failure is None
    await producer.stop()
    pool.terminate()


async def test_record_after_one_that_was_applied_slowly_comes_at_once(topics: str, database: str) -> None:
    """While a record is applied its partition is not fetched: the fetch of the others ends soon, and it is again."""
    kafka, process, applied = KafkaConfig(topics), Process(), []
    pool = await open_pool(database, role="presstally_render", size=2)
    broker = create_broker(kafka)

    async def apply_slowly(_: object, record: Any) -> None:
        await asyncio.sleep(0.5)
        applied.append(msgspec.json.decode(record.value)["version"])

    offsets = ConsumerOffsets("render", "builder", ARTICLES.name)
    follower = DatabaseConsumer(broker, pool, offsets, "render-builder", apply_slowly, process=process)

    async def has(*versions: int) -> bool:
        return applied == list(versions)

    async with run_broker(broker, kafka, process):
        await publish(topics, article(1, 1))
        assert await becomes_true(partial(has, 1), 60)
        took: list[float] = []
        while len([one for one in took if one < SLOW_SECONDS]) < 2 and len(took) < 8:  # a busy machine makes some slow
            begun, version = time.monotonic(), len(took) + 2
            await publish(topics, article(1, version))
            assert await becomes_true(partial(has, *range(1, version + 1)), 60), f"{applied}: {follower.not_ready()}"
            took.append(time.monotonic() - begun)
        assert len([one for one in took if one < SLOW_SECONDS]) == 2, took
    pool.terminate()
