"""Delivers queued events: each webhook gets one at a time, so that a slow receiver delays its own events only.

Events of an article reach a webhook in their order: a later one waits while an earlier one is tried again. A process
that dies while it sends leaves its claim, which ends after CLAIM_SECONDS; the event is then sent again with the same
`webhook-id`. Postgres announces what is due, so that nothing polls while nothing happens.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import asyncpg

from services.ingest.metrics import WEBHOOK_DELIVERIES, WEBHOOKS_DISABLED
from services.ingest.queries import SQL
from services.ingest.webhooks.signatures import signature
from shared import __version__
from shared.http.guarded_sender import Sender
from shared.http.targets import RequestError
from shared.logs import log
from shared.postgres import POSTGRES_UNAVAILABLE, Connection, listening
from shared.retry import Outage

WOKEN_BY = "presstally_webhooks"
"""The channel on which Postgres announces that an event is due."""
IDLE_SECONDS = 15.0
"""How long nothing is read without being woken, and no event becomes due: also from one count of disabled webhooks, for
the metric, to the next."""
PAUSE_SECONDS_MIN = 1.0
"""Between two reads while something waits: for its time, a claim's end, or an earlier event of its article."""
CLAIMS_MAX = 8
"""Webhooks that one process calls at once."""
CLAIM_SECONDS = 60.0
RETRY_SECONDS: Sequence[int] = (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 21_600, 36_000)
"""Waits before the second attempt and the further ones: 24 hours in all."""
DISABLE_AFTER = timedelta(days=3)
"""Of failures without a success."""
GONE = 410
CLEANUP_SECONDS = 600.0


class Deliveries:
    """Sends due events until cancelled.

    Args:
        pool: Connected as the role presstally_ingest.
        sender: Sends the requests.
    """

    def __init__(self, pool: asyncpg.Pool, sender: Sender) -> None:
        self._pool = pool
        self._sender = sender
        self._running: set[asyncio.Task[None]] = set()
        self._cleaned_at = -math.inf
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Send due events until cancelled; retry while Postgres is unavailable."""
        outage = Outage("deliver webhooks")
        try:
            while True:
                try:
                    async with self._pool.acquire() as connection, listening(connection, WOKEN_BY, self._woken):
                        while True:
                            await self._step()
                            outage.ended()
                            await self._wait(connection)
                except POSTGRES_UNAVAILABLE as error:
                    outage.failed(error)
                    await outage.pause()
        finally:
            for task in self._running:
                task.cancel()

    async def _wait(self, connection: Connection) -> None:
        """Wait until an event may be due."""
        due = await connection.fetchval(SQL["next_delivery_seconds"])
        seconds = IDLE_SECONDS if due is None else min(max(due, PAUSE_SECONDS_MIN), IDLE_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    async def _step(self) -> None:
        self._woken.clear()
        await self.start_due()
        WEBHOOKS_DISABLED.set(await self._pool.fetchval(SQL["count_disabled_webhooks"]))
        if time.monotonic() - self._cleaned_at > CLEANUP_SECONDS:
            await self._pool.execute(SQL["delete_old_deliveries"])
            self._cleaned_at = time.monotonic()

    async def start_due(self) -> int:
        """Claim due events and begin to send them; return how many."""
        free = CLAIMS_MAX - len(self._running)
        if free <= 0:
            return 0
        rows = await self._pool.fetch(SQL["claim_deliveries"], free, timedelta(seconds=CLAIM_SECONDS))
        for row in rows:
            task = asyncio.create_task(self._deliver_in_turn(row), name="webhook")
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return len(rows)

    async def _deliver_in_turn(self, row: asyncpg.Record) -> None:
        """Deliver an event, and then the next due ones of the same webhook."""
        try:
            await self.deliver(row)
            await self.start_due()
        except POSTGRES_UNAVAILABLE as error:  # the claim ends by itself
            log.warning("the result of a webhook could not be stored", webhook=row["webhook"], reason=repr(error))
        finally:
            self._woken.set()  # it may be due again soon

    async def deliver(self, row: asyncpg.Record) -> None:
        """Send a claimed event and store the result."""
        status, reason = None, ""
        try:
            status = await self._sender.send(row["url"], request_headers(row, int(time.time())), bytes(row["payload"]))
        except RequestError as error:
            reason = str(error)
        if status is not None and 200 <= status < 300:
            WEBHOOK_DELIVERIES.labels("delivered").inc()
            await self._pool.execute(SQL["end_delivery"], row["number"], True, f"status {status}", row["claimed_until"])
            return
        result = reason or f"status {status}"
        attempts = row["attempts"] + 1
        is_dead = attempts > len(RETRY_SECONDS) or status == GONE or row["event"] == "webhook.ping"
        WEBHOOK_DELIVERIES.labels("dead" if is_dead else "failed").inc()
        if is_dead:
            await self._pool.execute(SQL["end_delivery"], row["number"], False, result, row["claimed_until"])
        else:
            wait = timedelta(seconds=RETRY_SECONDS[attempts - 1])
            await self._pool.execute(SQL["retry_delivery"], row["number"], wait, result, row["claimed_until"])
        if row["event"] != "webhook.ping":
            await self._check_webhook(row, status, result)

    async def _check_webhook(self, row: asyncpg.Record, status: int | None, result: str) -> None:
        reason = None
        if status == GONE:
            reason = "the receiver answered 410: it wants no more events"
        elif row["failing_since"] is not None and datetime.now(UTC) - row["failing_since"] > DISABLE_AFTER:
            reason = f"nothing was delivered for {DISABLE_AFTER.days} days; last result: {result}"
        disabled = await self._pool.fetchval(SQL["note_webhook_failure"], row["webhook"], reason)
        if disabled:
            log.error("a webhook was disabled", webhook=row["webhook"], reason=reason)


def request_headers(row: asyncpg.Record, timestamp: int) -> dict[str, str]:
    """Return the headers of an event's request, signed with each secret that is valid now."""
    keys = [row["secret"], *([row["previous_secret"]] if row["previous_secret"] is not None else [])]
    return {
        "Content-Type": "application/json",
        "User-Agent": f"Presstally/{__version__}",
        "webhook-id": row["message"],
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(keys, row["message"], timestamp, bytes(row["payload"])),
        "Connection": "close",
    }
