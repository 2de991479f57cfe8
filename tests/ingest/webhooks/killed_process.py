"""A process that delivers webhooks and kills itself (SIGKILL) the first time that it is at a certain step."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from ipaddress import ip_network
from typing import Any, NamedTuple

import asyncpg

from services.ingest.queries import SQL
from services.ingest.webhooks import delivery
from shared.http.guarded_sender import Sender
from shared.postgres import open_pool

CLAIM_SECONDS = 600
"""The test ends the claims of a process that died: none of a slow one ends."""
RETRY_SECONDS = (0.05,) * 40
ANSWER_SECONDS = 0.04
"""How long the receiver takes: half of it later a process dies that is killed while it sends."""
COUNT_PENDING = "SELECT count(*) FROM ingest.webhook_deliveries WHERE next_at IS NOT NULL"
STATEMENTS = {
    SQL["claim_deliveries"]: "claim",
    SQL["end_delivery"]: "end",
    SQL["retry_delivery"]: "retry",
    SQL["note_webhook_failure"]: "note failure",
}


class Step(NamedTuple):
    """Where a process dies.

    Attributes:
        name: A statement of STATEMENTS, or "send".
        moment: before, during or after it.
    """

    name: str
    moment: str


STEPS = [Step(name, moment) for name in (*STATEMENTS.values(), "send") for moment in ("before", "during", "after")]


class Killed:
    """Runs steps, and ends the process at one of them."""

    def __init__(self, at: Step | None) -> None:
        self._at = at

    async def run(self, name: str, act: Callable[[], Awaitable[Any]], during_seconds: float) -> Any:
        """Do a step."""
        self._die(name, "before")
        if self._at == (name, "during"):
            asyncio.get_running_loop().call_later(during_seconds, self._die, name, "during")
        result = await act()
        self._die(name, "during")
        self._die(name, "after")
        return result

    def _die(self, name: str, moment: str) -> None:
        if self._at == (name, moment):
            os.kill(os.getpid(), signal.SIGKILL)


class Pool:
    """A pool whose statements are steps."""

    def __init__(self, pool: asyncpg.Pool, killed: Killed) -> None:
        self._pool = pool
        self._killed = killed

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._pool, name)

        async def call(statement: str, *values: Any) -> Any:
            step = STATEMENTS.get(statement)
            if step is None:
                return await method(statement, *values)
            return await self._killed.run(step, lambda: method(statement, *values), 0.001)

        return call if name in ("fetch", "fetchval", "execute") else method


class KilledSender(Sender):
    """A sender to receivers on this machine, whose requests are steps."""

    def __init__(self, killed: Killed) -> None:
        super().__init__([ip_network("127.0.0.0/8")])
        self._killed = killed

    async def send(self, url: str, headers: dict[str, str], body: bytes) -> int:
        send = super().send
        return int(await self._killed.run("send", lambda: send(url, headers, body), ANSWER_SECONDS / 2))


def main(database: str, at: Step | None) -> None:
    """Deliver all events, unless it is killed before."""
    module: Any = delivery
    module.CLAIM_SECONDS, module.RETRY_SECONDS, module.PAUSE_SECONDS_MIN = CLAIM_SECONDS, RETRY_SECONDS, 0.02
    asyncio.run(_deliver_all(database, at))


async def _deliver_all(database: str, at: Step | None) -> None:
    pool = await open_pool(database, role="presstally_ingest", size=4)
    killed = Killed(at)
    wrapped: Any = Pool(pool, killed)
    running = asyncio.create_task(delivery.Deliveries(wrapped, KilledSender(killed)).run())
    while await pool.fetchval(COUNT_PENDING):  # noqa: ASYNC110 - it is in Postgres
        await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.wait([running])
    pool.terminate()
