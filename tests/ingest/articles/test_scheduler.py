"""Scheduled changes: due articles, outages, and articles that cannot be published."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from services.ingest.articles.copies import ArticleChange, StoredArticle
from services.ingest.articles.scheduler import run_next_due, run_scheduler
from services.ingest.articles.store import insert_article, read_article, save_change
from services.ingest.articles.workflow import apply_transition
from services.ingest.auth.actors import Actor
from services.ingest.content.errors import InvalidContentError
from shared.articles import Article, Paragraph, is_public
from shared.sites import Section, Site, Sites
from tests.leads import leads

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
SITE = Site(
    slug="haihau",
    name="Hải Hậu",
    origins=["https://haihau.example"],
    timezone="Asia/Ho_Chi_Minh",
    sections=[Section("tin-tuc", "Tin tức")],
)
SITES = Sites({"haihau": SITE})
EDITOR = Actor("Biên tập", "12345678")


def article(**fields: Any) -> Article:
    given = {
        "id": "a-1",
        "number": 1,
        "site": "haihau",
        "version": 1,
        "state": "draft",
        "title": "Tựa",
        "slug": "tua",
        "section": "tin-tuc",
        "language": "vi",
        "body": [Paragraph("Đoạn")],
        "modified_at": NOW,
        "first_published_at": None,
    }
    return Article(**{**given, **fields})


async def insert_and_walk(
    pool: asyncpg.Pool, head: Article, *steps: str, publish_at: datetime | None = None
) -> StoredArticle:
    async with pool.acquire() as connection, connection.transaction():
        await insert_article(connection, ArticleChange("create", head, None, is_public_change=False), EDITOR)
        for name in steps:
            stored = await read_article(connection, head.id, for_update=True)
            assert stored is not None
            timed = {"publish_at": publish_at} if name == "schedule" else {}
            await save_change(
                connection, stored, apply_transition(name, stored, SITE, datetime.now(UTC), **timed), EDITOR
            )
        stored = await read_article(connection, head.id)
        assert stored is not None
        return stored


async def fetch_article(pool: asyncpg.Pool, article_id: str) -> StoredArticle:
    async with pool.acquire() as connection:
        stored = await read_article(connection, article_id)
    assert stored is not None
    return stored


TO_SCHEDULED = ("submit", "approve", "schedule")


async def test_scheduler_concurrent_replicas_publish_each_due_article_once(pool: asyncpg.Pool) -> None:
    """Four concurrent schedulers publish each of twenty due articles once, and leave the one that is not due."""
    past, future = datetime.now(UTC) - timedelta(hours=2), datetime.now(UTC) + timedelta(hours=1)
    for number in range(1, 21):
        await insert_and_walk(pool, article(id=f"a-{number}", number=number), *TO_SCHEDULED, publish_at=past)
    await insert_and_walk(pool, article(id="later", number=99), *TO_SCHEDULED, publish_at=future)

    async def work() -> int:
        done = 0
        while await run_next_due(pool, SITES):
            done += 1
        return done

    assert sum(await asyncio.gather(*(work() for _ in range(4)))) == 20
    messages = await pool.fetch("SELECT key, value FROM ingest.outbox ORDER BY id")
    assert sorted(row["key"] for row in messages) == sorted(f"a-{number}" for number in range(1, 21))
    assert (await fetch_article(pool, "later")).head.state == "scheduled"
    assert await pool.fetchval("SELECT count(*) FROM ingest.revisions WHERE who = 'scheduler'") == 20


async def test_scheduler_after_outage_catches_up_in_order(pool: asyncpg.Pool) -> None:
    """Changes that fell due during an outage are made in order, and the article is not public in between."""
    past = datetime.now(UTC) - timedelta(hours=2)
    for number, lead in enumerate(leads(0.3), 1):
        end = datetime.now(UTC) + lead
        with suppress(InvalidContentError):  # a slow machine schedules it after its end
            head = article(id=f"a-{number}", number=number, unpublish_at=end)
            await insert_and_walk(pool, head, *TO_SCHEDULED, publish_at=past)
            break
    await asyncio.sleep((end - datetime.now(UTC)).total_seconds() + 0.05)
    while await run_next_due(pool, SITES):
        pass
    values = [row["value"] for row in await pool.fetch("SELECT value FROM ingest.outbox ORDER BY id")]
    messages = [msgspec.json.decode(value, type=Article) for value in values]
    assert [one.state for one in messages] == ["published", "unpublished"]
    assert not any(is_public(one, datetime.now(UTC)) for one in messages)
    assert [one.version for one in messages] == [5, 6]


@pytest.mark.parametrize("broken", ["caption", "section", "unreadable"])
async def test_scheduler_unpublishable_article_is_unscheduled_with_reason(pool: asyncpg.Pool, broken: str) -> None:
    """An unpublishable scheduled article becomes a draft with the reason, and does not block others."""
    past = datetime.now(UTC) - timedelta(hours=1)
    await insert_and_walk(pool, article(), *TO_SCHEDULED, publish_at=past)
    await insert_and_walk(pool, article(id="good", number=2), *TO_SCHEDULED, publish_at=datetime.now(UTC))
    changes = {
        "caption": """jsonb_set(content, '{body}', '[{"type": "figure", "caption": ""}]')""",
        "section": """jsonb_set(content, '{section}', '"da-bo"')""",
        "unreadable": """jsonb_set(content, '{body}', '7')""",
    }
    changed = f"content = {changes[broken]}, scheduled = {changes[broken]}"
    await pool.execute(f"UPDATE ingest.articles SET {changed} WHERE id = 'a-1'")
    while await run_next_due(pool, SITES):
        pass
    row = await pool.fetchrow("SELECT * FROM ingest.articles WHERE id = 'a-1'")
    assert (row["state"], row["publish_due_at"], row["scheduled_for"], row["scheduled"]) == ("draft", None, None, None)
    reasons = {
        "caption": "body.0.caption: is required",
        "section": "unknown section",
        "unreadable": "cannot be decoded",
    }
    assert reasons[broken] in row["schedule_error"]
    assert (await fetch_article(pool, "good")).head.state == "published"


async def test_scheduler_publishes_at_the_time_and_not_at_the_next_tick(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change that falls due between two ticks is waited for; one that is due later is left."""
    monkeypatch.setattr("services.ingest.articles.scheduler.TICK_SECONDS", 3_600.0)
    now = datetime.now(UTC)
    await insert_and_walk(pool, article(id="soon"), *TO_SCHEDULED, publish_at=now + timedelta(seconds=2))
    later = now + timedelta(days=1)
    await insert_and_walk(pool, article(id="later", number=2), *TO_SCHEDULED, publish_at=later)
    running = asyncio.create_task(run_scheduler(pool, SITES))
    try:
        async with asyncio.timeout(30):
            while (await fetch_article(pool, "soon")).head.state != "published":  # noqa: ASYNC110 - Postgres has no event
                await asyncio.sleep(0.05)
        assert datetime.now(UTC) >= now + timedelta(seconds=2)
        assert (await fetch_article(pool, "later")).head.state == "scheduled"
    finally:
        running.cancel()
        await asyncio.wait([running])
