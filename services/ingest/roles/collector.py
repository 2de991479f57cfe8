"""Role `collector`: the public write edge."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.ingest.auth.tokens import Tokens
from services.ingest.collector.clock_check import ClockCheck
from services.ingest.collector.direct_events import DirectEvents
from services.ingest.collector.endpoints import CollectorEndpoints
from services.ingest.collector.own_traffic_page import OwnTrafficPage
from services.ingest.collector.partition_router import PartitionRouter
from services.ingest.collector.publisher import EventPublisher
from services.ingest.collector.rate_limit import RateLimiter
from services.ingest.collector.refused_origins import run_reports
from services.ingest.collector.salts import SaltStore
from services.ingest.collector.spool import open_spool
from services.ingest.collector.tracker import TRACKER
from services.ingest.metrics import ADDRESS_SHARE, CLOCK_OFFSET, PRODUCER_QUEUE, SPOOL_BYTES, SPOOL_BYTES_MAX
from services.ingest.settings import IngestSettings
from shared.kafka.producer import Producer
from shared.postgres import open_pool
from shared.role import Process, Role
from shared.topic_watch import TopicWatch
from shared.topics import PAGE_VIEWS, REFUSED_ORIGINS, wanted_topics


@asynccontextmanager
async def run_collector(settings: IngestSettings, process: Process) -> AsyncIterator[Role]:
    """Run the collector. It serves once it has its secrets, from Postgres or from its copy on disk."""
    sites = process.follow_sites(settings)
    pool = await open_pool(settings.database_url.get_secret_value(), role="presstally_ingest", size=4, wait=False)
    spool = await asyncio.to_thread(open_spool, settings.spool, settings.spool_bytes_max)
    salts = SaltStore(pool, settings.spool / "secrets.json", sites)
    clock = ClockCheck()
    router = PartitionRouter(pool, settings.spool / "partition-plan.json", clock)
    await router.start()
    publisher = EventPublisher(
        settings.kafka,
        PAGE_VIEWS.name,
        spool,
        settings.spool,
        router=router,
        clock=clock,
        deadline_seconds=settings.publish_deadline_seconds,
        process=process,
    )
    await salts.start()
    rate_limiter = RateLimiter(settings.rate_per_second, settings.rate_burst)
    endpoints = CollectorEndpoints(sites, salts, publisher, Tokens(pool), rate_limiter, settings.trusted_proxies)
    ADDRESS_SHARE.set_function(endpoints.address_share.largest_share)
    PRODUCER_QUEUE.set_function(lambda: publisher.pending_events)
    SPOOL_BYTES.set_function(lambda: publisher.spool_bytes)
    SPOOL_BYTES_MAX.set(settings.spool_bytes_max)
    CLOCK_OFFSET.set_function(lambda: clock.offset_seconds or 0.0)
    topics = TopicWatch(
        settings.kafka, wanted_topics(settings.replication, [PAGE_VIEWS, REFUSED_ORIGINS], dead_letters=False)
    )
    reports = Producer(settings.kafka)
    tasks = [
        process.spawn(topics.run(), "check the topics"),
        process.spawn(salts.run_refresh(), "refresh salts"),
        process.spawn(endpoints.bodies.cancel_slow(), "cancel slow bodies"),
        process.spawn(router.run_refresh(), "refresh the partition plan"),
        process.spawn(run_reports(endpoints.refused_origins, reports), "report refused origins"),
    ]
    try:
        yield Role(
            "collector",
            routes=[TRACKER, *OwnTrafficPage(sites, salts, settings.trusted_proxies).routes],
            raw_routes={"/e": endpoints.events, "/e/batch": endpoints.batch, "/p.gif": endpoints.pixel},
            direct=DirectEvents(endpoints).serve,
            not_ready=lambda: [publisher.problem] if publisher.problem else [],
            degraded=lambda: [
                *(one for one in (publisher.warning, salts.problem, router.warning, clock.warning) if one),
                *topics.warnings(),
            ],
        )
    finally:
        for task in tasks:
            task.cancel()
        await publisher.stop()
        await reports.stop()
        pool.terminate()
