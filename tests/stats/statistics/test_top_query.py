"""Lists over days: their parameters, and what all of their answers say of exclusions and referrer spam."""

import csv
import io
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from services.stats.local_calendar import day_start
from services.stats.queries import STATISTICS_SQL
from services.stats.statistics.routes import StatisticsRoutes
from shared.http.app import EXCEPTION_HANDLERS
from shared.postgres import open_pool
from shared.site_structure import SiteStructure, StructureSection
from shared.sites import Site, Sites
from shared.structure_watch import StructureWatch
from tests.stats.statistics.test_top_pages import TOKEN, WITH, Client
from tests.stats.support import count_views

SITE = Site(
    slug="haihau",
    name="Hải Hậu",
    origins=["https://haihau.example"],
    timezone="Asia/Ho_Chi_Minh",
    spam_referrers=["rac.example"],
)
HOSTS = {"": 9, "zalo.me": 5, "b.vn": 4, "(other)": 2, "a.rac.example": 7, "semalt.com": 1}


@pytest_asyncio.fixture
async def client(database: str) -> AsyncIterator[Client]:
    """The statistics of a site with referrers, and an exclusion of an hour of today."""
    pool = await open_pool(database, role="presstally_stats", size=2)
    await count_views(pool, 3, "bai-1")
    now = time.time_ns() // 1_000_000
    await put_referrers(pool, day_start(now, SITE.zone))
    await pool.execute(
        "INSERT INTO stats.adjustments (id, site, article, measure, amount, who, why, created_at, excluded_agent,"
        " excluded_from, excluded_to) VALUES ('a', 'haihau', '', 'visitors', 0, 'An', 'a fleet', now(), 1, $1, $2)",
        now // 1000,
        now // 1000 + 3_600,
    )
    await pool.execute(
        "INSERT INTO stats.applied_exclusions (generation, adjustment, is_excluded, visitors)"
        " VALUES (1, 'a', true, 40000)"
    )
    routes = StatisticsRoutes(pool, Sites(haihau=SITE), lambda: f"haihau {TOKEN}").routes
    yield Client(Starlette(routes=routes, exception_handlers=EXCEPTION_HANDLERS))
    await pool.close()


async def put_referrers(pool: asyncpg.Pool, day: int) -> None:
    rows = [(day, host, visits) for host, visits in HOSTS.items()] + [(day - 40 * 86_400, "old.example", 6)]
    await pool.executemany(
        "INSERT INTO stats.referrers (generation, site, day, partition, host, visits)"
        " VALUES (1, 'haihau', $1, 0, $2, $3)",
        rows,
    )


async def test_referrers_have_spam_apart_and_add_up(client: Client) -> None:
    """Everybody reads the number, the owner the names; all parts together are all visits of the range."""
    public = await client.get("/stats/haihau/referrers")
    answer = public.json()
    assert answer["visits"] == sum(HOSTS.values())
    assert answer["referrers"] == [{"host": "zalo.me", "visits": 5}, {"host": "b.vn", "visits": 4}]
    assert (answer["direct"], answer["other"], answer["spam"]) == (9, 2, {"visits": 8})
    owner = await client.get("/stats/haihau/referrers", **WITH)
    assert owner.json()["spam"]["hosts"] == [
        {"host": "a.rac.example", "visits": 7},
        {"host": "semalt.com", "visits": 1},
    ]
    assert owner.headers["cache-control"] == "private, no-store"
    always = (await client.get("/stats/haihau/referrers?period=always&limit=1")).json()
    assert (always["visits"], always["other"]) == (34, 2 + 5 + 4)
    assert always["referrers"] == [{"host": "old.example", "visits": 6}]


async def test_public_referrers_name_no_spam(client: Client) -> None:
    """Neither the page nor any file without the token has the name of a marked host."""
    for path in ("", "/referrers", "/referrers.csv?lang=en", "?lang=en"):
        answer = await client.get(f"/stats/haihau{path}")
        assert answer.status == 200, path
        assert "rac.example" not in answer.text, path
        assert "semalt" not in answer.text, path
    page = (await client.get("/stats/haihau?lang=en&period=24h", **WITH)).text
    assert "a.rac.example (7)" in page
    assert 'class="spam"' in page
    rows = list(csv.reader(io.StringIO((await client.get("/stats/haihau/referrers.csv?lang=en", **WITH)).text)))
    assert ["a.rac.example", "7", "Yes"] in rows
    assert (await client.get("/stats/haihau/referrers.xlsx", **WITH)).body[:2] == b"PK"


@pytest.mark.parametrize("path", ["history", "top", "sections", "referrers", "pages"])
async def test_every_table_says_who_was_taken_out(client: Client, path: str) -> None:
    """JSON, CSV and the workbook of a range have its exclusions, without the reason; another range has none."""
    answer: dict[str, Any] = (await client.get(f"/stats/haihau/{path}", **WITH)).json()
    assert [one["visitors"] for one in answer["exclusions"]] == [40_000]
    assert "fleet" not in str(answer)
    text = (await client.get(f"/stats/haihau/{path}.csv?lang=en", **WITH)).text
    assert text.count("40,000 visitors turned out to be programs") == 1
    assert "fleet" not in text
    before = f"/stats/haihau/{path}?from=2026-01-01&to=2026-01-31"
    assert (await client.get(before, **WITH)).json()["exclusions"] == []


async def test_section_that_was_renamed_a_moment_ago_is_known(database: str) -> None:
    """An unknown section is looked for in the newest structure before it is refused."""
    pool = await open_pool(database, role="presstally_stats", size=2)
    sites = Sites(haihau=SITE)
    StructureWatch(pool, sites, STATISTICS_SQL["structure_versions"], STATISTICS_SQL["structures"])
    here = Client(Starlette(routes=StatisticsRoutes(pool, sites, str).routes, exception_handlers=EXCEPTION_HANDLERS))
    section = StructureSection(slug="ten-moi", name="Tên mới", version=1)
    newest = SiteStructure(site="haihau", version=1, modified_at=datetime.now(UTC), sections=[section])
    await pool.execute(STATISTICS_SQL["save_structure"], "haihau", 1, msgspec.json.encode(newest).decode())
    for name in ("top", "history"):
        assert (await here.get(f"/stats/haihau/{name}?section=ten-moi")).status == 200
        assert (await here.get(f"/stats/haihau/{name}?section=ten-cu")).status == 422
    await pool.close()


@pytest.mark.parametrize(
    "query",
    [
        "period=now",
        "period=year",
        "section=tin-tuc",
        "limit=0",
        "limit=101",
        "limit=x",
        "limit=%D9%A1",
        "from=2026-13-01",
        "from=x&to=y",
        "from=2026-02-01&to=2026-01-01",
        "from=2020-01-01&to=2026-01-01",
        "from=0001-01-01&to=0001-01-02",
        "from=9999-12-31&to=9999-12-31",
        "measure=clicks",
    ],
)
async def test_wrong_parameters_of_referrers_are_refused(client: Client, query: str) -> None:
    """What is no range, too long or beyond the calendar is a clear problem."""
    answer = await client.get(f"/stats/haihau/referrers?{query}")
    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
