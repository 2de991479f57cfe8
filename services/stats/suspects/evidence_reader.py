"""Postgres → the evidence of a site's local day."""

from typing import Any, Protocol

from services.stats.local_calendar import day_start
from services.stats.queries import STATISTICS_SQL
from services.stats.statistics.periods import next_start
from services.stats.suspects.finding import SILENT_MIN, GroupNumbers, Suspect, find_suspects
from shared.sites import Site

SMALL_MAX = SILENT_MIN // 10
"""Groups with fewer silent visitor IDs in an hour are read as one."""


class Connection(Protocol):
    """A connection, or a pool of them."""

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        """Return the rows of a query."""


async def read_suspects(connection: Connection, site: Site, at_seconds: int) -> list[Suspect]:
    """Return the suspects of the local day of an instant.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
    """
    return find_suspects(await read_groups(connection, site, at_seconds))


async def read_groups(connection: Connection, site: Site, at_seconds: int) -> list[GroupNumbers]:
    """Return the evidence of a local day: groups by hour and of the day, the small ones of each summed as OTHERS."""
    begin = day_start(at_seconds * 1000, site.zone)
    rows = await connection.fetch(
        STATISTICS_SQL["evidence"], site.slug, begin, next_start(begin, "day", site), SMALL_MAX
    )
    return [GroupNumbers(*tuple(row)) for row in rows]
