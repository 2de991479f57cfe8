"""Publishes and withdraws articles at their scheduled times.

Each second one query reads when the next change is due; within that second it is waited for. The due articles are then
read from Postgres, one at a time, under a row lock. No schedule is kept in memory, so a restart loses nothing, replicas
do not conflict, and changes that fell due during an outage run after it, in order.
"""

import asyncio
import time
from datetime import datetime

import asyncpg
import msgspec

from services.ingest.articles import removal, workflow
from services.ingest.articles.copies import ArticleChange, StoredArticle
from services.ingest.articles.store import database_time, read_article, save_change
from services.ingest.articles.topic_comparison import NotComparedError
from services.ingest.auth.actors import Actor
from services.ingest.content.errors import InvalidContentError
from services.ingest.content.validation import publishing_errors
from services.ingest.metrics import OUTBOX_PENDING, SCHEDULE_OVERDUE
from services.ingest.queries import EDITING, SQL
from shared.http.problems import Problem
from shared.logs import log
from shared.postgres import POSTGRES_DATA_ERRORS, POSTGRES_UNAVAILABLE
from shared.retry import run_periodically
from shared.sites import Sites

TICK_SECONDS = 1.0
"""A change that is scheduled within less than that may be so much late."""
CLEANUP_SECONDS = 600.0
SCHEDULER = Actor("scheduler")


async def run_scheduler(pool: asyncpg.Pool, sites: Sites) -> None:
    """Run due changes until cancelled; retry while Postgres is unavailable."""
    cleaned_at = 0.0

    async def tick() -> None:
        nonlocal cleaned_at
        due_in_seconds = await _read_schedule(pool)
        if due_in_seconds < TICK_SECONDS:
            await asyncio.sleep(max(0.0, due_in_seconds))
            while await run_next_due(pool, sites):
                pass
            await _read_schedule(pool)
        if time.monotonic() - cleaned_at > CLEANUP_SECONDS:
            await pool.execute(SQL["delete_old_responses"])
            await pool.execute(SQL["delete_old_previews"])
            await pool.execute(EDITING["delete_old_autosaves"])
            await pool.execute(EDITING["delete_old_presence"])
            cleaned_at = time.monotonic()

    await run_periodically(
        tick, every_seconds=TICK_SECONDS, on=(NotComparedError, *POSTGRES_UNAVAILABLE), what="run scheduled changes"
    )


async def _read_schedule(pool: asyncpg.Pool) -> float:
    """Return in how many seconds the next change is due, and set the gauges."""
    row = await pool.fetchrow(SQL["read_schedule"])
    assert row is not None
    SCHEDULE_OVERDUE.set(max(0.0, -row["due_in_seconds"]))
    OUTBOX_PENDING.set(row["pending_messages"])  # measured here because the relay blocks while Kafka is unavailable
    return float(row["due_in_seconds"])


async def run_next_due(pool: asyncpg.Pool, sites: Sites) -> bool:
    """Run the first due change that no other replica has locked; return whether there was one.

    Raises:
        NotComparedError: nothing was changed; the database was not compared with the topics yet.
        asyncpg.PostgresError, OSError: nothing was changed, or Postgres is unavailable.
    """
    async with pool.acquire() as connection, connection.transaction():
        due = await connection.fetchrow(SQL["next_due"])
        if due is None:
            return False
        now = await database_time(connection)
        try:
            stored = await read_article(connection, due["id"], for_update=True)
            assert stored is not None, "it is locked"
        except msgspec.MsgspecError as error:
            await connection.execute(SQL["cancel_unreadable"], due["id"], f"The article cannot be decoded: {error}")
            log.error("scheduled article cannot be decoded; schedule cancelled", article=due["id"], reason=str(error))
            return True
        try:
            async with (
                connection.transaction()
            ):  # a savepoint: after an error the schedule is cancelled in the outer transaction
                change = _due_change(stored, sites, is_withdrawal=due["is_withdrawal"], now=now)
                await save_change(connection, stored, change, SCHEDULER, change.note("scheduled time reached"))
        except (InvalidContentError, Problem, LookupError, *POSTGRES_DATA_ERRORS) as error:
            change = workflow.cancel_schedule(stored, f"It could not be published at the scheduled time: {error}", now)
            await save_change(connection, stored, change, SCHEDULER, change.schedule_error or "")
        log.info(
            "scheduled change applied",
            article=stored.head.id,
            action=change.action,
            schedule_error=change.schedule_error,
        )
        return True


def _due_change(stored: StoredArticle, sites: Sites, *, is_withdrawal: bool, now: datetime) -> ArticleChange:
    if is_withdrawal:
        return removal.withdraw("unpublish", stored, now)
    site = sites[stored.head.site]
    stored = stored.resolved(site)
    assert stored.scheduled is not None, "it is due"
    errors = publishing_errors(stored.scheduled, site)
    if errors:
        raise InvalidContentError(errors)
    return workflow.publish_scheduled(stored, now)
