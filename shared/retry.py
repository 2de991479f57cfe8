"""Keep at something that must be done, while Postgres or Kafka is away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from aiokafka.structs import ConsumerRecord

from shared.kafka.dead_letters import send_to_dead_letters
from shared.kafka.producer import KafkaUnavailable, Producer
from shared.logs import log
from shared.postgres import POSTGRES_DATA_ERRORS, POSTGRES_UNAVAILABLE
from shared.tracing import record_failure

_Message = TypeVar("_Message")
RETRY_SECONDS = 0.5
_Result = TypeVar("_Result")


async def retry_until_done(
    act: Callable[[], Awaitable[_Result]], waits_for: Callable[[str | None], None] = lambda _: None
) -> _Result:
    """Do it until it is done, and return its result.

    Args:
        act: It must be harmless to repeat: whether a failed attempt took effect is unknown.
        waits_for: Told why it waits, and None when it is done; for readiness.

    Raises:
        POSTGRES_UNFIT: Postgres cannot store it, however often it is tried.
    """
    said = False
    while True:
        try:
            result = await act()
        except POSTGRES_DATA_ERRORS:
            raise
        except (KafkaUnavailable, *POSTGRES_UNAVAILABLE) as error:
            if not said:
                log.warning("Waiting", reason=repr(error))
                said = True
            waits_for(repr(error))
            await asyncio.sleep(RETRY_SECONDS)
        else:
            waits_for(None)
            return result


async def handle_record(
    producer: Producer, record: ConsumerRecord, kind: type[_Message], act: Callable[[_Message], Awaitable[object]]
) -> None:
    """Decode a record and do what it asks for until that is done.

    A tombstone asks for nothing. What cannot be read or stored goes to the topic's dead letters.
    """
    if record.value is None:
        return
    try:
        message = msgspec.json.decode(record.value, type=kind)
        await retry_until_done(lambda: act(message))
    except (msgspec.DecodeError, *POSTGRES_DATA_ERRORS) as error:
        record_failure(error)
        reason = f"{type(error).__name__}: {error}"
        await retry_until_done(lambda: send_to_dead_letters(producer, record, reason))
