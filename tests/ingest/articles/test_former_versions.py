"""Changes by replicas of a former version, which do not know the scheduled copy, while replicas are replaced."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from services.ingest.articles.scheduler import run_next_due
from tests.ingest.articles.test_scheduler import SITES, TO_SCHEDULED, article, fetch_article, insert_and_walk

SOON = datetime.now(UTC) + timedelta(hours=1)


async def change_as_before(pool: asyncpg.Pool, action: str, state: str, due: datetime | None = None) -> None:
    """Change the article with the statements of version 0.1, which have no columns of the scheduled copy."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            """
            UPDATE ingest.articles
            SET version = version + 1, state = $1, publish_due_at = $2,
                content = content || jsonb_build_object('state', $1::text, 'version', version + 1),
                live = CASE WHEN $1 = 'published' THEN content || '{"state": "published"}' ELSE live END
            WHERE id = 'a-1'
            """,
            state,
            due,
        )
        await connection.execute(
            """
            INSERT INTO ingest.revisions
                (article, version, action, state, who, note, site, content, is_public_change, at)
            SELECT id, version, $1, state, 'Biên tập', '', site, content, $1 = 'publish', now() FROM ingest.articles
            WHERE id = 'a-1'
            """,
            action,
        )


async def scheduled(pool: asyncpg.Pool) -> None:
    await insert_and_walk(pool, article(), *TO_SCHEDULED, publish_at=SOON)


async def make_due(pool: asyncpg.Pool) -> None:
    await pool.execute(
        "UPDATE ingest.articles SET scheduled_for = now() - interval '1 second' WHERE scheduled_for IS NOT NULL"
    )


@pytest.mark.parametrize(
    ("action", "state"),
    [("unschedule", "approved"), ("refuse", "draft"), ("publish", "published"), ("kill", "killed")],
)
async def test_schedule_ended_by_a_former_version_publishes_nothing(
    pool: asyncpg.Pool, action: str, state: str
) -> None:
    """What its editor was told holds: the scheduler of a new replica does not publish the copy after all."""
    await scheduled(pool)
    await change_as_before(pool, action, state)
    stored = await fetch_article(pool, "a-1")
    assert (stored.head.state, stored.scheduled) == (state, None)
    await make_due(pool)
    assert not await run_next_due(pool, SITES)


async def test_schedule_moved_by_a_former_version_has_the_new_time(pool: asyncpg.Pool) -> None:
    """The copy is due when its editor was told, and it is the text that was scheduled then."""
    await scheduled(pool)
    later = SOON + timedelta(days=1)
    await change_as_before(pool, "schedule", "scheduled", later)
    assert await pool.fetchval("SELECT scheduled_for FROM ingest.articles") == later
    stored = await fetch_article(pool, "a-1")
    assert stored.scheduled is not None
    assert stored.scheduled.version == stored.head.version


@pytest.mark.parametrize(("action", "state"), [("edit", "draft"), ("submit", "in_review"), ("approve", "approved")])
async def test_schedule_survives_other_changes_by_a_former_version(pool: asyncpg.Pool, action: str, state: str) -> None:
    """A successor that it edits is no reason to lose the schedule."""
    await scheduled(pool)
    await change_as_before(pool, action, state)
    stored = await fetch_article(pool, "a-1")
    assert (stored.head.state, stored.scheduled is None) == (state, False)


async def test_edit_by_a_former_version_is_a_change_of_the_working_copy(api: Any) -> None:
    """Its revision names no copies, and yet a save of an older version is 412, not a lost update."""
    made = await api.create("Bài")
    async with api.context.pool.acquire() as connection, connection.transaction():
        await connection.execute("UPDATE ingest.articles SET version = 2, content = content || '{\"version\": 2}'")
        await connection.execute(
            """
            INSERT INTO ingest.revisions
                (article, version, action, state, who, note, site, content, is_public_change, at)
            SELECT id, 2, 'edit', state, 'x', '', site, content, false, now() FROM ingest.articles
            """
        )
    saved = await api.call("PATCH", f"/articles/{made['id']}", {"lead": "x", "version": 1})
    assert saved.status == 412
