"""What must hold when the load has ended. Each broken promise is one sentence."""

import json
from collections import Counter
from dataclasses import dataclass, field

import asyncpg

from tests.chaos.assertions import LEDGER, Books
from tests.chaos.polling import comes_true
from tests.soak.client import Client
from tests.soak.editor_load import Editing
from tests.soak.faults import Done
from tests.soak.load import SITE, Book
from tests.soak.measurements import PROBE_SITE, Memory, Probe
from tests.soak.system import House

COUNTED_SECONDS = 90.0
GRACE_SECONDS = 15.0
"""After a fault's end, in which requests may still fail that began before."""


@dataclass
class Findings:
    """What was compared, and what was wrong."""

    wrong: list[str] = field(default_factory=list)
    records: int = 0
    ledger: dict[tuple[str, str], int] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    verify: str = ""
    stray_failures: int = 0

    def expect(self, holds: bool, sentence: str) -> None:
        if not holds:
            self.wrong.append(sentence)


async def check(house: House, book: Book, probe: Probe, editing: Editing, faults: list[Done]) -> Findings:
    """Wait until all is counted, then compare everything."""
    found = Findings()
    log = house.cluster.log_reader(set())
    books = Books(house.url, log)
    ends = await log.ends()
    found.records = sum(ends.values())
    found.expect(await books.stand_at(ends, COUNTED_SECONDS), f"the log is not counted after {COUNTED_SECONDS:g} s")
    await _compare_totals(house, book, probe, found)
    await _compare_ledger(house.url, book, probe, found)
    done = await house.command("services.stats", "verify")
    found.verify = (done.stdout.strip().splitlines() or [done.stderr.strip()])[-1]
    found.expect(done.returncode == 0, f"verify: {found.verify}")
    found.wrong += await editing.findings()
    compare_deaths(house.deaths, house.killed, found)
    compare_failures(book, faults, found)
    return found


async def _compare_totals(house: House, book: Book, probe: Probe, found: Findings) -> None:
    """Compare what readers see with what was acknowledged: by each way of sending, and of the sites."""
    client = Client(house.gateway_port)
    expected = {f"/stats/{SITE}/articles/{article}/counter": views for article, views in book.views.items()}
    expected |= {f"/stats/{SITE}/counter": sum(book.views.values()), f"/stats/{PROBE_SITE}/counter": probe.sent}
    for path, views in expected.items():
        slack = book.unsure if "pixel" in path or path == f"/stats/{SITE}/counter" else 0

        async def look(path: str = path, views: int = views, slack: int = slack) -> bool:
            reply = await client.request("GET", f"{path}?measure=views")
            found.counted[path] = json.loads(reply.body)["total"]
            return views <= found.counted[path] <= views + slack

        is_right = await comes_true(look, 5)
        may = f" to {views + slack}" if slack else ""
        found.expect(is_right, f"{path}: {found.counted[path]} views counted, {views}{may} acknowledged")
    client.close()


async def _compare_ledger(url: str, book: Book, probe: Probe, found: Findings) -> None:
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
    distinct, least = by_outcome["counted"] + by_outcome["late"], book.events + probe.sent
    sentence = f"{distinct} events in the ledger, {least} to {least + book.unsure} acknowledged"
    found.expect(least <= distinct <= least + book.unsure, sentence)
    for outcome in ("bot", "dead_lettered"):
        found.expect(by_outcome[outcome] == 0, f"{by_outcome[outcome]} events are {outcome}, and none was sent")


def compare_deaths(deaths: Counter[str], killed: Counter[str], found: Findings) -> None:
    """Each process that ended was killed by a fault."""
    for name in sorted(deaths.keys() | killed.keys()):
        found.expect(
            deaths[name] == killed[name], f"{name} ended {deaths[name]} times and was killed {killed[name]} times"
        )


def compare_failures(book: Book, faults: list[Done], found: Findings) -> None:
    """Requests fail only while a fault lasts, or shortly after."""
    strays = [
        f"{kind}: {what}"
        for at, kind, what in book.failures
        if not any(fault.at <= at <= fault.until + GRACE_SECONDS for fault in faults)
    ]
    found.stray_failures = len(strays)
    for what, count in Counter(strays).most_common(5):
        found.wrong.append(f"{count} requests failed while nothing was broken ({what})")


def compare_memory(memory: Memory, found: Findings) -> None:
    """No process grows after it is warm."""
    for name in memory.names():
        if sentence := memory.longest(name).finding():
            found.wrong.append(sentence)


async def leave(house: House, found: Findings) -> None:
    """Ask all roles to stop: each must leave with 0, in time."""
    found.wrong += [f"{name} {what}" for name, what in (await house.leave()).items()]
