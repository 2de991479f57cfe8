"""Adjustments of the topic: inserted once, and never removed."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import msgspec
import pytest
from aiokafka.structs import ConsumerRecord

from services.stats.counting.adjustments import apply_adjustment
from shared.events import Adjustment
from shared.kafka.config import KafkaConfig
from shared.kafka.database_consumer import transactions
from shared.kafka.producer import Producer
from shared.postgres import open_pool

NOWHERE = Producer(KafkaConfig("localhost:1"))
ID = "0191f0de-aaaa-7000-8000-000000000001"


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, role="presstally_stats", size=1)
    yield pool
    await pool.close()


def record(value: bytes | None) -> ConsumerRecord:
    return ConsumerRecord("counter-adjustments", 0, 0, 0, 0, ID.encode(), value, None, 0, 0, ())


def adjustment(amount: int, article: str | None = None) -> bytes:
    at = 1_795_496_400_000
    one = Adjustment(
        id=ID, site="haihau", article=article, measure="views", amount=amount, who="An", why="opening", at=at
    )
    return msgspec.json.encode(one)


async def test_adjustment_is_inserted_once(pool: asyncpg.Pool) -> None:
    """The first record of an id counts; a repetition, even with another amount, and a tombstone change nothing."""
    for value in (adjustment(1_000), adjustment(7), None):
        await apply_adjustment(NOWHERE, transactions(pool), record(value))
    (row,) = await pool.fetch("SELECT site, article, measure, amount, who, why, created_at FROM stats.adjustments")
    created_at = datetime(2026, 11, 24, 5, tzinfo=UTC)
    assert tuple(row) == ("haihau", "", "views", 1_000, "An", "opening", created_at)


async def test_adjustment_of_an_article_has_its_id(pool: asyncpg.Pool) -> None:
    """An adjustment of an article is stored under the article."""
    await apply_adjustment(NOWHERE, transactions(pool), record(adjustment(5, "bai-1")))
    assert await pool.fetchval("SELECT article FROM stats.adjustments") == "bai-1"
