"""How good the portal's search is: nDCG@10 of judged queries, and whether each exact title comes first."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from math import log2
from statistics import fmean
from typing import Any

import asyncpg

from services.render.pages.search_query import PAGE_RESULTS, SearchRequest, SearchResult
from services.render.site.page_reader import PageReader, read_snapshot
from services.render.site.search_reader import search
from shared.postgres import open_pool
from shared.text import fold_diacritics
from tests.bench.infrastructure import Infrastructure
from tests.bench.options import Options
from tests.bench.portal import fill
from tests.bench.search_articles import SEARCH_SITE, SampleArticle, search_articles
from tests.bench.search_judgments import JudgedQuery, judged_queries


@dataclass(frozen=True)
class Quality:
    """What was measured.

    Attributes:
        by_kind: The mean nDCG@10 of the queries of each kind.
        mean: Of all queries.
        worst: The worst queries, each with its nDCG@10.
        titles_first: The share of articles that are first for their own title; with and without diacritics.
        not_first: The titles of the others.
    """

    by_kind: Mapping[str, float]
    mean: float
    worst: Sequence[tuple[str, float]]
    titles_first: float
    not_first: Sequence[str]


def ndcg(grades: Sequence[int], possible: Sequence[int]) -> float:
    """Return nDCG@10 of the grades of a result's articles, of which `possible` is all there are."""
    best = _gain(sorted(possible, reverse=True))
    return _gain(grades) / best if best else 1.0


def _gain(grades: Sequence[int]) -> float:
    return sum(float(2**grade - 1) / log2(place + 1) for place, grade in enumerate(grades[:PAGE_RESULTS], 1))


async def search_once(pool: asyncpg.Pool, query: str) -> SearchResult:
    """Search as the portal does."""

    async def read(reader: PageReader) -> Any:
        return await search(reader, SearchRequest(query))

    _, result, _ = await read_snapshot(pool, SEARCH_SITE, read)
    assert isinstance(result, SearchResult)
    return result


async def measure(pool: asyncpg.Pool, samples: Sequence[SampleArticle]) -> Quality:
    """Search for each judged query and for each title."""
    keys = {sample.article.id: sample.key for sample in samples}
    scores: list[tuple[JudgedQuery, float]] = []
    for judged in judged_queries():
        found = (await search_once(pool, judged.query)).articles
        grades = [judged.grade(keys[article.id]) for article in found]
        scores.append((judged, ndcg(grades, [judged.grade(key) for key in keys.values()])))
    not_first = []
    for sample in samples:
        for title in (sample.article.title, fold_diacritics(sample.article.title)):
            found = (await search_once(pool, title)).articles
            if not found or found[0].id != sample.article.id:
                not_first.append(title)
    by_kind = defaultdict(list)
    for judged, score in scores:
        by_kind[judged.kind].append(score)
    return Quality(
        by_kind={kind: fmean(values) for kind, values in by_kind.items()},
        mean=fmean(score for _, score in scores),
        worst=sorted(((judged.query, score) for judged, score in scores), key=lambda one: one[1])[:12],
        titles_first=1 - len(not_first) / (2 * len(samples)),
        not_first=not_first,
    )


def search_quality(infrastructure: Infrastructure, options: Options, pool: Executor) -> None:
    """Judge the search: nDCG@10 of 140 queries over 367 articles, and exact titles that come first."""
    samples = list(search_articles(options.seed))
    with infrastructure.counting("127.0.0.1:1") as copy:
        quality = asyncio.run(_measure(copy.database, samples))
    for kind, value in quality.by_kind.items():
        print(f"  nDCG@10 {kind:<20}{value:.3f}", flush=True)
    print(f"  nDCG@10 of all {quality.mean:.3f}; exact titles first: {quality.titles_first:.1%}", flush=True)
    print("  worst: " + ", ".join(f"{query} ({score:.2f})" for query, score in quality.worst), flush=True)


async def _measure(database: str, samples: Sequence[SampleArticle]) -> Quality:
    await fill(database, [sample.article for sample in samples], SEARCH_SITE)
    pool = await open_pool(database, role="presstally_render", size=1)
    try:
        return await measure(pool, samples)
    finally:
        await pool.close()
