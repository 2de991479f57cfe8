"""The latency from an editor's request until a changed article is live, among 10,000 others."""

import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploy.local.bootstrap import ROOT
from shared.articles import Article, Paragraph
from tests.bench.infrastructure import BenchmarkError, Counting, Infrastructure, Service
from tests.bench.measurements import cpu_of_tree
from tests.bench.options import Options
from tests.bench.sample_articles import SAMPLE_SITE, articles

PER_SECOND = 10
SECONDS = 30
EDITORS = 12
"""Concurrent editors, each with one of the newest articles, which are on the home page."""
WARM_SECONDS = 3
POLL_SECONDS = 0.01
LIVE_WITHIN_SECONDS = 20.0
BUILT_WITHIN_SECONDS = 1_200.0
_VERSION = re.compile(r'presstally:version" content="(\d+)"')


@dataclass
class EditorClient:
    """An editor who repeatedly changes one article and polls its pages."""

    number: int
    article: dict[str, Any]
    token: str
    ingest: Service
    site: Service
    version: int
    delays: dict[str, list[float]] = field(default_factory=lambda: {"article": [], "home": [], "section": []})
    late: list[float] = field(default_factory=list)

    def work(self, begin: float) -> None:
        """Change the article, publish it on schedule, and poll until it is live on all pages."""
        api, pages = (http.client.HTTPConnection("127.0.0.1", one.port) for one in (self.ingest, self.site))
        for turn in range(self.number, PER_SECOND * (WARM_SECONDS + SECONDS), EDITORS):
            title = f"Tin của bàn {self.number} lần {turn}."
            edit = {"title": title, "version": self.version}
            self.version = _call(api, "PATCH", f"/api/articles/{self.article['id']}", self.token, edit)["version"]
            due = begin + turn / PER_SECOND
            time.sleep(max(0.0, due - time.monotonic()))
            sent = time.monotonic()
            published = _call(
                api, "POST", f"/api/articles/{self.article['id']}/publish", self.token, {"version": self.version}
            )
            self.version = published["version"]
            seen = self._poll_pages(pages, title, published["url"], sent)
            if turn >= PER_SECOND * WARM_SECONDS:
                self.late.append(sent - due)
                for what, at in seen.items():
                    self.delays[what].append(at - sent)
        api.close()
        pages.close()

    def _poll_pages(self, pages: http.client.HTTPConnection, title: str, url: str, sent: float) -> dict[str, float]:
        wanted = {"article": urlsplit(url).path, "home": "/", "section": f"/{self.article['section']}/"}
        seen: dict[str, float] = {}
        while len(seen) < len(wanted):
            for what, path in wanted.items():
                if what not in seen and self._shows(_get(pages, path), what, title):
                    seen[what] = time.monotonic()
            if time.monotonic() - sent > LIVE_WITHIN_SECONDS:
                raise BenchmarkError(
                    f"{title} was only on {list(seen)} {LIVE_WITHIN_SECONDS:.0f} s after it was published"
                )
            time.sleep(POLL_SECONDS)
        return seen

    def _shows(self, page: str, what: str, title: str) -> bool:
        found = _VERSION.search(page)
        return title in page and (what != "article" or (found is not None and int(found[1]) == self.version))


def publish_live(infrastructure: Infrastructure, options: Options, pool: Executor) -> None:
    """Publish ten changes a second among 10,000 articles, until article, home and section list show each of them."""
    with infrastructure.broker("publish_live") as kafka, infrastructure.counting(kafka) as copy:
        ingest = copy.start("articles", service="ingest")
        _import_articles(copy, options.articles, options.seed)
        builder, site = copy.start("builder", service="render"), copy.start("site", service="render")
        begun = time.monotonic()
        _wait_until_built(builder, site, options.articles)
        print(f"  {options.articles:,} articles were on their pages after {time.monotonic() - begun:.0f} s", flush=True)
        token = run_ingest(copy, "token", "create", "--name", "Bench", "--scope", "admin").strip()
        api = http.client.HTTPConnection("127.0.0.1", ingest.port)
        last = _call(api, "GET", "/api/articles?limit=100", token)["articles"]  # a batch of the import
        newest = sorted(last, key=lambda one: str(one["published_at"]), reverse=True)[:EDITORS]
        clients = [EditorClient(number, one, token, ingest, site, one["version"]) for number, one in enumerate(newest)]
        pids = {"ingest": ingest.pid, "builder": builder.pid, "site": site.pid, "Postgres": infrastructure.postgres_pid}
        before = {name: cpu_of_tree(pid) for name, pid in pids.items()}
        with ThreadPoolExecutor(EDITORS) as editors:
            begin = time.monotonic() + 1
            for done in [editors.submit(editor.work, begin) for editor in clients]:
                done.result()
        spent = {name: cpu_of_tree(pid) - before[name] for name, pid in pids.items()}
        for service in (site, builder, ingest):
            service.end()
    late = [one for editor in clients for one in editor.late]
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"  {len(late)} changes, {PER_SECOND} a second; load {load}; sent late: at most {max(late) * 1_000:.0f} ms")
    delays = {what: [one for editor in clients for one in editor.delays[what]] for what in clients[0].delays}
    delays["all three"] = [max(three) for three in zip(*delays.values(), strict=True)]
    for what, seconds in delays.items():
        cuts = statistics.quantiles(seconds, n=100)
        most = f"p50 {cuts[49] * 1_000:.0f} ms, p99 {cuts[98] * 1_000:.0f} ms, most {max(seconds) * 1_000:.0f} ms"
        print(f"  from the request to {what:<9}: {most}", flush=True)
    each = 1_000 / PER_SECOND / (WARM_SECONDS + SECONDS)
    spent_shown = ", ".join(f"{name} {seconds * each:.0f} ms" for name, seconds in spent.items())
    print(f"  CPU time per change, including polls and edits: {spent_shown}")
    print(
        f"  Polled every {POLL_SECONDS * 1_000:.0f} ms or more: a latency may be overestimated by that much.",
        flush=True,
    )


def _import_articles(copy: Counting, count: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "newsroom.ndjson"
        file.write_text("\n".join(_line(one) for one in articles(count, seed)), encoding="utf-8")
        run_ingest(copy, "import", str(file), "--site", SAMPLE_SITE.slug, "--publish")


def _line(article: Article) -> str:
    """Return an article in the import's format, without photos."""
    item = {
        "external_id": article.id,
        "section": article.section,
        "title": article.title,
        "lead": article.lead,
        "body": "".join(f"<p>{block.html}</p>" for block in article.body if isinstance(block, Paragraph)),
        "tags": article.tags,
        "authors": [author.name for author in article.authors],
        "published_at": str(article.published_at),
    }
    return json.dumps(item, ensure_ascii=False)


def run_ingest(copy: Counting, *command: str) -> str:
    """Run a command of ingest and return its output."""
    environment = {**os.environ, **copy.environment}
    program = [sys.executable, "-m", "services.ingest", *command]
    return subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


def _wait_until_built(builder: Service, site: Service, count: int) -> None:
    deadline = time.monotonic() + BUILT_WITHIN_SECONDS
    while sum(site.get(f"/sitemap-articles-{part}.xml")[1].count("<loc>") for part in (1, 2)) < count:
        builder.check()
        if time.monotonic() > deadline:
            raise BenchmarkError(f"not all articles were on their pages within {BUILT_WITHIN_SECONDS:.0f} s")
        time.sleep(1)


def _call(api: http.client.HTTPConnection, method: str, path: str, token: str, body: Any = None) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json", "host": "localhost"}
    api.request(method, path, None if body is None else json.dumps(body), headers)
    answer = api.getresponse()
    text = answer.read()
    if answer.status >= 300:
        raise BenchmarkError(f"{method} {path}: {answer.status} {text.decode()}")
    return dict(json.loads(text))


def _get(pages: http.client.HTTPConnection, path: str) -> str:
    """Return a page, or "" for a redirect: a new title has a new URL."""
    pages.request("GET", path, headers={"host": "localhost"})
    answer = pages.getresponse()
    text = answer.read().decode()
    if answer.status not in (200, 301):
        raise BenchmarkError(f"GET {path}: {answer.status}")
    return text if answer.status == 200 else ""
