"""Secrets that all processes of ingest share through Postgres."""

import secrets

import asyncpg

from services.ingest.queries import SQL

SECRET_BYTES = 32


async def get_or_create_secret(pool: asyncpg.Pool, name: str, known: bytes | None = None) -> bytes:
    """Return the secret of a name; the first caller of all processes makes it, or publishes the one that it has.

    Args:
        pool: Connected as the role presstally_ingest.
        name: What it is for.
        known: Used in place of a new one if there is none.

    Raises:
        asyncpg.PostgresError, OSError: Postgres is unavailable.
    """
    candidate = known or secrets.token_bytes(SECRET_BYTES)
    # A statement uses one snapshot: the loser of a race gets no row the first time, then the winner's.
    while (secret := await pool.fetchval(SQL["get_or_create_secret"], name, candidate)) is None:
        pass
    return bytes(secret)
