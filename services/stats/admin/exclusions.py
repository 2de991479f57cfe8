"""Applies exclusions to a generation that is being built: finds their visitors in the log, and stores who they are.

An exclusion of a day that is counted again is applied as it stands now: it may be new, or reversed. One of a day that
keeps its counts stays as it is in them.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import asyncpg
from aiokafka import TopicPartition

from services.stats.counting.decoding import RawBatch, decode
from services.stats.counting.exclusions import Excluded, Exclusion, ExclusionSearch, reversal_id
from services.stats.counting.store import read_excluded
from services.stats.local_calendar import day_start
from services.stats.queries import SQL
from shared.sites import Sites

FETCH_RECORDS = 20_000
LATE_MS = 49 * 3_600_000
"""An event is at most 48 hours old when it arrives."""
CLOCK_MS = 60_000
"""The clocks of this machine and of Kafka may differ by so much."""


def with_late_records(one: Exclusion, now: int) -> Exclusion:
    """Return the exclusion with what has arrived since it was made, as long as events of its span may arrive late.

    Args:
        one: As it was entered.
        now: Milliseconds. What arrived in the last minute is left out: Kafka's clock may be another one.
    """
    return one._replace(at=max(one.at, min(one.end * 1000 + LATE_MS, now - CLOCK_MS)))


class Exclusions:
    """The exclusions of a rebuild.

    Args:
        pool: Postgres.
        consumer: Assigned to all partitions; its positions are as before afterwards.
        sites: By slug.
    """

    def __init__(self, pool: asyncpg.Pool, consumer: Any, sites: Sites) -> None:
        self._pool = pool
        self._consumer = consumer
        self._sites = sites

    async def apply(
        self, old: int, new: int, partitions: Iterable[TopicPartition], is_recounted: Callable[[Exclusion], bool]
    ) -> Excluded:
        """Apply all exclusions to the generation `new`, and return its excluded visitors.

        Raises:
            KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Kafka or Postgres is
                unavailable.
        """
        exclusions = [Exclusion(*tuple(row)) for row in await self._pool.fetch(SQL["read_exclusions"])]
        if not exclusions:
            return {}
        entered = {row["id"] for row in await self._pool.fetch(SQL["read_adjustment_ids"])}
        now = time.time_ns() // 1_000_000
        exclusions = [with_late_records(one, now) for one in exclusions]
        recounted = [one for one in exclusions if one.site in self._sites and is_recounted(one)]
        standing = [one for one in recounted if reversal_id(one.id) not in entered]
        search = ExclusionSearch(standing)
        if standing:
            await self._search(search, list(partitions))
        found = search.found()
        for one in exclusions:
            if one.id in found:
                ids = found[one.id].view("int64").tolist()
                day = day_start(one.begin * 1000, self._sites[one.site].zone)
                await self._pool.execute(SQL["apply_exclusion"], new, one.id, True, len(ids), one.at)
                await self._pool.execute(SQL["exclude_visitors"], new, one.site, one.id, day, ids)
            elif one in recounted:
                visitors = await self._pool.fetchval(SQL["read_excluded_number"], old, one.id)
                await self._pool.execute(SQL["apply_exclusion"], new, one.id, False, visitors or 0, 0)
            else:
                await self._pool.execute(SQL["copy_applied_exclusion"], old, new, one.id)
                await self._pool.execute(SQL["copy_excluded_visitors"], old, new, one.id)
        return await read_excluded(self._pool, new)

    async def _search(self, search: ExclusionSearch, partitions: list[TopicPartition]) -> None:
        """Read the log to its end."""
        begins = {one: await self._consumer.position(one) for one in partitions}
        ends: Mapping[TopicPartition, int] = await self._consumer.end_offsets(partitions)
        while behind := [one for one in partitions if await self._consumer.position(one) < ends[one]]:
            fetched = await self._consumer.getmany(*behind, timeout_ms=200, max_records=FETCH_RECORDS)
            for records in fetched.values():
                search.add(decode(RawBatch.fetched(records), self._sites))
        for one, begin in begins.items():
            self._consumer.seek(one, begin)
