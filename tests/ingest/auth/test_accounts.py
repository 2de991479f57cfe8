"""What runs behind the routes of people: mails in the background."""

import asyncio

import asyncpg

from services.ingest.auth.accounts import TASKS_MAX, Accounts


async def test_background_work_is_bounded_and_survives_errors(pool: asyncpg.Pool) -> None:
    """An error is logged and stops nothing; beyond the bound nothing is begun."""
    accounts, done, release = Accounts(pool), 0, asyncio.Event()

    async def work() -> None:
        nonlocal done
        await release.wait()
        done += 1
        if done == 1:
            raise RuntimeError("x")

    for _ in range(TASKS_MAX + 5):
        accounts.in_background(work)
    release.set()
    await accounts.finish()
    assert done == TASKS_MAX
