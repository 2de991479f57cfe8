"""Rendered pages in memory. A page is served while its site's version is current, or while Postgres is unavailable."""

import math
import time
from collections import OrderedDict
from dataclasses import dataclass

from services.render.metrics import CACHE_BYTES
from services.render.site.page_reader import SiteVersion
from services.render.site.representations import HeaderReader, Representations
from shared.role import CachedResponse
from shared.sites import Site

PAGE_OVERHEAD_BYTES = 1_500
"""Memory that a cached page takes besides its representations."""


PageKey = tuple[str, str, int]
"""Site, path, and page number of a list."""


@dataclass(slots=True)
class CachedPage:
    """A rendered page, and what it was rendered from."""

    representations: Representations
    dependency_hash: bytes
    """Of `PageReader.dependencies`."""
    site_version: SiteVersion
    """The newest version of the site at which the page was known to be right."""
    expires_at: float
    """When it must not be served any more, in seconds since 1970."""
    article_ids: tuple[str, ...]
    """The articles on it, as in `PageReader.article_ids`."""
    site: Site
    """As it was configured when the page was rendered."""
    ends_at: float = math.inf
    """When the next element of it ends, in seconds since 1970: with a database, its site has another version then."""
    counted_bytes: int = 0
    was_used: bool = False
    """By a thread that cannot move it to the end of the cache: it is moved before it would be evicted."""

    def is_expired(self) -> bool:
        """Return whether it must not be served any more."""
        return time.time() >= self.expires_at


class PageCache:
    """Pages by key, with a limit on their memory; the least recently used are evicted first."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._pages: OrderedDict[PageKey, CachedPage] = OrderedDict()

    def get(self, key: PageKey) -> CachedPage | None:
        """Return a page, if it is cached."""
        page = self._pages.get(key)
        if page is not None:
            self._pages.move_to_end(key)
        return page

    def peek(self, key: PageKey) -> CachedPage | None:
        """Return a page without taking note of its use: a single step, which any thread may take."""
        return self._pages.get(key)

    def put(self, key: PageKey, page: CachedPage) -> None:
        """Cache a page; its memory counts from its first response on."""
        self.evict(key)
        self._pages[key] = page

    def response(self, key: PageKey, page: CachedPage, headers: HeaderReader) -> CachedResponse:
        """Return the response to a request, and count the memory of a representation made for it."""
        response = page.representations.response(headers)
        if page.counted_bytes != page.representations.bytes_size and self._pages.get(key) is page:
            self._count(page)
        return response

    def _count(self, page: CachedPage) -> None:
        overhead = 0 if page.counted_bytes else PAGE_OVERHEAD_BYTES
        self._bytes += page.representations.bytes_size - page.counted_bytes + overhead
        page.counted_bytes = page.representations.bytes_size
        while self._bytes > self._bytes_max:
            oldest, found = next(iter(self._pages.items()))
            if found.was_used:
                found.was_used = False
                self._pages.move_to_end(oldest)
            else:
                self.evict(oldest)
        CACHE_BYTES.set(self._bytes)

    def evict(self, key: PageKey | None) -> None:
        """Remove a page, if it is cached."""
        page = self._pages.pop(key, None) if key else None
        if page is not None and page.counted_bytes:
            self._bytes -= page.counted_bytes + PAGE_OVERHEAD_BYTES
            page.counted_bytes = 0

    def article_ids(self) -> set[str]:
        """Return the ids of all articles that are on cached pages."""
        return {one for page in self._pages.values() for one in page.article_ids}

    def evict_articles(self, article_ids: set[str]) -> int:
        """Remove the pages that show any of these articles, and return how many they were."""
        keys = [key for key, page in self._pages.items() if not article_ids.isdisjoint(page.article_ids)]
        for key in keys:
            self.evict(key)
        return len(keys)
