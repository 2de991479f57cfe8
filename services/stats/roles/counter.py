"""Role `counter`: counts `page-views`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.stats.counting.adjustments import subscribe_adjustments
from services.stats.counting.article_titles import subscribe_titles
from services.stats.counting.consumer import Counter
from services.stats.counting.dead_letter_depth import watch_depth
from services.stats.counting.dead_letter_outbox import deliver
from services.stats.counting.reconciliation import reconcile_forever
from services.stats.counting.retention import prune
from services.stats.settings import StatsSettings
from shared.kafka.consumer import create_broker, run_broker
from shared.kafka.producer import Producer
from shared.postgres import open_pool
from shared.role import Process, Role
from shared.sites import read_sites


@asynccontextmanager
async def run_counter(settings: StatsSettings, process: Process) -> AsyncIterator[Role]:
    """Run the counter."""
    pool = await open_pool(settings.database_url.get_secret_value(), role="presstally_stats")
    kafka = settings.kafka
    producer = Producer(kafka)
    producer.start()
    # Two brokers: counting must not wait until the other groups have been joined.
    views, amounts = create_broker(kafka), create_broker(kafka)
    sites = read_sites(settings.sites)
    counting = Counter(views, pool, sites, settings, process)
    subscribe_adjustments(amounts, pool, producer, process)
    subscribe_titles(amounts, pool, producer, process)
    tasks = [
        process.spawn(deliver(pool, producer), "deliver dead letters"),
        process.spawn(prune(pool), "prune"),
        process.spawn(watch_depth(kafka), "watch dead letters"),
        process.spawn(reconcile_forever(pool, sites), "reconcile"),
    ]
    try:
        async with run_broker(views, kafka, process) as joining, run_broker(amounts, kafka, process):
            tasks.append(process.spawn(_watch(counting, joining), "tell of counting"))
            try:
                yield Role(
                    "counter",
                    not_ready=lambda: counting.problems if joining.done() else ["joining the group of counters"],
                    liveness_failure=lambda: counting.stuck() if joining.done() else None,
                )
            finally:
                await counting.finish()
    finally:
        await counting.save()
        for task in tasks:
            task.cancel()
        await producer.stop()
        pool.terminate()


async def _watch(counting: Counter, joining: asyncio.Task[None]) -> None:
    await asyncio.wait([joining])
    await counting.telling.run()
