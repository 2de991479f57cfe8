"""Articles per second of the import command, on the first and on a repeated run."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Executor
from pathlib import Path

import asyncpg

from deploy.local.bootstrap import ROOT
from tests.bench.infrastructure import BenchmarkError, Infrastructure
from tests.bench.options import Options
from tests.conftest import mark_compared

ARTICLES = 10_000
SENTENCE = "Bà con xã viên xuống đồng từ sớm, chuẩn bị cho vụ xuân năm nay. "


def line_of(number: int) -> str:
    """Return an article of about 3,000 characters, as is typical of portals."""
    paragraphs = "".join(f"<p>{SENTENCE * 8}<strong>{number}</strong>.</p>" for _ in range(6))
    article = {
        "external_id": f"bench-{number}",
        "section": "tin-tuc",
        "title": f"Bài số {number} của kho bài cũ",
        "lead": SENTENCE * 2,
        "body": paragraphs,
        "tags": ["vụ xuân", f"thẻ {number % 50}"],
        "authors": ["Thu Hà"],
        "published_at": "2020-01-01T07:00:00+07:00",
        "old_urls": [f"/tin-tuc/bai-{number}.html"],
        "views": number,
    }
    return json.dumps(article, ensure_ascii=False)


def imports(infrastructure: Infrastructure, options: Options, pool: Executor) -> None:
    """Import 10,000 articles of 3,000 characters from NDJSON as public ones, with views; then the same file again."""
    # No Kafka is needed: its messages stay in the outbox.
    with infrastructure.counting("127.0.0.1:1") as copy, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.ndjson"
        file.write_text("\n".join(map(line_of, range(ARTICLES))), encoding="utf-8")
        asyncio.run(mark_compared(copy.database))
        for what in ("first run", "second run, which changes nothing"):
            begun = time.monotonic()
            _import(copy.database, file)
            seconds = time.monotonic() - begun
            print(f"  {what:<34} {seconds:6.1f} s  {ARTICLES / seconds:7,.0f} articles/s", flush=True)
        articles, revisions = asyncio.run(_counts(copy.database))
        if (articles, revisions) != (ARTICLES, ARTICLES):
            raise BenchmarkError(
                f"there are {articles:,} articles with {revisions:,} revisions instead of {ARTICLES:,}"
            )


def _import(database: str, file: Path) -> None:
    command = [sys.executable, "-m", "services.ingest", "import", str(file), "--site", "haihau"]
    environment = {**os.environ, "DATABASE_URL": database, "KAFKA_BOOTSTRAP": "127.0.0.1:1"}
    command += ["--publish", "--with-counter"]
    subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=True)


async def _counts(database: str) -> tuple[int, int]:
    connection = await asyncpg.connect(database)
    try:
        articles = await connection.fetchval("SELECT count(*) FROM ingest.articles")
        revisions = await connection.fetchval("SELECT count(*) FROM ingest.revisions")
    finally:
        await connection.close()
    return int(articles), int(revisions)
