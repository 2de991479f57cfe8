"""Changes of articles before the comparison with the topics: refused by the API, the scheduler and commands."""

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from services.ingest.articles.copies import ArticleChange
from services.ingest.articles.scheduler import run_next_due
from services.ingest.articles.store import insert_article, read_article, save_change
from services.ingest.articles.topic_comparison import ComparisonGate, NotComparedError
from services.ingest.articles.workflow import edit_article, keep_unpublished_edits, publish_article
from services.ingest.auth.actors import Actor
from services.ingest.queries import SQL
from shared.articles import Article
from shared.sites import Site, Sites
from tests.ingest.conftest import NOW, EditorApi

EDITOR = Actor("Lan")


async def restore(pool: asyncpg.Pool) -> None:
    """Make the database look like one that was restored."""
    await pool.execute("UPDATE ingest.topic_comparison SET database_identity = 'another one'")


async def create(pool: asyncpg.Pool, article: Article, **due: Any) -> None:
    async with pool.acquire() as connection, connection.transaction():
        change = ArticleChange("create", article, None, is_public_change=False, **due)
        await insert_article(connection, change, EDITOR)


async def test_database_is_compared_only_as_itself(pool: asyncpg.Pool) -> None:
    """A new database, another identity and another start of the server each need a comparison."""
    assert await pool.fetchval(SQL["is_compared"])
    for change in (
        "database_identity = NULL",
        "database_identity = 'other'",
        "server_started_at = server_started_at - interval '1 s'",
    ):
        await pool.execute(f"UPDATE ingest.topic_comparison SET {change}")
        assert not await pool.fetchval(SQL["is_compared"])
        await pool.execute(SQL["confirm_comparison"])
        assert await pool.fetchval(SQL["is_compared"])


async def test_api_before_the_comparison_refuses_changes_and_serves_reads(api: EditorApi) -> None:
    """Each change is 503 with Retry-After while the gate is closed; reading goes on."""
    article = (await api.create("Bài"))["id"]
    api.context.comparison = ComparisonGate(api.context.pool, start_wait_seconds=0)
    for method, path, body in (
        ("POST", "/articles", {"site": "haihau", "section": "tin-tuc", "title": "Khác"}),
        ("PATCH", f"/articles/{article}", {"title": "Khác", "version": 1}),
        ("PUT", f"/articles/{article}", {"section": "tin-tuc", "title": "Khác", "version": 1}),
        ("POST", f"/articles/{article}/submit", {"version": 1}),
        ("POST", f"/articles/{article}/kill", {"reason": "x"}),
        ("POST", f"/articles/{article}/restore", {"version": 1}),
        ("POST", "/imports?site=haihau", b"{}"),
    ):
        response = await api.call(method, path, body, scope="admin")
        assert (response.status, response.headers["retry-after"]) == (503, "2"), path
        assert response.headers["content-type"] == "application/problem+json"
    assert (await api.call("GET", f"/articles/{article}")).status == 200


async def test_api_on_a_database_that_was_replaced_refuses_changes(api: EditorApi, pool: asyncpg.Pool) -> None:
    """Also a process that was ready before changes nothing in a restored database."""
    article = (await api.create("Bài"))["id"]
    await restore(pool)
    response = await api.call("PATCH", f"/articles/{article}", {"title": "Khác", "version": 1})
    assert (response.status, response.headers["retry-after"]) == (503, "2")
    line = {"title": "Nhập", "external_id": "1", "body": "<p>x</p>", "section": "tin-tuc"}
    imported = await api.call("POST", "/imports?site=haihau", line)
    assert "has not been compared" in imported.json()["reason"]
    assert await pool.fetchval("SELECT count(*) FROM ingest.revisions") == 1


async def test_schedule_before_the_comparison_waits(
    pool: asyncpg.Pool, site: Site, new_article: Callable[..., Article]
) -> None:
    """A due publication is neither done nor cancelled, and is done after the comparison."""
    article = new_article(state="scheduled", publish_at=NOW)
    await create(pool, article, scheduled=article)
    await restore(pool)
    sites = Sites({site.slug: site})
    with pytest.raises(NotComparedError):
        await run_next_due(pool, sites)
    await pool.execute(SQL["confirm_comparison"])
    assert await run_next_due(pool, sites)
    assert await pool.fetchval("SELECT state FROM ingest.articles") == "published"


async def test_first_change_after_a_restore_skips_versions_once(
    pool: asyncpg.Pool, new_article: Callable[..., Article]
) -> None:
    """The next version is higher, both of two versions of one transaction; later ones and new articles skip none."""
    await create(pool, new_article())
    await pool.execute(SQL["skip_versions"], 1_000)
    await create(pool, new_article(id="a-2", number=2))

    async def edit(number: int) -> int:
        async with pool.acquire() as connection, connection.transaction():
            stored = await read_article(connection, f"a-{number}", for_update=True)
            assert stored is not None
            published = publish_article(stored, stored.head, NOW)
            edited = edit_article(stored, {"title": f"Khác {stored.head.version}"}, by_publisher=False, now=NOW).head
            kept = keep_unpublished_edits(edited, published, NOW)
            assert kept is not None
            first = await save_change(connection, stored, published, EDITOR)
            second = await save_change(connection, stored, kept, EDITOR)
            assert second.live == first.live == first.head
            assert second.head.version == first.head.version + 1
            return first.head.version

    assert [await edit(1), await edit(1), await edit(2)] == [1_002, 1_004, 2]
    stored = await pool.fetch("SELECT version, content ->> 'version' AS content FROM ingest.articles ORDER BY id")
    assert [tuple(row) for row in stored] == [(1_005, "1005"), (3, "3")]


async def test_gate_opens_after_a_comparison_since_its_start(pool: asyncpg.Pool) -> None:
    """A comparison of before the start of the process does not open it."""
    await asyncio.sleep(0.01)
    gate = ComparisonGate(pool)
    watching = asyncio.create_task(gate.watch())
    await asyncio.sleep(0.6)
    assert gate.not_ready()
    await pool.execute(SQL["confirm_comparison"])
    async with asyncio.timeout(60):
        while gate.not_ready():  # noqa: ASYNC110 - it is what is tested
            await asyncio.sleep(0.05)
    await gate.check()
    watching.cancel()


async def test_change_soon_after_the_start_waits_for_the_comparison(pool: asyncpg.Pool) -> None:
    """A request that reaches a process before its first comparison is served after it, not refused."""
    gate = ComparisonGate(pool, start_wait_seconds=60)
    waiting = asyncio.create_task(gate.check())
    watching = asyncio.create_task(gate.watch())
    await asyncio.sleep(0.5)
    assert not waiting.done()
    await pool.execute(SQL["confirm_comparison"])
    await waiting
    watching.cancel()
