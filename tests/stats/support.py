"""A real widget process on a database of the test's own, and views without a Kafka."""

import asyncio
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import asyncpg

from services.stats.counting.state import PRESENCE_BUCKET_MS
from services.stats.local_calendar import day_start
from shared.sites import Sites
from shared.sites_file import read_sites
from tests.conftest import ROOT, SITES, STATISTICS_TOKENS, Answer, answers, free_ports, lower

SITE = "haihau"


def written_sites(folder: Path) -> Path:
    file = folder / "sites.toml"
    file.write_text(SITES, encoding="utf-8")
    return file


def sites_of(folder: Path) -> Sites:
    return read_sites(written_sites(folder))


@dataclass
class WidgetProcess:
    """`presstally stats widget`, running."""

    port: int
    process: subprocess.Popen[bytes]

    async def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        return await asyncio.to_thread(self._get, path, method, headers)

    async def get_until(self, condition: Callable[[Answer], bool], path: str, **headers: str) -> Answer:
        """Read again and again until the answer is as expected: what is read slowly is valid for longer."""
        async with asyncio.timeout(60):
            while not condition(answer := await self.get(path, **headers)):  # noqa: ASYNC110 - it is what is tested
                await asyncio.sleep(0.05)
        return answer

    def _get(self, path: str, method: str, headers: dict[str, str]) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=named, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return Answer(response.status, lower(response.headers), response.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, lower(error.headers), error.read())


@asynccontextmanager
async def running_widget(database: str, folder: Path, **settings: str) -> AsyncIterator[WidgetProcess]:
    port = free_ports(1)
    environment = {
        **os.environ,
        "PRESSTALLY_STATISTICS_TOKENS": STATISTICS_TOKENS,
        "KAFKA_BOOTSTRAP": "127.0.0.1:9",  # the widget has nothing to do with Kafka
        "DATABASE_URL": database,
        "PRESSTALLY_SITES": str(written_sites(folder)),
        "PRESSTALLY_HTTP_PORT": str(port),
        "PRESSTALLY_TRUSTED_PROXIES": "127.0.0.1/32",
        **settings,
    }
    command = [sys.executable, "-m", "services.stats", "widget"]
    process = await asyncio.to_thread(subprocess.Popen, command, cwd=ROOT, env=environment)
    try:
        async with asyncio.timeout(60):
            while not await asyncio.to_thread(answers, f"http://127.0.0.1:{port}/readyz"):
                assert process.poll() is None
                await asyncio.sleep(0.1)
        yield WidgetProcess(port, process)
    finally:
        process.terminate()
        assert await asyncio.to_thread(process.wait, 60) == 0


async def count_views(pool: asyncpg.Pool | asyncpg.Connection, views: int, article: str = "") -> None:
    """Add current views to the counts, and as many visitors online, as the counter's transaction would."""
    now = time.time_ns() // 1_000_000
    for grain, start in (("day", day_start(now, ZoneInfo("Asia/Ho_Chi_Minh"))), ("total", 0)):
        await pool.execute(
            """
            INSERT INTO stats.counts AS c (
                generation, site, article, grain, bucket_start, partition, views, visits, visitors
            )
            VALUES (1, $1, $2, $3, $4, 0, $5, $5, $5)
            ON CONFLICT (generation, site, article, grain, bucket_start, partition)
            DO UPDATE SET views = c.views + $5, visits = c.visits + $5, visitors = c.visitors + $5
            """,
            SITE,
            article,
            grain,
            start,
            views,
        )
    await pool.execute(
        """
        INSERT INTO stats.online (generation, site, article, partition, first_bucket, visitors)
        VALUES (1, $1, $2, 0, $3, ARRAY[$4::int])
        ON CONFLICT (generation, site, article, partition) DO UPDATE SET first_bucket = $3, visitors = ARRAY[$4::int]
        """,
        SITE,
        article,
        now // PRESENCE_BUCKET_MS,
        views,
    )
