"""Changes the fetches of a running consumer: how long a broker waits before it answers, and for how much."""

from collections.abc import Callable
from typing import Any


def adjust_fetches(consumer: Any, adjust: Callable[[Any], None]) -> None:
    """Let each fetch of a consumer be adjusted right before it is sent.

    Args:
        consumer: A started AIOKafkaConsumer.
        adjust: Is given aiokafka's FetchRequest, and changes `_max_wait_ms` or `_min_bytes`.
    """
    fetcher = consumer._fetcher  # noqa: SLF001 - it has no public attribute
    send = fetcher._proc_fetch_request  # noqa: SLF001 - as above

    async def send_adjusted(assignment: Any, node: int, request: Any) -> bool:
        adjust(request)
        return bool(await send(assignment, node, request))

    fetcher._proc_fetch_request = send_adjusted  # noqa: SLF001 - as above
