"""Assertions on the system after the load has ended. Each failed one is one sentence."""

import json
from collections import Counter
from dataclasses import dataclass, field

import asyncpg

from tests.chaos.assertions import LEDGER, StoredCounts
from tests.chaos.polling import becomes_true
from tests.soak.client import Client
from tests.soak.editor_load import EditorLoad
from tests.soak.faults import InjectedFault
from tests.soak.load import SITE, LoadResults
from tests.soak.measurements import PROBE_SITE, MemorySampler, Probe
from tests.soak.system import RunningSystem

COUNTED_SECONDS = 90.0
GRACE_SECONDS = 15.0
"""Time after a fault in which requests that began earlier may still fail."""


@dataclass
class Findings:
    """What was compared, and the failed assertions (`wrong`)."""

    wrong: list[str] = field(default_factory=list)
    records: int = 0
    ledger: dict[tuple[str, str], int] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    verify: str = ""
    stray_failures: int = 0

    def expect(self, holds: bool, sentence: str) -> None:
        if not holds:
            self.wrong.append(sentence)


async def check(
    system: RunningSystem, results: LoadResults, probe: Probe, editors: EditorLoad, faults: list[InjectedFault]
) -> Findings:
    """Wait until everything is counted, then compare all numbers."""
    found = Findings()
    log = system.cluster.log_reader(set())
    stored_counts = StoredCounts(system.url, log)
    ends = await log.ends()
    found.records = sum(ends.values())
    found.expect(
        await stored_counts.reach(ends, COUNTED_SECONDS), f"the log was not counted within {COUNTED_SECONDS:g} s"
    )
    await _compare_totals(system, results, probe, found)
    await _compare_ledger(system.url, results, probe, found)
    done = await system.command("services.stats", "verify")
    found.verify = (done.stdout.strip().splitlines() or [done.stderr.strip()])[-1]
    found.expect(done.returncode == 0, f"verify: {found.verify}")
    await _rebuild(system, results, probe, found)
    found.wrong += await editors.findings()
    compare_deaths(system.deaths, system.killed, found)
    compare_failures(results, faults, found)
    return found


async def _rebuild(system: RunningSystem, results: LoadResults, probe: Probe, found: Findings) -> None:
    """Count the log again, while the system runs: all numbers must stay the same."""
    done = await system.command("services.stats", "rebuild")
    found.expect(done.returncode == 0, f"rebuild: {done.stderr.strip()[-500:]}")
    await _compare_totals(system, results, probe, found)
    await _compare_ledger(system.url, results, probe, found)
    done = await system.command("services.stats", "verify")
    found.expect(done.returncode == 0, f"verify after the rebuild: {(done.stdout + done.stderr).strip()[-500:]}")


async def _compare_totals(system: RunningSystem, results: LoadResults, probe: Probe, found: Findings) -> None:
    """Compare the public counters with the acknowledged views, per kind of request and per site."""
    client = Client(system.gateway_port)
    expected = {f"/stats/{SITE}/articles/{article}/counter": views for article, views in results.views.items()}
    expected |= {f"/stats/{SITE}/counter": sum(results.views.values()), f"/stats/{PROBE_SITE}/counter": probe.sent}
    for path, views in expected.items():
        slack = results.unanswered_pixels if "pixel" in path or path == f"/stats/{SITE}/counter" else 0

        async def condition(path: str = path, views: int = views, slack: int = slack) -> bool:
            reply = await client.request("GET", f"{path}?measure=views")
            found.counted[path] = json.loads(reply.body)["total"]
            return views <= found.counted[path] <= views + slack

        is_right = await becomes_true(condition, 60)
        may = f" to {views + slack}" if slack else ""
        found.expect(is_right, f"{path}: {found.counted[path]} views counted, {views}{may} acknowledged")
    client.close()


async def _compare_ledger(url: str, results: LoadResults, probe: Probe, found: Findings) -> None:
    connection = await asyncpg.connect(url)
    try:
        found.ledger = {(row["outcome"], row["reason"]): row["events"] for row in await connection.fetch(LEDGER)}
    finally:
        await connection.close()
    total = sum(found.ledger.values())
    found.expect(total == found.records, f"the ledger has {total} of {found.records} records")
    by_outcome: Counter[str] = Counter()
    for (outcome, _), events in found.ledger.items():
        by_outcome[outcome] += events
    distinct, least = by_outcome["counted"] + by_outcome["late"], results.events + probe.sent
    sentence = f"{distinct} events in the ledger, {least} to {least + results.unanswered_pixels} acknowledged"
    found.expect(least <= distinct <= least + results.unanswered_pixels, sentence)
    for outcome in ("bot", "dead_lettered"):
        found.expect(by_outcome[outcome] == 0, f"{by_outcome[outcome]} events are {outcome}, but none was sent")


def compare_deaths(deaths: Counter[str], killed: Counter[str], found: Findings) -> None:
    """Check that each process that exited was killed by a fault."""
    for name in sorted(deaths.keys() | killed.keys()):
        found.expect(
            deaths[name] == killed[name], f"{name} exited {deaths[name]} times but was killed {killed[name]} times"
        )


def compare_failures(results: LoadResults, faults: list[InjectedFault], found: Findings) -> None:
    """Check that requests failed only during a fault, or shortly after one."""
    strays = [
        f"{kind}: {what}"
        for at, kind, what in results.failures
        if not any(fault.at <= at <= fault.until + GRACE_SECONDS for fault in faults)
    ]
    found.stray_failures = len(strays)
    for what, count in Counter(strays).most_common(5):
        found.wrong.append(f"{count} requests failed without a fault ({what})")


def compare_memory(memory: MemorySampler, found: Findings) -> None:
    """Check that no process grows after its warm-up."""
    for name in memory.names():
        if sentence := memory.longest(name).finding():
            found.wrong.append(sentence)


async def stop_roles(system: RunningSystem, found: Findings) -> None:
    """Stop all roles: each must exit with code 0, in time."""
    found.wrong += [f"{name} {what}" for name, what in (await system.stop_roles()).items()]
