"""Fetches of a running consumer are changed before they are sent."""

from types import SimpleNamespace
from typing import Any

from shared.kafka.adjusted_fetches import adjust_fetches


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
