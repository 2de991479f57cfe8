"""The page cache keeps recently used pages within its bound, and evicts pages by article."""

import time

from services.render.metrics import CACHE_BYTES
from services.render.pages.document import Document
from services.render.site.page_cache import PAGE_OVERHEAD_BYTES, CachedPage, PageCache, PageKey
from services.render.site.representations import REPRESENTATION_OVERHEAD_BYTES, Representations
from shared.sites import Site

SITE = Site(slug="site", name="S", origins=["https://s.example"], timezone="UTC")
PAGE_BYTES = 500
COST_BYTES = PAGE_BYTES + PAGE_OVERHEAD_BYTES + REPRESENTATION_OVERHEAD_BYTES


def page(*article_ids: str, expires_in: float = 60) -> CachedPage:
    representations = Representations(Document(b"x" * PAGE_BYTES))
    return CachedPage(representations, b"", (1, None), time.time() + expires_in, article_ids, SITE)


def serve(cache: PageCache, key: PageKey, one: CachedPage) -> None:
    cache.put(key, one)
    assert cache.response(key, one, {}).status == 200


def key(number: int) -> PageKey:
    return "site", f"/{number}", 1


def test_page_cache_over_its_bound_evicts_the_least_recently_used() -> None:
    """With room for two pages, a third one evicts the page that was not asked for longest."""
    cache = PageCache(2 * COST_BYTES)
    serve(cache, key(1), page())
    serve(cache, key(2), page())
    assert cache.get(key(1))
    serve(cache, key(3), page())
    assert [cache.get(key(number)) is not None for number in (1, 2, 3)] == [True, False, True]
    assert CACHE_BYTES._value.get() == 2 * COST_BYTES


def test_page_cache_counts_each_representation_once() -> None:
    """A second response of the same kind takes no more memory; a 304 takes its headers."""
    cache, one = PageCache(10 * COST_BYTES), page()
    serve(cache, key(1), one)
    cache.response(key(1), one, {})
    assert CACHE_BYTES._value.get() == COST_BYTES
    etag = one.representations.document.etag("identity")
    assert cache.response(key(1), one, {"if-none-match": etag}).status == 304
    assert CACHE_BYTES._value.get() == COST_BYTES + REPRESENTATION_OVERHEAD_BYTES


def test_page_cache_evicts_the_pages_of_an_article() -> None:
    """Every page that shows a withdrawn article goes; the others stay, and their memory is still counted."""
    cache = PageCache(10 * COST_BYTES)
    for number, articles in enumerate((("a",), ("a", "b"), ("c",))):
        serve(cache, key(number), page(*articles))
    assert cache.article_ids() == {"a", "b", "c"}
    assert cache.evict_articles({"a", "unknown"}) == 2
    assert cache.article_ids() == {"c"}
    cache.evict(key(0))  # evicted already
    cache.evict(None)
    serve(cache, key(3), page())
    assert CACHE_BYTES._value.get() == 2 * COST_BYTES


def test_cached_page_is_expired_from_its_time_on() -> None:
    """A page whose article is withdrawn by time is expired, whatever the site's version is."""
    assert not page(expires_in=5).is_expired()
    assert page(expires_in=-0.001).is_expired()


def test_page_that_another_thread_has_used_is_evicted_later() -> None:
    """A page that was served without moving it goes to the end before it would be evicted, once."""
    cache = PageCache(2 * COST_BYTES)
    first = page()
    serve(cache, key(1), first)
    serve(cache, key(2), page())
    first.was_used = True
    serve(cache, key(3), page())
    assert [cache.peek(key(number)) is not None for number in (1, 2, 3)] == [True, False, True]
    serve(cache, key(4), page())
    assert cache.peek(key(1)) is not None
    serve(cache, key(5), page())
    assert [cache.peek(key(number)) is not None for number in (1, 3, 4, 5)] == [False, False, True, True]
