"""Role `collector`: the public write edge."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.ingest.auth.tokens import Tokens
from services.ingest.collector.endpoints import Collector
from services.ingest.collector.publisher import Publisher
from services.ingest.collector.rate_limit import Rates
from services.ingest.collector.salts import SharedSecrets
from services.ingest.collector.spool import open_spool
from services.ingest.collector.tracker import TRACKER
from services.ingest.metrics import PRODUCER_QUEUE, SPOOL_BYTES, SPOOL_BYTES_MAX
from services.ingest.settings import IngestSettings
from shared.postgres import open_pool
from shared.role import Process, Role
from shared.sites import read_sites
from shared.topics import PAGE_VIEWS


@asynccontextmanager
async def run_collector(settings: IngestSettings, process: Process) -> AsyncIterator[Role]:
    """Run the collector. It serves as soon as it knows its secrets: from Postgres, or as it kept them on its disk."""
    sites = read_sites(settings.sites)
    pool = await open_pool(settings.database_url.get_secret_value(), role="presstally_ingest", size=4, wait=False)
    spool = await asyncio.to_thread(open_spool, settings.spool, settings.spool_bytes_max)
    secrets = SharedSecrets(pool, settings.spool / "secrets.json", sites.values())
    publisher = Publisher(
        settings.kafka,
        PAGE_VIEWS.name,
        spool,
        settings.spool,
        deadline_seconds=settings.publish_deadline_seconds,
        process=process,
    )
    await secrets.start()
    rates = Rates(settings.rate_per_second, settings.rate_burst)
    here = Collector(sites, secrets, publisher, Tokens(pool), rates, settings.trusted_proxies)
    PRODUCER_QUEUE.set_function(lambda: publisher.waiting_events)
    SPOOL_BYTES.set_function(lambda: publisher.spool_bytes)
    SPOOL_BYTES_MAX.set(settings.spool_bytes_max)
    working = [
        process.spawn(secrets.keep_fresh(), "renew salts"),
        process.spawn(here.end_slow_bodies(), "end slow bodies"),
    ]
    try:
        yield Role(
            "collector",
            routes=[TRACKER],
            raw_routes={"/e": here.events, "/e/batch": here.batch, "/p.gif": here.pixel},
            not_ready=lambda: [publisher.problem] if publisher.problem else [],
            degraded=lambda: [concern for concern in (publisher.concern, secrets.problem) if concern],
        )
    finally:
        for task in working:
            task.cancel()
        await publisher.stop()
        pool.terminate()
