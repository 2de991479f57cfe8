"""The baseline: an aiokafka consumer that reads the whole topic and only counts the records.

`python -m tests.bench.baseline_consumer HOST:PORT VIEWS MAX_RECORDS` prints as JSON the CPU seconds after the first
records, and a list of [seconds, records so far]; MAX_RECORDS 0 keeps aiokafka's defaults.
"""

import asyncio
import json
import sys
import time

import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.topics import PAGE_VIEWS
from tests.bench.load import PARTITIONS

POLL_MS = 50
SILENCE_SECONDS = 20.0


async def read_all(kafka: str, views: int, max_records: int) -> tuple[float, list[tuple[float, int]]]:
    """Read the topic from its beginning; return the CPU seconds, and [(time, records so far)]."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False, auto_offset_reset="none")
    await consumer.start()
    try:
        partitions = [TopicPartition(PAGE_VIEWS.name, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        for partition in partitions:
            consumer.seek(partition, 0)
        seen, samples = 0, []
        last, cpu = time.monotonic(), 0.0
        while seen < views and time.monotonic() - last < SILENCE_SECONDS:
            got = await consumer.getmany(timeout_ms=POLL_MS, max_records=max_records or None)
            if got:
                seen += sum(map(len, got.values()))
                last = time.monotonic()
                cpu = cpu if samples else time.process_time()
                samples.append((last, seen))
        cpu = time.process_time() - cpu
    finally:
        await consumer.stop()
    return cpu, samples


if __name__ == "__main__":
    uvloop.install()
    print(json.dumps(asyncio.run(read_all(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
