"""Changes the fetches of a running consumer: how long a broker waits before it answers, and what becomes of answers."""

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


def after_fetches(consumer: Any, act: Callable[[], None]) -> None:
    """Call a function after each answer to a fetch of a consumer, before anything of it is taken.

    Args:
        consumer: A started AIOKafkaConsumer.
        act: Must not raise.
    """
    fetcher = consumer._fetcher  # noqa: SLF001 - it has no public attribute
    send = fetcher._proc_fetch_request  # noqa: SLF001 - as above

    async def send_and_act(assignment: Any, node: int, request: Any) -> bool:
        has_records = bool(await send(assignment, node, request))
        act()
        return has_records

    fetcher._proc_fetch_request = send_and_act  # noqa: SLF001 - as above
