"""Opening balances: one for each counter, and what a topic or a database lacks of them."""

from dataclasses import dataclass

import asyncpg
import msgspec

from services.ingest.articles.opening_balances import (
    opening_balance_id,
    queue_missing_balances,
    set_opening_balance,
    take_over_balances,
)
from shared.events import Adjustment

BY_HAND = "8f2d7a56-93a4-4d49-9a0d-6f0a60b1c111"


@dataclass
class Record:
    """What is used of a Kafka record."""

    value: bytes | None


def adjustment(**fields: object) -> Record:
    given = {"site": "haihau", "article": None, "measure": "views", "amount": 7, "who": "An", "why": "x", "at": 1_000}
    given["id"] = opening_balance_id("haihau", None, "views")
    return Record(msgspec.json.encode(msgspec.convert({**given, **fields}, Adjustment)))


async def test_take_over_balances_stores_opening_balances_only(pool: asyncpg.Pool) -> None:
    """Other adjustments, tombstones and unreadable records are not opening balances; their ids are known."""
    known: set[str] = set()
    records = [adjustment(), adjustment(id=BY_HAND, amount=9), Record(None), Record(b"{")]
    async with pool.acquire() as connection:
        assert await take_over_balances(connection, records, known) == 1  # type: ignore[arg-type]
        assert await take_over_balances(connection, records, known) == 0  # type: ignore[arg-type]
        balance = await set_opening_balance(
            connection, site="haihau", article=None, measure="views", amount=100, who="An", why="x"
        )
    assert balance == 7
    assert known == {opening_balance_id("haihau", None, "views"), BY_HAND}


async def test_queue_missing_balances_queues_what_neither_topic_nor_outbox_has(pool: asyncpg.Pool) -> None:
    """Each balance is queued once; its adjustment is the one that was sent before."""
    async with pool.acquire() as connection:
        for article, amount in (("a-1", 5), (None, 6)):
            await set_opening_balance(
                connection, site="haihau", article=article, measure="views", amount=amount, who="An", why="x"
            )
        before = await connection.fetch("SELECT key, value FROM ingest.outbox ORDER BY key")
        assert await queue_missing_balances(connection, set()) == 0
        await connection.execute("DELETE FROM ingest.outbox")
        assert await queue_missing_balances(connection, {opening_balance_id("haihau", "a-1", "views")}) == 1
        assert await queue_missing_balances(connection, set()) == 1
        after = await connection.fetch("SELECT key, value FROM ingest.outbox ORDER BY key")
    decoded = [[msgspec.json.decode(row["value"], type=Adjustment) for row in rows] for rows in (before, after)]
    assert [(one.id, one.amount, one.article) for one in decoded[0]] == [
        (one.id, one.amount, one.article) for one in decoded[1]
    ]
