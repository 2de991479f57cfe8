"""The outbox of dead letters: delivered with their headers, then deleted."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from services.stats.counting.dead_letter_outbox import BATCH_RECORDS, _deliver_batch
from shared.kafka.producer import KafkaUnavailable
from shared.postgres import open_pool

FOUND = datetime(2026, 11, 24, 5, tzinfo=UTC)


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, role="presstally_stats", size=2)
    yield pool
    await pool.close()


@dataclass
class Producer:
    """Keeps what is sent; fails after `limit` records."""

    limit: int = 1_000
    sent: list[tuple[str, bytes | None, bytes, dict[str, bytes]]] = field(default_factory=list)

    async def send(self, topic: str, value: bytes | None, *, key: bytes, headers: Any) -> None:
        if len(self.sent) >= self.limit:
            raise KafkaUnavailable("no acknowledgement")
        self.sent.append((topic, value, key, dict(headers)))


async def insert(pool: asyncpg.Pool, *offsets: int) -> None:
    row = 'INSERT INTO stats.dead_letters (topic, partition, "offset", reason, value, created_at) VALUES '
    for offset in offsets:
        await pool.execute(f"{row} ('page-views', 3, $1, 'schema', $2, $3)", offset, f"v{offset}".encode(), FOUND)


async def offsets_left(pool: asyncpg.Pool) -> list[int]:
    return [row[0] for row in await pool.fetch('SELECT "offset" FROM stats.dead_letters ORDER BY 1')]


async def test_deliver_batch_sends_value_key_and_headers_and_deletes(pool: asyncpg.Pool) -> None:
    """A dead letter goes to the topic's dead letters with its original position, and leaves the outbox."""
    await insert(pool, 17)
    producer: Any = Producer()
    assert await _deliver_batch(pool, producer) == 1
    ((topic, value, key, headers),) = producer.sent
    assert (topic, value, key) == ("page-views.dlq", b"v17", b"page-views-3-17")
    assert (headers["reason"], headers["topic"], headers["partition"], headers["offset"]) == (
        b"schema",
        b"page-views",
        b"3",
        b"17",
    )
    assert headers["at"].startswith(b"2026-11-24T05:00:00")
    assert await offsets_left(pool) == []
    assert await _deliver_batch(pool, producer) == 0


async def test_deliver_batch_that_fails_keeps_undelivered_records(pool: asyncpg.Pool) -> None:
    """Acknowledged records are deleted; the one that failed and those after it stay, in order."""
    await insert(pool, 3, 1, 2)
    producer: Any = Producer(limit=1)
    with pytest.raises(KafkaUnavailable):
        await _deliver_batch(pool, producer)
    assert await offsets_left(pool) == [2, 3]


async def test_deliver_batch_with_many_records_is_bounded(pool: asyncpg.Pool) -> None:
    """One batch has at most BATCH_RECORDS records; the next one has the rest."""
    await pool.execute(
        'INSERT INTO stats.dead_letters (topic, partition, "offset", reason) '
        "SELECT 'page-views', 0, n, 'null' FROM generate_series(1, $1) AS n",
        BATCH_RECORDS + 2,
    )
    producer: Any = Producer()
    assert [await _deliver_batch(pool, producer) for _ in range(3)] == [BATCH_RECORDS, 2, 0]
