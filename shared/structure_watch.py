"""Lets the sites of a process follow their structures in the service's own schema."""

import asyncpg
import msgspec

from shared.postgres import POSTGRES_UNAVAILABLE
from shared.retry import run_periodically
from shared.site_structure import SiteStructure
from shared.sites import Sites

POLL_SECONDS = 1.0


class StructureWatch:
    """Compares versions, and reads what is newer.

    Args:
        pool: Of the service's database.
        sites: Take over what is read.
        versions_query: Returns `site` and `version` of each structure.
        contents_query: Returns `content` of the structures of the given sites.
    """

    def __init__(self, pool: asyncpg.Pool, sites: Sites, versions_query: str, contents_query: str) -> None:
        self._pool = pool
        self._sites = sites
        self._versions_query = versions_query
        self._contents_query = contents_query
        sites.refresh_structures = self.refresh
        self.versions: dict[str, int] = {}
        """The versions in use, by site."""

    async def refresh(self) -> None:
        """Take over the newest structures.

        Raises:
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
        """
        found = {row["site"]: row["version"] for row in await self._pool.fetch(self._versions_query)}
        changed = [site for site, version in found.items() if self.versions.get(site) != version]
        if not changed:
            return
        rows = await self._pool.fetch(self._contents_query, changed)
        structures = [msgspec.json.decode(row["content"], type=SiteStructure) for row in rows]
        self._sites.apply_structures(structures)
        self.versions |= {one.site: one.version for one in structures}

    async def run(self) -> None:
        """Repeat `refresh` until cancelled."""
        await run_periodically(
            self.refresh, every_seconds=POLL_SECONDS, on=POSTGRES_UNAVAILABLE, what="follow the structure of sites"
        )
