"""`presstally stats rebuild`: count the retained log again into a new generation, and swap.

A generation is a complete set of counts with its own offsets. The rebuild fills a new one from the beginning of the log
with the counter's own fold, while the counters continue with the current one. It never counts further than they do:
the current generation has all that is kept of a record, its kept days and its dead letter. When it has caught up it
locks their offsets, counts the last records, and makes the new generation the current one in the same transaction:
queries see the old counts, then the new ones. The counters are fenced, and continue from the new generation's offsets
and snapshots.

Records that Kafka has deleted cannot be counted again. Local days that the log has only in part keep their counts.
"""

import argparse
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.stats.admin.exclusions import Exclusions
from services.stats.admin.kept_days import BEGINNING, next_day, without_kept_days
from services.stats.admin.kept_rows import END, KeptRows, delete_generation, delete_leftovers
from services.stats.admin.lost_adjustments import send_lost_adjustments
from services.stats.admin.lost_records import continue_after_lost_records, refuse_lost_records
from services.stats.admin.removed_sites import RemovedSites
from services.stats.counting.article_sums import sum_settled_days
from services.stats.counting.decoding import RawBatch
from services.stats.counting.evicted_state import EvictedState
from services.stats.counting.exclusions import Exclusion
from services.stats.counting.rules import DAY_SECONDS, UNKNOWN_SITE, fold_batch
from services.stats.counting.settled import settled_before
from services.stats.counting.snapshots import to_bytes
from services.stats.counting.state import PartitionState
from services.stats.counting.store import (
    Position,
    commit_batch,
    find_known_articles,
    read_known_articles,
    read_positions,
    save_snapshot,
    skip_gap,
)
from services.stats.local_calendar import day_start
from services.stats.queries import SQL
from services.stats.settings import StatsSettings
from shared.cli import CommandError, open_command_pool
from shared.kafka.config import READ_COMMITTED, KafkaConfig
from shared.kafka.last_record import record_checksum
from shared.kafka.log_reader import log_reader
from shared.kafka.topic_identity import read_topic
from shared.progress_bar import progress_bar
from shared.sites import Sites
from shared.sites_file import read_sites
from shared.topics import PAGE_VIEWS

LOCK = 0x72656275  # "rebu": one rebuild at a time
WARM_UP_MS = 65 * 60_000
"""A state that begins empty knows every visitor after an hour, and an event may be 5 minutes ahead."""
LEDGER_WARM_UP_MS = 50 * 3_600_000
"""An event is at most 48 hours older than its arrival: then it repeats no id that only a deleted record had."""
SWAP_SECONDS = 3.0
"""How long counters may wait for the swap; if it takes longer, the rebuild catches up again first."""
BATCH_RECORDS = 20_000


@dataclass
class RebuiltPartition:
    """One partition of the new generation."""

    position: Position
    state: PartitionState = field(default_factory=PartitionState)
    evicted: list[EvictedState] = field(default_factory=list)
    decided_before: int = 0
    """For views before this offset it stays as it is stored which articles are known."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--new-log",
        action="store_true",
        help="the topic was created again: keep all counts and continue with the new log from its beginning",
    )
    parser.add_argument(
        "--lost-records",
        action="store_true",
        help="Kafka has lost records that are counted: keep all counts and continue with those that arrived later",
    )


async def run(arguments: argparse.Namespace, settings: StatsSettings) -> None:
    """Run the command."""
    sites = read_sites(settings.sites, settings.public_url)
    async with (
        open_command_pool(settings, role="presstally_stats", size=8, statement_timeout_seconds=120) as pool,
        only_one(settings.database_url.get_secret_value()) as lock,
        consuming(settings.kafka) as consumer,
    ):
        async with log_reader(settings.kafka) as reader:
            if arguments.lost_records:
                await continue_after_lost_records(pool, reader)
                await _send_lost_adjustments(pool, settings)
                return
            await refuse_lost_records(pool, reader)
        rebuild = Rebuild(pool, lock, consumer, sites, new_log=arguments.new_log)
        await rebuild.begin()
        await rebuild.finish()
        if arguments.new_log:
            await _send_lost_adjustments(pool, settings)


async def _send_lost_adjustments(pool: asyncpg.Pool, settings: StatsSettings) -> None:
    """What has lost page views has probably lost adjustments, too."""
    async with pool.acquire() as connection:
        await send_lost_adjustments(connection, settings.kafka)


@asynccontextmanager
async def only_one(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Hold the lock that prevents a second rebuild, on the connection that will swap."""
    connection = await asyncpg.connect(url, server_settings={"role": "presstally_stats"}, command_timeout=300)
    try:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
            raise CommandError("another rebuild is under way")
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def consuming(kafka: KafkaConfig) -> AsyncIterator[Any]:
    """Start the consumer of a rebuild."""
    consumer = AIOKafkaConsumer(
        **kafka.client,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level=READ_COMMITTED,
        fetch_max_wait_ms=100,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


class Rebuild:
    """A generation that is being filled."""

    def __init__(
        self, pool: asyncpg.Pool, lock: asyncpg.Connection, consumer: Any, sites: Sites, *, new_log: bool
    ) -> None:
        self._pool = pool
        self._lock = lock
        self._consumer = consumer
        self._sites = sites
        self._new_log = new_log
        self._old = self._generation = 0
        self._partitions: dict[TopicPartition, RebuiltPartition] = {}
        self._recounted_from: dict[str, int] = {}
        """Site → first day that is counted again. Earlier days are kept, and all days of sites that are not here."""
        self._ledger_from: dict[str, int] = {}
        """The same for the ledger: on a few more days an event can be a duplicate of a deleted record."""
        self._kept = self._kept_rows()

    async def begin(self) -> None:
        """Create the generation, after deleting one that a killed rebuild left."""
        consumer = self._consumer
        identity, numbers = await read_topic(consumer._client, PAGE_VIEWS.name)  # noqa: SLF001 - there is no public attribute
        partitions = [TopicPartition(PAGE_VIEWS.name, number) for number in numbers]
        consumer.assign(partitions)
        beginnings = await consumer.beginning_offsets(partitions)
        self._old = await self._pool.fetchval(SQL["current_generation"])
        self._removed = await RemovedSites.read(self._pool, self._old, self._sites)
        counted = await self._pool.fetch(SQL["read_partitions"], self._old, PAGE_VIEWS.name, numbers)
        same_log = all(row["topic_id"] in ("", identity.topic_id) for row in counted)
        if same_log == self._new_log:
            raise CommandError(
                "the counts are of this topic; omit --new-log"
                if same_log
                else "the counts are of another topic; --new-log keeps them and continues with this one"
            )
        if not self._new_log and await self._skip_gaps(beginnings, counted):
            counted = await self._pool.fetch(SQL["read_partitions"], self._old, PAGE_VIEWS.name, numbers)
        await delete_leftovers(self._pool)
        self._generation = await self._pool.fetchval(SQL["begin_generation"])
        first_offsets = {one.partition: beginnings[one] for one in partitions}
        if self._new_log:  # it may have fewer partitions, which may be added later: what is kept of them stays right
            rows = await self._pool.fetch(SQL["counted_partitions"], PAGE_VIEWS.name)
            first_offsets = {row["partition"]: 0 for row in rows} | first_offsets
        positions = await read_positions(self._pool, PAGE_VIEWS.name, first_offsets, identity, self._generation)
        self._partitions = {one: RebuiltPartition(positions[one.partition]) for one in partitions}
        for one in partitions:
            consumer.seek(one, beginnings[one])
        if self._new_log:
            await self._kept_rows().copy_settled(self._lock, END)  # before the first record of the new log is added
            await self._copy_states(first_offsets)
            begins = list(first_offsets), list(first_offsets.values())
            await self._pool.execute(SQL["record_new_log"], self._generation, PAGE_VIEWS.name, *begins)
        else:
            await self._find_complete_days(beginnings, counted)
            self._kept = self._kept_rows()
        await self._copy_known_articles()
        print(f"generation {self._generation} is being built; queries continue with {self._old}", flush=True)

    def recounts(self, one: Exclusion) -> bool:
        """Return whether the counts and the ledger of an exclusion's day are counted again."""
        cuts = [cut.get(one.site) for cut in (self._recounted_from, self._ledger_from)]
        return all(cut is not None and day_start(one.begin * 1000, self._sites[one.site].zone) >= cut for cut in cuts)

    async def finish(self) -> None:
        """Apply the exclusions, count what the counters have counted, and swap."""
        exclusions = Exclusions(self._pool, self._consumer, self._sites)
        excluded = await exclusions.apply(self._old, self._generation, self._partitions, self.recounts)
        for rebuilt in self._partitions.values():
            rebuilt.state.excluded = excluded
        await self.copy_settled()
        await self.catch_up()
        if not self._new_log:
            await sum_settled_days(self._pool, self._generation, self._kept.settled)
        while not await self.swap():
            await self.catch_up()
        await self.drop_old()

    async def abandon(self) -> None:
        """Delete the generation that was begun."""
        await delete_generation(self._pool, self._generation)

    async def copy_settled(self) -> None:
        """Copy the kept rows that no record can change any more; the others are copied while counters wait."""
        if not self._new_log:
            ends = await self._consumer.end_offsets(list(self._partitions))
            log_ends = {one.partition: end for one, end in ends.items()}
            await self._kept.copy_settled(self._lock, await settled_before(self._pool, self._old, log_ends))

    def _kept_rows(self) -> KeptRows:
        return KeptRows(self._old, self._generation, self._recounted_from, self._ledger_from)

    async def drop_old(self) -> None:
        """Delete the former generation."""
        await delete_generation(self._pool, self._old)

    async def _skip_gaps(self, beginnings: dict[TopicPartition, int], counted: list[Any]) -> bool:
        """Store the gaps that no counter has noticed yet, as a counter would; return whether there were any."""
        found = False
        for row in counted:
            beginning = beginnings[TopicPartition(PAGE_VIEWS.name, row["partition"])]
            if row["next_offset"] < beginning:
                position = Position(self._old, row["epoch"], row["next_offset"])
                found |= await skip_gap(self._pool, PAGE_VIEWS.name, row["partition"], position, beginning)
        return found

    async def _find_complete_days(self, beginnings: dict[TopicPartition, int], counted: list[Any]) -> None:
        """Find for each site the first local day that the log has completely."""
        newest = {row["partition"]: row["newest_arrived"] for row in counted}
        with_gaps = {
            row["partition"] for row in await self._pool.fetch(SQL["partitions_with_gaps"], self._old, PAGE_VIEWS.name)
        }
        counted_until = await self._pool.fetchval(SQL["counted_until"], self._old, PAGE_VIEWS.name)
        since = {
            one: max(await self._first_arrival(one, newest.get(one.partition, 0)), counted_until)
            for one, beginning in beginnings.items()
            if beginning > 0 or one.partition in with_gaps
        }
        await self._find_decided(since, {row["partition"]: row["next_offset"] for row in counted})
        if not since:  # no record was ever deleted: everything is counted again
            self._recounted_from = dict.fromkeys((*self._sites, UNKNOWN_SITE), BEGINNING)
            self._ledger_from = self._recounted_from
            return
        self._recounted_from = self._days_after(max(since.values()) + WARM_UP_MS)
        self._ledger_from = self._days_after(max(since.values()) + LEDGER_WARM_UP_MS)
        for slug, cut in self._recounted_from.items():
            print(f"{slug}: days before {datetime.fromtimestamp(cut, UTC):%Y-%m-%d %H:%M} UTC keep their counts")

    async def _find_decided(self, since: dict[TopicPartition, int], counted_to: dict[int, int]) -> None:
        """Find how far it stays as it is stored which articles are known: an event may repeat a deleted record's id."""
        wanted = {one: begin + LEDGER_WARM_UP_MS for one, begin in since.items()}
        found = await self._consumer.offsets_for_times(wanted) if wanted else {}
        for one in wanted:
            counted, later = counted_to.get(one.partition, 0), found.get(one)
            self._partitions[one].decided_before = counted if later is None else min(counted, later.offset)

    async def _copy_known_articles(self) -> None:
        """Copy the articles that are not decided again into the new generation."""
        numbers = [one.partition for one in self._partitions]
        if self._new_log:
            begins = [rebuilt.position.next_offset for rebuilt in self._partitions.values()]
            await self._pool.execute(SQL["copy_known_articles"], self._old, self._generation, numbers, begins)
        else:
            begins = [rebuilt.decided_before for rebuilt in self._partitions.values()]
            slugs = list(self._recounted_from)
            await self._pool.execute(SQL["copy_decided_articles"], self._old, self._generation, numbers, begins, slugs)
        for one, rebuilt in self._partitions.items():
            rebuilt.state.known_articles = await read_known_articles(
                self._pool, one.partition, self._generation, rebuilt.decided_before
            )

    async def _copy_states(self, begins: Mapping[int, int]) -> None:
        """Let counters begin the new log with what they know: a spool may send events again that are counted."""
        place = self._old, self._generation, PAGE_VIEWS.name
        await self._pool.execute(SQL["copy_snapshots"], *place, list(begins), list(begins.values()))
        await self._pool.execute(SQL["copy_evicted_state"], *place)

    def _days_after(self, timestamp_ms: int) -> dict[str, int]:
        cuts = {slug: next_day(timestamp_ms, self._sites[slug].zone) for slug in self._sites}
        cuts[UNKNOWN_SITE] = -(-timestamp_ms // 1000 // DAY_SECONDS) * DAY_SECONDS
        return cuts

    async def _first_arrival(self, partition: TopicPartition, newest_counted: int) -> int:
        """Return when the oldest retained record of a partition arrived; when none is left, the newest counted."""
        begin = await self._consumer.position(partition)
        ends = await self._consumer.end_offsets([partition])
        if ends[partition] <= begin:
            return newest_counted
        record = await self._consumer.getone(partition)
        self._consumer.seek(partition, begin)
        return int(record.timestamp)

    async def catch_up(self, counted: Mapping[int, int] | None = None, deadline: float = float("inf")) -> bool:
        """Count until where the counters are now, or until the given offsets; False if the deadline came first."""
        if self._new_log:
            return True  # the counters count all of it, from its beginning
        wanted = await self._read_counted() if counted is None else counted
        left = sum(
            [max(0, wanted.get(one.partition, 0) - await self._consumer.position(one)) for one in self._partitions]
        )
        with progress_bar("records", left) as advance:
            return await self._count_until(wanted, deadline, advance)

    async def _count_until(self, wanted: Mapping[int, int], deadline: float, advance: Callable[[int], None]) -> bool:
        # By the consumer's position: the end of a transaction takes an offset too, and is no record.
        while behind := [
            one for one in self._partitions if await self._consumer.position(one) < wanted.get(one.partition, 0)
        ]:
            if time.monotonic() > deadline:
                return False
            fetched = await self._consumer.getmany(*behind, timeout_ms=200, max_records=BATCH_RECORDS)
            for one, records in fetched.items():
                end = wanted[one.partition]
                if records[-1].offset >= end:
                    self._consumer.seek(one, end)
                if already_counted := [record for record in records if record.offset < end]:
                    await self._count(one, self._partitions[one], already_counted)
                    advance(len(already_counted))
        return True

    async def _read_counted(self) -> dict[int, int]:
        """Return how far the counters have counted each partition."""
        numbers = [one.partition for one in self._partitions]
        rows = await self._pool.fetch(SQL["read_partitions"], self._old, PAGE_VIEWS.name, numbers)
        return {row["partition"]: row["next_offset"] for row in rows}

    async def _count(self, partition: TopicPartition, rebuilt: RebuiltPartition, fetched: list[Any]) -> None:
        records = RawBatch.fetched(fetched)
        batch = self._removed.decode(partition.partition, records)
        generation, known = rebuilt.position.generation, rebuilt.state.known_articles
        await find_known_articles(self._pool, partition.partition, generation, batch, known)
        deltas = fold_batch(batch, rebuilt.state, records, rebuilt.evicted)
        after = rebuilt.position._replace(
            next_offset=int(records.offset[-1]) + 1,
            last_record=record_checksum(int(records.arrived[-1]), records.values[-1]),
            newest_arrived=max(rebuilt.position.newest_arrived, deltas.newest_arrived),
        )
        deltas = without_kept_days(deltas, self._recounted_from, self._ledger_from)
        await commit_batch(
            self._pool, partition.topic, partition.partition, deltas, position=rebuilt.position, new=after
        )
        rebuilt.position = after

    async def swap(self) -> bool:
        """Make the generation the current one; False if the last records took too long and it must be tried again."""
        for one, rebuilt in self._partitions.items():  # a new log keeps the snapshots that were copied
            await save_snapshot(self._pool, one.topic, one.partition, rebuilt.position, to_bytes(rebuilt.state))
        transaction = self._lock.transaction()
        await transaction.start()
        try:
            # Counters wait here: their compare-and-set needs these rows.
            rows = await self._lock.fetch(SQL["lock_offsets"], self._old, PAGE_VIEWS.name)
            if not self._new_log:
                counted = {row["partition"]: row["next_offset"] for row in rows}
                if not await self.catch_up(counted, time.monotonic() + SWAP_SECONDS):
                    await transaction.rollback()
                    print("the last records took too long; catching up again", flush=True)
                    return False
                await self._kept.copy_rest(self._lock)
            await self._lock.execute(SQL["move_gaps"], self._old, self._generation)
            await self._lock.execute(SQL["reset_offsets_without_record"], self._generation)
            await self._lock.execute(SQL["delete_generation"], self._old)
            await self._lock.execute(SQL["make_current"], self._generation)
            await self._lock.execute(SQL["delete_offsets"], self._old)
        except BaseException:
            await transaction.rollback()
            raise
        await transaction.commit()
        print(f"generation {self._generation} is current", flush=True)
        return True
