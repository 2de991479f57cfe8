"""The producer without Kafka: every call returns within its deadline."""

import asyncio
import time

import pytest

from shared.kafka.connection import KafkaConfig
from shared.kafka.producer import KafkaUnavailable, Producer

NOBODY = KafkaConfig("127.0.0.1:1")


async def test_send_without_kafka_fails_in_time() -> None:
    """While Kafka is unavailable, sending fails at once and readiness has the reason."""
    producer = Producer(NOBODY, deadline_seconds=1)
    producer.start()
    await asyncio.sleep(0.1)
    begun = time.monotonic()
    with pytest.raises(KafkaUnavailable, match=NOBODY.bootstrap):
        await producer.send("page-views", b"1")
    assert time.monotonic() - begun < 1
    assert producer.problem
    assert producer._in_flight == 0
    await producer.stop()


async def test_stop_without_kafka_is_bounded() -> None:
    """A producer that never reached Kafka stops at once."""
    producer = Producer(NOBODY)
    producer.start()
    await asyncio.sleep(0.1)
    async with asyncio.timeout(5):
        await producer.stop()
