"""The statistics page under a load of commits: its numbers are of one moment and never contradict each other.

Numbers that were cached for 2 to 60 seconds showed 2 views in 7 days and 0 in 30.
"""

import asyncio
import io
import json
import re
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import count
from types import SimpleNamespace
from typing import Any

import asyncpg
import openpyxl
import pytest
from starlette.requests import Request

from services.stats.counting.decoding import RawBatch
from services.stats.counting.state import PartitionState
from services.stats.counting.store import read_positions
from services.stats.statistics import report
from services.stats.statistics.periods import PERIOD_DAYS
from services.stats.statistics.routes import StatisticsRoutes
from shared.kafka.topic_identity import TopicIdentity
from shared.postgres import open_pool
from tests.chaos.polling import becomes_true
from tests.stats.counting.test_rules import SITES, record
from tests.stats.counting.test_whole_path import count_one

READS = 500
PERIODS = tuple(PERIOD_DAYS)


@pytest.fixture
async def pool(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[asyncpg.Pool]:
    monkeypatch.setattr(report, "PAGE_SECONDS", 0.0)
    monkeypatch.setattr("services.stats.shared_reads.READ_SHARE", 0.5)
    pool = await open_pool(database, role="presstally_stats", size=6)
    yield pool
    await pool.close()


async def count_views(pool: asyncpg.Pool) -> None:
    """Count views of new visitors on a partition, with articles, referrers, bots and duplicates, batch by batch."""
    state, offset = PartitionState(), 0
    position = (await read_positions(pool, "page-views", {0: 0}, TopicIdentity("c", "t")))[0]
    while True:
        now = time.time_ns() // 1_000_000
        records = []
        for _ in range(4):
            fields: dict[str, Any] = {"visitor": uuid.uuid4().hex[:16], "article": f"bai-{offset % 7}"}
            fields |= {"bot": "crawler"} if offset % 9 == 0 else {"referrer": f"h{offset % 5}.vn"}
            records.append(record(offset, id=str(uuid.UUID(int=offset - offset % 13 // 12)), at=now, **fields))
            offset += 1
        position = await count_one(pool, 0, RawBatch.of(records), state, position)


async def has_most_rows_of_a_day(pool: asyncpg.Pool) -> bool:
    return bool(await pool.fetchval("SELECT sum(views) > 60 FROM stats.counts WHERE grain = 'total'"))


@asynccontextmanager
async def counting(pool: asyncpg.Pool) -> AsyncIterator[asyncio.Task[None]]:
    """Count views meanwhile, beginning with some."""
    task = asyncio.create_task(count_views(pool))
    try:
        assert await becomes_true(lambda: has_most_rows_of_a_day(pool), 60)
        yield task
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait([task])


def request(path: str, query: str) -> Request:
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": []}
    return Request({**scope, "path_params": {"site": "haihau"}})


def numbers_of(text: str) -> list[int]:
    return [int(one.replace(",", "")) for one in re.findall(r">\s*([0-9][0-9,]*)\s*<", text)]


def part(html: str, opening: str, closing: str) -> str:
    return html.partition(opening)[2].partition(closing)[0]


def assert_page_is_consistent(html: str, period: str) -> int:
    """Assert what must hold between the numbers of the page, and return the total of visits."""
    _, today, week, total = numbers_of(part(html, "<access-counter", "</access-counter>"))
    rows = [
        [int(one.replace(",", "")) for one in re.findall(r"<td>([0-9,]+) ", row)]
        for row in part(html, '<table class="overview"', "</table>").split("<tr>")[2:]
    ]
    overview = dict(zip(PERIODS, rows, strict=True))
    assert today <= week <= total
    assert overview["24h"] == overview["7d"] == overview["30d"] == overview["365d"], "all was counted just now"
    assert overview["365d"][1] == total, "visits"
    cells = re.findall(r'data-n="(\d+)"', part(html, '<table id="series"', "</table>"))
    assert [sum(map(int, cells[measure::3])) for measure in range(3)] == overview[period], "sums of the series"
    received, *outcomes = numbers_of(part(html, '<dl class="ledger"', "</dl>"))
    assert received == sum(outcomes)
    assert outcomes[0] + outcomes[1] == overview[period][0], "counted and late are views here"
    hosts = re.findall(r"</td><td>|<td>([0-9,]+)</td><td>", part(html, 'id="referrers-table"', "</table>"))
    assert sum(int(one.replace(",", "")) for one in hosts if one) == total, "visits by host"
    people, *bots = re.findall(r"<td>([0-9,]+)</td>", part(html, 'id="bots-table"', "</table>"))
    assert int(people.replace(",", "")) == outcomes[0] + outcomes[1]
    assert sum(int(one.replace(",", "")) for one in bots) == outcomes[3]
    for articles in part(html, 'id="most-read-lists"', "</section>").split("<h3>")[1:4]:
        views = re.findall(r'class="count">([0-9,]+)<', articles)
        assert sum(int(one.replace(",", "")) for one in views) == overview[period][0], "seven articles have all views"
    return total


async def test_page_read_500_times_under_load_has_no_contradiction(pool: asyncpg.Pool) -> None:
    """Counter, overview, series, lists, hosts, bots and ledger of each page agree, and totals never fall."""
    # What is read slowly is valid for longer: then more pages are read, until there were fifty states of the counts.
    routes = StatisticsRoutes(pool, SITES, str)
    totals = []
    async with counting(pool):
        for number in count():
            if number >= READS and len(set(totals)) > 50:
                break
            period = PERIODS[number % 4]
            response = await routes.page(request("/stats/haihau", f"period={period}&lang=en"))
            totals.append(assert_page_is_consistent(bytes(response.body).decode(), period))
    assert totals[::4] == sorted(totals[::4])


async def test_tables_of_an_export_are_of_one_moment(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a workbook the articles' sum is the sections' sum; a series' total is its buckets' sum; each has its time."""
    for name in ("TODAY_SECONDS", "DAYS_SECONDS", "LONG_SECONDS"):
        monkeypatch.setattr(report, name, 0.0)
    routes = StatisticsRoutes(pool, SITES, str)
    async with counting(pool):
        for period in ("today", "week", "month", "always") * 5:
            response = await routes.top(request("/stats/haihau/top.xlsx", f"period={period}&limit=100"), "xlsx")
            assert response.headers["x-presstally-as-of"]
            book = openpyxl.load_workbook(io.BytesIO(bytes(response.body)))
            sums = [_sums(sheet) for sheet in book]
            assert sums[0] == sums[1]
            answer = json.loads((await routes.history(request("/stats/haihau/history", "step=hour"), "json")).body)
            assert answer["total"]["views"] == sum(one["views"] for one in answer["buckets"])
            assert time.time() - _seconds(answer["as_of"]) < 60


async def test_as_of_is_when_the_numbers_were_read(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer from the cache has the time at which Postgres was read, and not that of the request."""
    for name in ("NOW_SECONDS", "TODAY_SECONDS", "DAYS_SECONDS", "LONG_SECONDS"):
        monkeypatch.setattr(report, name, 60.0)
    routes = StatisticsRoutes(pool, SITES, str)
    answers = []
    for _ in range(2):
        for name, act in (("top", routes.top), ("sections", routes.sections), ("history", routes.history)):
            answers.append((name, json.loads((await act(request(f"/stats/haihau/{name}", ""), "json")).body)["as_of"]))
        await asyncio.sleep(1.1)
    assert answers[:3] == answers[3:]


def _sums(sheet: Any) -> list[int]:
    """Return the sums of views, visits and visitors of a sheet's table."""
    rows = list(sheet.iter_rows(values_only=True))
    head = next(number for number, row in enumerate(rows) if "Lượt xem" in row)
    first = rows[head].index("Lượt xem")
    return [sum(row[first + measure] or 0 for row in rows[head + 1 :]) for measure in range(3)]


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize("off_seconds", [-86_400, 86_400])
async def test_days_are_those_of_the_snapshot(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch, off_seconds: int
) -> None:
    """Whatever the clock of the widget says, "today" is the day of `as_of`, as on the page and in the counter."""
    # Guards against ranges that were computed before the read: at midnight, or with a wrong clock, another day's list.
    clock = SimpleNamespace(time=lambda: time.time() + off_seconds, monotonic=time.monotonic)
    for module in ("routes", "report"):
        monkeypatch.setattr(f"services.stats.statistics.{module}.time", clock)
    routes = StatisticsRoutes(pool, SITES, str)
    async with counting(pool):
        pass
    views = await pool.fetchval("SELECT sum(views)::int FROM stats.counts WHERE grain = 'total' AND article = ''")
    for query in ("period=today", "period=week"):
        answer = json.loads((await routes.top(request("/stats/haihau/top", query), "json")).body)
        assert sum(one["views"] for one in answer["articles"]) == views, query
    sections = json.loads((await routes.sections(request("/stats/haihau/sections", "period=today"), "json")).body)
    assert sum(one["views"] for one in sections["sections"]) == views
    for step in ("hour", "day"):
        answer = json.loads((await routes.history(request("/stats/haihau/history", f"step={step}"), "json")).body)
        assert answer["from"] <= answer["as_of"] < answer["to"]
        assert answer["total"]["views"] == views, step
