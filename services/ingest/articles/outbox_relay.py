"""The outbox relay: sends committed messages from Postgres to Kafka, in order.

One relay is active at a time, under a Postgres advisory lock; the other replicas stand by. Postgres ends the session of
a frozen relay, and another takes over. The lock alone is not enough: a frozen relay may resume with messages in memory,
and would send them as the newest of a compacted topic. Messages are therefore sent in Kafka transactions with one
transactional ID for all relays: a new relay fences the former ones, and the broker rejects what they still send.

A relay that dies between Kafka's commit and the delete causes duplicates: consumers recognise them by their version.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress

import asyncpg
import msgspec
from aiokafka import AIOKafkaProducer

from services.ingest.articles.relay_comparison import open_comparison
from services.ingest.queries import SQL
from shared.kafka.config import KafkaConfig
from shared.kafka.producer import KAFKA_ERRORS, stop_producer
from shared.postgres import POSTGRES_UNAVAILABLE, Connection, listening
from shared.retry import Outage
from shared.tracing import producer_span

TRANSACTIONAL_ID = "presstally-ingest-relay"
TRANSACTION_TIMEOUT_MS = 10_000
BATCH_MESSAGES = 200
SEND_SECONDS = 8.0
START_SECONDS = 15.0
WOKEN_BY = "presstally_outbox"
"""The channel on which Postgres announces that messages were committed."""
IDLE_SECONDS = 1.0
"""How long the relay waits without being woken: so it also keeps its session and its witness up to date."""
STEP_SECONDS_MAX = 15.0
"""A consumer whose connection broke may wait without end: then the relay begins again with a new one."""
BEGIN_SECONDS_MAX = 600.0
"""The first comparison may read the whole topic."""


async def run_outbox_relay(pool: asyncpg.Pool, kafka: KafkaConfig) -> None:
    """Relay messages until cancelled; retry while Postgres or Kafka is unavailable."""
    outage = Outage("relay the outbox")
    while True:
        try:
            async with pool.acquire() as connection:
                if await connection.fetchval(SQL["claim_relay"]):
                    try:
                        await connection.execute(SQL["set_idle_timeout"])
                        await _relay_all(connection, kafka, outage)
                    finally:
                        await connection.execute(SQL["release_relay"])
        except (*KAFKA_ERRORS, *POSTGRES_UNAVAILABLE) as error:
            outage.failed(error)
        if is_cancelled():  # closing the pool raised an error that replaced the cancellation
            return
        await outage.pause()


def is_cancelled() -> bool:
    """Return whether the current task is being cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _relay_all(connection: Connection, kafka: KafkaConfig, outage: Outage) -> None:
    async with (
        _producer(kafka) as producer,
        open_comparison(connection, kafka) as comparison,
        listening(connection, WOKEN_BY) as committed,
    ):
        async with asyncio.timeout(BEGIN_SECONDS_MAX):
            await comparison.begin()
        while True:
            committed.clear()
            count = await _relay_batch(connection, producer)
            async with asyncio.timeout(STEP_SECONDS_MAX):
                await comparison.step(producer)
            outage.ended()
            if not count:
                with suppress(TimeoutError):
                    async with asyncio.timeout(IDLE_SECONDS):
                        await committed.wait()


@asynccontextmanager
async def _producer(kafka: KafkaConfig) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        **kafka.client,
        transactional_id=TRANSACTIONAL_ID,
        transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
        acks="all",
        request_timeout_ms=3_000,
        retry_backoff_ms=20,
        max_request_size=1024 * 1024,
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            await producer.start()  # fences all former relays
        yield producer
    finally:
        await stop_producer(producer)


async def _relay_batch(connection: Connection, producer: AIOKafkaProducer) -> int:
    rows = await connection.fetch(SQL["read_outbox"], BATCH_MESSAGES)
    if not rows:
        return 0
    with ExitStack() as spans:  # spans end after Kafka's commit
        async with asyncio.timeout(SEND_SECONDS), producer.transaction():
            sent = []
            for row in rows:
                carrier = msgspec.json.decode(row["headers"], type=dict[str, str])
                headers = spans.enter_context(producer_span(row["topic"], row["key"], carrier))
                sent.append(await producer.send(row["topic"], row["value"], key=row["key"].encode(), headers=headers))
            await asyncio.gather(*sent)
    await connection.execute(SQL["delete_from_outbox"], [row["id"] for row in rows])
    return len(rows)
