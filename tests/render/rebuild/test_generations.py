"""Rules that changed are followed in the background, and readers never mix two generations."""

import asyncio
from typing import Any

import asyncpg

from services.render.builder import projections, store
from services.render.queries import GENERATIONS, SQL
from services.render.site import page_reader
from shared.sites import Sites
from tests.render.conftest import SITE


async def test_reindex_rebuilds_outdated_rows_behind_edits(portal: Any, monkeypatch: Any) -> None:
    """Outdated rows are rebuilt one by one; an edit does not wait for them, and a broken row is skipped."""
    for number in range(1, 6):
        await portal.add(number, section="van-hoa" if number == 3 else "tin-tuc")
    await portal.pool.execute("UPDATE render.articles SET content = '{}' WHERE number = 3")
    monkeypatch.setattr(projections, "PROJECTION_VERSION", projections.PROJECTION_VERSION + 1)
    turns = asyncio.Queue[None]()
    waiting = asyncio.create_task(store.reindex(portal.pool, Sites(haihau=SITE), turns.get))
    await turns.put(None)
    await portal.change(5, title="Bài được sửa trong lúc đó")
    assert "Bài được sửa trong lúc đó" in (await portal.get("/bai-so-5-5.html")).text
    for _ in range(10):
        await turns.put(None)
    assert await waiting in (3, 4)
    rows = await portal.pool.fetch(
        "SELECT number FROM render.articles WHERE projection_version <> $1", projections.PROJECTION_VERSION
    )
    assert [row["number"] for row in rows] == [3]
    assert await store.reindex(portal.pool, Sites(haihau=SITE), turns.get) == 0


async def test_read_snapshot_during_a_swap_reads_one_generation(portal: Any) -> None:
    """A read that began before a swap reads the former generation to its end; the next one reads the new one."""
    await portal.add(1, title="Bài của thế hệ trước")
    seen: list[str] = []

    async def read(reader: page_reader.PageReader) -> None:
        await swap(portal.pool, "render_2")
        seen.extend(article.title for article in await reader.articles("newest", 5))

    await page_reader.read_snapshot(portal.pool, SITE, read)
    assert seen == ["Bài của thế hệ trước"]
    assert (await portal.get("/bai-so-1-1.html")).status == 404
    await portal.add(1, title="Bài của thế hệ sau")
    assert "Bài của thế hệ sau" in (await portal.get("/bai-so-1-1.html")).text
    await swap(portal.pool, "render")
    assert "Bài của thế hệ trước" in (await portal.get("/bai-so-1-1.html")).text


async def swap(pool: asyncpg.Pool, place: str) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(SQL["lock_swap_exclusive"])
        await connection.execute(SQL["retire_former"])
        await connection.execute(SQL["make_former"], [])
        await connection.execute(SQL["make_live"], place)
        await connection.execute(GENERATIONS[place]["bump_all_site_versions"])
