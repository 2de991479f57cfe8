"""Secrets that processes share."""

import asyncio

import asyncpg

from services.ingest.articles.previews import PreviewLinks
from services.ingest.auth.shared_secrets import SECRET_BYTES, get_or_create_secret


async def test_secret_is_that_of_the_first_caller(pool: asyncpg.Pool) -> None:
    """Each name has one secret, made by the caller that asks first, or the one that it brings along."""
    first = await get_or_create_secret(pool, "one")
    assert len(first) == SECRET_BYTES
    assert await get_or_create_secret(pool, "one", b"known") == first
    assert await get_or_create_secret(pool, "two", b"known") == b"known"


async def test_loser_of_a_race_gets_the_secret_of_the_winner(pool: asyncpg.Pool) -> None:
    """Who waits for another process's commit sees nothing in its own snapshot, and asks again."""
    links = PreviewLinks(pool)
    async with pool.acquire() as winner, pool.acquire() as watching:
        transaction = winner.transaction()
        await transaction.start()
        await winner.execute("INSERT INTO ingest.secrets (name, value) VALUES ('previews', 'of the winner')")
        losing = asyncio.create_task(links.read_secret())
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"
        async with asyncio.timeout(60):
            while not await watching.fetchval(waits):  # noqa: ASYNC110 - Postgres has no event for it
                await asyncio.sleep(0.01)
        await transaction.commit()
        await losing
    assert links._secret == b"of the winner"
