"""The public pages. Stateless; needs Postgres, and serves cached pages while Postgres is unavailable."""

import asyncio
import hashlib
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar
from urllib.parse import parse_qsl

import asyncpg
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.render.metrics import PAGES
from services.render.pages.document import HTML, Document
from services.render.pages.ended import UNTIL, next_end, without_ended
from services.render.pages.html import render_error
from services.render.pages.themes import theme_of
from services.render.site import page_reader
from services.render.site.page_cache import CachedPage, PageCache, PageKey
from services.render.site.page_reader import SiteVersion
from services.render.site.redirects_and_gone import NoPage, Redirect
from services.render.site.representations import (
    CACHE_IMMUTABLE,
    CACHE_NO_STORE,
    CROSS_ORIGIN_HEADERS,
    DENY_ALL_CSP,
    HeaderReader,
    Representations,
    as_response,
    campaign_query,
    page_csp,
    problem,
    redirect,
    security_headers,
)
from services.render.site.routes import PageRequest, RouteHandler, match_route, page_number
from services.render.site.site_versions import SiteVersionQuery, SiteVersionWatcher
from services.render.site.timed_site import valid_site
from shared.http.direct import DirectRequest
from shared.http.fair_limit import FairLimit
from shared.http.problems import Problem
from shared.logs import log
from shared.postgres import POSTGRES_DATA_ERRORS, POSTGRES_UNAVAILABLE
from shared.retry import run_periodically
from shared.single_flight import SingleFlight
from shared.sites import Site, Sites

HOSTS_MAX = 1_000
HOST_CHARACTERS_MAX = 253
RENDER_SECONDS_MAX = 6.0
"""A request that waits longer for its page gets 503."""
PAGES_RUNNING_MAX, SEARCHES_RUNNING_MAX = 6, 3
"""Pages and searches that are read and rendered at once: as many as there are connections. The callers take turns."""
PAGES_OF_ADDRESS_MAX, SEARCHES_OF_ADDRESS_MAX = 64, 16
"""Pages that are not cached, for one address at once: a school is one address."""
PAGES_MAX, SEARCHES_MAX = 512, 128
TURN_SECONDS_MAX = 3.0
EVICTION_SECONDS = 1.0
SEARCH = "/tim-kiem"
RETRY_AFTER = {"retry-after": "5"}
CACHE, CACHE_STALE = PAGES.labels("cache"), PAGES.labels("cache_stale")
FILE_BROTLI_QUALITY = 11
"""Files of a theme are compressed once in a process."""

PageResult = CachedPage | Redirect | NoPage
Read = TypeVar("Read")


def _file(document: Document, cache_control: str) -> Representations:
    best = replace(document, brotli_quality=FILE_BROTLI_QUALITY)
    headers = CROSS_ORIGIN_HEADERS if document.media_type.startswith("image/") else None
    return Representations(best, cache_control=cache_control, headers=headers, route="/theme")


class Pools(NamedTuple):
    """Separate connection pools for site versions, pages and searches: no rush on one takes them from another."""

    versions: asyncpg.Pool
    pages: asyncpg.Pool
    searches: asyncpg.Pool


class Portal:
    """Serves pages by site and URL."""

    def __init__(self, pools: Pools, sites: Sites, cache_bytes_max: int) -> None:
        self._pools = pools
        self._renders = SingleFlight[tuple[int, str, SiteVersion], PageResult]("render a page")
        self._page_turns = FairLimit(
            "pages",
            running_max=PAGES_RUNNING_MAX,
            in_progress_max=PAGES_MAX,
            of_caller_max=PAGES_OF_ADDRESS_MAX,
            wait_seconds_max=TURN_SECONDS_MAX,
        )
        self._search_turns = FairLimit(
            "searches",
            running_max=SEARCHES_RUNNING_MAX,
            in_progress_max=SEARCHES_MAX,
            of_caller_max=SEARCHES_OF_ADDRESS_MAX,
            wait_seconds_max=TURN_SECONDS_MAX,
        )
        self._sites = sites
        self._cache = PageCache(cache_bytes_max)
        query = SiteVersionQuery(pools.versions)
        self._versions, self._leases = SiteVersionWatcher(query.query), query.leases
        self._csps: dict[str, str] = {}
        self._icons: dict[str, Representations] = {}
        """By theme, as the policies. Those that no site has any more stay, for pages that browsers show."""
        self._files: dict[str, Representations] = {}
        self._take_over_sites()
        sites.on_change(self._take_over_sites)
        self._evicted_at: Mapping[str, SiteVersion] = {}
        """The sites' versions at the last eviction of withdrawn articles."""

    def _take_over_sites(self) -> None:
        """Read the sites' themes, and forget what depended on the former sites."""
        for site in self._sites.values():
            if site.theme in self._csps:
                continue
            theme = theme_of(site)
            self._csps[site.theme] = page_csp(theme.inline_script_hash)
            self._icons[site.theme] = _file(theme.assets[theme.paths["icon.svg"]], "public, max-age=86400")
            self._files |= {path: _file(asset, CACHE_IMMUTABLE) for path, asset in theme.assets.items()}
        self._hosts: dict[str, Site] = {}
        self._errors: dict[tuple[str, int], tuple[Site, Representations]] = {}
        """Error pages, and the site with what of its structure was valid when they were rendered."""
        self._structured: dict[str, Site] = {}
        """The sites with their structures, as they were last read: error pages have menus, too."""
        self._changed_at = datetime.fromtimestamp(self._sites.changed_at, UTC)

    def serve_direct(self, direct: DirectRequest) -> bool:
        """Send a file, or a cached page: at once under a lease of its site's version, or when the version was asked."""
        request = direct.request
        if request.method not in ("GET", "HEAD"):
            return False
        headers = request.headers
        file = self._files.get(direct.path)
        if file is not None:
            file.response(headers).send(direct.protocol)
            return True
        site = self.site_of(headers.get("host") or "")
        if direct.path == "/favicon.ico":
            icon = self._icons.get(site.theme)  # a site may be known a moment before its theme
            if icon is not None:
                icon.response(headers).send(direct.protocol)
            return icon is not None
        key = _cache_key(site, direct.path, request.query_string)
        page = self._cache.peek(key) if key else None
        if key is None or page is None or not self._versions.may_be_current(site.slug, page.site_version):
            return False
        if self._send_leased(page, site, direct, headers):
            return True
        self._versions.call_with_current(self._respond_direct, direct, site, key, headers)
        return True

    def _send_leased(self, page: CachedPage, site: Site, direct: DirectRequest, headers: HeaderReader) -> bool:
        """Send a cached page at once, if its site certainly has the same version still and the response is ready."""
        if page.site is not site or not self._leases.hold(site.slug, page.site_version) or page.is_expired():
            return False
        ready = page.representations.ready_response(headers)
        if ready is None:
            return False
        page.was_used = True
        CACHE.inc()
        ready.send(direct.protocol)
        if self._leases.are_due():
            self._versions.refresh()
        return True

    def _respond_direct(
        self,
        versions: Mapping[str, SiteVersion] | None,
        direct: DirectRequest,
        site: Site,
        key: PageKey,
        headers: HeaderReader,
    ) -> None:
        """Send a cached page, unless the site's version says that it is another one now."""
        page = self._cache.get(key)
        if page is None or not _is_valid(page, site, versions):
            direct.leave(None)
            return
        (CACHE_STALE if versions is None else CACHE).inc()
        if versions is None and page.ends_at <= time.time():
            page = self._cut_ended(key, page)
        self._cache.response(key, page, headers).send(direct.protocol)

    async def page(self, request: Request) -> Response:
        """`GET` any URL of the portal."""
        site = self.site_of(request.headers.get("host", ""))
        try:
            async with asyncio.timeout(RENDER_SECONDS_MAX):
                return await self._respond(request, site)
        except POSTGRES_DATA_ERRORS:  # a URL that cannot be stored cannot be a page
            return self.error(site, 404, request)
        except (Problem, *POSTGRES_UNAVAILABLE):  # a problem: too many pages are in progress
            return self.error(site, 503, request)
        except Exception as error:  # noqa: BLE001 - visitors get an error page, operators the traceback
            log.error("rendering a page failed", path=request.url.path, exc_info=error)
            return self.error(site, 500, request)

    async def _respond(self, request: Request, site: Site) -> Response:
        path, query = request.scope["path"], request.scope["query_string"].decode("latin-1")  # as received
        handler, page_request = match_route(path, query, dict(request.query_params), site.url)
        key = _cache_key(site, path, query)
        versions = await self._versions.current()
        cached = self._cache.get(key) if key else None
        if key and cached and _is_valid(cached, site, versions):
            (CACHE_STALE if versions is None else CACHE).inc()
            if versions is None and cached.ends_at <= time.time():
                cached = self._cut_ended(key, cached)
            return as_response(self._cache.response(key, cached, request.headers))
        if versions is None:
            return self.error(site, 503, request)
        version = versions.get(site.slug, page_reader.NO_VERSION)
        match result := await self._renders.run(
            (id(site), f"{path}?{query}", version), lambda: self._render_in_turn(site, handler, page_request, cached)
        ):
            case Redirect(to):
                self._cache.evict(key)
                return redirect(to, campaign_query(query))
            case NoPage(status):
                self._cache.evict(key)
                return self.error(site, status, request)
        if key is None:
            return as_response(result.representations.response(request.headers))
        if self._sites.get(site.slug) is site:
            self._cache.put(key, result)
        if not self._versions.may_be_current(site.slug, result.site_version):
            self._evicted_at = {}  # it may show an article that was withdrawn while it was rendered
        return as_response(self._cache.response(key, result, request.headers))

    async def _render_in_turn(
        self, site: Site, handler: RouteHandler, request: PageRequest, cached: CachedPage | None
    ) -> PageResult:
        turns = self._search_turns if request.path == SEARCH else self._page_turns
        async with turns.admit():
            return await self._render(site, handler, request, cached)

    async def _render(
        self, site: Site, handler: RouteHandler, request: PageRequest, cached: CachedPage | None
    ) -> PageResult:
        pool = self._pools.searches if request.path == SEARCH else self._pools.pages
        version, result, reader = await page_reader.read_snapshot(pool, site, lambda reader: handler(reader, request))
        self._structured[site.slug] = reader.whole_site or reader.site
        if isinstance(result, Redirect | NoPage):
            return result
        dependency_hash = hashlib.blake2b(repr(reader.dependencies).encode(), digest_size=16).digest()
        expires_at, article_ids = reader.expires_at.timestamp(), tuple(reader.article_ids)
        if cached is not None and cached.site is site and cached.dependency_hash == dependency_hash:
            PAGES.labels("revalidated").inc()  # the site changed, but nothing on this page
            representations, ends_at = cached.representations, cached.ends_at
            return CachedPage(representations, dependency_hash, version, expires_at, article_ids, site, ends_at)
        PAGES.labels("rendered").inc()
        document, changed_at = result(), version[1]
        if changed_at is not None:
            changed_at = max(changed_at, self._changed_at)
            if document.media_type == HTML:
                changed_at = max(changed_at, datetime.fromtimestamp(theme_of(site).changed_at, UTC))
        representations = Representations(document, csp=self._csp(site, document), changed_at=changed_at)
        if representations.finalize_in_seconds:
            asyncio.get_running_loop().call_later(
                representations.finalize_in_seconds, representations.finalize_last_modified
            )
        ends_at = _next_end(document)
        return CachedPage(representations, dependency_hash, version, expires_at, article_ids, site, ends_at)

    def _cut_ended(self, key: PageKey, page: CachedPage) -> CachedPage:
        """Keep a page without what has ended on it while there was no database to make it again."""
        now, before = datetime.now(UTC), page.representations.document
        document = replace(before, body=without_ended(before.body.decode(), now).encode())
        representations = Representations(document, csp=self._csp(page.site, document), changed_at=now)
        cut = CachedPage(
            representations, b"", page.site_version, page.expires_at, page.article_ids, page.site, _next_end(document)
        )
        self._cache.put(key, cut)
        return cut

    async def evict_withdrawn(self) -> None:
        """Evict pages with withdrawn articles, so that they are not served if Postgres becomes unavailable next.

        Does nothing if no site changed since the last time. It also finds out whether Postgres is available again.
        """
        versions = await self._versions.recheck()
        if versions is None or versions == self._evicted_at:
            return
        self._evicted_at = versions
        checked, hidden = {page_reader.ANY_ARTICLE}, set[str]()
        try:
            while article_ids := self._cache.article_ids() - checked:  # again, if pages were added meanwhile
                hidden |= await page_reader.hidden_articles(self._pools.pages, article_ids)
                checked |= article_ids
        except BaseException:
            self._evicted_at = {}
            raise
        if hidden:
            count = self._cache.evict_articles(hidden | {page_reader.ANY_ARTICLE})
            log.info("evicted pages with withdrawn articles", articles=len(hidden), pages=count)

    async def run_eviction(self) -> None:
        """Evict pages with withdrawn articles each second."""
        await run_periodically(
            self.evict_withdrawn,
            every_seconds=EVICTION_SECONDS,
            on=POSTGRES_UNAVAILABLE,
            what="evict withdrawn articles",
        )

    def site_of(self, host: str) -> Site:
        """Return the site of a request's host."""
        hosts = self._hosts  # a change of the sites replaces it, and direct requests come from another thread
        site = hosts.get(host)
        if site is None:
            site = self._sites.by_host(host)
            if len(hosts) < HOSTS_MAX and len(host) <= HOST_CHARACTERS_MAX:
                hosts[host] = site
        return site

    def error(self, site: Site, status: int, request: Request) -> Response:
        """Return a site's page of an error, which is not cached."""
        PAGES.labels("error").inc()
        shown, _ = valid_site(self._structured.get(site.slug, site), datetime.now(UTC))
        known, representations = self._errors.get((site.slug, status), (None, None))
        if representations is None or known is not shown:
            document = render_error(shown, site.url, status)
            representations = Representations(
                document,
                status=status,
                csp=self._csp(site, document),
                cache_control=CACHE_NO_STORE,
                headers=RETRY_AFTER if status == 503 else None,
            )
            self._errors[site.slug, status] = shown, representations
        return as_response(representations.response(request.headers))

    def headers(self, site: Site, document: Document) -> dict[str, str]:
        """Return the security headers of a document of a site."""
        return security_headers(self._csp(site, document))

    async def read(self, site: Site, read: Callable[[page_reader.PageReader], Awaitable[Read]]) -> Read:
        """Read from a site in one snapshot, in turn with its pages.

        Raises:
            Problem: too many pages are in progress.
        """
        async with self._page_turns.admit():
            _, result, _ = await page_reader.read_snapshot(self._pools.pages, site, read)
        made: Read = result
        return made

    def _csp(self, site: Site, document: Document) -> str:
        return self._csps[site.theme] if document.media_type == HTML else DENY_ALL_CSP

    def warnings(self) -> list[str]:
        """Return what an operator should know although pages are served."""
        reason = self._versions.unavailable_reason
        return [f"Postgres is unavailable, serving cached pages: {reason}"] if reason else []


def _cache_key(site: Site, path: str, query: str) -> PageKey | None:
    """Return a page's cache key; None: it is rendered for each request, as its query may mean anything."""
    if path == SEARCH or (path == "/" and query):  # a query of the home page may be an old URL
        return None
    is_list = path.endswith("/") and query
    return site.slug, path, page_number(dict(parse_qsl(query, keep_blank_values=True))) if is_list else 1


def _next_end(document: Document) -> float:
    """Return when the next element of a document ends, in seconds since 1970."""
    at = next_end(document.body.decode()) if document.media_type == HTML and UNTIL in document.body else None
    return math.inf if at is None else at.timestamp()


def _is_valid(page: CachedPage, site: Site, versions: Mapping[str, SiteVersion] | None) -> bool:
    """Return whether a cached page may be served: its site did not change, or Postgres is unavailable.

    After a change of its configuration a site is another object.
    """
    is_current = versions is None or (
        page.site is site and versions.get(site.slug, page_reader.NO_VERSION) == page.site_version
    )
    return is_current and not page.is_expired()


class MethodNotAllowed:
    """Responds to every method but `GET` and `HEAD`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond with 405."""
        refused = problem(405, "Only GET and HEAD are allowed.", allow="GET, HEAD")
        await refused.response()(scope, receive, send)
