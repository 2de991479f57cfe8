"""Articles after restores of Postgres and Kafka: the editor API knows what is published; no version comes again."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import msgspec

from services.ingest.articles.outbox_relay import run_outbox_relay
from services.ingest.articles.store import insert_article, read_article, save_change
from services.ingest.articles.workflow import ArticleChange, apply_transition
from services.ingest.auth.actors import Actor
from shared.articles import Article
from shared.kafka.connection import KafkaConfig
from shared.kafka.log_reader import log_reader, read_range
from shared.postgres import open_pool
from shared.topics import ARTICLES
from tests.chaos.polling import becomes_true
from tests.ingest.conftest import NOW
from tests.restore.test_consumers_follow_their_database import SITE, article, copy, lose_topics, publish, topics

EDITOR = Actor("editor")
__all__ = ["topics"]


async def store(url: str, *articles: Article) -> None:
    """Publish articles, new or newer, in Postgres."""
    async with ingest_pool(url) as pool, pool.acquire() as connection:
        for one in articles:
            async with connection.transaction():
                stored = await read_article(connection, one.id, for_update=True)
                change = ArticleChange("publish", one, one, is_public_change=True)
                if stored is None:
                    await insert_article(connection, change, EDITOR)
                else:
                    await save_change(connection, stored, change, EDITOR)


@asynccontextmanager
async def ingest_pool(url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(url, role="presstally_ingest", size=3)
    yield pool
    pool.terminate()


async def topic_versions(bootstrap: str) -> dict[str, tuple[int, str]]:
    """Return the version and title of each article, as the last record of the topic has it."""
    found = {}
    async with log_reader(KafkaConfig(bootstrap)) as reader:
        await reader._client.force_metadata_update()
        from aiokafka import TopicPartition

        places = [TopicPartition(ARTICLES.name, number) for number in range(2)]
        ends = await reader.end_offsets(places)
        for place in places:
            async for records in read_range(reader, place, 0, ends[place]):
                for record in records:
                    one = msgspec.json.decode(record.value or b"", type=Article)
                    found[one.id] = (one.version, one.state)
    return found


@asynccontextmanager
async def relay(url: str, bootstrap: str) -> AsyncIterator[asyncpg.Pool]:
    """Run the relay until the outbox is empty and what was restored is compared."""
    async with ingest_pool(url) as pool:
        task = asyncio.create_task(run_outbox_relay(pool, KafkaConfig(bootstrap)))

        async def is_done() -> bool:
            compared = await pool.fetchval(
                "SELECT count(*) FROM ingest.consumer_offsets WHERE consumer = 'ingest-relay'"
            )
            return bool(compared) and not await pool.fetchval("SELECT count(*) FROM ingest.outbox")

        try:
            assert await becomes_true(is_done, 25), "the relay sends everything"
            yield pool
            assert await becomes_true(is_done, 25), "the relay sends everything"
        finally:
            task.cancel()
            await asyncio.wait([task], timeout=5)


async def known(pool: asyncpg.Pool) -> dict[str, tuple[int, str]]:
    rows = await pool.fetch(
        "SELECT id, (live ->> 'version')::int AS version, live ->> 'state' AS state FROM ingest.articles"
    )
    return {row["id"]: (row["version"], row["state"]) for row in rows}


async def test_older_postgres_takes_over_what_the_topic_has(topics: str, database: str, postgres_url: str) -> None:
    """Later versions and articles are known to the API again; a correction and a kill get later versions."""
    await store(database, article(1, 1), article(2, 1))
    async with relay(database, topics):
        pass
    dump = await copy(postgres_url, database)
    await store(database, article(1, 2), article(1, 3), article(2, 2), article(3, 1))
    async with relay(database, topics):
        pass
    published = {"a-1": (3, "published"), "a-2": (2, "published"), "a-3": (1, "published")}
    assert await topic_versions(topics) == published
    async with relay(dump, topics) as pool:

        async def is_known() -> bool:
            return await known(pool) == published

        assert await becomes_true(is_known, 20), await known(pool)
        async with pool.acquire() as connection, connection.transaction():
            stored = await read_article(connection, "a-3", for_update=True)
            assert stored is not None
            await save_change(connection, stored, apply_transition("kill", stored, SITE, NOW), EDITOR, "reason")
        assert await pool.fetchval("SELECT nextval('ingest.article_numbers')") > 1_000
        notes = await pool.fetchval("SELECT count(*) FROM ingest.revisions WHERE action = 'recover'")
        assert notes == 3
    assert (await topic_versions(topics))["a-3"] == (2, "killed")


async def test_change_before_the_comparison_gets_a_version_above_the_topics(
    topics: str, database: str, postgres_url: str
) -> None:
    """A change that was accepted in a restored database before it was compared is not lost, and is the newest."""
    await store(database, article(1, 1))
    async with relay(database, topics):
        pass
    dump = await copy(postgres_url, database)
    await store(database, article(1, 2), article(1, 3), article(1, 4))
    async with relay(database, topics):
        pass
    await store(dump, article(1, 2, "killed"))
    async with relay(dump, topics):

        async def is_killed() -> bool:
            return (await topic_versions(topics))["a-1"] == (5, "killed")

        assert await becomes_true(is_killed, 20)


async def test_new_kafka_gets_all_articles_again(topics: str, database: str) -> None:
    """After Kafka was lost the whole state of every article that was public is sent again, and nothing twice."""
    articles: Sequence[Article] = [article(1, 2), article(2, 3, "killed"), article(3, 1)]
    await store(database, *articles)
    async with relay(database, topics):
        pass
    await lose_topics(topics)
    await publish(topics)
    async with relay(database, topics):

        async def is_resent() -> bool:
            return await topic_versions(topics) == {one.id: (one.version, one.state) for one in articles}

        assert await becomes_true(is_resent, 25)


async def test_empty_postgres_takes_over_everything(topics: str, database: str, postgres_url: str) -> None:
    """A new, empty Postgres beside the topic gets every article; no number is given again."""
    empty = await copy(postgres_url, database)
    await store(database, article(1, 2), article(7, 1))
    async with relay(database, topics):
        pass
    async with relay(empty, topics) as pool:
        assert await known(pool) == {"a-1": (2, "published"), "a-7": (1, "published")}
        assert await pool.fetchval("SELECT nextval('ingest.article_numbers')") > 1_000
