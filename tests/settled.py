"""A counter that holds everything in the log: the start of a test that counts on a system which others use, too."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

TOPIC = "page-views"
COUNTED = """
    SELECT partition, next_offset FROM stats.offsets
    WHERE topic = $1 AND generation = (SELECT generation FROM stats.generations WHERE state = 'current')
"""
SECONDS_MAX = 60


async def end_offsets(bootstrap: str) -> dict[int, int]:
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=bootstrap, isolation_level="read_committed")
    await consumer.start()
    try:
        partitions = [TopicPartition(TOPIC, number) for number in consumer.partitions_for_topic(TOPIC) or ()]
        return {one.partition: offset for one, offset in (await consumer.end_offsets(partitions)).items()}
    finally:
        await consumer.stop()


async def wait_until_counted(bootstrap: str, database_url: str) -> None:
    ends = await end_offsets(bootstrap)
    connection = await asyncpg.connect(database_url)
    try:
        async with asyncio.timeout(SECONDS_MAX):
            while True:
                counted = dict(await connection.fetch(COUNTED, TOPIC))
                if all(counted.get(partition, 0) >= end for partition, end in ends.items()):
                    return
                await asyncio.sleep(0.1)
    finally:
        await connection.close()


def settled_counter(system: Any, site: str = "haihau", **query: str) -> dict[str, Any]:
    """Return a site's counter, read after all events were counted that are in the log now."""
    with ThreadPoolExecutor(1) as thread:  # Playwright has a running loop in this one
        thread.submit(asyncio.run, wait_until_counted(system.kafka, system.database_url)).result()
    counted_at = time.time()
    deadline = time.monotonic() + SECONDS_MAX
    while datetime.fromisoformat((now := system.counter(site, **query))["as_of"]).timestamp() <= counted_at:
        assert time.monotonic() < deadline, now
        time.sleep(0.1)
    return now
