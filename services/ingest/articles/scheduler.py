"""Publishes and withdraws articles when their time comes.

What is due is read from Postgres at each tick, one article after the other, locked: nothing is kept in memory, so a
restart forgets nothing, replicas do not meet, and what fell due during an outage is done after it, in order.
"""

import time
from datetime import datetime

import asyncpg
import msgspec

from services.ingest.articles import workflow
from services.ingest.articles.store import database_time, read, save
from services.ingest.articles.workflow import Change, Kept
from services.ingest.auth.actors import Actor
from services.ingest.content.errors import ContentError
from services.ingest.content.validation import publishing_faults
from services.ingest.metrics import OUTBOX_PENDING, SCHEDULE_OVERDUE
from services.ingest.queries import SQL
from shared.http.problems import Problem
from shared.logs import log
from shared.postgres import POSTGRES_DATA_ERRORS, POSTGRES_UNAVAILABLE
from shared.retry import run_periodically
from shared.sites import Sites

TICK_SECONDS = 0.25
SWEEP_SECONDS = 600.0
SCHEDULER = Actor("scheduler")


async def schedule(pool: asyncpg.Pool, sites: Sites) -> None:
    """Make scheduled changes until the task is cancelled; an unavailable Postgres is waited for."""
    swept = 0.0

    async def tick() -> None:
        nonlocal swept
        while await run_due(pool, sites):
            pass
        SCHEDULE_OVERDUE.set(await pool.fetchval(SQL["overdue_seconds"]))
        OUTBOX_PENDING.set(await pool.fetchval(SQL["outbox_pending"]))  # here: the relay waits while Kafka is down
        if time.monotonic() - swept > SWEEP_SECONDS:
            await pool.execute(SQL["drop_old_answers"])
            swept = time.monotonic()

    await run_periodically(tick, every_seconds=TICK_SECONDS, on=POSTGRES_UNAVAILABLE, what="make scheduled changes")


async def run_due(pool: asyncpg.Pool, sites: Sites) -> bool:
    """Do the first thing that is due and that nobody else does; tell whether there was one.

    Raises:
        asyncpg.PostgresError, OSError: nothing was done, or Postgres is away.
    """
    async with pool.acquire() as connection, connection.transaction():
        due = await connection.fetchrow(SQL["due"])
        if due is None:
            return False
        now = await database_time(connection)
        try:
            kept = await read(connection, due["id"], for_update=True)
            assert kept is not None, "it is locked"
        except msgspec.MsgspecError as error:
            await connection.execute(SQL["give_up_unreadable"], due["id"], f"It cannot be read: {error}")
            log.error("A scheduled article cannot be read", article=due["id"], reason=str(error))
            return True
        try:
            async with connection.transaction():  # so that a refusal leaves a transaction to give up in
                change = _change(kept, sites, is_withdrawal=due["is_withdrawal"], now=now)
                await save(connection, kept, change, SCHEDULER, "its time came")
        except (ContentError, Problem, LookupError, *POSTGRES_DATA_ERRORS) as error:
            change = workflow.give_up(kept, f"It could not be published at its time: {error}", now)
            await save(connection, kept, change, SCHEDULER, change.problem or "")
        log.info("Scheduled change", article=kept.head.id, action=change.action, problem=change.problem)
        return True


def _change(kept: Kept, sites: Sites, *, is_withdrawal: bool, now: datetime) -> Change:
    site = sites[kept.head.site]
    if is_withdrawal:
        return workflow.take("unpublish", kept, site, now)
    faults = publishing_faults(kept.head, site)
    if faults:
        raise ContentError(faults)
    return workflow.publish(kept, kept.head, now)
