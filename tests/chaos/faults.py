"""The faults. Each is injected into a running system under load, and fails if it could not be injected.

Random faults seldom hit the few milliseconds of a commit. Therefore some faults occur at named points of a commit, by
a hook in the counter or in the proxy in front of Postgres.
"""

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import psutil

from tests.chaos.assertions import Verdict
from tests.chaos.cluster import SESSION_SECONDS, Cluster, Installation, RunningCounter
from tests.chaos.oracle import History
from tests.chaos.polling import becomes_true, wait_until
from tests.chaos.proxy import Mishap

ROUND_SECONDS = 0.08
LEAD_SECONDS = 0.5
"""Duration of the load before and after a fault."""
PAST_SESSION_SECONDS = SESSION_SECONDS + 2.5
PAST_TIMEOUT_SECONDS = 15.0
"""Longer than a counter's timeout for Postgres."""
SLOW_COMMIT_SECONDS = 1.0
FAULT_SECONDS = 60.0
MISHAPS_EACH = 4
MISHAP_SECONDS = 20.0
HOOK_SECONDS = 20.0
HOOK_CALL = 5

SLOW_COMMITS = f"""
CREATE FUNCTION public.slow_commit() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep({SLOW_COMMIT_SECONDS}); RETURN NULL; END $$;
CREATE TRIGGER slow_commit AFTER UPDATE ON stats.offsets FOR EACH ROW EXECUTE FUNCTION public.slow_commit()
"""
QUICK_COMMITS = "DROP FUNCTION public.slow_commit CASCADE"
COMMITTING_BACKEND = """
SELECT pid FROM pg_stat_activity
WHERE query LIKE '%apply_batch%' AND client_port = ANY ('{ports}'::integer[]) AND pid <> pg_backend_pid()
ORDER BY (state = 'active') DESC, state_change DESC LIMIT 1
"""


@dataclass
class FaultContext:
    """What a fault works on: a running system, the load on it, and a random generator."""

    cluster: Cluster
    installation: Installation
    history: History
    chance: random.Random

    def __post_init__(self) -> None:
        self.log = self.installation.stored_counts._log
        self.sender = self.cluster.sender()

    @classmethod
    async def make(cls, cluster: Cluster, seed: int) -> "FaultContext":
        """Start a new history on a new log, with the public counter API."""
        history = History(seed, cluster.partitions)
        installation = await cluster.install(cluster.log_reader(history.invalid_values))
        await installation.start_widget()
        return cls(cluster, installation, history, random.Random(seed))

    async def send_rounds(self, rounds: int) -> None:
        for _ in range(rounds):
            await self.sender.send(self.history.next_round(time.time_ns() // 1_000_000))

    async def load(self, stop: asyncio.Event) -> None:
        """Send rounds at a bounded rate until `stop` is set."""
        while not stop.is_set():
            await self.send_rounds(1)
            await asyncio.sleep(ROUND_SECONDS)

    async def check(self) -> Verdict:
        return await self.installation.stored_counts.check(self.history.expected, self.installation.widget)

    def some_counter(self) -> RunningCounter:
        return self.chance.choice([one for one in self.installation.counters if one.alive])

    async def stop(self) -> None:
        await self.installation.stop()
        await self.sender.stop()


Fault = Callable[[FaultContext], Awaitable[None]]


class FaultRunner:
    """Runs faults one after the other on one history. After a wrong count it starts a new history."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self._cluster = cluster
        self._seed = seed
        self._context: FaultContext | None = None

    async def run(self, fault: Fault) -> Verdict:
        if self._context is None:
            await self._cluster.begin_new_log()
            self._seed += 1
            self._context = await FaultContext.make(self._cluster, self._seed)
        good, before = False, self._context.log.records
        try:
            verdict = await under_load(self._context, fault)
            verdict.records -= before
            good = not verdict.findings
        finally:
            if not good:
                await self.close()
        return verdict

    async def finish(self) -> Verdict:
        """After all faults: `verify`, other counters, and a rebuild must find and show the same numbers."""
        verdict, context = Verdict(), self._context
        if context is None:  # the last history was wrong, and was shown
            return verdict
        installation = context.installation
        await self._run(context, verdict, "verify")
        for counter in list(installation.counters):
            await installation.stop_counter(counter)
        await installation.ensure_counters(2)
        verdict.findings += (await context.check()).findings
        await self._run(context, verdict, "rebuild")
        await self._run(context, verdict, "verify")
        verdict.findings += (await context.check()).findings
        return verdict

    async def _run(self, context: FaultContext, verdict: Verdict, command: str) -> None:
        done = await context.installation.command(command)
        if done.returncode:
            verdict.findings.append(f"{command}: exit code {done.returncode}: {(done.stdout + done.stderr)[-1_500:]}")

    async def close(self) -> None:
        context, self._context = self._context, None
        if context is not None:
            await context.stop()


async def under_load(context: FaultContext, fault: Fault, counters: int = 2) -> Verdict:
    """Inject a fault while events are sent, and compare when everything is counted."""
    await context.installation.ensure_counters(counters)
    stop = asyncio.Event()
    loading = asyncio.create_task(context.load(stop))
    try:
        await asyncio.sleep(LEAD_SECONDS)
        async with asyncio.timeout(FAULT_SECONDS):
            await fault(context)
        await asyncio.sleep(LEAD_SECONDS)
    finally:
        stop.set()
        async with asyncio.timeout(FAULT_SECONDS):
            await loading
    return await context.check()


async def nothing(context: FaultContext) -> None:
    """Inject no fault: the load alone."""
    await asyncio.sleep(1)


async def counter_killed(context: FaultContext) -> None:
    context.some_counter().signal(signal.SIGKILL)


async def counter_frozen(context: FaultContext) -> None:
    """Freeze a counter for longer than its session, so that another takes over its partitions; then continue it."""
    counter = context.some_counter()
    counter.signal(signal.SIGSTOP)
    await asyncio.sleep(PAST_SESSION_SECONDS)
    counter.signal(signal.SIGCONT)


async def kafka_killed(context: FaultContext) -> None:
    await context.cluster.kill(context.cluster.kafka)
    context.cluster.spawn(context.cluster.kafka)
    await context.cluster.wait_until_up()


async def postgres_killed(context: FaultContext) -> None:
    await context.cluster.kill(context.cluster.postgres)
    await asyncio.sleep(1)
    context.cluster.spawn(context.cluster.postgres)
    await context.cluster.wait_until_up()


async def rebalance_storm(context: FaultContext) -> None:
    """Start and stop a third counter several times; every change reassigns all partitions."""
    for _ in range(3):
        third = await context.installation.start_counter(ready=False)
        await asyncio.sleep(2)
        await context.installation.stop_counter(third)


async def _mishaps(context: FaultContext, mishap: Mishap) -> None:
    """Arm each counter's proxy several times: the next mishap hits a counter that has just reloaded."""
    for _ in range(MISHAPS_EACH):
        for counter in context.installation.counters:
            counter.proxy.armed.append(mishap)
        for counter in context.installation.counters:
            await wait_until(partial(_has_used_all, counter), MISHAP_SECONDS, f"{mishap} at {counter.part.name}")


def _has_used_all(counter: RunningCounter) -> bool:
    return not counter.proxy.armed


async def commit_reply_lost(context: FaultContext) -> None:
    """Let commits succeed, but lose their replies."""
    await _mishaps(context, "lose reply")


async def commit_cut_off(context: FaultContext) -> None:
    """Cut connections before a commit reaches the server."""
    await _mishaps(context, "cut before")


async def _committing_backend(context: FaultContext) -> int:
    """Return the process ID of the backend that commits, or last committed, for a counter."""
    ports = set().union(*(counter.proxy.server_side_ports for counter in context.installation.counters))
    sql = COMMITTING_BACKEND.format(ports="{" + ",".join(map(str, ports)) + "}")

    async def condition() -> int | None:
        nonlocal pid
        pid = await context.cluster.admin(context.installation.database, sql)
        return pid

    pid: int | None = None
    assert await becomes_true(condition, MISHAP_SECONDS), "no backend commits"
    assert pid is not None
    return pid


async def backend_frozen(context: FaultContext) -> None:
    """Freeze the backend of a counter in the middle of a commit, for longer than the counter's timeout."""
    async with slow_commits(context):
        backend = psutil.Process(await _committing_backend(context))
        backend.suspend()
        try:
            await asyncio.sleep(PAST_TIMEOUT_SECONDS)
        finally:
            backend.resume()


async def backend_terminated(context: FaultContext) -> None:
    """Terminate backends in the middle of a commit, which is then rolled back."""
    async with slow_commits(context):
        for _ in range(3):
            pid = await _committing_backend(context)
            await context.cluster.admin(context.installation.database, f"SELECT pg_terminate_backend({pid})")
            await asyncio.sleep(SLOW_COMMIT_SECONDS)


async def network_frozen(context: FaultContext) -> None:
    """Forward nothing between a counter and Postgres for longer than its timeout, while Kafka stays reachable."""
    proxy = context.some_counter().proxy
    proxy.freeze()
    await asyncio.sleep(PAST_TIMEOUT_SECONDS)
    proxy.thaw()


def clock_jumps(days: float) -> Fault:
    async def jump(context: FaultContext) -> None:
        await context.installation.start_counter(clock_days=days)
        await asyncio.sleep(6)

    return jump


@asynccontextmanager
async def slow_commits(context: FaultContext) -> AsyncIterator[None]:
    """Make every commit last a second after it has updated the offset, so that faults can occur inside it."""
    await context.cluster.admin(context.installation.database, f"DO $do$ BEGIN {SLOW_COMMITS}; END $do$")
    try:
        yield
    finally:
        await context.cluster.admin(context.installation.database, QUICK_COMMITS)


def at_point(point: str, action: str) -> Fault:
    """Return a fault in which a counter kills, freezes or blocks itself at a point of a commit."""

    async def happen(context: FaultContext) -> None:
        counter = await context.installation.start_counter(ready=False, point=point, action=action, call=HOOK_CALL)
        slow = slow_commits(context) if point == "inside" else contextlib.nullcontext()
        if action == "block":
            await wait_until(lambda: counter.ready, HOOK_SECONDS, "readiness")
            await asyncio.sleep(PAST_SESSION_SECONDS)
            return
        async with slow:
            await wait_until(lambda: counter.frozen or not counter.alive, HOOK_SECONDS, f"{action} {point} a commit")
        assert counter.frozen == (action == "stop")
        if action == "stop":
            await asyncio.sleep(PAST_SESSION_SECONDS)
            counter.signal(signal.SIGCONT)
            await asyncio.sleep(1)

    return happen


FAULTS: dict[str, Fault] = {
    "counter-killed": counter_killed,
    "counter-frozen": counter_frozen,
    "kafka-killed": kafka_killed,
    "postgres-killed": postgres_killed,
    "rebalance-storm": rebalance_storm,
    "commit-reply-lost": commit_reply_lost,
    "commit-cut-off": commit_cut_off,
    "backend-frozen": backend_frozen,
    "backend-terminated": backend_terminated,
    "network-frozen": network_frozen,
    "clock-a-day-ahead": clock_jumps(1),
    "clock-a-day-behind": clock_jumps(-1),
    **{
        f"{action}-{point}": at_point(point, action)
        for point in ("before", "inside", "after")
        for action in ("kill", "stop")
    },
    "block-before": at_point("before", "block"),
}
"""By name. The last ones are ACTION-POINT: what a counter does to itself, and at which point of a commit."""
