"""Compares counted with expected numbers: each one in Postgres and over HTTP, and the ledger with the log.

Everything that the suite knows about the tables of `stats` is in this module.
"""

import asyncio
import json
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from shared.topics import PAGE_VIEWS
from tests.chaos.kafka_log import LogReader
from tests.chaos.oracle import ARTICLES, MEASURES, SITES, Cell, Expected
from tests.chaos.polling import becomes_true

QUIET_SECONDS = 45.0
SETTLE_SECONDS = 0.3
SHOWN_SECONDS = 10.0
CURRENT = "generation = (SELECT generation FROM stats.generations WHERE state = 'current')"
COUNTS = (
    f"SELECT site, article, grain, bucket_start, partition, views, visits, visitors FROM stats.counts WHERE {CURRENT}"
)
LEDGER = f"SELECT outcome, reason, sum(events)::bigint AS events FROM stats.ledger WHERE {CURRENT} GROUP BY 1, 2"
OFFSETS = f"SELECT partition, next_offset FROM stats.offsets WHERE topic = $1 AND {CURRENT}"


@dataclass
class Verdict:
    """The result of a comparison; `findings` has one sentence per difference."""

    records: int = 0
    lost: int = 0
    """Missing views, summed over sites, partitions and 5-minute buckets."""
    doubled: int = 0
    """Surplus views, summed in the same way."""
    findings: list[str] = field(default_factory=list)

    def compare(self, name: str, counted: Any, expected: Any) -> None:
        if counted != expected:
            self.findings.append(f"{name}: {counted} counted, {expected} expected")


class StoredCounts:
    """The counts in one database."""

    def __init__(self, url: str, log: LogReader) -> None:
        self._url = url
        self._log = log

    async def offsets(self) -> dict[int, int]:
        """Return {partition: next offset}."""
        return {row["partition"]: row["next_offset"] for row in await self._fetch(OFFSETS, PAGE_VIEWS.name)}

    async def reach(self, ends: dict[int, int], seconds: float) -> bool:
        """Wait until all partitions are at these offsets; return whether that happened in time."""

        async def condition() -> bool:
            return await self.offsets() == ends

        return await becomes_true(condition, seconds)

    async def check(
        self, expected: Expected, widget: str | None = None, quiet_seconds: float = QUIET_SECONDS
    ) -> Verdict:
        """Wait until the whole log is counted, then compare all numbers."""
        ends = await self._log.read_on()
        verdict = Verdict(self._log.records)
        if not await self.reach(ends, quiet_seconds):
            verdict.compare(f"offsets after {quiet_seconds:g} s", await self.offsets(), ends)
        await asyncio.sleep(SETTLE_SECONDS)
        await self._compare_cells(expected, verdict)
        await self._compare_ledger(expected, verdict)
        if widget is not None:
            await asyncio.to_thread(compare_over_http, widget, expected, verdict)
            await self._compare_dead_letters(verdict)
        return verdict

    async def _compare_cells(self, expected: Expected, verdict: Verdict) -> None:
        counted: Counter[Cell] = Counter()
        for row in await self._fetch(COUNTS):
            for measure in MEASURES:
                if row[measure]:
                    where = (row["site"], row["article"], row["grain"], row["bucket_start"], row["partition"])
                    counted[Cell(*where, measure)] = row[measure]
        for cell in sorted(counted.keys() | expected.cells.keys()):
            surplus = counted[cell] - expected.cells[cell]
            if (cell.grain, cell.measure) == ("5m", "views"):
                verdict.doubled += max(0, surplus)
                verdict.lost += max(0, -surplus)
            verdict.compare(" ".join(str(part) for part in cell), counted[cell], expected.cells[cell])

    async def _compare_ledger(self, expected: Expected, verdict: Verdict) -> None:
        ledger = {(row["outcome"], row["reason"]): row["events"] for row in await self._fetch(LEDGER)}
        verdict.compare("ledger, all outcomes", sum(ledger.values()), self._log.records)
        for key in sorted(expected.outcomes):
            verdict.compare(f"ledger, {' '.join(key)}", ledger.get(key, 0), expected.outcomes[key])
        dead = sum(events for (outcome, _), events in ledger.items() if outcome == "dead_lettered")
        verdict.compare("ledger, dead letters", dead, len(self._log.dead))
        repeated = self._log.records - len(self._log.ids) - len(self._log.dead)
        verdict.compare("ledger, duplicates", ledger.get(("duplicate", ""), 0), repeated)

    async def _compare_dead_letters(self, verdict: Verdict) -> None:
        """Wait until the dead-letter topic has each dead letter at least once, and nothing else."""

        async def condition() -> bool:
            return await self._log.dead_letters() == self._log.dead

        await becomes_true(condition, QUIET_SECONDS)
        dead_letters = await self._log.dead_letters()
        verdict.compare("dead-letter topic", len(dead_letters), len(self._log.dead))

    async def _fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self._url)
        try:
            return list(await connection.fetch(sql, *arguments))
        finally:
            await connection.close()


def compare_over_http(url: str, expected: Expected, verdict: Verdict) -> None:
    """Compare the public counters of sites and articles."""
    until = time.monotonic() + SHOWN_SECONDS
    for site in SITES:
        for measure in MEASURES:
            for article in ("", *ARTICLES):
                path = f"/stats/{site}/articles/{article}/counter" if article else f"/stats/{site}/counter"
                wanted = expected.total(site, article, measure)
                shown = _shown(f"{url}{path}?measure={measure}")
                while shown != wanted and time.monotonic() < until:  # on a busy machine the last numbers take a while
                    time.sleep(0.2)
                    shown = _shown(f"{url}{path}?measure={measure}")
                verdict.compare(f"GET {path} {measure}", shown, wanted)


def _shown(url: str) -> int:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return int(json.load(answer)["total"])
