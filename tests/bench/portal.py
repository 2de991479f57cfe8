"""Saving, searching and serving with 50,000 articles; serving compared with a minimal ASGI application."""

import asyncio
import random
import statistics
import time
import urllib.parse
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import accumulate

from services.render.builder import store
from services.render.site import page_reader, routes
from shared.articles import Article, Paragraph
from shared.postgres import open_pool
from shared.sites import Section, Site
from shared.text import fold_diacritics
from tests.bench.collect import hello, wrk
from tests.bench.infrastructure import Infrastructure, Service
from tests.bench.load import SITE
from tests.bench.options import Options
from tests.bench.summary import keep

ARTICLES = 50_000
WRITERS = 4
WORDS = 300
REAL_WORDS = 2_000
"""Length of the newest article, which is that of a long article of a real portal."""
SYLLABLES = 6_000
SEARCHES = 100
WARM = 10
SECONDS = 4
CONNECTIONS = 64
PORTAL = Site(
    slug=SITE,
    name="Hải Hậu",
    origins=["http://localhost:8080"],
    timezone="Asia/Ho_Chi_Minh",
    sections=[Section("tin-tuc", "Tin tức")],
)

ONSETS = "b c ch d đ g gh gi h kh l m n ng nh ph qu r s t th tr v x"
NUCLEI = "a á à ả ã ạ ă ắ ằ â ấ ầ ậ e é è ẹ ê ế ề ệ i í ì ị o ó ò ọ ô ố ồ ộ ơ ớ ờ ợ u ú ù ụ ư ứ ừ ự ia ươ iê"
CODAS = ["", "n", "ng", "m", "t", "c", "p", "nh", "i", "o"]


class Texts:
    """Made-up Vietnamese: syllables as frequent as words are, the n-th 1/n as often as the first."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.texts: list[str] = []
        every = [a + b + c for a in ONSETS.split() for b in NUCLEI.split() for c in CODAS]
        self.syllables = self.random.sample(every, SYLLABLES)
        self._weights = list(accumulate(1 / (1 + number) for number in range(SYLLABLES)))

    def words(self, count: int) -> str:
        """Return so many words."""
        return " ".join(self.random.choices(self.syllables, cum_weights=self._weights, k=count))

    def articles(self, count: int) -> Iterator[Article]:
        """Make articles, an hour apart."""
        begin = datetime.now(UTC) - timedelta(hours=count + 1)
        for number in range(1, count + 1):
            at = begin + timedelta(hours=number)
            title, lead = self.words(10).capitalize(), self.words(30)
            if number % 100 == 0:
                self.texts += [title, lead]
            yield Article(
                id=f"bench-{number}",
                number=number,
                site=SITE,
                version=1,
                state="published",
                title=title,
                slug=f"bai-{number}",
                section="tin-tuc",
                language="vi",
                lead=lead,
                body=[Paragraph(self.words((REAL_WORDS if number == count else WORDS) // 3)) for _ in range(3)],
                tags=[self.syllables[number % 500]],
                modified_at=at,
                first_published_at=at,
                published_at=at,
            )

    def query(self, kind: str) -> str:
        """Return a search query from a text, or from the most frequent words."""
        text = self.random.choice(self.texts).split()
        count = {"one word": 1, "two words": 2, "phrase of two": 2, "phrase of three": 3, "typing error": 2}.get(
            kind, 4
        )
        begin = self.random.randint(0, len(text) - count)
        words = " ".join(text[begin : begin + count])
        match kind:
            case "frequent words":
                return " ".join(self.random.sample(self.syllables[:20], self.random.randint(1, 2)))
            case "without diacritics":
                return fold_diacritics(words)
            case "phrase of two" | "phrase of three":
                return f'"{words}"'
            case "typing error":
                return words[:-1] + "x" + words[-1] + "w"
        return words


KINDS = (
    "one word",
    "two words",
    "four words",
    "without diacritics",
    "phrase of two",
    "phrase of three",
    "frequent words",
)
MORE_KINDS = ("typing error", "by date")


def portal(infrastructure: Infrastructure, options: Options, pool: Executor) -> None:
    """Save 50,000 articles, search them, and serve their pages."""
    texts = Texts(options.seed)
    with infrastructure.broker("portal") as kafka, infrastructure.counting(kafka) as counting:
        seconds = asyncio.run(fill(counting.database, texts.articles(ARTICLES), PORTAL))
        print(f"  saved: {ARTICLES / seconds:,.0f} articles a second, {WRITERS} at once", flush=True)
        rendered = asyncio.run(_render(counting.database))
        print(f"  rendered: {rendered:,.0f} article pages a second, in one process", flush=True)
        site = counting.start("site", service="render")
        _search(site, texts)
        with hello(counting.supervisor) as yardstick:
            _serve(site, yardstick, options.rounds)
        site.end()


async def fill(database: str, articles: Iterable[Article], site: Site) -> float:
    """Save articles as the builder does; return the seconds that it took."""
    connections = await open_pool(database, role="presstally_render", size=WRITERS)
    ahead = iter(articles)

    async def write() -> None:
        for article in ahead:
            await store.save(connections, article, site)

    begun = time.monotonic()
    await asyncio.gather(*(write() for _ in range(WRITERS)))
    seconds = time.monotonic() - begun
    await connections.close()
    return seconds


async def _render(database: str) -> float:
    connections = await open_pool(database, role="presstally_render", size=1)
    begun, count = time.monotonic(), 500
    for number in range(1_000, 1_000 + count):
        handler, request = routes.match_route(f"/bai-{number}-{number}.html", "", {}, PORTAL.origins[0])
        _, render, _ = await page_reader.read_snapshot(connections, PORTAL, partial(handler, request=request))
        assert render().encoded("br")
    seconds = time.monotonic() - begun
    await connections.close()
    return count / seconds


def _search(site: Service, texts: Texts) -> None:
    every: list[float] = []
    for kind in (*KINDS, *MORE_KINDS):
        times = [_search_once(site, texts, kind) for _ in range(WARM + SEARCHES)][WARM:]
        every += times if kind in KINDS else []
        _print_times(kind, times)
    _print_times("all but the last two", every)


def _search_once(site: Service, texts: Texts, kind: str) -> float:
    query = urllib.parse.quote(texts.query(kind)) + ("&sap-xep=ngay" if kind == "by date" else "")
    begun = time.perf_counter()
    status, _ = site.get(f"/tim-kiem?q={query}")
    assert status == 200, query
    return (time.perf_counter() - begun) * 1_000


def _print_times(kind: str, times: list[float]) -> None:
    cuts = statistics.quantiles(times, n=100)
    line = f"p50 {cuts[49]:6.1f} ms, p95 {cuts[94]:6.1f} ms, p99 {cuts[98]:6.1f} ms, most {max(times):6.1f} ms"
    print(f"  searched over HTTP, {kind:<21}{line}", flush=True)


def _serve(site: Service, yardstick: int, rounds: int) -> None:
    """Serve one article's page from memory in each form, in alternation with the hello; print medians."""
    path = f"/bai-{ARTICLES}-{ARTICLES}.html"
    forms = {"plain": "identity", "gzip": "gzip", "br": "gzip, deflate, br, zstd"}
    size = len(site.get(path)[1].encode())
    wrk(yardstick, 1, connections=CONNECTIONS), wrk(site.port, 1, connections=CONNECTIONS, path=path)
    ratios: dict[str, list[float]] = {form: [] for form in (*forms, "304")}
    for number in range(1, rounds + 1):
        bare = wrk(yardstick, SECONDS, connections=CONNECTIONS).per_second
        line = f"  round {number}: hello {bare:,.0f}/s"
        for form, accepted in [*forms.items(), ("304", "br")]:
            named = {"accept-encoding": accepted, **({"if-none-match": "*"} if form == "304" else {})}
            served = wrk(site.port, SECONDS, connections=CONNECTIONS, path=path, headers=named)
            ratios[form].append(served.per_second / bare)
            line += f", {form} {served.per_second:,.0f}/s (p99 {served.p99_milliseconds:.1f} ms)"
        print(line, flush=True)
    keep(page=statistics.median(ratios["plain"]), page_gzip=statistics.median(ratios["gzip"]))
    ratios_shown = ", ".join(f"{form} {statistics.median(values):.2f}" for form, values in ratios.items())
    print(f"  a page of {size:,} bytes from memory, by hello's requests a second: {ratios_shown}", flush=True)
