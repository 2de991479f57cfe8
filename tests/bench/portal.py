"""How fast a portal of 50,000 articles saves, searches and serves."""

import asyncio
import random
import statistics
import time
import urllib.parse
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from services.render import reading, store, surfaces
from services.render.texts import folded
from shared.articles import Article, Paragraph
from shared.postgres import open_pool
from shared.sites import Section, Site
from tests.bench.collect import wrk
from tests.bench.load import SITE
from tests.bench.options import Options
from tests.bench.stores import Service, Stores

ARTICLES = 50_000
WRITERS = 4
WORDS = 300
SYLLABLES = 6_000
SEARCHES = 300
WARM = 10
SECONDS = 5
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
                body=[Paragraph(self.words(WORDS // 3)) for _ in range(3)],
                tags=[self.syllables[number % 500]],
                modified_at=at,
                first_published_at=at,
                published_at=at,
            )

    def query(self) -> str:
        """Return what somebody may look for: one to four words of a text, half of them without marks, some quoted."""
        text = self.random.choice(self.texts).split()
        count = self.random.randint(1, 4)
        begin = self.random.randint(0, len(text) - count)
        words = " ".join(text[begin : begin + count])
        return self.random.choice((words, words, folded(words), folded(words), f'"{words}"'))


def portal(stores: Stores, options: Options, pool: Executor) -> None:
    """Save 50,000 articles, look for words in them, and serve their pages."""
    texts = Texts(options.seed)
    with stores.broker("portal") as kafka, stores.counting(kafka) as counting:
        seconds = asyncio.run(fill(counting.database, texts.articles(ARTICLES), PORTAL))
        print(f"  saved: {ARTICLES / seconds:,.0f} articles a second, {WRITERS} at once", flush=True)
        made = asyncio.run(_make(counting.database))
        print(f"  made anew: {made:,.0f} article pages a second, in one process", flush=True)
        site = counting.start("site", service="render")
        _search(site, texts)
        for path in ("/", f"/bai-{ARTICLES}-{ARTICLES}.html", "/rss.xml"):
            site.get(path)
            served = wrk(site.port, SECONDS, path=path)
            print(f"  {path}: {served.per_second:,.0f}/s from memory, p99 {served.p99_milliseconds:.1f} ms", flush=True)
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


async def _make(database: str) -> float:
    connections = await open_pool(database, role="presstally_render", size=1)
    begun, count = time.monotonic(), 500
    for number in range(1_000, 1_000 + count):
        surface, asked = surfaces.find(f"/bai-{number}-{number}.html", "", {}, PORTAL.origins[0])
        _, make, _ = await reading.at_one_moment(connections, PORTAL, lambda reader: surface(reader, asked))  # noqa: B023
        assert make().gzipped
    seconds = time.monotonic() - begun
    await connections.close()
    return count / seconds


def _search(site: Service, texts: Texts) -> None:
    times = []
    for number in range(WARM + SEARCHES):
        query = urllib.parse.quote(texts.query())
        begun = time.perf_counter()
        status, _ = site.get(f"/tim-kiem?q={query}")
        assert status == 200, query
        if number >= WARM:
            times.append((time.perf_counter() - begun) * 1_000)
    cuts = statistics.quantiles(times, n=100)
    print(
        f"  searches over HTTP: p50 {cuts[49]:.1f} ms, p95 {cuts[94]:.1f} ms, p99 {cuts[98]:.1f} ms, "
        f"most {max(times):.1f} ms",
        flush=True,
    )
