"""Chooses the partition of each event, so that all copies of an event get the same one, whichever collector has them.

The number of partitions comes from the partition plan in Postgres (see `partition_plan`), which each collector reads
every few seconds and keeps on disk. An unknown change would have to be in effect before it can do harm, and it is
recorded NOTICE_MS ahead, after Kafka has the partitions. So a collector knows the number if it has read the plan
recently, or if Kafka has no more partitions than the plan that it knows uses: Postgres may be unavailable for any
time. Otherwise it does not guess: events stay in the spool until the plan is read.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from services.ingest.collector.clock_check import ClockCheck, since_boot
from services.ingest.collector.disk_cache import DiskCache
from services.ingest.collector.partition_plan import NOTICE_MARGIN_MS, NOTICE_MS, REPEAT_MS, PartitionPlan, PlanEntry
from services.ingest.collector.spool import SpooledEvent
from services.ingest.metrics import PARTITIONS, PARTITIONS_IN_USE
from services.ingest.queries import SQL
from shared.logs import log
from shared.postgres import POSTGRES_UNAVAILABLE, Connection
from shared.retry import Outage
from shared.topics import PAGE_VIEWS

REFRESH_SECONDS = 5.0
METADATA_SECONDS_MAX = 60.0
"""How old Kafka's number of partitions may be. It is read every few seconds while Kafka is available."""
RECORD_SECONDS = 2.0
ADD_COMMAND = "presstally ingest partitions add"


class PartitionsUnknown(Exception):  # noqa: N818 - a state: the events wait in the spool
    """The partitions of events cannot be determined now; the message says why."""


class _Head(msgspec.Struct, gc=False):
    """What of a page event decides its partition."""

    id: str
    at: int
    kind: str


class _Observed(NamedTuple):
    partitions: int
    seen_at: float
    """In monotonic seconds."""


_decode_head = msgspec.json.Decoder(_Head).decode


class PartitionRouter:
    """Routes the events of one collector.

    Args:
        pool: Not necessarily connected yet.
        file: Copy of the plan on disk, for a start without Postgres.
        clock: Is given Postgres's time.
    """

    def __init__(self, pool: asyncpg.Pool, file: Path, clock: ClockCheck) -> None:
        self._pool = pool
        self._clock = clock
        self._disk = DiskCache(file)
        self._plan = PartitionPlan()
        self._read_at = -math.inf
        """Postgres's time in milliseconds when the plan was read."""
        self._kafka: _Observed | None = None
        self._wake = asyncio.Event()

    async def start(self) -> None:
        """Read the copy of the plan on disk, if there is one."""
        await asyncio.to_thread(self._read_file)

    def observe(self, partitions: int) -> None:
        """Take note of the number of partitions that Kafka has now."""
        if self._kafka is None or self._kafka.partitions != partitions:
            self._wake.set()
        self._kafka = _Observed(partitions, time.monotonic())
        PARTITIONS.set(partitions)

    @property
    def warning(self) -> str | None:
        """A difference between Kafka and the plan, with the command that ends it; None without one."""
        newest = self._plan.newest
        if newest is None or self._kafka is None or newest.partitions == self._kafka.partitions:
            return None
        kafka = self._kafka.partitions
        if newest.partitions > kafka:
            return _too_few(kafka, newest.partitions)
        return (
            f"{PAGE_VIEWS.name} has {kafka} partitions, and events go to {newest.partitions} of them; "
            f"to use all, run `{ADD_COMMAND} {kafka}`"
        )

    async def run_refresh(self) -> None:
        """Read the plan every few seconds, until cancelled."""
        outage = Outage("read the partition plan")
        while True:
            self._wake.clear()
            try:
                await self.refresh()
            except POSTGRES_UNAVAILABLE as error:
                outage.failed(error)
                await outage.pause()
                continue
            outage.ended()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_SECONDS):
                    await self._wake.wait()

    async def refresh(self) -> None:
        """Read the plan, and record in it what it does not have: its beginning, or what a restored Postgres lacks.

        Raises:
            asyncpg.PostgresError, OSError: Postgres is unavailable; the known plan stays.
        """
        sent_at = since_boot()
        read_at, recorded = await read_plan(self._pool)
        self._clock.observe_postgres(read_at, sent_at)
        if not recorded.entries and not self._plan.entries:
            if self._kafka is None:
                return
            await self._pool.execute(SQL["begin_partition_plan"], self._kafka.partitions)
            read_at, recorded = await read_plan(self._pool)
        plan = self._plan.merged(recorded.entries)
        for entry in plan.entries:
            if entry not in recorded.entries:
                log.warning("Postgres lacks a change of the partition plan; recording it again", change=entry)
                await add_entry(self._pool, entry)
        self._plan, self._read_at = plan, read_at
        PARTITIONS_IN_USE.set(plan.partitions_at(time.time_ns() // 1_000_000))
        await self._pool.execute(SQL["delete_old_switch_events"])
        await self._disk.write([list(entry) for entry in plan.entries])

    async def partitions(self, events: Sequence[SpooledEvent]) -> list[int]:
        """Return the partition of each event.

        Raises:
            PartitionsUnknown: keep the events, and try again later.
        """
        plan, kafka = self._plan, self._kafka
        if plan.newest is None or kafka is None:
            raise PartitionsUnknown("the partition plan was not read yet")
        known_until = self._known_until(plan.newest.partitions, kafka)
        if len(plan.entries) == 1 and known_until == math.inf:
            if plan.newest.partitions > kafka.partitions:
                raise PartitionsUnknown(_too_few(kafka.partitions, plan.newest.partitions))
            partitions = plan.newest.partitions
            return [partition_hash % partitions for partition_hash, _ in events]
        heads = [_decode_head(event.value) for event in events]
        if any(head.at >= known_until for head in heads):
            raise PartitionsUnknown(
                "the partition plan cannot be read from Postgres, and Kafka may have more partitions than it knew"
            )
        numbers = [plan.partitions_at(head.at) for head in heads]
        if max(numbers, default=0) > kafka.partitions:
            raise PartitionsUnknown(_too_few(kafka.partitions, max(numbers)))
        await self._agree_near_a_change(events, heads, numbers)
        return [event.partition_hash % number for event, number in zip(events, numbers, strict=True)]

    def _known_until(self, partitions: int, kafka: _Observed) -> float:
        """Return the event time, in milliseconds, from which on the plan may have a change that is not known here."""
        if kafka.partitions <= partitions and time.monotonic() - kafka.seen_at < METADATA_SECONDS_MAX:
            return math.inf
        return self._read_at + NOTICE_MS - NOTICE_MARGIN_MS

    async def _agree_near_a_change(
        self, events: Sequence[SpooledEvent], heads: Sequence[_Head], numbers: list[int]
    ) -> None:
        """Replace the numbers of views near a change by those that the first copy of each view was routed by.

        The time of a repetition differs from that of the first copy: by the time that a request takes, and by more if
        its sender does not tell its age.
        """
        times = [head.at for head in heads]
        if not times or self._plan.partitions_at(min(times) - REPEAT_MS) == self._plan.partitions_at(
            max(times) + REPEAT_MS
        ):
            return
        near: dict[UUID, list[int]] = {}
        for index, (event, head) in enumerate(zip(events, heads, strict=True)):
            around = self._plan.numbers_near(head.at) if head.kind == "view" else None
            if around is not None and event.partition_hash % around[0] != event.partition_hash % around[1]:
                near.setdefault(UUID(head.id), []).append(index)
        if not near:
            return
        ids = sorted(near)
        try:
            async with asyncio.timeout(RECORD_SECONDS):
                await self._pool.execute(SQL["record_switch_events"], ids, [numbers[near[one][0]] for one in ids])
                rows = await self._pool.fetch(SQL["switch_events"], ids)
        except POSTGRES_UNAVAILABLE as error:
            raise PartitionsUnknown(
                "Postgres is unavailable, which agrees on partitions near a change of their number"
            ) from error
        for row in rows:
            for index in near[row["id"]]:
                numbers[index] = row["partitions"]

    def _read_file(self) -> None:
        try:
            entries = [PlanEntry(int(at), int(partitions)) for at, partitions in self._disk.read() or ()]
        except (ValueError, TypeError) as error:
            log.warning("cannot read the copy of the partition plan; waiting for Postgres", reason=repr(error))
        else:
            self._plan = PartitionPlan(tuple(entries))


def _too_few(kafka: int, partitions: int) -> str:
    return (
        f"{PAGE_VIEWS.name} has {kafka} partitions in Kafka, but events are distributed over {partitions}; "
        f"run `{ADD_COMMAND} {partitions}`"
    )


async def read_plan(pool: "asyncpg.Pool | Connection") -> tuple[float, PartitionPlan]:
    """Return Postgres's time in milliseconds, and the plan as it was recorded then."""
    rows = await pool.fetch(SQL["partition_plan"])
    entries = [
        PlanEntry(round(row["effective_at"].timestamp() * 1000), row["partitions"])
        for row in rows
        if row["partitions"] is not None
    ]
    return rows[0]["read_at"].timestamp() * 1000, PartitionPlan(tuple(entries))


async def add_entry(pool: asyncpg.Pool, entry: PlanEntry) -> None:
    """Record a change that Postgres does not have."""
    await pool.execute(SQL["add_to_partition_plan"], _instant(entry.effective_at), entry.partitions)


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
