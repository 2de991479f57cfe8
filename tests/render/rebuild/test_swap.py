"""A generation is replayed, compared and swapped in, and the former one is kept for a rollback."""

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import asyncpg
import msgspec
import pytest
from aiokafka import TopicPartition

from services.render.builder import store
from services.render.queries import GENERATIONS
from services.render.rebuild import generations
from services.render.rebuild.command import confirm_dropping
from services.render.rebuild.replay import Replay
from shared.articles import Article
from shared.site_structure import SiteStructure, StaticPage, StructureSection, StructureTag
from shared.sites import Sites
from tests.render.conftest import SITE

PARTITION = TopicPartition("articles", 0)
Record = tuple[str, Article | SiteStructure | StaticPage | bytes | None]
AT = datetime(2026, 11, 29, tzinfo=UTC)


class Consumer:
    """A topic in a list, as far as a replay reads it."""

    def __init__(self, records: list[Record]) -> None:
        self.records = records
        self.at = 0

    def assignment(self) -> set[TopicPartition]:
        return {PARTITION}

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, len(self.records))

    async def position(self, _: TopicPartition) -> int:
        return self.at

    async def getmany(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        begin, self.at = self.at, len(self.records)
        found = [
            SimpleNamespace(
                topic="site-structure" if isinstance(value, SiteStructure | StaticPage) else "articles",
                partition=0,
                offset=offset,
                key=key.encode(),
                value=msgspec.json.encode(value) if isinstance(value, msgspec.Struct) else value,
            )
            for offset, (key, value) in enumerate(self.records[begin:], begin)
        ]
        return {PARTITION: found}


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
    """The connection of a rebuild, with its lock."""
    async with generations.exclusive_connection(database) as connection:
        yield connection


def replay_of(connection: Any, records: list[Record]) -> Replay:
    consumer: Any = Consumer(records)
    return Replay(consumer, connection, "render_2", Sites({SITE.slug: SITE}))


async def test_catch_up_keeps_the_newest_version_of_each_article(portal: Any, connection: Any) -> None:
    """Versions decide and not the order; a tombstone removes, and an unreadable record is reported with its offset."""
    first, gone = portal.article(1), portal.article(2)
    second = msgspec.structs.replace(first, version=2, title="Mới")
    stranger = portal.article(3, site="elsewhere")
    records: list[Record] = [
        ("a-1", second),
        ("a-2", gone),
        ("a-1", first),
        ("a-2", None),
        ("x", b"{"),
        ("a-3", stranger),
    ]
    replay = replay_of(connection, records)
    assert await replay.catch_up(await replay.ends())
    assert replay.versions == {"a-1": 2, "a-2": None}
    assert replay.unreadable.keys() == {"0:4", "0:5"}
    assert "unknown-site" in replay.unreadable["0:5"]
    rows = await connection.fetch("SELECT id, version FROM render_2.articles")
    assert [tuple(row) for row in rows] == [("a-1", 2)]
    replay_2 = replay_of(connection, [("a-1", second)])
    assert not await replay_2.catch_up(await replay_2.ends(), deadline=0)


def structure(version: int, tag: str) -> SiteStructure:
    sections = [StructureSection(slug="tin-tuc", name="Tin tức", version=version)]
    tags = [StructureTag(slug="lua", name=tag, version=version)]
    return SiteStructure(site="haihau", version=version, modified_at=AT, sections=sections, tags=tags)


def static_page(version: int, title: str) -> StaticPage:
    return StaticPage(
        site="haihau", id="p-1", version=version, state="published", slug="a", title=title, modified_at=AT
    )


async def test_rebuild_keeps_structures_that_the_topic_lost(portal: Any, connection: Any) -> None:
    """What is live in a newer version than in the topic stays, with the words of its articles, as in the live rows."""
    await store.save_structure(portal.pool, structure(5, "Lúa nước"))
    await store.save_page(portal.pool, static_page(5, "Mới"))
    article = await portal.add(1, tags=["Lúa"])
    for records in ([], [("haihau", structure(4, "Lúa cũ")), ("haihau/page/p-1", static_page(4, "Cũ"))]):
        await generations.truncate(connection, "render_2")
        replay = replay_of(connection, [("a-1", article), *records])
        assert await replay.catch_up(await replay.ends())
        assert await generations.differing_articles(connection, "render", "render_2")
        await replay.add_structures_of("render")
        assert await generations.differing_articles(connection, "render", "render_2") == []
        words = await connection.fetchval("SELECT marked_words::text FROM render_2.search")
        assert "nước" in words


async def test_rebuild_keeps_newer_structures_of_the_topic(portal: Any, connection: Any) -> None:
    """A rename that the builder has not read yet is in the next generation, with the words of its articles."""
    await store.save_structure(portal.pool, structure(5, "Lúa cũ"))
    await store.save_page(portal.pool, static_page(5, "Cũ"))
    article = await portal.add(1, tags=["Lúa"])
    records: list[Record] = [("a-1", article), ("haihau", structure(6, "Lúa nước")), ("", static_page(6, "Mới"))]
    replay = replay_of(connection, records)
    assert not await replay.catch_up(await replay.ends(), deadline=0)
    assert await replay.catch_up(await replay.ends())
    await replay.add_structures_of("render")
    rows = await connection.fetch(
        "SELECT version FROM render_2.structures UNION ALL SELECT version FROM render_2.static_pages"
    )
    assert [row["version"] for row in rows] == [6, 6]
    assert "nước" in await connection.fetchval("SELECT marked_words::text FROM render_2.search")


async def test_swap_makes_the_next_generation_live_and_keeps_orphans(portal: Any, connection: Any) -> None:
    """The live articles that the topic does not contain are counted, named and kept in the former generation."""
    same = await portal.add(1)
    lost = await portal.add(2)
    known = await generations.read_generations(connection)
    assert (known["live"].schema, known["spare"].schema, "former" in known) == ("render", "render_2", False)
    replay = replay_of(connection, [("a-1", same)])
    await replay.catch_up(await replay.ends())
    await connection.execute(GENERATIONS["render_2"]["analyze"], "render_2")
    assert await generations.orphans(connection, replay, "render", "render_2") == [lost.id]
    assert await generations.differing_articles(connection, "render", "render_2") == [lost.id]
    with pytest.raises(
        generations.GenerationError, match=f"missing from the topic now, and nothing has changed: {lost.id}"
    ):
        await generations.swap(connection, replay, "render", "render_2", [])
    assert (await portal.get("/bai-so-2-2.html")).status == 200
    assert await generations.swap(connection, replay, "render", "render_2", [lost.id]) < 3
    assert [(await portal.get(f"/bai-so-{number}-{number}.html")).status for number in (1, 2)] == [200, 404]
    known = await generations.read_generations(connection)
    assert (known["live"].schema, known["former"].schema, known["former"].orphans) == ("render_2", "render", ("a-2",))
    await generations.truncate_spares(connection)
    assert await generations.article_ids(connection, "render") == {"a-1", "a-2"}


async def test_exclusive_connection_and_truncate_while_in_use_are_refused(portal: Any, connection: Any) -> None:
    """A second rebuild is refused, and a spare generation that another session reads is not truncated."""
    url = str(portal.pool._connect_args[0])
    with pytest.raises(generations.GenerationError, match="another rebuild or rollback is running"):
        async with generations.exclusive_connection(url):
            pass
    await connection.execute("SET lock_timeout = 50")
    async with portal.pool.acquire() as reader, reader.transaction():
        await reader.fetch("SELECT FROM render_3.articles")
        with pytest.raises(generations.GenerationError, match="another session"):
            await generations.truncate(connection, "render_3")
    await generations.truncate(connection, "render_3")


def test_dropping_live_articles_without_a_terminal_is_refused_with_their_names(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No public page vanishes without its name and a confirmation; `yes` or the flag confirms."""
    confirm_dropping([], is_confirmed=False)
    confirm_dropping(["a-1"], is_confirmed=True)
    missing = [f"a-{number}" for number in range(40)]
    stdin = io.StringIO("yes\n")
    monkeypatch.setattr("sys.stdin", stdin)
    with pytest.raises(generations.GenerationError, match="40 live articles are not in the topic"):
        confirm_dropping(missing, is_confirmed=False)
    assert set(missing) <= set(capsys.readouterr().out.split())
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    confirm_dropping(missing, is_confirmed=False)
    assert set(missing) <= set(capsys.readouterr().out.split())
    monkeypatch.setattr("builtins.input", lambda _: "no")
    with pytest.raises(generations.GenerationError):
        confirm_dropping(missing[:1], is_confirmed=False)
