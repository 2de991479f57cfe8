"""Fetches of a running consumer are changed before they are sent."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import Fetcher, FetchResult

from shared.kafka.adjusted_fetches import adjust_fetches, asks_for_all, fetch_what_is_taken


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


async def test_fetch_what_is_taken_waits_while_records_are_in_memory() -> None:
    """A broker is not asked for records of other partitions before those that it sent are taken, however long it is."""
    cluster = SimpleNamespace(leader_for_partition=lambda _: 1)
    client = SimpleNamespace(_loop=asyncio.get_running_loop(), _metadata_max_age_ms=1_000, cluster=cluster)
    subscriptions = SimpleNamespace(
        register_fetch_waiters=lambda _: None,
        subscription=None,
        wait_for_assignment=asyncio.get_running_loop().create_future,
    )
    fetcher = Fetcher(client, subscriptions)
    fetch_what_is_taken(SimpleNamespace(_fetcher=fetcher))
    places = [TopicPartition("page-views", number) for number in range(2)]
    state = SimpleNamespace(has_valid_position=True, paused=False, position=7)
    assignment = SimpleNamespace(tps=places, state_value=lambda _: state)
    answer = FetchResult(places[0], assignment=assignment, partition_records=[], backoff=fetcher._prefetch_backoff)
    answer._created -= 5
    fetcher._records[places[0]] = answer
    assert fetcher._get_actions_per_node(assignment)[0] == []
    del fetcher._records[places[0]]
    ((node, request),) = fetcher._get_actions_per_node(assignment)[0]
    assert (node, sorted(number for number, _, _ in request.topics[0][1])) == (1, [0, 1])
    await fetcher.close()
