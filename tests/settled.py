"""Waits on a system that others use, too: until a counter holds the log, or the session of a killed process ended.

Postgres ends such a session some time after its process.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.kafka.topic_identity import read_topic

TOPIC = "page-views"
COUNTED = """
    SELECT partition, next_offset FROM stats.offsets
    WHERE topic = $1 AND generation = (SELECT generation FROM stats.generations WHERE state = 'current')
"""
SECONDS_MAX = 60


async def wait_until_free(database_url: str, lock: int) -> None:
    """Wait until no session holds an advisory lock."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", lock, timeout=SECONDS_MAX)
    finally:
        await connection.close()


async def wait_until_counted(bootstrap: str, database_url: str) -> None:
    """Wait until Postgres has counted all records that are in the log now.

    The end of a transaction takes an offset and is no record: no count moves past it until a record follows.
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", fetch_max_wait_ms=50)
    await consumer.start()
    connection = await asyncpg.connect(database_url)
    try:
        _, numbers = await read_topic(consumer._client, TOPIC)
        ends = await consumer.end_offsets([TopicPartition(TOPIC, number) for number in numbers])
        async with asyncio.timeout(SECONDS_MAX):
            while True:
                counted = dict(await connection.fetch(COUNTED, TOPIC))
                behind = [one for one, end in ends.items() if counted.get(one.partition, 0) < end]
                if not behind:
                    return
                consumer.assign(behind)
                for one in behind:
                    consumer.seek(one, counted.get(one.partition, 0))
                records = await consumer.getmany(timeout_ms=200)
                positions = {one: await consumer.position(one) for one in behind}
                for one in behind:
                    if one not in records and positions[one] >= ends[one]:
                        del ends[one]
    finally:
        await connection.close()
        await consumer.stop()


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
