"""Stored adjustments against their topic: each row, in both directions, and the sums that are added to totals."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.stats.admin.verify.values import Drift, VerifyReport
from shared.events import Adjustment
from shared.kafka.log_reader import read_range
from shared.kafka.topic_identity import read_topic
from shared.topics import COUNTER_ADJUSTMENTS

SETTLE_SECONDS = 5.0
"""How long an adjustment may be under way from the topic to Postgres."""
READ_ADJUSTMENTS = """
SELECT id, site, article, measure, amount, who, why, created_at, excluded_agent, excluded_from, excluded_to
FROM stats.adjustments
"""


class AdjustmentRow(NamedTuple):
    """A row of `stats.adjustments`."""

    site: str
    article: str
    measure: str
    amount: int
    who: str
    why: str
    created_at: datetime
    excluded_agent: int | None = None
    excluded_from: int | None = None
    excluded_to: int | None = None


Adjustments = dict[str, AdjustmentRow]
"""By id."""


async def verify_adjustments(reader: AIOKafkaConsumer, pool: asyncpg.Pool) -> VerifyReport:
    """Compare the table with the topic; what differs is read again for a few seconds, as it may be under way.

    Raises:
        KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: they cannot be read.
    """
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        expected = expected_adjustments(await _read_values(reader))
        rows = await pool.fetch(READ_ADJUSTMENTS)
        report = compare_adjustments({row["id"]: AdjustmentRow(*tuple(row)[1:]) for row in rows}, expected)
        if not report.drifts or time.monotonic() > deadline:
            return report
        await asyncio.sleep(0.5)


async def _read_values(reader: AIOKafkaConsumer) -> list[bytes | None]:
    topic = COUNTER_ADJUSTMENTS.name
    _, numbers = await read_topic(reader._client, topic)  # noqa: SLF001 - there is no public attribute
    partitions = [TopicPartition(topic, number) for number in numbers]
    begins, ends = await reader.beginning_offsets(partitions), await reader.end_offsets(partitions)
    values: list[bytes | None] = []
    for partition in partitions:
        async for records in read_range(reader, partition, begins[partition], ends[partition]):
            values += [record.value for record in records]
    return values


def expected_adjustments(values: Iterable[bytes | None]) -> Adjustments:
    """Return the adjustments that records make: the first one of an id counts; invalid ones are dead letters."""
    found: Adjustments = {}
    for value in values:
        if value is None:
            continue
        try:
            one = msgspec.json.decode(value, type=Adjustment)
            is_storable = b"\0" not in f"{one.id}{one.article}{one.who}{one.why}".encode()
        except (msgspec.DecodeError, UnicodeError):
            continue
        if is_storable:
            created_at = datetime.fromtimestamp(one.at / 1000, UTC)
            group = (one.excluded.agent, one.excluded.begin, one.excluded.end) if one.excluded else ()
            place = (one.site, one.article or "", one.measure)
            row = AdjustmentRow(*place, one.amount, one.who, one.why, created_at, *group)
            found.setdefault(one.id, row)
    return found


def compare_adjustments(stored: Adjustments, expected: Adjustments) -> VerifyReport:
    """Compare each adjustment and the sums by site, article and measure."""
    report = VerifyReport()
    for number in sorted(stored.keys() | expected.keys()):
        there, must = stored.get(number), expected.get(number)
        one = there or must
        assert one is not None
        place = (one.site, one.article, f"adjustment {number}", None)
        report.check(Drift(*place, "rows", int(there is not None), int(must is not None), int(must is not None)))
        if there is not None and must is not None:
            differing = [name for name in AdjustmentRow._fields if getattr(there, name) != getattr(must, name)]
            measure = " and ".join(["fields that differ", *differing]) if differing else "fields that differ"
            report.check(Drift(*place, measure, len(differing), 0, 0))
    sums_stored, sums_expected = _sums(stored), _sums(expected)
    for key in sorted(sums_stored.keys() | sums_expected.keys()):
        site, article, measure = key
        value = sums_expected[key]
        report.check(Drift(site, article, "adjustments", None, measure, sums_stored[key], value, value))
    return report


def _sums(adjustments: Adjustments) -> defaultdict[tuple[str, str, str], int]:
    sums: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    for one in adjustments.values():
        sums[one.site, one.article, one.measure] += one.amount
    return sums
