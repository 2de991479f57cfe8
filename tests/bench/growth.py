"""What a year of more and more views and articles costs: on disk, and in time of everything that reads it."""

import asyncio
import os
import random
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import asyncpg

from deploy.local.bootstrap import ROOT
from services.stats.counter_api.counter_query import read_counter
from services.stats.counting.article_sums import sum_settled_days
from services.stats.counting.settled import settled_before
from services.stats.queries import SQL as STATS_SQL
from services.stats.shared_reads import open_snapshot
from services.stats.statistics.report import read_page
from services.stats.statistics.top_articles import DayRange, read_top_articles
from shared.kafka.config import KafkaConfig
from shared.postgres import open_pool
from shared.sites_file import read_sites
from shared.topic_check import alter_config, topic_client
from shared.topics import PAGE_VIEWS, TIMESTAMPS
from tests.bench.growth_history import DAY, DAYS, LOG_DAYS, SQL, log_begin, simulate
from tests.bench.growth_log import article_id, fill_log, log_fills
from tests.bench.infrastructure import BenchmarkError, Counting, Infrastructure, Service
from tests.bench.load import PARTITIONS, SITE
from tests.bench.measurements import cpu_of, cpu_of_tree, follow, memory_mb
from tests.bench.options import Options

CASES = (
    (100_000, 1_000),
    (1_000_000, 1_000),
    (1_000_000, 1),
    (1_000_000, 100_000),
    (10_000_000, 1_000),
    (100_000_000, 100_000),
)
"""(views, articles)."""
BATCH_VIEWS = 3_000
BATCH_SECONDS = 10
READS = 200
PAGES = 5
TURN_SECONDS = 0.02


@dataclass
class Case:
    """What one history costs."""

    views: int
    articles: int
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        """Add one measurement."""
        self.values.setdefault(name, []).append(value)


def growth(infrastructure: Infrastructure, options: Options, pool: Executor) -> None:
    """Write years of views, and measure what the same counters cost after each."""
    cases = [Case(*one) for one in CASES if one[0] <= options.history]
    for case in cases:
        begun = time.monotonic()
        with (
            infrastructure.broker(f"growth-{case.views}-{case.articles}") as kafka,
            infrastructure.counting(kafka) as copy,
        ):
            _measure(infrastructure, case, copy, options, pool)
        print(f"  {case.views:,} views, {case.articles:,} articles: {time.monotonic() - begun:.0f} s", flush=True)
    names = list(dict.fromkeys(name for case in cases for name in case.values))
    print("| | " + " | ".join(f"{case.views:,} views, {case.articles:,} articles" for case in cases) + " |")
    print("| --- |" + " --- |" * len(cases))
    for name in names:
        cells = [_rounded(statistics.median(case.values[name])) if name in case.values else "" for case in cases]
        print(f"| {name} | " + " | ".join(cells) + " |")
    print("  Medians of rounds. MB are a million bytes.")


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _measure(infrastructure: Infrastructure, case: Case, copy: Counting, options: Options, pool: Executor) -> None:
    simulated = asyncio.run(simulate(copy.database, case.views, case.articles))
    begin, now = log_begin(time.time()), int(time.time())
    asyncio.run(_set_timestamps(copy.kafka, "CreateTime"))
    views = round(case.views / DAYS * LOG_DAYS)
    span = begin * 1000, (now - 60) * 1000
    records = sum(pool.map(fill_log, log_fills(copy.kafka, options.seed, views, case.articles, span)))
    asyncio.run(_set_timestamps(copy.kafka, PAGE_VIEWS.config[TIMESTAMPS]))
    case.add("views in the tables before the log", simulated)
    case.add("records in the log", records)
    counter = copy.start("counter", until_ready=False)
    begun = time.monotonic()
    _follow(copy, counter, records)
    case.add("counting the log", time.monotonic() - begun)
    copy.check_total("views", simulated + views)
    asyncio.run(_measure_sums(case, copy))
    _measure_sizes(infrastructure, case, copy)
    for number in range(options.rounds):
        records += _measure_batches(
            infrastructure.postgres_pid, case, (copy, counter), (options.seed + number, records), pool
        )
        asyncio.run(_measure_reads(case, copy, options.seed + number))
        _measure_command(case, copy, "verify")
        _measure_command(case, copy, "rebuild")
        _follow(copy, counter, records)
        counter = _measure_restart(case, copy, counter)
    counter.end()


async def _set_timestamps(kafka: str, kind: str) -> None:
    async with topic_client(KafkaConfig(kafka)) as client:
        await alter_config(client, PAGE_VIEWS.name, {TIMESTAMPS: kind})
    await asyncio.sleep(2)


def _follow(copy: Counting, counter: Service, records: int) -> None:
    samples = follow(copy.database, records, every_seconds=0.05, timeout_seconds=900, check=counter.check)
    asyncio.run(samples)


async def _measure_sums(case: Case, copy: Counting) -> None:
    """Sum the settled days, as counters do in the background."""
    pool = await open_pool(copy.database, role="presstally_stats")
    counted = await pool.fetch(SQL["counted_offsets"])
    begun = time.monotonic()
    ends = {row["partition"]: row["next_offset"] for row in counted}
    await sum_settled_days(pool, 1, await settled_before(pool, 1, ends))
    case.add("summing the past, s", time.monotonic() - begun)
    await pool.close()


def _measure_sizes(infrastructure: Infrastructure, case: Case, copy: Counting) -> None:
    for row in asyncio.run(_fetch(copy.database, SQL["table_sizes"])):
        if row["bytes"] >= 1_000_000 or row["relname"] in ("counts", "visitor_days", "known_articles"):
            case.add(f"{row['relname']}, MB", row["bytes"] / 1e6)
            if row["relname"] == "counts":
                case.add("rows of counts", row["rows"])
    case.add("log, MB", infrastructure.log_bytes(PAGE_VIEWS.name) / 1e6)


async def _fetch(database: str, query: str, *values: Any) -> list[Any]:
    connection = await asyncpg.connect(database)
    try:
        return list(await connection.fetch(query, *values))
    finally:
        await connection.close()


def _measure_batches(
    postgres_pid: int, case: Case, counter: tuple[Counting, Service], place: tuple[int, int], pool: Executor
) -> int:
    """Send steady views, and divide what the commits and both processes took; return how many records."""
    (copy, process), (seed, counted) = counter, place

    def used() -> tuple[float, float, float, float]:
        commits = [
            float(found) for found in _metric(process, "presstally_consume_batch_duration_seconds", "sum", "count")
        ]
        return commits[0], commits[1], cpu_of(process.pid), cpu_of_tree(postgres_pid)

    before, sent = used(), 0
    for second in range(BATCH_SECONDS):
        begun, now = time.monotonic(), int(time.time() * 1000)
        jobs = log_fills(copy.kafka, seed * 100 + second, BATCH_VIEWS // BATCH_SECONDS, case.articles, (now, now))
        sent += sum(pool.map(fill_log, jobs))
        time.sleep(max(0.0, begun + 1 - time.monotonic()))
    _follow(copy, process, counted + sent)
    seconds, commits, cpu, postgres = (after - early for after, early in zip(used(), before, strict=True))
    case.add("commit of a batch, ms", seconds / commits * 1000)
    case.add("counter, ms of processor an event", cpu / sent * 1000)
    case.add("Postgres, ms of processor an event", postgres / sent * 1000)
    case.add("memory of the counter, MB", memory_mb(process.pid)[0])
    return sent


def _metric(service: Service, name: str, *parts: str) -> list[str]:
    _, body = service.get("/metrics")
    found = [re.search(rf"^{name}_{part} (\S+)", body, re.MULTILINE) for part in parts]
    return [one[1] for one in found if one]


async def _measure_reads(case: Case, copy: Counting, seed: int) -> None:
    connection = await asyncpg.connect(copy.database)
    site = read_sites(Path(copy.environment["PRESSTALLY_SITES"]), "http://localhost:8080")[SITE]
    chance = random.Random(seed)
    now = int(time.time())

    async def timed(name: str, times: int, read: Callable[[Any], Any]) -> None:
        took = []
        for _ in range(times):
            begun = time.perf_counter()
            async with open_snapshot(connection) as snapshot:
                await read(snapshot)
            took.append((time.perf_counter() - begun) * 1000)
        case.add(name, statistics.median(took))

    try:
        await timed("counter of the site, ms", READS, lambda one: read_counter(one, site, None, "visits", "calendar"))
        await timed("the same, rolling, ms", READS, lambda one: read_counter(one, site, None, "visits", "rolling"))
        await timed(
            "counter of an article, ms",
            READS,
            lambda one: read_counter(one, site, article_id(chance.randrange(case.articles)), "visits", "calendar"),
        )
        for period in ("7d", "365d"):
            await timed(
                f"statistics page of {period}, ms", PAGES, lambda one, period=period: read_page(one, site, period)
            )
        for name, span in {
            "week": DayRange("day", now - 7 * DAY, now),
            "year": DayRange("day", now - 365 * DAY, now),
            "all time": DayRange("total", 0, 1),
        }.items():
            await timed(
                f"most read of {name}, ms",
                PAGES,
                lambda one, span=span: read_top_articles(one, site, span, "views", None, public_only=False),
            )
        await timed(
            "reconciliation, ms", PAGES, lambda one: one.connection.fetch(STATS_SQL["read_differences"], [SITE])
        )
    finally:
        await connection.close()


def _measure_command(case: Case, copy: Counting, name: str) -> None:
    """Run a command of the statistics; note its time and memory, and how long a counter may have waited for it."""
    with _Turns(copy.database) as turns:
        begun = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "services.stats", name],
            cwd=ROOT,
            env={**os.environ, **copy.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert process.stdout is not None
        output = process.stdout.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        case.add(f"{name}, s", time.monotonic() - begun)
    if status:
        raise BenchmarkError(f"{name} ended with {status}: {output[-2_000:]}")
    case.add(f"{name}, memory, MB", usage.ru_maxrss * 1024 / 1e6)
    if name == "rebuild":
        case.add("counters wait for it, s", turns.longest)


class _Turns:
    """Takes the turn of a counter again and again, and notes the longest wait."""

    def __init__(self, database: str) -> None:
        self.longest = 0.0
        self._database = database
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    async def _run(self) -> None:
        connection = await asyncpg.connect(self._database, command_timeout=900)
        while not self._stopped.is_set():
            begun = time.monotonic()
            await connection.execute(SQL["take_turn"])
            self.longest = max(self.longest, time.monotonic() - begun)
            await asyncio.sleep(TURN_SECONDS)
        await connection.close()


def _measure_restart(case: Case, copy: Counting, counter: Service) -> Service:
    counter.end()
    begun = time.monotonic()
    started = copy.start("counter", until_ready=False)
    deadline = begun + 300
    while time.monotonic() < deadline:
        started.check()
        found = _metric(started, "presstally_consumer_assigned", "partitions")
        if found and float(found[0]) == PARTITIONS and started.get("/readyz")[0] == 200:
            break
        time.sleep(0.05)
    case.add("restart of a counter, s", time.monotonic() - begun)
    return started
