"""Seeds sites without a structure from the sites' file, and lets this process follow the newest structures."""

import asyncpg

from services.ingest.queries import SQL
from services.ingest.queries import STRUCTURE_SQL as QUERIES
from services.ingest.structure.store import seed_structure
from shared.logs import log
from shared.postgres import POSTGRES_UNAVAILABLE
from shared.retry import run_periodically
from shared.sites import Sites
from shared.structure_watch import StructureWatch

SEED_SECONDS = 1.0


class StructureSeeder:
    """Seeds sites once the database was compared with the topics: what these have is taken over first.

    Args:
        pool: Of the service's database.
        sites: Of this process; they follow the structures in Postgres.
    """

    def __init__(self, pool: asyncpg.Pool, sites: Sites) -> None:
        self._pool = pool
        self._sites = sites
        self._watch = StructureWatch(pool, sites, QUERIES["structure_versions"], QUERIES["structures"])

    async def refresh(self) -> None:
        """Take over the newest structures.

        Raises:
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
        """
        await self._watch.refresh()

    async def step(self) -> None:
        """Take over the newest structures, and seed the sites without one if that is possible now."""
        await self._watch.refresh()
        missing = [slug for slug in self._sites.declared if slug not in self._watch.versions]
        if missing and await self._pool.fetchval(SQL["is_compared"]):
            await self._seed(missing)
            await self._watch.refresh()

    async def run(self) -> None:
        """Repeat `step` until cancelled."""
        await run_periodically(
            self.step, every_seconds=SEED_SECONDS, on=POSTGRES_UNAVAILABLE, what="follow the structure of sites"
        )

    async def _seed(self, slugs: list[str]) -> None:
        for site in [self._sites.declared[slug] for slug in slugs]:
            async with self._pool.acquire() as connection, connection.transaction():
                if await seed_structure(connection, site):
                    log.info("the structure of a site was seeded from its configuration", site=site.slug)
