"""Role `counter`: counts `page-views`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.stats.counting.adjustments import follow_adjustments
from services.stats.counting.article_sums import run_article_sums
from services.stats.counting.article_titles import follow_titles
from services.stats.counting.consumer import CountingConsumer
from services.stats.counting.dead_letter_depth import run_depth_metrics
from services.stats.counting.dead_letter_outbox import run_dead_letter_delivery
from services.stats.counting.log_span import LogSpanWatch
from services.stats.counting.reconciliation import run_reconciliation
from services.stats.counting.refused_origins import follow_refused_origins
from services.stats.counting.retention import run_reads_retention, run_retention
from services.stats.counting.site_structures import follow_structures
from services.stats.settings import StatsSettings
from services.stats.suspects.monitor import run_monitor
from shared.kafka.config import METADATA_MAX_AGE_MS
from shared.kafka.consumer import create_broker, run_broker
from shared.kafka.producer import Producer
from shared.postgres import open_pool
from shared.role import Process, Role
from shared.topic_watch import TopicWatch
from shared.topics import wanted_topics


@asynccontextmanager
async def run_counter(settings: StatsSettings, process: Process) -> AsyncIterator[Role]:
    """Run the counter."""
    pool = await open_pool(settings.database_url.get_secret_value(), role="presstally_stats")
    kafka = settings.kafka
    producer = Producer(kafka)
    producer.start()
    # Two brokers: counting must not wait until the other consumer groups have been joined.
    views, others = create_broker(kafka, metadata_max_age_ms=METADATA_MAX_AGE_MS), create_broker(kafka)
    sites = process.follow_sites(settings)
    consumer = CountingConsumer(views, pool, sites, settings, process)
    followers = [
        follow_adjustments(others, pool, producer, process),
        *follow_titles(others, pool, producer, process),
        follow_refused_origins(others, pool, producer, process),
        follow_structures(others, pool, producer, process),
    ]
    topics, span = TopicWatch(kafka, wanted_topics(settings.replication)), LogSpanWatch(kafka)
    tasks = [
        process.spawn(topics.run(), "check the topics"),
        process.spawn(span.run(), "measure the span of the log"),
        process.spawn(run_dead_letter_delivery(pool, producer), "deliver dead letters"),
        process.spawn(run_retention(pool), "delete expired rows"),
        process.spawn(run_reads_retention(pool), "delete expired reads"),
        process.spawn(run_article_sums(pool, kafka), "sum settled days"),
        process.spawn(run_depth_metrics(kafka), "watch dead letters"),
        process.spawn(run_reconciliation(pool, sites), "reconcile"),
        process.spawn(run_monitor(pool, sites), "look for suspect groups"),
        *(process.spawn(follower.watch(), "compare positions") for follower in followers),
    ]
    try:
        async with run_broker(views, kafka, process) as joining, run_broker(others, kafka, process):
            tasks.append(process.spawn(_report_offsets(consumer, joining), "report offsets"))
            tasks.append(process.spawn(consumer.log_watch.run(), "compare the log with the counts"))
            try:
                yield Role(
                    "counter",
                    not_ready=lambda: consumer.not_ready if joining.done() else ["joining the group of counters"],
                    degraded=lambda: topics.warnings() + span.warnings(),
                    liveness_failure=lambda: consumer.liveness_failure() if joining.done() else None,
                )
            finally:
                await consumer.drain()
    finally:
        await consumer.save_snapshots()
        for task in tasks:
            task.cancel()
        await producer.stop()
        await consumer.log_checker.close()
        pool.terminate()


async def _report_offsets(consumer: CountingConsumer, joining: asyncio.Task[None]) -> None:
    await asyncio.wait([joining])
    await consumer.offset_reporter.run()
