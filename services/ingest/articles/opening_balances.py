"""Opening balances: totals of former counters, as adjustments that go to the counters through the topic.

The id of its adjustment follows from the counter, so that a counter has one opening balance even if the database forgot
the first one: the counters take an id once.
"""

import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid5

import msgspec
from aiokafka.structs import ConsumerRecord

from services.ingest.queries import SQL
from shared.events import Adjustment, Measure
from shared.logs import log
from shared.postgres import POSTGRES_DATA_ERRORS, Connection
from shared.topics import COUNTER_ADJUSTMENTS

OPENING_BALANCES = UUID("0d9d3f0e-8a0b-4b8e-9f0b-1f1c6d3c9a52")
"""Namespace of the ids of opening balances."""


def opening_balance_id(site: str, article: str | None, measure: str) -> str:
    """Return the id of the adjustment that is a counter's opening balance."""
    return str(uuid5(OPENING_BALANCES, f"{site}\n{article or ''}\n{measure}"))


async def set_opening_balance(
    connection: Connection, *, site: str, article: str | None, measure: Measure, amount: int, who: str, why: str
) -> int:
    """Set the opening balance of a counter once, in the transaction of the caller, and return the stored balance.

    A second call changes nothing and returns the first balance. Reversals are made with `stats adjust`.
    """
    adjustment = Adjustment(
        id=opening_balance_id(site, article, measure),
        site=site,
        article=article,
        measure=measure,
        amount=amount,
        who=who,
        why=why,
        at=time.time_ns() // 1_000_000,
    )
    if await _insert(connection, adjustment):
        await _queue(connection, adjustment)
        return amount
    return int(await connection.fetchval(SQL["opening_balance"], site, article, measure))


async def take_over_balances(connection: Connection, records: Sequence[ConsumerRecord], known: set[str]) -> int:
    """Store the opening balances among adjustments that the topic has and the database has not; return how many.

    Args:
        connection: Each balance is a statement of its own.
        records: Records of the topic.
        known: Gets the ids of all adjustments in the topic.
    """
    count = 0
    for record in records:
        try:
            one = msgspec.json.decode(record.value or b"", type=Adjustment)
        except (msgspec.DecodeError, UnicodeError):
            continue  # the counters report it, and keep it as a dead letter
        known.add(one.id)
        if one.id != opening_balance_id(one.site, one.article, one.measure):
            continue
        try:
            count += await _insert(connection, one)
        except POSTGRES_DATA_ERRORS as error:
            log.error("an opening balance cannot be taken over from the topic", adjustment=one.id, reason=str(error))
    return count


async def queue_missing_balances(connection: Connection, known: Collection[str]) -> int:
    """Queue the opening balances that the topic does not have, and return how many."""
    count = 0
    async with connection.transaction():
        for row in await connection.fetch(SQL["unsent_balances"]):
            if row["adjustment"] in known:
                continue
            at = int(row["at"].timestamp() * 1000)
            fields = {name: row[name] for name in ("site", "measure", "amount", "who", "why")}
            await _queue(connection, Adjustment(id=row["adjustment"], article=row["article"] or None, at=at, **fields))
            count += 1
    return count


async def _insert(connection: Connection, one: Adjustment) -> bool:
    at = datetime.fromtimestamp(one.at / 1000, UTC)
    row = (one.site, one.article, one.measure, one.id, one.amount, one.who, one.why, at)
    return await connection.fetchval(SQL["set_opening_balance"], *row) is not None


async def _queue(connection: Connection, adjustment: Adjustment) -> None:
    value = msgspec.json.encode(adjustment)
    await connection.execute(SQL["insert_into_outbox"], COUNTER_ADJUSTMENTS.name, adjustment.id, value, "{}")
