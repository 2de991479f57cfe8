"""Articles per second and memory of the import command: first and repeated runs, and an export of 1 GB."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path

import asyncpg

from deploy.local.bootstrap import ROOT
from tests.bench.infrastructure import BenchmarkError, Infrastructure
from tests.bench.options import Options
from tests.databases import mark_compared

LARGE_BYTES = 1_000_000_000
LARGE_CHARACTERS = 16_000
PLUGIN_DATA = "<wp:postmeta><wp:meta_key>_plugin</wp:meta_key><wp:meta_value><![CDATA[" + '{"id":"x"},' * 9_000
"""What page builders store with each post: most bytes of large exports."""
SENTENCE = "Bà con xã viên xuống đồng từ sớm, chuẩn bị cho vụ xuân năm nay. "
WXR_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:excerpt="http://wordpress.org/export/1.2/excerpt/"
 xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:wp="http://wordpress.org/export/1.2/"><channel><title>Cũ</title><wp:wxr_version>1.2</wp:wxr_version>
"""


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
    return json.dumps(article, ensure_ascii=False) + "\n"


def post_of(number: int, characters: int = 3_000) -> str:
    """Return an item of a WordPress export, in the blocks of its editor."""
    block = f"<!-- wp:paragraph -->\n<p>{SENTENCE * 8}<strong>{number}</strong>.</p>\n<!-- /wp:paragraph -->\n"
    return (
        f"<item><title>Bài số {number} của kho bài cũ</title><link>https://cu.example/tin-tuc/bai-{number}/</link>"
        f"<guid isPermaLink='false'>https://cu.example/?p={number}</guid><dc:creator><![CDATA[Thu Hà]]></dc:creator>\n"
        f"<content:encoded><![CDATA[{block * (characters // len(block))}]]></content:encoded>\n"
        f"<wp:post_id>{number}</wp:post_id><wp:post_date_gmt>2020-01-01 00:00:00</wp:post_date_gmt>"
        "<wp:status>publish</wp:status><wp:post_type>post</wp:post_type>"
        "<category domain='category' nicename='tin-tuc'><![CDATA[Tin tức]]></category>\n"
        f"<wp:postmeta><wp:meta_key>views</wp:meta_key><wp:meta_value>{number}</wp:meta_value></wp:postmeta></item>\n"
    )


def _ndjson(articles: int) -> Iterator[str]:
    return (line_of(number) for number in range(articles))


def _wxr(articles: int) -> Iterator[str]:
    yield WXR_HEAD
    yield from (post_of(number + 1) for number in range(articles))
    yield "</channel></rss>\n"


def imports(infrastructure: Infrastructure, options: Options, pool: Executor) -> None:
    """Import --articles articles of 3,000 characters as public ones, with views, twice: from NDJSON and from WXR."""
    for name, parts in (("bench.ndjson", _ndjson), ("bench.xml", _wxr)):
        # No Kafka is needed: its messages stay in the outbox.
        with infrastructure.counting("127.0.0.1:1") as copy, tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / name
            with file.open("w", encoding="utf-8") as output:
                output.writelines(parts(options.articles))
            asyncio.run(mark_compared(copy.database))
            for what in ("first run", "second run, which changes nothing"):
                begun = time.monotonic()
                memory = _import(copy.database, file, "--publish", "--with-counter")
                _print(f"{file.suffix[1:]}, {what}", options.articles, time.monotonic() - begun, memory)
            counts = asyncio.run(_counts(copy.database))
            if counts != (options.articles, options.articles):
                raise BenchmarkError(f"{counts} articles and revisions instead of {options.articles:,}")


def large_import(infrastructure: Infrastructure, options: Options, pool: Executor) -> None:
    """Read a WordPress export of 1 GB in a dry run: posts of 16,000 characters, each with 100 kB of a plugin."""
    with infrastructure.counting("127.0.0.1:1") as copy, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "large.xml"
        number = size = 0
        with file.open("wb") as output:
            output.write(WXR_HEAD.encode())
            while size < LARGE_BYTES:
                number += 1
                post = post_of(number, LARGE_CHARACTERS).removesuffix("</item>\n")
                size += output.write(f"{post}{PLUGIN_DATA}]]></wp:meta_value></wp:postmeta></item>\n".encode())
            output.write(b"</channel></rss>\n")
        asyncio.run(mark_compared(copy.database))
        begun = time.monotonic()
        memory = _import(copy.database, file, "--publish", "--dry-run")
        seconds = time.monotonic() - begun
        _print(f"{size / 1e9:.2f} GB, dry run", number, seconds, memory)
        print(f"  {size / 1e6 / seconds:,.1f} MB/s", flush=True)


def _print(what: str, articles: int, seconds: float, memory_bytes: int) -> None:
    rate, memory = articles / seconds, memory_bytes / 1024**2
    print(f"  {what:<42} {seconds:7.1f} s  {rate:6,.0f} articles/s  {memory:6,.0f} MiB", flush=True)


def _import(database: str, file: Path, *words: str) -> int:
    """Import a file and return the peak of the resident memory of the command, in bytes."""
    command = [sys.executable, "-m", "services.ingest", "import", str(file), "--site", "haihau", *words]
    environment = {**os.environ, "DATABASE_URL": database, "KAFKA_BOOTSTRAP": "127.0.0.1:1"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise BenchmarkError(f"the import failed: {errors[-500:]}")
    return usage.ru_maxrss * 1024


async def _counts(database: str) -> tuple[int, int]:
    connection = await asyncpg.connect(database)
    try:
        articles = await connection.fetchval("SELECT count(*) FROM ingest.articles")
        revisions = await connection.fetchval("SELECT count(*) FROM ingest.revisions")
    finally:
        await connection.close()
    return int(articles), int(revisions)
