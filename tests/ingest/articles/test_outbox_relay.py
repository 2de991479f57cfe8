"""The outbox relay with a fake producer: order, transactions, outages and its lock. Real Kafka: tests/e2e."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from aiokafka.errors import KafkaConnectionError

from services.ingest.articles import outbox_relay as module
from services.ingest.articles.outbox_relay import TRANSACTIONAL_ID, is_cancelled, run_outbox_relay
from shared.kafka.config import KafkaConfig


class Producer:
    """Implements what the relay uses of AIOKafkaProducer; a transaction is committed as a whole or not at all."""

    committed: list[list[tuple[str, bytes, bytes]]]
    failures: int
    started: int

    def __init__(self, **options: Any) -> None:
        assert (options["transactional_id"], options["acks"]) == (TRANSACTIONAL_ID, "all")
        self._open: list[tuple[str, bytes, bytes]] = []

    async def start(self) -> None:
        Producer.started += 1

    async def stop(self) -> None:
        pass

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        self._open = []
        yield
        if Producer.failures:
            Producer.failures -= 1
            raise KafkaConnectionError("down")
        Producer.committed.append(self._open)

    async def send(self, topic: str, value: bytes, *, key: bytes, headers: Any) -> asyncio.Future[None]:
        self._open.append((topic, key, value))
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future


class Comparison:
    """Nothing differs; tests/restore has restores."""

    async def begin(self) -> None:
        assert Producer.started, "former relays are fenced first"

    async def step(self, producer: Producer) -> None:
        pass


@asynccontextmanager
async def open_comparison(_: Any, __: KafkaConfig) -> AsyncIterator[Comparison]:
    yield Comparison()


@pytest.fixture(autouse=True)
def producer(monkeypatch: pytest.MonkeyPatch) -> type[Producer]:
    Producer.committed, Producer.failures, Producer.started = [], 0, 0
    monkeypatch.setattr(module, "AIOKafkaProducer", Producer)
    monkeypatch.setattr(module, "open_comparison", open_comparison)
    return Producer


async def put(pool: asyncpg.Pool, *numbers: int) -> None:
    for number in numbers:
        await pool.execute(
            "INSERT INTO ingest.outbox (topic, key, value) VALUES ('articles', $1, $2)", f"a-{number}", b"%d" % number
        )


async def until_empty(pool: asyncpg.Pool) -> None:
    async with asyncio.timeout(60):
        while await pool.fetchval("SELECT count(*) FROM ingest.outbox"):  # noqa: ASYNC110 - Postgres has no event
            await asyncio.sleep(0.02)


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task], timeout=60)
    assert task.done()


def values() -> list[bytes]:
    return [value for transaction in Producer.committed for _, _, value in transaction]


async def test_relay_sends_batches_in_order_and_empties_the_outbox(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages are sent in the order of their commits, one transaction per batch, and then deleted."""
    monkeypatch.setattr(module, "BATCH_MESSAGES", 3)
    await put(pool, *range(7))
    task = asyncio.create_task(run_outbox_relay(pool, KafkaConfig("localhost:1")))
    await until_empty(pool)
    await put(pool, 7)
    await until_empty(pool)
    await stop(task)
    assert [len(transaction) for transaction in Producer.committed] == [3, 3, 1, 1]
    assert values() == [b"%d" % number for number in range(8)]
    assert Producer.committed[0][0] == ("articles", b"a-0", b"0")


async def test_relay_failed_transaction_is_sent_again_by_a_new_producer(pool: asyncpg.Pool) -> None:
    """A failed transaction deletes nothing; a new producer, which fences the former, sends its messages again."""
    Producer.failures = 1
    await put(pool, 1, 2)
    task = asyncio.create_task(run_outbox_relay(pool, KafkaConfig("localhost:1")))
    await until_empty(pool)
    await stop(task)
    assert values() == [b"1", b"2"]
    assert Producer.started == 2


async def test_relay_of_a_second_replica_waits_for_the_lock(pool: asyncpg.Pool) -> None:
    """Only one relay sends; when it stops, another replica takes over."""
    first = asyncio.create_task(run_outbox_relay(pool, KafkaConfig("localhost:1")))
    async with asyncio.timeout(60):
        while not Producer.started:  # noqa: ASYNC110 - the relay has no event for it
            await asyncio.sleep(0.01)
    second = asyncio.create_task(run_outbox_relay(pool, KafkaConfig("localhost:1")))
    await asyncio.sleep(0.2)
    assert Producer.started == 1
    await stop(first)
    await put(pool, 1)
    await until_empty(pool)
    await stop(second)
    assert (values(), Producer.started) == ([b"1"], 2)


async def test_relay_is_woken_by_a_commit_and_by_nothing_before_it(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages are sent when their transaction commits, long before the relay would look by itself."""
    monkeypatch.setattr(module, "IDLE_SECONDS", 3_600.0)
    await put(pool, 0)
    task = asyncio.create_task(run_outbox_relay(pool, KafkaConfig("localhost:1")))
    await until_empty(pool)
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("INSERT INTO ingest.outbox (topic, key, value) VALUES ('articles', 'a-1', '1')")
        await asyncio.sleep(0.1)
        assert values() == [b"0"]
        await transaction.commit()
    await until_empty(pool)
    await asyncio.gather(*(put(pool, number) for number in range(2, 12)))
    await until_empty(pool)
    await stop(task)
    assert sorted(values(), key=int) == [b"%d" % number for number in range(12)]


async def test_relay_without_notifications_looks_by_itself(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a pooler that drops notifications, messages are sent a little later."""
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.05)
    monkeypatch.setattr(module, "WOKEN_BY", "nobody_notifies")
    task = asyncio.create_task(run_outbox_relay(pool, KafkaConfig("localhost:1")))
    await put(pool, 1)
    await until_empty(pool)
    await stop(task)
    assert values() == [b"1"]


async def test_is_cancelled_only_in_a_cancelled_task() -> None:
    """A cancellation is distinguished from other errors by the state of the task."""
    assert not is_cancelled()
    seen = []

    async def work() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            seen.append(is_cancelled())

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await task
    assert seen == [True]
