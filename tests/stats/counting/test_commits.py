"""Commits of folded batches: shared transactions, fenced partitions, unknown outcomes."""

from typing import Any

import pytest
from aiokafka import TopicPartition

from services.stats.counting import commits
from services.stats.counting.consumer import CountingConsumer
from tests.stats.counting.conftest import Counting
from tests.stats.counting.test_rules import record


def view(offset: int) -> bytes | None:
    return record(offset).value


async def test_small_batch_of_many_partitions_is_one_transaction(here: Counting) -> None:
    """Records of twelve partitions are committed together, each partition at its own offset."""
    await here.assign(*range(12))
    await here.fetch(*((number, offset, view(2 * number + offset)) for number in range(12) for offset in (0, 1)))
    assert (await here.views(), await here.offsets()) == (24, dict.fromkeys(range(12), 2))
    assert len({one.committing for one in here.counting._assigned.values()}) == 1
    assert await here.pool.fetchval("SELECT count(DISTINCT xmin::text) FROM stats.offsets") == 1


async def test_large_batch_is_a_transaction_for_each_partition(here: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    """With many records, a partition is committed while the next one is folded."""
    monkeypatch.setattr("services.stats.counting.consumer.SHARED_RECORDS_MAX", 3)
    await here.assign(0, 1)
    await here.fetch(*((number, offset, view(2 * number + offset)) for number in (0, 1) for offset in (0, 1)))
    assert (await here.views(), await here.offsets()) == (4, {0: 2, 1: 2})
    assert await here.pool.fetchval("SELECT count(DISTINCT xmin::text) FROM stats.offsets") == 2


async def test_partition_fenced_in_a_shared_transaction_is_reloaded_alone(here: Counting) -> None:
    """What another counter has moved on is reloaded; the other partitions of the transaction are counted."""
    await here.assign(0, 1, 2)
    await here.pool.execute("UPDATE stats.offsets SET next_offset = 7 WHERE partition = 1")
    await here.fetch((0, 0, view(1)), (1, 0, view(2)), (2, 0, view(3)))
    assert (await here.views(), await here.offsets()) == (2, {0: 1, 1: 7, 2: 1})
    assert here.consumer.paused == {TopicPartition("page-views", 1)}
    await here.fetch((0, 1, view(4)), (2, 1, view(5)))
    assert (await here.views(), await here.offsets()) == (4, {0: 2, 1: 7, 2: 2})


async def test_shared_transaction_of_unknown_outcome_reloads_all_its_partitions(
    here: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the reply of a commit is lost, none of its partitions goes on from what it believes."""
    commit_batches = commits.commit_batches

    async def lose_reply(*arguments: Any) -> list[int]:
        await commit_batches(*arguments)
        raise ConnectionResetError

    monkeypatch.setattr(commits, "commit_batches", lose_reply)
    await here.assign(0, 1)
    await here.fetch((0, 0, view(1)), (1, 0, view(2)))
    assert here.consumer.paused == {TopicPartition("page-views", number) for number in (0, 1)}
    assert (await here.views(), await here.offsets()) == (2, {0: 1, 1: 1})
    monkeypatch.setattr(commits, "commit_batches", commit_batches)
    await here.assign(0, 1)  # reads the offsets from Postgres: what was committed is not counted again
    await here.fetch((0, 0, view(1)), (0, 1, view(3)), (1, 0, view(2)))
    assert (await here.views(), await here.offsets()) == (3, {0: 2, 1: 1})


async def test_partitions_of_two_generations_do_not_share_a_transaction(here: Counting) -> None:
    """Around the swap of a rebuild, partitions of the former generation are fenced, and the others are counted."""
    await here.assign(0, 1)
    former = here.counting._assigned[TopicPartition("page-views", 0)]
    former.position = former.position._replace(generation=99)
    await here.fetch((0, 0, view(1)), (1, 0, view(2)))
    assert (await here.views(), await here.offsets()) == (1, {0: 0, 1: 1})
    assert here.consumer.paused == {TopicPartition("page-views", 0)}


async def test_partition_revoked_while_others_are_folded_is_not_committed(
    here: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that was folded before its partition was revoked is left to the next counter."""
    fold_records = CountingConsumer._fold_records

    async def fold_and_revoke(self: CountingConsumer, partition: TopicPartition, *arguments: Any) -> Any:
        folded = await fold_records(self, partition, *arguments)
        if partition.partition == 1:
            del self._assigned[TopicPartition("page-views", 0)]
        return folded

    monkeypatch.setattr(CountingConsumer, "_fold_records", fold_and_revoke)
    await here.assign(0, 1)
    await here.fetch((0, 0, view(1)), (1, 0, view(2)))
    assert (await here.views(), await here.offsets()) == (1, {0: 0, 1: 1})
