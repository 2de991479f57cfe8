"""Response times of the editor API's lists, by filter and order, and of the migration that indexes the words."""

import asyncio
import http.client
import json
import os
import statistics
import time
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from deploy.local.bootstrap import ROOT
from tests.bench.infrastructure import BenchmarkError, Infrastructure, Service
from tests.bench.options import Options
from tests.bench.publishing import run_ingest
from tests.bench.sample_articles import SAMPLE_SITE, articles

WORDS_MIGRATION = ROOT / "services/ingest/sql/migrations/0026_words_of_articles.sql"
DRAFTS_EACH = 10
"""Every tenth article is not published."""
WRITERS = 30
COLUMNS = ("id", "number", "site", "version", "state", "title", "content", "live", "scheduled_for")
COLUMNS += ("created_at", "modified_at", "author", "author_token")
REVISION_COLUMNS = ("article", "version", "action", "state", "who", "token", "note", "site", "content")
REVISION_COLUMNS += ("is_public_change", "at")
SENT_SECONDS_MAX = 600.0
SCHEDULED_EACH = 200
TIMES = 20
WARM_TIMES = 3
SORTS = ("number", "modified", "created", "due", "published", "title")
SLOW_SECONDS = 0.05
DEEP_PAGES = 20


class Lists:
    """An editor's requests to one process."""

    def __init__(self, ingest: Service, token: str) -> None:
        self._api = http.client.HTTPConnection("127.0.0.1", ingest.port)
        self._headers = {"authorization": f"Bearer {token}", "host": "localhost"}

    def get(self, path: str) -> dict[str, Any]:
        """Return a list."""
        self._api.request("GET", f"/api{path}", headers=self._headers)
        answer = self._api.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise BenchmarkError(f"{path}: {answer.status} {text.decode()}")
        return dict(json.loads(text))

    def measure(self, path: str) -> list[float]:
        """Return the seconds of each of several requests."""
        seconds = []
        for _ in range(WARM_TIMES + TIMES):
            begun = time.monotonic()
            self.get(path)
            seconds.append(time.monotonic() - begun)
        return seconds[WARM_TIMES:]


def lists(infrastructure: Infrastructure, options: Options, pool: Executor) -> None:
    """Request each list of articles, sections, tags and authors, with --articles articles (docs: 50,000)."""
    with infrastructure.broker("lists") as kafka, infrastructure.counting(kafka) as copy:
        asyncio.run(_fill(copy.database, options))
        seconds = asyncio.run(_index_words(copy.database))
        print(f"  the words of {options.articles:,} articles were indexed in {seconds:.0f} s", flush=True)
        ingest = copy.start("articles", service="ingest", until_ready=False)
        token = run_ingest(copy, "token", "create", "--name", "Biên tập viên 1", "--scope", "admin").strip()
        asyncio.run(_wait_until_sent(copy.database, ingest))
        requests = Lists(ingest, token)
        slow = []
        for path in _paths(requests):
            seconds = requests.measure(path)
            middle, most = statistics.median(seconds), max(seconds)
            shown = urllib.parse.unquote(path)
            print(f"  {shown:<72.72} {middle * 1_000:6.1f} ms, most {most * 1_000:6.1f} ms", flush=True)
            if middle > SLOW_SECONDS:
                slow.append(shown)
        print(f"  load {os.getloadavg()[0]:.1f}; above {SLOW_SECONDS * 1_000:.0f} ms: {', '.join(slow) or 'none'}")
        ingest.end()


async def _fill(database: str, options: Options) -> None:
    """Store articles as the editor API would have, without the words of their texts."""
    now = datetime.now(UTC)
    connection = await asyncpg.connect(database)
    try:
        await connection.execute("ALTER TABLE ingest.articles DISABLE TRIGGER keep_article_words")
        rows, revisions = [], []
        for published in articles(options.articles, options.seed):
            is_draft, number = published.number % DRAFTS_EACH == 0, published.number
            draft = msgspec.structs.replace(published, state="draft", published_at=None, first_published_at=None)
            one, at = draft if is_draft else published, now - timedelta(minutes=number)
            due_at = now + timedelta(minutes=number) if number % SCHEDULED_EACH == 0 else None
            content = msgspec.json.encode(one).decode()
            same = (one.id, number, one.site, 1, one.state, one.title, content)
            rows.append((*same, None if is_draft else content, due_at, at, at, "Lan", None))
            who = f"Biên tập viên {number % WRITERS}"
            revisions.append((one.id, 1, "create", one.state, who, "", "", one.site, content, not is_draft, at))
        await connection.copy_records_to_table("articles", schema_name="ingest", columns=COLUMNS, records=rows)
        await connection.copy_records_to_table(
            "revisions", schema_name="ingest", columns=REVISION_COLUMNS, records=revisions
        )
        await connection.execute("ALTER TABLE ingest.articles ENABLE TRIGGER keep_article_words")
    finally:
        await connection.close()


async def _wait_until_sent(database: str, ingest: Service) -> None:
    """Wait until the relay has sent all articles, as the topic has none, so that it does not disturb."""
    count = "SELECT count(*) FROM ingest.outbox"
    connection = await asyncpg.connect(database)
    try:
        async with asyncio.timeout(SENT_SECONDS_MAX):
            while ingest.get("/readyz")[0] != 200 or await connection.fetchval(count):
                ingest.check()
                await asyncio.sleep(1)
    finally:
        await connection.close()


async def _index_words(database: str) -> float:
    connection = await asyncpg.connect(database)
    try:
        begun = time.monotonic()
        await connection.execute(WORDS_MIGRATION.read_text(encoding="utf-8"))
        seconds = time.monotonic() - begun
        await connection.execute("VACUUM ANALYZE")
        return seconds
    finally:
        await connection.close()


def _paths(requests: Lists) -> Iterator[str]:
    """Yield the requests: what the editors' page offers, alone and together."""
    sample = requests.get("/articles?limit=1&full=true")["articles"][0]
    words = sample["title"].split()
    tag, author, section = sample["tags"][0], sample["authors"][0]["name"], sample["section"]
    rare = max(words, key=len)
    since = datetime.now(UTC) - timedelta(days=1)
    for sort in SORTS:
        for order in ("asc", "desc"):
            yield _path(sort=sort, order=order)
        yield _deep(requests, sort)
    filters: list[dict[str, str]] = [
        {"state": "draft"},
        {"state": "scheduled", "sort": "due"},
        {"state": "killed"},
        {"section": section},
        {"section": section, "state": "draft", "sort": "modified"},
        {"section": "khong-co", "sort": "title"},
        {"tag": tag},
        {"tag": tag, "sort": "title"},
        {"author": author},
        {"author": author, "sort": "published"},
        {"author": "Không Có", "sort": "modified"},
        {"q": words[0]},
        {"q": words[0], "sort": "title"},
        {"q": rare},
        {"q": f"{words[0]} {words[1]}", "state": "draft"},
        {"q": '"' + " ".join(words[:3]) + '"'},
        {"q": "khongcotunao"},
        {"q": rare, "section": section, "sort": "modified"},
        {"modified_since": since.isoformat()},
        {"modified_since": since.isoformat(), "sort": "title"},
        {"due_from": datetime.now(UTC).isoformat(), "sort": "due"},
        {"mine": "true"},
        {"mine": "true", "state": "draft"},
        {"source_system": "khong-co", "external_id": "1"},
        {"fields": "short", "limit": "100"},
    ]
    for given in filters:
        yield _path(**given)
    yield "/articles/counts"
    for given in ({"section": section}, {"q": words[0]}, {"mine": "true"}, {"tag": tag}):
        yield f"/articles/counts?{urllib.parse.urlencode(given)}"
    site = SAMPLE_SITE.slug
    yield from (f"/sections?site={site}", f"/tags?site={site}", f"/tags?site={site}&q={urllib.parse.quote(tag[:2])}")
    yield from (f"/authors?site={site}", "/audit?limit=50")


def _path(**given: str) -> str:
    return f"/articles?{urllib.parse.urlencode({'fields': 'short', **given})}"


def _deep(requests: Lists, sort: str) -> str:
    """Return the request for a page far behind the first one."""
    path = found = _path(sort=sort, limit="100")
    for _ in range(DEEP_PAGES):
        cursor = requests.get(path)["next"]
        if cursor is None:
            break
        path = f"{found}&cursor={urllib.parse.quote(cursor)}"
    return path
