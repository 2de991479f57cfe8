"""The quality of the search over a sample portal, judged by the queries of tests/bench/search_judgments.py."""

import asyncio
from typing import Any

import pytest

from services.render.builder import store
from services.render.site import search_reader
from tests.bench.search_articles import SEARCH_SITE, search_articles
from tests.bench.search_quality import measure, search_once

SEED = 20_261_125
NDCG_MIN = 0.92
NDCG_OF_KIND_MIN = 0.75
TITLES_FIRST_MIN = 0.99


async def test_search_of_judged_queries_finds_what_readers_expect(portal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """All kinds of queries have a high nDCG@10, an article is first for its own title, and no letter is guessed at."""
    samples = list(search_articles(SEED))
    for some in (samples[begin : begin + 4] for begin in range(0, len(samples), 4)):
        await asyncio.gather(*(store.save(portal.pool, sample.article, SEARCH_SITE) for sample in some))
    quality = await measure(portal.pool, samples)
    assert quality.titles_first >= TITLES_FIRST_MIN, quality.not_first
    assert quality.mean >= NDCG_MIN, quality.worst
    assert min(quality.by_kind.values()) >= NDCG_OF_KIND_MIN, quality.by_kind
    for spaced in ("1 234 567", "1\u00a0234\u00a0567 triệu", "295\u202f314"):
        assert len((await search_once(portal.pool, spaced)).articles) == 1, spaced
    for letter in ("a", "đ", "1", "a b"):
        assert not (await search_once(portal.pool, letter)).is_nearest, letter
    monkeypatch.setattr(search_reader, "SIMILAR_MAX", 5)  # of 19
    assert len((await search_once(portal.pool, "chợ phiênx")).articles) >= 5
