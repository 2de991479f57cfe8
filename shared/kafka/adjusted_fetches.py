"""Changes the fetches of a running consumer: when and how they are sent, and what becomes of answers."""

from collections.abc import Callable
from typing import Any

from aiokafka import TopicPartition

WAIT_SECONDS = 60.0
FETCHER_POLL_SECONDS = 2.0
"""aiokafka's fetcher waits for whatever may let it fetch, and checks everything again after this time; by default it
does so five times a second for each consumer, which was most of what an idle process did."""


def poll_seldom(consumer: Any) -> None:
    """Let the fetcher of a consumer that waits check everything again only every FETCHER_POLL_SECONDS.

    Args:
        consumer: A started AIOKafkaConsumer.
    """
    consumer._fetcher._fetcher_timeout = FETCHER_POLL_SECONDS  # noqa: SLF001 - it has no public attribute


def fetch_what_is_taken(consumer: Any) -> None:
    """Let a consumer fetch nothing from a broker while it has records that were not taken yet, for up to a minute.

    aiokafka waits for 0.1 seconds only: then answers for other partitions wait in memory, up to one for each.

    Args:
        consumer: A started AIOKafkaConsumer.
    """
    consumer._fetcher._prefetch_backoff = WAIT_SECONDS  # noqa: SLF001 - it has no public attribute


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


def asks_for_all(consumer: Any, request: Any) -> bool:
    """Return whether a fetch asks for all partitions that its broker has for the consumer.

    aiokafka sends one fetch at a time to a broker. Where a handler takes long, it sends one without the partition whose
    records wait for the handler: what comes there next is not fetched before that one is answered.

    Args:
        consumer: A started AIOKafkaConsumer.
        request: aiokafka's FetchRequest.
    """
    leader = consumer._client.cluster.leader_for_partition  # noqa: SLF001 - it has no public attribute
    asked = {TopicPartition(topic, one[0]) for topic, partitions in request.topics for one in partitions}
    brokers = {leader(one) for one in asked}
    return all(one in asked for one in consumer.assignment() if leader(one) in brokers)
