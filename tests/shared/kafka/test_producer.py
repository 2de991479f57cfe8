"""The producer without Kafka: every call returns within its deadline; and one whose background task has died."""

import asyncio
import time

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.kafka.config import KafkaConfig
from shared.kafka.producer import KafkaUnavailable, Producer

NOBODY = KafkaConfig("127.0.0.1:1")


async def test_send_without_kafka_fails_in_time() -> None:
    """While Kafka is unavailable, sending fails at once and readiness has the reason."""
    producer = Producer(NOBODY, deadline_seconds=60)
    producer.start()
    await asyncio.sleep(0.1)
    begun = time.monotonic()
    with pytest.raises(KafkaUnavailable, match=NOBODY.bootstrap):
        await producer.send("page-views", b"1")
    assert time.monotonic() - begun < 30
    assert producer.problem
    assert producer._in_flight == 0
    await producer.stop()


async def test_stop_without_kafka_is_bounded() -> None:
    """A producer that never reached Kafka stops at once."""
    producer = Producer(NOBODY)
    producer.start()
    await asyncio.sleep(0.1)
    async with asyncio.timeout(60):
        await producer.stop()


async def test_producer_whose_sending_task_died_is_replaced(broker_alone: str) -> None:
    """The send that finds the dead task fails, and later ones succeed again without a restart."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker_alone)
    await admin.start()
    await admin.create_topics([NewTopic("sent", 1, 1)])
    await admin.close()
    producer = Producer(KafkaConfig(broker_alone), deadline_seconds=60)
    producer.start()
    try:
        async with asyncio.timeout(90):
            while producer.problem:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.02)
            await producer.send("sent", b"1")
            assert producer._producer is not None
            producer._producer._sender.sender_task.cancel()
            producer._deadline_seconds = 1
            with pytest.raises(KafkaUnavailable):
                await producer.send("sent", b"2")
            while producer.problem:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.02)
        producer._deadline_seconds = 60
        await producer.send("sent", b"3")
    finally:
        await producer.stop()
