"""The generations of the portal: which one is live, and how another replaces it.

A generation is a set of tables in one of three schemas. `render.generations` says which one is live, which one was live
before (former), and which one is spare: the next one is built there. The site reads the live one's name in the snapshot
in which it reads the pages, so a swap is one transaction that updates rows; only builders wait for it.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import asyncpg

from services.render.queries import GENERATIONS, SQL
from services.render.rebuild.replay import Replay
from shared.cli import CommandError
from shared.logs import log

LOCK = 0x67656E6572617465  # "generate": one rebuild or rollback at a time
LOCK_WAIT_SECONDS = 4.0
"""How long a swap waits for builders, and builders for it: less than the 5 s after which they would give up."""
SWAP_SECONDS = 3.0
"""How long builders may wait; if the last records take longer, the next generation catches up again first."""
TRIES_MAX = 20
STATEMENT_SECONDS = 600
IDLE_SECONDS = 60
"""Postgres ends a rebuild's transaction that is idle for so long: the process is frozen."""

KEYS = {
    "articles": ("id",),
    "listings": ("article", "list"),
    "old_addresses": ("article", "site", "address"),
    "search": ("article",),
    "visibility_changes": ("article", "at"),
    "structures": ("site",),
    "static_pages": ("id", "site"),
}
"""The tables of a generation, each with its key: the id of the article or static page, or the site, first."""


class GenerationError(CommandError):
    """A rebuild or rollback was refused; the text is the message for the operator."""


@dataclass(frozen=True)
class Generation:
    """One of the three. `orphans` are its articles that are not in its successor."""

    schema: str
    state: Literal["live", "former", "spare"]
    made_at: datetime | None
    orphans: tuple[str, ...]


@asynccontextmanager
async def exclusive_connection(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Yield the connection of a rebuild or rollback, with the lock that excludes any other.

    Everything is written on this connection: a process that loses it, and with it the lock, writes nothing more.

    Raises:
        GenerationError: another rebuild or rollback is running.
    """
    connection = await asyncpg.connect(
        url,
        command_timeout=STATEMENT_SECONDS + 2,
        server_settings={
            "role": "presstally_render",
            "application_name": "presstally_render rebuild",
            "statement_timeout": str(STATEMENT_SECONDS * 1000),
            "idle_in_transaction_session_timeout": str(IDLE_SECONDS * 1000),
            "lock_timeout": str(int(LOCK_WAIT_SECONDS * 1000)),
            "timezone": "UTC",
        },
    )
    try:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
            raise GenerationError("another rebuild or rollback is running")
        yield connection
    finally:
        await connection.close(timeout=5)


async def read_generations(connection: asyncpg.Connection) -> dict[str, Generation]:
    """Return the live, the former and a spare generation by their state; there may be no former one."""
    rows = await connection.fetch(SQL["generations"])
    return {
        row["state"]: Generation(row["schema_name"], row["state"], row["made_at"], tuple(row["orphans"]))
        for row in reversed(rows)
    }


async def truncate(connection: asyncpg.Connection, schema: str) -> None:
    """Truncate a spare generation.

    Raises:
        GenerationError: another session reads it.
    """
    try:
        await connection.execute(GENERATIONS[schema]["truncate"])
    except asyncpg.LockNotAvailableError as error:
        raise GenerationError(
            f"another session, such as a dump, reads the tables in {schema}; try again when it is done"
        ) from error


async def article_ids(connection: asyncpg.Connection, schema: str) -> set[str]:
    """Return the ids of the articles of a generation."""
    return {row["id"] for row in await connection.fetch(GENERATIONS[schema]["article_ids"])}


async def orphans(connection: asyncpg.Connection, replay: Replay, live: str, schema: str) -> list[str]:
    """Return the live articles that are missing in another generation and have no record in the topic."""
    lost = await article_ids(connection, live) - replay.versions.keys()
    return sorted(lost - await article_ids(connection, schema))


async def differing_articles(connection: asyncpg.Connection, one: str, other: str) -> list[str]:
    """Return the articles whose rows differ between two generations, or that are in one only."""
    found: set[str] = set()
    for table, key in KEYS.items():
        article = key[0]
        query = (
            f"SELECT {article} FROM {one}.{table} a FULL JOIN {other}.{table} b USING ({', '.join(key)}) "  # noqa: S608
            "WHERE (a.*)::record IS DISTINCT FROM (b.*)::record"
        )
        found.update(row[0] for row in await connection.fetch(query))
    return sorted(found)


async def truncate_spares(connection: asyncpg.Connection) -> None:
    """Truncate the spare generations; one that another session reads is left to the next rebuild."""
    for row in await connection.fetch(SQL["generations"]):
        if row["state"] == "spare":
            with contextlib.suppress(GenerationError):
                await truncate(connection, row["schema_name"])


async def swap(
    connection: asyncpg.Connection, replay: Replay, live: str, schema: str, confirmed: Collection[str]
) -> float:
    """Make another generation live, with everything published until now; return how long builders waited, in seconds.

    Raises:
        GenerationError: the lock against builders could not be taken, or unconfirmed articles would be dropped.
    """
    for _ in range(TRIES_MAX):
        await replay.catch_up(await replay.ends())
        try:
            return await _try_to_swap(connection, replay, live, schema, confirmed)
        except (asyncpg.LockNotAvailableError, TimeoutError):
            log.warning("builders are writing; retrying the swap")
    raise GenerationError("could not lock builders out; nothing has changed, run it again")


async def _try_to_swap(
    connection: asyncpg.Connection, replay: Replay, live: str, schema: str, confirmed: Collection[str]
) -> float:
    async with connection.transaction():
        await connection.execute(SQL["set_idle_timeout"])
        await connection.execute(SQL["lock_swap_exclusive"])
        begun = time.monotonic()
        if not await replay.catch_up(await replay.ends(), begun + SWAP_SECONDS):
            raise TimeoutError
        lost = await orphans(connection, replay, live, schema)
        if unconfirmed := sorted(set(lost) - set(confirmed)):
            names = ", ".join(unconfirmed)
            raise GenerationError(f"live articles are missing from the topic now, and nothing has changed: {names}")
        await connection.execute(SQL["retire_former"])
        await connection.execute(SQL["make_former"], lost)
        await connection.execute(SQL["make_live"], schema)
        await connection.execute(GENERATIONS[schema]["bump_all_site_versions"])
    return time.monotonic() - begun
