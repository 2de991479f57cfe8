"""The counting consumer without Kafka: batches by partition, fencing and reloads."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from services.stats.counting.consumer import STUCK_SECONDS
from services.stats.counting.decoding import RawBatch, RawRecord
from services.stats.counting.fetched_columns import Fetched
from services.stats.counting.partitions import TopicMismatch
from services.stats.metrics import UNREADABLE_PARTITIONS
from services.stats.queries import SQL
from tests.chaos.polling import becomes_true
from tests.stats.counting.conftest import Counting
from tests.stats.counting.test_rules import NOON, record


def view(offset: int) -> bytes | None:
    return record(offset).value


async def test_batch_of_two_partitions_commits_each_with_its_offset(here: Counting) -> None:
    """The records of each partition are committed together with its own offset."""
    await here.assign(0, 1)
    await here.fetch((0, 0, view(1)), (0, 1, view(2)), (1, 0, view(3)))
    assert (await here.views(), await here.offsets()) == (3, {0: 2, 1: 1})


async def test_batch_of_counted_records_only_rebuilds_the_state(here: Counting) -> None:
    """Records before the committed offset are folded into the state and not counted again."""
    await here.assign(0)
    await here.fetch((0, 0, view(1)), (0, 1, view(2)))
    await here.assign(0)
    assigned = here.counting._assigned[TopicPartition("page-views", 0)]
    assigned.read_next = 0
    assert here.counting.not_ready == ["the state of 1 partitions is being rebuilt"]
    await here.fetch((0, 0, view(1)), (0, 1, view(2)), (0, 2, view(1)), (0, 3, view(9)))
    assert (await here.views(), await here.offsets()) == (3, {0: 4})
    assert here.counting.not_ready == []


async def test_batch_of_a_revoked_partition_is_ignored(here: Counting) -> None:
    """Records of a partition that is not assigned, or that were fetched before a seek, are not counted."""
    await here.assign(0)
    await here.fetch((1, 0, view(1)))
    here.consumer.positions[TopicPartition("page-views", 0)] = 0  # sought back since the fetch
    fetched = RawBatch.of([RawRecord(5, NOON, view(2))])
    await here.counting._count_by_partition([Fetched(TopicPartition("page-views", 0), fetched)])
    assert await here.views() == 0
    await here.counting.on_partitions_revoked([])
    await here.fetch((0, 0, view(3)))
    assert await here.views() == 0


async def test_batch_after_another_consumer_reloads_the_partition(here: Counting) -> None:
    """A fenced commit counts nothing; the partition is paused and reloaded, and the process goes on."""
    await here.assign(0)
    partition = TopicPartition("page-views", 0)
    await here.pool.execute("UPDATE stats.offsets SET next_offset = 7")
    await here.fetch((0, 0, view(1)))
    assert await here.views() == 0
    assert partition not in here.counting._assigned
    assert here.consumer.paused == {partition}
    assert here.counting.not_ready != []
    assert here.process.failure is None


async def test_records_are_taken_as_soon_as_there_are_some(here: Counting) -> None:
    """Calls without records are repeated without a pause; the records of all partitions come together."""
    replies: list[dict[Any, list[int]]] = [{}, {}, {"a": [1, 2], "b": [3]}, {"a": [4]}]

    async def getmany(**given: int) -> dict[Any, list[int]]:
        assert given["max_records"] == 60_000
        return replies.pop(0)

    consumer = SimpleNamespace(getmany=getmany, _fetcher=SimpleNamespace(_proc_fetch_request=None))
    assert await here.counting._take_records(consumer) == (("a", [1, 2]), ("b", [3]))
    assert await here.counting._take_records(consumer) == (("a", [4]),)


async def test_batch_of_mostly_dead_letters_stops_its_partition_only(
    here: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above the limit nothing of the partition is committed until its place changes; others and the process go on."""
    # Guards against the end of the process, and with it of the widget, for a sender's error.
    monkeypatch.setattr("services.stats.counting.dead_letter_stop.CHECK_SECONDS", 0.01)
    partition = TopicPartition("page-views", 0)
    await here.assign(0, 1)
    await here.fetch(*((0, offset, b"rubbish") for offset in range(6)))
    assert await here.offsets() == {0: 0, 1: 0}
    assert here.process.failure is None
    assert here.consumer.paused == {partition}
    assert here.counting.not_ready[0].startswith("page-views-0 is not counted: 6 of the last 6 records")
    assert UNREADABLE_PARTITIONS._value.get() == 1
    await here.fetch((0, 6, view(1)), (1, 0, view(2)))
    assert (await here.views(), await here.offsets()) == (1, {0: 0, 1: 1})
    assert here.counting.liveness_failure() is None
    await here.pool.fetch(SQL["accept_dead_letters"], "page-views", [0, 1], [6, 1])

    async def is_decided() -> bool:
        return here.counting._dead_letter_stops.problem is None

    assert await becomes_true(is_decided, 60)
    await here.assign(0)
    await here.fetch(*((0, offset, b"rubbish") for offset in range(6)), (0, 6, view(3)))
    assert (await here.views(), await here.offsets()) == (2, {0: 7, 1: 1})
    assert UNREADABLE_PARTITIONS._value.get() == 0


async def test_revoked_partition_no_longer_waits_for_a_decision(here: Counting) -> None:
    """A partition that another counter gets is no problem of this one."""
    await here.assign(0)
    await here.fetch(*((0, offset, b"rubbish") for offset in range(6)))
    await here.counting.on_partitions_revoked([TopicPartition("page-views", 0)])
    assert here.counting._dead_letter_stops.problem is None
    assert UNREADABLE_PARTITIONS._value.get() == 0


async def test_drain_and_save_snapshots_leave_the_state_for_the_next_counter(here: Counting) -> None:
    """After a drain further records are ignored, and the snapshot is at the committed offset."""
    await here.assign(0)
    await here.fetch((0, 0, view(1)))
    here.counting.offset_reporter.commit_offsets = lambda: None  # type: ignore[method-assign]
    await here.counting.drain()
    await here.counting.save_snapshots()
    await here.fetch((0, 1, view(2)))
    assert await here.views() == 1
    assert await here.pool.fetchval('SELECT "offset" FROM stats.snapshots WHERE partition = 0') == 1


@pytest.mark.parametrize("revoked", [False, True])
async def test_state_is_saved_when_the_log_has_changed(
    here: Counting, monkeypatch: pytest.MonkeyPatch, revoked: bool
) -> None:
    """A counter that stops because Kafka has lost records saves its state, also if it joined the group again before."""

    async def lost(*_: object) -> None:
        raise TopicMismatch("Kafka has lost records that are counted")

    monkeypatch.setattr("services.stats.counting.consumer.check_positions", lost)
    await here.assign(0, 1)
    await here.fetch((0, 0, view(1)), (1, 0, view(2)), (1, 1, view(3)))
    partitions = [TopicPartition("page-views", number) for number in (0, 1)]
    if revoked:
        await here.counting.on_partitions_revoked(partitions)
        await here.counting.on_partitions_assigned(partitions)
    else:
        here.counting._reload_if_assigned(partitions[0], here.counting._assigned[partitions[0]], "reconnected")
    saved: list[tuple[int, int]] = []

    async def are_saved() -> bool:
        saved[:] = map(tuple, await here.pool.fetch('SELECT partition, "offset" FROM stats.snapshots ORDER BY 1'))
        return saved == [(0, 1), (1, 2)]

    assert await becomes_true(are_saved, 60), saved
    assert here.counting.not_ready == ["Kafka has lost records that are counted"]


async def test_liveness_fails_when_records_wait_without_progress(here: Counting) -> None:
    """Waiting records without a batch for STUCK_SECONDS are a liveness failure, unless a dependency is unavailable."""
    await here.assign(0)
    here.consumer.positions[TopicPartition("page-views", 0)] = 0
    assert here.counting.liveness_failure() is None
    here.consumer.positions[TopicPartition("page-views", 0)] = 10
    here.counting._progress -= STUCK_SECONDS + 1
    assert "with records waiting" in str(here.counting.liveness_failure())
    here.counting.waiting_reason = "Postgres"
    assert here.counting.liveness_failure() is None
