"""Retries while Postgres or Kafka is unavailable: growing pauses with jitter, and two log lines for each outage.

The pauses are stamina's. Its own reports are off: it would log every attempt, and label a metric with its number.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn, TypeAlias, TypeVar

import stamina
import stamina.instrumentation

from shared.logs import log

FIRST_PAUSE_SECONDS: Final = 0.2
PAUSE_SECONDS_MAX: Final = 1.0
"""Bounds how long after the end of an outage work goes on."""
JITTER_SECONDS: Final = 0.2

Errors: TypeAlias = type[Exception] | tuple[type[Exception], ...]
OnWaiting: TypeAlias = Callable[[str | None], None]
"""Called with the reason at each failed attempt, and with None after a success; for readiness."""
_Result = TypeVar("_Result")

stamina.instrumentation.set_on_retry_hooks([])


async def retry_until_done(
    act: Callable[[], Awaitable[_Result]],
    *,
    on: Errors,
    unless: Errors = (),
    what: str,
    on_waiting: OnWaiting | None = None,
) -> _Result:
    """Call `act` until it succeeds, however long that takes, and return its result.

    Args:
        act: It must be harmless to repeat: whether a failed attempt took effect is unknown.
        on: Errors that a later attempt may not meet. Others are raised.
        unless: Subclasses of `on` that are raised nevertheless.
        what: The work, for the log: "connect to Postgres".
        on_waiting: See `OnWaiting`.
    """
    outage = Outage(what, on_waiting)

    def is_worth_retrying(error: Exception) -> bool:
        if isinstance(error, unless) or not isinstance(error, on):
            return False
        outage.failed(error)
        return True

    attempts = stamina.retry_context(
        on=is_worth_retrying,
        attempts=None,
        timeout=None,
        wait_initial=FIRST_PAUSE_SECONDS,
        wait_max=PAUSE_SECONDS_MAX,
        wait_jitter=JITTER_SECONDS,
    )
    async for attempt in attempts:
        with attempt:
            result = await act()
            break
    outage.ended()
    return result


async def run_periodically(
    act: Callable[[], Awaitable[object]],
    *,
    every_seconds: float,
    on: Errors,
    what: str,
    on_waiting: OnWaiting | None = None,
) -> NoReturn:
    """Call `act`, wait, and call it again, until the task is cancelled. After a failure the pauses are short.

    Args:
        act: See `retry_until_done`, as for the other arguments.
        every_seconds: From the end of one call to the next.
        on: Errors that a later attempt may not meet. Others are raised, and end the task.
        what: The work, for the log.
        on_waiting: See `OnWaiting`.
    """
    while True:
        await retry_until_done(act, on=on, what=what, on_waiting=on_waiting)
        await asyncio.sleep(every_seconds)


class Outage:
    """Logs the beginning and the end of an outage, and nothing between.

    For loops in which an attempt is a whole session, so that a failure may come long after a success. All others use
    `retry_until_done` or `run_periodically`.

    Args:
        what: The work, for the log.
        on_waiting: See `OnWaiting`.
    """

    def __init__(self, what: str, on_waiting: OnWaiting | None = None) -> None:
        self._what = what
        self._on_waiting = on_waiting
        self._failures = 0
        self._began = 0.0

    def failed(self, error: Exception) -> None:
        """Take note of a failed attempt."""
        reason = repr(error)
        if self._failures == 0:
            self._began = time.monotonic()
            log.warning("retrying: dependency unavailable", what=self._what, reason=reason)
        self._failures += 1
        if self._on_waiting is not None:
            self._on_waiting(reason)

    def ended(self) -> None:
        """Take note of a success."""
        if self._on_waiting is not None:
            self._on_waiting(None)
        if self._failures:
            seconds = round(time.monotonic() - self._began, 1)
            log.info("dependency available again", what=self._what, failures=self._failures, seconds=seconds)
            self._failures = 0

    async def pause(self) -> None:
        """Wait before the next session, for PAUSE_SECONDS_MAX or a little less, so that replicas spread out."""
        await asyncio.sleep(PAUSE_SECONDS_MAX - random.uniform(0, JITTER_SECONDS))  # noqa: S311 - not a secret
