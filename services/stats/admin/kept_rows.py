"""Rows that a rebuild does not count again: copied into the new generation, and deleted with the old one.

Nearly all of them are of days that no record can change any more. Those are copied before the swap, some pages of the
table in a statement, so that neither counters nor a timeout meet the length of the history.
"""

from collections.abc import Mapping
from typing import Any

import asyncpg

from services.stats.counting.settled import BEGINNING
from services.stats.queries import SQL

PAGES = 8_000
"""Of a table in one statement: 64 MB."""
STATEMENT_SECONDS = 3_600.0
"""Of what is done before the swap: nobody waits for it."""
END = 2**53
"""After all days."""
TABLES = (
    *("offsets", "online", "visitor_days", "ledger", "referrers", "snapshots", "evicted_state", "known_articles"),
    *("evidence", "applied_exclusions", "excluded_visitors", "article_sums", "summed_until", "counts", "generations"),
)
"""Tables with rows of a generation, in the order in which they are deleted; `delete_generation` looks for counts."""
DAY_TABLES = ("visitor_days", "referrers", "evidence")


class KeptRows:
    """The rows of the old generation that the new one gets as they are.

    Args:
        old: Generation.
        new: Generation.
        cuts: Site → first day that is counted again. Earlier days are kept, and all days of sites that are not here.
        ledger_cuts: The same for the ledger.
    """

    def __init__(self, old: int, new: int, cuts: Mapping[str, int], ledger_cuts: Mapping[str, int]) -> None:
        self._generations = old, new
        self._cuts = list(cuts), list(cuts.values())
        self._ledger_cuts = list(ledger_cuts), list(ledger_cuts.values())
        self.settled = BEGINNING
        """What is before it is copied."""

    async def copy_settled(self, connection: asyncpg.Connection, before: int) -> None:
        """Copy what is before an instant, in several transactions. No counter may change it any more.

        Raises:
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
        """
        if before <= self.settled:
            return
        place = *self._generations, *self._cuts
        pages = await connection.fetchval(SQL["table_pages"], "stats.counts")
        for page in range(0, pages, PAGES):
            span = (page, 0), (page + PAGES, 0)
            await connection.execute(SQL["copy_settled_counts"], *place, before, *span, timeout=STATEMENT_SECONDS)
        await connection.execute(SQL["copy_settled_totals"], *place, before, timeout=STATEMENT_SECONDS)
        await self._copy_days(connection, BEGINNING, before)
        self.settled = before

    async def copy_rest(self, connection: asyncpg.Connection) -> None:
        """Copy what is not copied yet, in the transaction of the caller.

        Raises:
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
        """
        await connection.execute(SQL["copy_kept_counts"], *self._generations, *self._cuts, self.settled)
        await self._copy_days(connection, self.settled, END)

    async def _copy_days(self, connection: asyncpg.Connection, begin: int, end: int) -> None:
        for table in (*DAY_TABLES, "ledger"):
            cuts = self._ledger_cuts if table == "ledger" else self._cuts
            query = SQL[f"copy_kept_{table}"]
            await connection.execute(query, *self._generations, *cuts, begin, end, timeout=STATEMENT_SECONDS)


async def delete_generation(pool: asyncpg.Pool, generation: int) -> None:
    """Delete all rows of a generation, some pages in a statement.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
    """
    for table in TABLES:
        pages = await pool.fetchval(SQL["table_pages"], f"stats.{table}")
        for page in range(0, pages, PAGES):
            statement = f"DELETE FROM stats.{table} WHERE generation = $1 AND ctid >= $2 AND ctid < $3"  # noqa: S608 - our own names
            await pool.execute(statement, generation, (page, 0), (page + PAGES, 0))


async def delete_leftovers(pool: asyncpg.Pool) -> None:
    """Delete the generations that rebuilds left that were killed: unfinished ones, and former ones.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
    """
    leftovers: list[Any] = await pool.fetch(SQL["leftover_generations"])
    for row in leftovers:
        await delete_generation(pool, row["generation"])
