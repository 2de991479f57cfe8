"""Articles after restores of Postgres and Kafka: the editor API knows what is published; no version comes again."""

import argparse
import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import msgspec
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from prometheus_client import REGISTRY

from services.ingest.articles import relay_comparison, republish_command
from services.ingest.articles.copies import ArticleChange
from services.ingest.articles.opening_balances import opening_balance_id, set_opening_balance
from services.ingest.articles.outbox_relay import run_outbox_relay
from services.ingest.articles.store import insert_article, read_article, save_change
from services.ingest.articles.topic_comparison import ComparisonGate, NotComparedError
from services.ingest.articles.topic_recovery import TopicRecovery
from services.ingest.articles.witness import read_last_given, read_witness
from services.ingest.articles.workflow import apply_transition, edit_article
from services.ingest.auth.actors import Actor
from services.ingest.queries import SQL
from services.ingest.settings import IngestSettings
from shared.articles import Article, updated_at
from shared.kafka.config import KafkaConfig
from shared.kafka.log_reader import log_reader, read_range
from shared.postgres import open_pool
from shared.topics import ARTICLES, COUNTER_ADJUSTMENTS
from tests.chaos.polling import becomes_true
from tests.databases import mark_compared
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


@pytest.fixture(autouse=True)
def fast_comparisons(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare twice a second."""
    monkeypatch.setattr(relay_comparison, "COMPARE_SECONDS", 0.5)
    monkeypatch.setattr(relay_comparison, "WITNESS_SECONDS", 0.1)


async def topic_versions(bootstrap: str) -> dict[str, tuple[int, str]]:
    """Return the version and title of each article, as the last record of the topic has it."""
    found = {}
    async with log_reader(KafkaConfig(bootstrap)) as reader:
        await reader._client.force_metadata_update()
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
    """Run the relay: until the database is compared with the topics, and at the end until the outbox is empty."""
    async with ingest_pool(url) as pool:
        started = await pool.fetchval("SELECT clock_timestamp()")
        task = asyncio.create_task(run_outbox_relay(pool, KafkaConfig(bootstrap)))

        async def is_done() -> bool:
            compared = await pool.fetchval(SQL["is_compared_since"], started)
            return bool(compared) and not await pool.fetchval(SQL["count_pending_messages"])

        async def has_witness() -> bool:
            return await read_witness(KafkaConfig(bootstrap)) == await read_last_given(pool)

        try:
            assert await becomes_true(is_done, 60), "the relay compares and sends everything"
            yield pool
            assert await becomes_true(is_done, 60), "the relay sends everything"
            assert await becomes_true(has_witness, 60), "the relay commits what was given last"
        finally:
            is_running = not task.done()
            task.cancel()
            await asyncio.wait([task], timeout=5)
            assert is_running, task.exception()


async def edit(pool: asyncpg.Pool, number: int, title: str) -> int:
    """Change the working version of an article and return its new version."""
    async with pool.acquire() as connection, connection.transaction():
        stored = await read_article(connection, f"a-{number}", for_update=True)
        assert stored is not None
        change = edit_article(stored, {"title": title}, by_publisher=False, now=NOW)
        return (await save_change(connection, stored, change, EDITOR)).head.version


async def create(pool: asyncpg.Pool, one: Article) -> None:
    """Create an article that is not published."""
    async with pool.acquire() as connection, connection.transaction():
        await insert_article(connection, ArticleChange("create", one, None, is_public_change=False), EDITOR)


async def republish(url: str, bootstrap: str, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command in this process and return its exit code."""
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("KAFKA_BOOTSTRAP", bootstrap)
    parser = argparse.ArgumentParser()
    republish_command.add_arguments(parser)
    return await republish_command.run(parser.parse_args(arguments), IngestSettings.load())


async def conflicts_of(url: str, bootstrap: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Compare a database with the topics and return the conflicts as the command prints them."""
    async with ingest_pool(url) as pool, pool.acquire() as connection, log_reader(KafkaConfig(bootstrap)) as reader:
        report = await TopicRecovery(connection, reader).compare(await read_witness(KafkaConfig(bootstrap)))
    capsys.readouterr()
    republish_command.print_report(report)
    return capsys.readouterr().out


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

        assert await becomes_true(is_known, 60), await known(pool)
        async with pool.acquire() as connection, connection.transaction():
            stored = await read_article(connection, "a-3", for_update=True)
            assert stored is not None
            await save_change(connection, stored, apply_transition("kill", stored, SITE, NOW), EDITOR, "reason")
        assert await pool.fetchval(SQL["next_number"]) > 1_000
        notes = await pool.fetchval("SELECT count(*) FROM ingest.revisions WHERE action = 'recover'")
        assert notes == 3
    version, killed = (await topic_versions(topics))["a-3"]
    assert (version > 1_000, killed) == (True, "killed")


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
    await mark_compared(dump)
    await store(dump, article(1, 2, "killed"))
    async with relay(dump, topics):

        async def is_killed() -> bool:
            version, killed = (await topic_versions(topics))["a-1"]
            return version > 1_000 and killed == "killed"

        assert await becomes_true(is_killed, 60)


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

        assert await becomes_true(is_resent, 60)


async def test_empty_postgres_takes_over_everything(topics: str, database: str, postgres_url: str) -> None:
    """A new, empty Postgres beside the topic gets every article; no number is given again."""
    empty = await copy(postgres_url, database)
    text_date = NOW - timedelta(days=9)
    await store(database, msgspec.structs.replace(article(1, 2), text_updated_at=text_date), article(7, 1))
    async with relay(database, topics):
        pass
    async with relay(empty, topics) as pool:
        assert await known(pool) == {"a-1": (2, "published"), "a-7": (1, "published")}
        async with pool.acquire() as connection:
            found = [await read_article(connection, one) for one in ("a-1", "a-7")]
        dates = [None if one is None or one.live is None else updated_at(one.live) for one in found]
        assert dates == [text_date, NOW], "readers' text is as old as it was"
        assert await pool.fetchval(SQL["next_number"]) > 1_000


@pytest.mark.parametrize("is_copy_of_files", [False, True])
async def test_versions_of_drafts_after_a_restore_are_new(
    topics: str, database: str, postgres_url: str, *, is_copy_of_files: bool
) -> None:
    """Versions that drafts had after the dump never come again, though no topic has them; neither do numbers."""
    # A copy of the server's files has the same identity: then only the witness in Kafka shows that it is older.
    await store(database, article(1, 1))
    async with relay(database, topics) as pool:
        await create(pool, article(2, 1, "draft"))
    dump, second_dump = [await copy(postgres_url, database) for _ in range(2)]
    async with relay(database, topics) as pool:
        given = [await edit(pool, number, f"Bản {time}") for time in range(3) for number in (1, 2)]
        numbers = [await pool.fetchval(SQL["next_number"]) for _ in range(3)]
    assert given == [2, 2, 3, 3, 4, 4]
    for restored in (dump, second_dump):
        if is_copy_of_files:
            await mark_compared(restored)
        async with relay(restored, topics) as pool:
            again = [await edit(pool, number, "Sau khi phục hồi") for number in (1, 2, 1)]
            new_number = await pool.fetchval(SQL["next_number"])
        assert not set(again) & set(given)
        assert again[2] == again[0] + 1
        assert new_number not in numbers
        given, numbers = given + again, [*numbers, new_number]


async def test_database_is_closed_until_it_is_compared(topics: str, database: str, postgres_url: str) -> None:
    """A restored database takes no change, in any process, before the relay has compared it with the topics."""
    await store(database, article(1, 1))
    async with relay(database, topics):
        pass
    dump = await copy(postgres_url, database)
    async with ingest_pool(dump) as pool:
        gate = ComparisonGate(pool)
        watching = asyncio.create_task(gate.watch())

        async def is_open() -> bool:
            return not gate.not_ready()

        assert not await becomes_true(is_open, 1)
        with pytest.raises(NotComparedError):
            await edit(pool, 1, "Quá sớm")
        with pytest.raises(NotComparedError):
            await create(pool, article(2, 1, "draft"))
        async with relay(dump, topics):
            assert await becomes_true(is_open, 60)
            assert await edit(pool, 1, "Bây giờ") > 1_000
        watching.cancel()


async def test_database_that_was_not_restored_skips_nothing(topics: str, database: str) -> None:
    """A relay that starts again continues with the next version and number."""
    await store(database, article(1, 1))
    versions = []
    for _ in range(3):
        async with relay(database, topics) as pool:
            versions.append(await edit(pool, 1, "Sửa"))
            number = await pool.fetchval(SQL["next_number"])
    assert versions == [2, 3, 4]
    assert number == 3


async def test_topic_that_loses_records_while_the_relay_runs_gets_them_again(topics: str, database: str) -> None:
    """The relay notices by itself that the topic is another log, and sends what it lacks, once."""
    await store(database, article(1, 2), article(2, 1, "killed"))
    async with relay(database, topics):
        await lose_topics(topics)

        async def is_resent() -> bool:
            return await topic_versions(topics) == {"a-1": (2, "published"), "a-2": (1, "killed")}

        assert await becomes_true(is_resent, 60)
        await store(database, article(1, 3))

        async def is_newer() -> bool:
            return (await topic_versions(topics))["a-1"] == (3, "published")

        assert await becomes_true(is_newer, 60)
    async with log_reader(KafkaConfig(topics)) as reader, ingest_pool(database) as pool, pool.acquire() as connection:
        report = await TopicRecovery(connection, reader).compare(None, everything=True)
    assert (report.articles, report.sent_again, report.taken_over) == (2, 0, 0)


async def test_republish_sends_what_the_topic_lacks_once(
    topics: str, database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command finds what is not in a log that was compared already; a second run has nothing to do."""
    await store(database, article(1, 2), article(2, 1))
    async with relay(database, topics):
        pass
    async with ingest_pool(database) as pool:  # the relay has seen it, and the topic does not have it
        await store(database, article(3, 1))
        await pool.execute("DELETE FROM ingest.outbox")
    async with relay(database, topics):
        for _ in range(2):
            assert await republish(database, topics, monkeypatch) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("articles: 2 in the topic, 1 sent again, 0 taken over")
    assert second.startswith("articles: 3 in the topic, 0 sent again, 0 taken over")
    assert (await topic_versions(topics))["a-3"] == (1, "published")


async def test_republish_after_a_restore_skips_versions(
    topics: str, database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An operator who restored both from copies of one moment says so, as nothing else shows it."""
    await store(database, article(1, 1))
    async with relay(database, topics) as pool:
        assert await republish(database, topics, monkeypatch, "--after-restore") == 0
        assert await edit(pool, 1, "Sau") > 1_000
    assert "versions and numbers skip" in capsys.readouterr().out


async def test_unreadable_record_is_reported_and_is_no_conflict(
    topics: str, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A record that cannot be decoded hides no other one, and raises no alert about a restore that never was."""
    await store(database, article(1, 1))
    async with AIOKafkaProducer(bootstrap_servers=topics) as producer:
        await producer.send_and_wait(ARTICLES.name, b"not an article", key=b"x", partition=0)
    before = REGISTRY.get_sample_value("presstally_recovery_conflicts")
    printed = await conflicts_of(database, topics, capsys)
    assert "1 unreadable record(s) not compared" in printed
    assert "conflict:" not in printed
    assert REGISTRY.get_sample_value("presstally_recovery_conflicts") == before


async def test_conflicts_of_recovered_articles_are_reported(
    topics: str, database: str, postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What took a number, an old URL or an external id before the comparison is named, and the article comes back."""
    dump = await copy(postgres_url, database)
    lost = msgspec.structs.replace(article(1, 3), old_urls=["/cu/1.html"], source_system="cu", external_id="7")
    await store(database, lost, article(2, 1))
    async with relay(database, topics):
        pass
    await mark_compared(dump)
    taken = {"id": "b-1", "old_urls": ["/cu/1.html"], "source_system": "cu", "external_id": "7"}
    async with ingest_pool(dump) as pool:
        await create(pool, msgspec.structs.replace(article(5, 1, "draft"), **taken))
        await create(pool, msgspec.structs.replace(article(1, 1, "draft"), id="b-2"))
    await store(dump, msgspec.structs.replace(article(2, 1), id="b-3"))
    printed = await conflicts_of(dump, topics, capsys)
    assert "draft b-2 had the number 1 of published article a-1, and has " in printed
    assert "article a-1 is taken over, but its old URL /cu/1.html stays that of article b-1" in printed
    assert "article a-1 is taken over, but its external_id '7' stays that of article b-1" in printed
    assert "article a-2 is published with number 2, which article b-3 has here; it is not taken over" in printed
    async with ingest_pool(dump) as pool:
        versions = await known(pool)
        note = await pool.fetchval("SELECT note FROM ingest.revisions WHERE article = 'a-1'")
    assert versions["a-1"] == (3, "published")
    assert "a-2" not in versions
    assert "/cu/1.html stays that of article b-1" in note


async def test_opening_balance_of_after_the_dump_is_not_set_twice(
    topics: str, database: str, postgres_url: str
) -> None:
    """A restored database gets the balance back from the topic; a repeated import cannot add to it."""

    async def set_balance(pool: asyncpg.Pool, amount: int) -> int:
        async with pool.acquire() as connection, connection.transaction():
            return await set_opening_balance(
                connection, site="haihau", article=None, measure="views", amount=amount, who="An", why="x"
            )

    dump = await copy(postgres_url, database)
    async with relay(database, topics) as pool:
        assert await set_balance(pool, 500) == 500
    async with relay(dump, topics) as pool:
        assert await set_balance(pool, 900) == 500
        await lose_topics(topics)

        async def is_resent() -> bool:
            return await adjustment_ids(topics) == [opening_balance_id("haihau", None, "views")]

        assert await becomes_true(is_resent, 60)


async def adjustment_ids(bootstrap: str) -> list[str]:
    """Return the keys of the adjustments in the topic."""
    found: list[str] = []
    async with log_reader(KafkaConfig(bootstrap)) as reader:
        places = [TopicPartition(COUNTER_ADJUSTMENTS.name, number) for number in range(2)]
        ends = await reader.end_offsets(places)
        for place in places:
            async for records in read_range(reader, place, 0, ends[place]):
                found += [(record.key or b"").decode() for record in records]
    return found
