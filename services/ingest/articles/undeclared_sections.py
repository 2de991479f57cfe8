"""Finds public articles in sections that their site does not declare, as after a section was renamed or removed.

They stay reachable by their address, in lists of tags and months and in the search, but no section leads to them.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

import asyncpg

from services.ingest.metrics import UNDECLARED_SECTIONS
from services.ingest.queries import SQL
from shared.logs import log
from shared.postgres import POSTGRES_UNAVAILABLE, Connection
from shared.retry import retry_until_done
from shared.sites import Site, Sites

CHECK_SECONDS = 600.0
"""A change of the configuration is noticed at once; a restored dump may bring such articles, too."""
SHOWN_MAX = 10


class SectionOfSite(NamedTuple):
    """A section that articles of a site name."""

    site: str
    section: str


async def find_undeclared(
    connection: "asyncpg.Pool | asyncpg.Connection | Connection", sites: Mapping[str, Site]
) -> dict[SectionOfSite, int]:
    """Return the number of public articles by each section that their site does not declare.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
    """
    declared = [
        (site.slug, slug) for site in sites.values() for one in site.sections for slug in site.section_keys(one.slug)
    ]
    names = [[pair[number] for pair in declared] for number in (0, 1)]
    rows = await connection.fetch(SQL["undeclared_sections"], *names, list(sites))
    return {SectionOfSite(row["site"], row["section"]): row["articles"] for row in rows}


def describe_undeclared(found: Mapping[SectionOfSite, int]) -> list[str]:
    """Return a message for each of the largest sections, and one for all others."""
    largest = sorted(found, key=lambda one: (-found[one], one))
    messages = [
        f"{found[one]} public article(s) of {one.site} are in the section {one.section!r}, which it does not declare"
        for one in largest[:SHOWN_MAX]
    ]
    rest = largest[SHOWN_MAX:]
    if rest:
        messages.append(
            f"{sum(found[one] for one in rest)} public article(s) are in {len(rest)} more undeclared sections"
        )
    return messages


class UndeclaredSectionsWatch:
    """Checks at the start, after each change of the sites and from time to time."""

    def __init__(self, pool: asyncpg.Pool, sites: Sites) -> None:
        self._pool = pool
        self._sites = sites
        self._changed = asyncio.Event()
        sites.on_change(self._changed.set)
        self._found: dict[SectionOfSite, int] = {}

    def warnings(self) -> list[str]:
        """Return what was found, for `/readyz`."""
        return describe_undeclared(self._found)

    async def run(self) -> None:
        """Check until cancelled. While Postgres is unavailable the last result stays."""
        while True:
            self._changed.clear()
            await retry_until_done(self.check, on=POSTGRES_UNAVAILABLE, what="look for articles in undeclared sections")
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_SECONDS):
                    await self._changed.wait()

    async def check(self) -> None:
        """Check once.

        Raises:
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
        """
        found = await find_undeclared(self._pool, self._sites)
        for message in describe_undeclared({one: number for one, number in found.items() if one not in self._found}):
            log.error("articles are in no section of their site", reason=message)
        self._found = found
        numbers: Counter[str] = Counter()
        for one, number in found.items():
            numbers[one.site] += number
        UNDECLARED_SECTIONS.clear()
        for slug in self._sites:
            UNDECLARED_SECTIONS.labels(slug).set(numbers[slug])
