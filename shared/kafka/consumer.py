"""FastStream brokers, which run the consumers: see `database_consumer` for those of single records."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from faststream.kafka import KafkaBroker

from shared.kafka.adjusted_fetches import poll_seldom
from shared.kafka.config import CLIENT_METADATA_MAX_AGE_MS, KafkaConfig
from shared.kafka.connection import diagnose, security
from shared.kafka.consumer_watch import ConsumerWatch, close_connections
from shared.kafka.producer import KAFKA_ERRORS, KafkaUnavailable
from shared.logs import log
from shared.retry import retry_until_done
from shared.role import Process

FETCH_WAIT_MS = 1_000
"""How long a broker waits for records before it answers that there are none; it answers at once when one arrives. Of an
idle consumer this is nearly the whole cost. A fetch that waits delays other requests on its connection, and the first
records after a seek, by so much: what cannot wait is read through a consumer without a group."""


def create_broker(
    kafka: KafkaConfig, middlewares: Sequence[Any] = (), *, metadata_max_age_ms: int = CLIENT_METADATA_MAX_AGE_MS
) -> KafkaBroker:
    """Return a FastStream broker that uses this process's log and never creates topics.

    Args:
        kafka: Connection settings.
        middlewares: Of FastStream.
        metadata_max_age_ms: How soon consumers learn of new partitions; a `DatabaseConsumer` learns of them sooner.
    """
    return KafkaBroker(
        kafka.bootstrap,
        security=security(kafka),
        allow_auto_create_topics=False,
        metadata_max_age_ms=metadata_max_age_ms,
        graceful_timeout=5,
        logger=logging.getLogger("faststream"),
        middlewares=middlewares,
    )


@asynccontextmanager
async def run_broker(broker: KafkaBroker, kafka: KafkaConfig, process: Process) -> AsyncIterator[asyncio.Task[None]]:
    """Run a broker's subscribers in the background, and yield the task that starts them.

    The start is not awaited: joining a group takes as long as Kafka needs to give up on a killed member, and the
    process must do its other work meanwhile. When a consumer's background task dies later, the process stops.
    """
    starting = process.spawn(_start(broker, kafka), "join consumer groups")
    watching = process.spawn(_watch(broker, process, starting), "watch consumers")
    try:
        yield starting
    finally:
        starting.cancel()
        watching.cancel()
        await asyncio.wait([starting, watching])
        await _stop(broker)


async def _stop(broker: KafkaBroker) -> None:
    try:
        await broker.stop()
    except Exception as error:  # noqa: BLE001 - what ended a consumer's task, which is reported already
        log.warning("a consumer did not stop in order; closing its connections", reason=repr(error))
        await close_connections(broker)
        await broker.config.disconnect()


async def _watch(broker: KafkaBroker, process: Process, starting: asyncio.Task[None]) -> None:
    await asyncio.wait([starting])
    await ConsumerWatch(broker, process).run()


async def _start(broker: KafkaBroker, kafka: KafkaConfig) -> None:
    async def start() -> None:
        try:
            await broker.start()
        except KAFKA_ERRORS as error:
            raise KafkaUnavailable(await diagnose(kafka)) from error

    await retry_until_done(start, on=KafkaUnavailable, what="join consumer groups")
    for subscriber in broker.subscribers:
        consumer: Any = subscriber.consumer  # type: ignore[attr-defined] # of each subscriber of this broker
        if consumer is not None:  # otherwise it is stopping
            poll_seldom(consumer)
