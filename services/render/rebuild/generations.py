"""The generations of the portal: which one readers get, and how another takes its place.

A generation is a set of tables in one of three schemas. `render.generations` says which one is live, which one was live
before, and which one is spare: the next one is built in that. Readers find the live one in the snapshot in which they
read, so a swap is one transaction that changes rows; nobody waits for it but builders.
"""

import contextlib
import time
from collections.abc import AsyncIterator
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
"""How long builders may stand still; if the last records take longer, the next generation catches up again first."""
TRIES_MAX = 20
STATEMENT_SECONDS = 600
IDLE_SECONDS = 60
"""Postgres ends a transaction of a rebuild that does nothing for so long: it is frozen."""

KEYS = {
    "articles": ("id",),
    "listings": ("article", "list"),
    "old_addresses": ("article", "site", "address"),
    "search": ("article",),
    "boundaries": ("article", "at"),
}
"""The tables of a generation, each with its key, the article first."""


class GenerationError(CommandError):
    """A generation cannot be built or swapped."""


@dataclass(frozen=True)
class Generation:
    """One of the three: `orphans` are articles that its successor was made without."""

    place: str
    state: Literal["live", "former", "spare"]
    made_at: datetime | None
    orphans: tuple[str, ...]


@asynccontextmanager
async def alone(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Yield a connection that builds and swaps, while no other rebuild or rollback can.

    All is written on this very connection: whoever loses it, and with it the lock, writes nothing more.

    Raises:
        GenerationError: another one is at work.
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
            raise GenerationError("another rebuild or rollback is under way")
        yield connection
    finally:
        await connection.close(timeout=5)


async def read_generations(connection: asyncpg.Connection) -> dict[str, Generation]:
    """Return the live, the former and a spare generation by their state; there may be no former one."""
    rows = await connection.fetch(SQL["generations"])
    return {
        row["state"]: Generation(row["place"], row["state"], row["made_at"], tuple(row["orphans"]))
        for row in reversed(rows)
    }


async def empty(connection: asyncpg.Connection, place: str) -> None:
    """Empty a spare generation.

    Raises:
        GenerationError: somebody still reads it.
    """
    try:
        await connection.execute(GENERATIONS[place]["empty"])
    except asyncpg.LockNotAvailableError as error:
        raise GenerationError(f"the tables in {place} are being read, perhaps by a dump; try again later") from error


async def ids(connection: asyncpg.Connection, place: str) -> set[str]:
    """Return the articles of a generation."""
    return {row["id"] for row in await connection.fetch(GENERATIONS[place]["ids"])}


async def orphans(connection: asyncpg.Connection, replay: Replay, live: str, place: str) -> list[str]:
    """Return the live articles that another generation has not, and of which the topic has not even a tombstone."""
    lost = await ids(connection, live) - replay.versions.keys()
    return sorted(lost - await ids(connection, place))


async def that_differ(connection: asyncpg.Connection, one: str, other: str) -> list[str]:
    """Return the articles that have other rows in one generation than in another, or are in one only."""
    found: set[str] = set()
    for table, key in KEYS.items():
        article = key[0]
        query = (
            f"SELECT {article} FROM {one}.{table} a FULL JOIN {other}.{table} b USING ({', '.join(key)}) "  # noqa: S608
            "WHERE (a.*)::record IS DISTINCT FROM (b.*)::record"
        )
        found.update(row[0] for row in await connection.fetch(query))
    return sorted(found)


async def empty_spares(connection: asyncpg.Connection) -> None:
    """Empty what nobody can come back to; if somebody reads it, a dump perhaps, the next rebuild does it."""
    for row in await connection.fetch(SQL["generations"]):
        if row["state"] == "spare":
            with contextlib.suppress(GenerationError):
                await empty(connection, row["place"])


async def swap(connection: asyncpg.Connection, replay: Replay, live: str, place: str, orphans_max: int) -> float:
    """Let readers get another generation, with all that was published until now; return how long builders waited.

    Raises:
        GenerationError: builders could not be held off, or there are more orphans now.
    """
    for _ in range(TRIES_MAX):
        await replay.catch_up(await replay.ends())
        try:
            return await _try_to_swap(connection, replay, live, place, orphans_max)
        except (asyncpg.LockNotAvailableError, TimeoutError):
            log.warning("Builders are at work; the swap tries again")
    raise GenerationError("builders could not be held off; nothing has changed, run it again")


async def _try_to_swap(
    connection: asyncpg.Connection, replay: Replay, live: str, place: str, orphans_max: int
) -> float:
    async with connection.transaction():
        await connection.execute(SQL["end_soon_if_frozen"])
        await connection.execute(SQL["hold_writers_off"])
        begun = time.monotonic()
        if not await replay.catch_up(await replay.ends(), begun + SWAP_SECONDS):
            raise TimeoutError
        lost = await orphans(connection, replay, live, place)
        if len(lost) > orphans_max:
            raise GenerationError(f"{len(lost)} live articles are not in the topic by now; nothing has changed")
        await connection.execute(SQL["retire_former"])
        await connection.execute(SQL["make_former"], lost)
        await connection.execute(SQL["make_live"], place)
        await connection.execute(GENERATIONS[place]["raise_all_generations"])
    return time.monotonic() - begun
