"""Rendering a whole portal, compared with Hugo and Pelican: the same articles and blocks, one CPU core."""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from deploy.local.bootstrap import ROOT
from services.render.pages import feeds, front_page, sitemaps
from services.render.pages.dates import month_name
from services.render.pages.document import Document
from services.render.pages.html import render_article, render_home, render_list
from services.render.pages.page_data import ListInfo, ListPage, RelatedArticles
from services.render.pages.paths import month_path, tag_path
from services.render.pages.saved_copy import PATH_PREFIX
from services.render.site.page_reader import LIST_PAGE_SIZE, RELATED_MAX
from shared.articles import Article, article_path
from shared.object_store import PUBLIC
from shared.structured_data import hosted_images
from tests.bench import competitors
from tests.bench.infrastructure import BenchmarkError, Infrastructure
from tests.bench.measurements import cpu_of_tree
from tests.bench.options import Options
from tests.bench.portal import fill
from tests.bench.sample_articles import SAMPLE_SITE, articles, write_photos
from tests.bench.summary import keep

PUBLIC_URL = SAMPLE_SITE.origins[0]
COPIES = PATH_PREFIX.strip("/")
COMPLETE, PAGES_ONLY = "Presstally", "Presstally, pages only"
FIELDS = ("rate", "cpu_rate")
NEAR_MAX = 50
"""Articles of a tag that are considered as related ones, as in queries.sql."""


@dataclass(frozen=True)
class Built:
    """One build of the whole portal."""

    pages: int
    seconds: float
    cpu_seconds: float
    """CPU seconds of the program and of Postgres."""


def render(infrastructure: Infrastructure, options: Options, pool: Executor) -> None:
    """Render 10,000 articles with images, lists, feeds and sitemap, compared with Hugo and Pelican."""
    competitors.install()
    made = list(articles(options.articles, options.seed))
    core = min(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name, infrastructure.counting("127.0.0.1:1") as copy:
        folder = Path(name)
        competitors.write(made, folder)
        write_photos(Path(copy.environment["PRESSTALLY_MEDIA"]) / PUBLIC)
        asyncio.run(fill(copy.database, made, SAMPLE_SITE))
        commands: dict[str, Callable[[Path], list[str]]] = {
            COMPLETE: _export,
            PAGES_ONLY: partial(_export, option="--pages-only"),
            "Hugo": partial(competitors.hugo, folder),
            "Pelican": partial(competitors.pelican, folder),
        }
        environment = {**os.environ, **copy.environment, **competitors.surroundings(folder)}
        builds: dict[str, list[Built]] = defaultdict(list)
        with _on(core, infrastructure.postgres_pid):
            for turn in range(options.rounds):
                builds["Presstally, in memory"].append(_in_memory(made, core))
                for who, command in commands.items():
                    # A folder of its own: for minutes ext4 looks for an inode that was not freed lately, which would
                    # make each file ten times as dear if a former site was removed before.
                    site = folder / f"site-{turn}-{list(commands).index(who)}"
                    builds[who].append(_build(command(site), site, core, environment, infrastructure.postgres_pid))
                    if sum(page.name.startswith("bai-") for page in _pages(site)) != len(made):
                        raise BenchmarkError(f"{who} has not made the {len(made):,} articles")
                    print(f"  {who}: {_said([builds[who][-1]])}", flush=True)
    print(f"  Medians of {options.rounds}, {len(made):,} articles:")
    for who, all_of_it in builds.items():
        print(f"  {who:<22} {_said(all_of_it)}", flush=True)
    _print_ratios({who: _median(all_of_it) for who, all_of_it in builds.items()})


def _export(site: Path, option: str = "--full") -> list[str]:
    return [sys.executable, "-m", "services.render", "export", str(site), option]


def _print_ratios(medians: "Mapping[str, Medians]") -> None:
    """Print what both ratios compare: all that an export writes, and the pages that the others make, too."""
    print(f"  {COMPLETE}: with a copy to keep of each article, the index of the search, and checks of links")
    print(f"  {PAGES_ONLY}: pages, lists, feeds and sitemap, as the others make; and checks of links")
    for competitor in ("Hugo", "Pelican"):
        for ours, name in ((COMPLETE, ""), (PAGES_ONLY, "_pages")):
            rate, cpu_rate = (getattr(medians[ours], of) / getattr(medians[competitor], of) for of in FIELDS)
            keep(**{competitor.lower() + name: cpu_rate})
            print(f"  {ours} / {competitor}: {rate:.2f} by the clock, {cpu_rate:.2f} by processor seconds", flush=True)


@dataclass(frozen=True)
class Medians:
    """Pages per second of wall-clock time and of CPU time."""

    rate: float
    cpu_rate: float


def _median(builds: Sequence[Built]) -> Medians:
    rates = [one.pages / one.seconds for one in builds], [one.pages / one.cpu_seconds for one in builds]
    return Medians(*map(statistics.median, rates))


def _said(builds: Sequence[Built]) -> str:
    median = _median(builds)
    return f"{median.rate:7,.0f} pages/s, {median.cpu_rate:7,.0f} a processor second ({builds[0].pages:,} pages)"


@contextmanager
def _on(core: int, postgres_pid: int) -> Iterator[None]:
    """Pin Postgres to the same CPU core, because its work belongs to the measured one."""
    postgres = psutil.Process(postgres_pid)
    before: dict[psutil.Process, list[int]] = {}
    for one in (postgres, *postgres.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # workers of Postgres end at any time
            before[one] = one.cpu_affinity()
            one.cpu_affinity([core])
    try:
        yield
    finally:
        for one, cores in before.items():
            with suppress(psutil.NoSuchProcess):
                one.cpu_affinity(cores)


def _build(command: list[str], site: Path, core: int, environment: dict[str, str], postgres_pid: int) -> Built:
    postgres_before, begun = cpu_of_tree(postgres_pid), time.monotonic()
    program = subprocess.Popen(
        ["taskset", "--cpu-list", str(core), *command], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(program.pid, 0)
    seconds = time.monotonic() - begun
    program.returncode = os.waitstatus_to_exitcode(status)
    if program.returncode:
        raise BenchmarkError(f"{' '.join(command)} ended with {program.returncode}")
    asked = cpu_of_tree(postgres_pid) - postgres_before
    return Built(len(_pages(site)), seconds, used.ru_utime + used.ru_stime + asked)


def _pages(site: Path) -> list[Path]:
    """Return the pages of a built site, without the copies to keep that only Presstally makes."""
    return [page for page in site.rglob("*.html") if COPIES not in page.relative_to(site).parts]


def _in_memory(made: Sequence[Article], core: int) -> Built:
    """Render the same documents without Postgres and without files: the time of templates and texts alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        begun, cpu_begun = time.monotonic(), time.process_time()
        pages = sum(document.media_type.startswith("text/html") for document in _documents(made))
        return Built(pages, time.monotonic() - begun, time.process_time() - cpu_begun)
    finally:
        os.sched_setaffinity(0, before)


def _documents(made: Sequence[Article]) -> Iterator[Document]:
    lists: dict[ListInfo, list[Article]] = defaultdict(list)
    for article, around in _with_surroundings(made):
        yield render_article(article, around, SAMPLE_SITE, PUBLIC_URL)
    for article in reversed(made):
        for of in _lists_of(article):
            lists[of].append(article)
    for of, listed in lists.items():
        for begin in range(0, len(listed), LIST_PAGE_SIZE):
            part = ListPage(
                listed[begin : begin + LIST_PAGE_SIZE],
                begin // LIST_PAGE_SIZE + 1,
                begin + LIST_PAGE_SIZE < len(listed),
            )
            yield render_list(of, part, SAMPLE_SITE, PUBLIC_URL)
    newest = list(reversed(made[-100:]))
    above = front_page.above_sections([], [], newest[:13])
    by_section = [(one, [a for a in newest if a.section == one.slug][:10]) for one in SAMPLE_SITE.sections]
    yield render_home(front_page.compose(above, front_page.BelowTheFold(by_section)), SAMPLE_SITE, PUBLIC_URL)
    for section in (None, *SAMPLE_SITE.sections):
        fed = [one for one in newest if section is None or one.section == section.slug][: feeds.FEED_ARTICLES_MAX]
        yield feeds.rss(fed, SAMPLE_SITE, section, PUBLIC_URL)
        yield feeds.atom(fed, SAMPLE_SITE, section, PUBLIC_URL)
    addresses = [(article_path(one), one.modified_at, hosted_images(one)[0].url) for one in made]
    yield sitemaps.urls(addresses, SAMPLE_SITE, PUBLIC_URL)


def _lists_of(article: Article) -> list[ListInfo]:
    section = SAMPLE_SITE.section(article.section)
    assert section is not None
    day = (article.published_at or article.modified_at).astimezone(SAMPLE_SITE.zone)
    month = ListInfo(month_path(day.year, day.month), month_name(day.year, day.month, "vi"), "archive")
    tags = [ListInfo(tag_path(tag), tag, "tag") for tag in article.tags]
    return [ListInfo(f"/{section.slug}/", section.name, "section", section), month, *tags]


def _with_surroundings(made: Sequence[Article]) -> Iterator[tuple[Article, RelatedArticles]]:
    of_section: dict[str, list[Article]] = defaultdict(list)
    of_tag: dict[str, list[Article]] = defaultdict(list)
    place = {}
    for article in made:
        place[article.number] = len(of_section[article.section])
        of_section[article.section].append(article)
    for article in made:
        row, here = of_section[article.section], place[article.number]
        shared = Counter(near.number for tag in article.tags for near in of_tag[tag][: -NEAR_MAX - 1 : -1])
        related = [made[number - 1] for number, _ in shared.most_common(RELATED_MAX)]
        newer, older = (row[at] if 0 <= at < len(row) else None for at in (here + 1, here - 1))
        yield article, RelatedArticles(newer, older, related)
        for tag in article.tags:
            of_tag[tag].append(article)
