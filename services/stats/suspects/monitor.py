"""Watches for suspects: a metric that raises an alert, and a line in the log."""

import time

import asyncpg

from services.stats.metrics import SUSPECT_SHARE
from services.stats.suspects.evidence_reader import read_suspects
from shared.logs import log
from shared.postgres import POSTGRES_UNAVAILABLE
from shared.retry import run_periodically
from shared.sites import Sites

WATCH_SECONDS = 120.0


async def run_monitor(pool: asyncpg.Pool, sites: Sites) -> None:
    """Watch until cancelled. While Postgres is unavailable there are no gauges: a gap is better than an old value."""
    named: set[tuple[str, int]] = set()

    async def watch() -> None:
        try:
            await update_suspect_shares(pool, sites, int(time.time()), named)
        except POSTGRES_UNAVAILABLE:
            SUSPECT_SHARE.clear()
            raise

    await run_periodically(watch, every_seconds=WATCH_SECONDS, on=POSTGRES_UNAVAILABLE, what="look for suspect groups")


async def update_suspect_shares(pool: asyncpg.Pool, sites: Sites, now: int, named: set[tuple[str, int]]) -> None:
    """Set the gauge of each site: the share of the largest suspect in the visitors of its hours today.

    Args:
        pool: Postgres.
        sites: All of them.
        now: Seconds since 1970 UTC.
        named: (site, agent) that the log has; is extended.

    Raises:
        POSTGRES_UNAVAILABLE: the evidence cannot be read now.
    """
    shares: dict[str, float] = {}
    for site in list(sites.values()):
        suspects = await read_suspects(pool, site, now)
        shares[site.slug] = max((one.share for one in suspects), default=0.0)
        for one in suspects:
            if (site.slug, one.agent) not in named:
                named.add((site.slug, one.agent))
                log.warning(
                    "a group of visitors behaves as programs do; see `presstally stats suspects`",
                    site=site.slug,
                    group=one.name,
                    visitors=one.visitors,
                )
    SUSPECT_SHARE.clear()  # a site that was removed must not keep an alert
    for slug, share in shares.items():
        SUSPECT_SHARE.labels(slug).set(share)
