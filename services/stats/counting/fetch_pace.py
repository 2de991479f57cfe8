"""Lets brokers gather the records of a pause: one fetch returns all of them, and none is sent meanwhile.

A client that pauses by itself has already fetched the first records of some partitions, and fetches the others' every
tenth of a second; when it goes on, most records of the pause are still at the broker.
"""

from collections.abc import Callable
from typing import Any

from services.stats.counting.pace import GATHER_SECONDS
from shared.kafka.adjusted_fetches import adjust_fetches

GATHERED_BYTES = 65_536
"""A broker does not gather longer once it has so much: a burst ends the pause."""
GATHERED_BYTES_BUSY = 1_048_576
"""The same for the short pauses of a busy counter: a backlog ends them."""


def pace_fetches(consumer: Any, pause_seconds: Callable[[], float]) -> None:
    """Let each fetch of a consumer gather records for as long as the pause is when it is sent.

    Args:
        consumer: A started AIOKafkaConsumer.
        pause_seconds: Returns the pause; with 0 a broker answers as soon as it has a record.
    """

    def gather(request: Any) -> None:
        wait_ms = round(1_000 * pause_seconds())
        if wait_ms > 0:
            least = GATHERED_BYTES if wait_ms > 1_000 * GATHER_SECONDS else GATHERED_BYTES_BUSY
            request._max_wait_ms, request._min_bytes = wait_ms, least  # noqa: SLF001 - not public

    adjust_fetches(consumer, gather)
