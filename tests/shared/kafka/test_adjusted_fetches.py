"""Fetches of a running consumer are changed before they are sent."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from shared.kafka.adjusted_fetches import adjust_fetches, asks_for_all


async def test_adjust_fetches_changes_each_request_before_it_is_sent() -> None:
    """What is adjusted is sent with the same arguments, and the reply is that of the fetcher."""
    sent: list[Any] = []

    async def send(assignment: object, node: int, request: Any) -> bool:
        sent.append((assignment, node, request._max_wait_ms))
        return node == 1

    def wait_longer(request: Any) -> None:
        request._max_wait_ms *= 10

    consumer = SimpleNamespace(_fetcher=SimpleNamespace(_proc_fetch_request=send))
    adjust_fetches(consumer, wait_longer)
    assert await consumer._fetcher._proc_fetch_request("a", 1, SimpleNamespace(_max_wait_ms=5))
    assert not await consumer._fetcher._proc_fetch_request("b", 2, SimpleNamespace(_max_wait_ms=7))
    assert sent == [("a", 1, 50), ("b", 2, 70)]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ([("t", [(0, 5, 1024), (2, 7, 1024)])], True),
        ([("t", [(2, 7, 1024)])], False),
        ([("t", [(1, 9, 1024)])], True),
        ([("u", [(0, 5, 1024)]), ("t", [(0, 5, 1024)])], False),
    ],
)
def test_asks_for_all_compares_with_the_partitions_of_the_broker(asked: list[Any], expected: bool) -> None:
    """A fetch is complete if it has each assigned partition that its broker leads, whatever others lead."""
    leaders = {("t", 0): 1, ("t", 1): 2, ("t", 2): 1}
    cluster = SimpleNamespace(leader_for_partition=leaders.get)
    assigned = {TopicPartition(*one) for one in leaders}
    consumer = SimpleNamespace(_client=SimpleNamespace(cluster=cluster), assignment=lambda: assigned)
    assert asks_for_all(consumer, SimpleNamespace(topics=asked)) is expected
