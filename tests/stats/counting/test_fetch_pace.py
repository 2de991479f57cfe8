"""Fetches of a paced consumer gather records at the broker; without a pause they are as they were."""

from types import SimpleNamespace
from typing import Any

import pytest

from services.stats.counting.fetch_pace import GATHERED_BYTES, GATHERED_BYTES_BUSY, pace_fetches


@pytest.mark.parametrize(
    ("pause", "sent"),
    [(0.0, (500, 1)), (0.0004, (500, 1)), (0.05, (50, GATHERED_BYTES_BUSY)), (0.9, (900, GATHERED_BYTES))],
)
async def test_pace_fetches_waits_at_the_broker_for_the_rest_of_the_pause(pause: float, sent: tuple[int, int]) -> None:
    """During a pause a fetch waits as long as it lasts, or for many records; otherwise for the first record."""
    requests: list[Any] = []

    async def send(assignment: object, node: int, request: Any) -> bool:
        requests.append((assignment, node, request._max_wait_ms, request._min_bytes))
        return True

    consumer = SimpleNamespace(_fetcher=SimpleNamespace(_proc_fetch_request=send))
    pace_fetches(consumer, lambda: pause)
    request = SimpleNamespace(_max_wait_ms=500, _min_bytes=1)
    assert await consumer._fetcher._proc_fetch_request("assignment", 1, request)
    assert requests == [("assignment", 1, *sent)]
