"""Role `site`: the public pages. Stateless; needs Postgres, and serves what it remembers while Postgres is away."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import asyncpg
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.render.metrics import PAGES
from services.render.pages.document import HTML, Document
from services.render.pages.html import render_error
from services.render.pages.themes import theme_of
from services.render.site import page_reader
from services.render.site.page_cache import Entry, Place, Shelf
from services.render.site.responses import (
    FOR_EVER,
    FOR_OTHERS,
    NO_PAGE_POLICY,
    NOT_KEPT,
    Forms,
    as_response,
    moved,
    page_policy,
    problem,
)
from services.render.site.routes import Absent, Asked, Moved, Surface, find, page_asked
from services.render.site.site_versions import Lookout, Looks
from shared.http.rsgi import RsgiRequest
from shared.logs import log
from shared.postgres import POSTGRES_DATA_ERRORS, POSTGRES_UNAVAILABLE
from shared.retry import run_periodically
from shared.role import CachedResponse
from shared.sites import Site, Sites

HOSTS_MAX = 1_000
HOST_CHARACTERS_MAX = 253
MAKE_SECONDS_MAX = 6.0
"""After which whoever waits for a page hears that it cannot be made now."""
SWEEP_SECONDS = 1.0
SEARCH = "/tim-kiem"
SOON = {"retry-after": "5"}
CACHE, CACHE_STALE = PAGES.labels("cache"), PAGES.labels("cache_stale")
BROTLI_QUALITY_OF_FILES = 11
"""They are compressed once, for ever."""


def _file(document: Document, cache_control: str) -> Forms:
    best = replace(document, brotli_quality=BROTLI_QUALITY_OF_FILES)
    others = FOR_OTHERS if document.media_type.startswith("image/") else None
    return Forms(best, cache_control=cache_control, headers=others, route="/theme")


class Pools(NamedTuple):
    """Connections of their own for looks, pages and searches: no rush on one takes them from another."""

    looks: asyncpg.Pool
    pages: asyncpg.Pool
    searches: asyncpg.Pool


class Portal:
    """Serves pages by site and address."""

    def __init__(self, pools: Pools, sites: Sites, public_url: str | None, cache_bytes_max: int) -> None:
        self._pools = pools
        self._making: dict[tuple[str, str], tuple[page_reader.Look, asyncio.Task[Entry | Moved | Absent]]] = {}
        self._sites = sites
        self._public_url = public_url
        self._shelf = Shelf(cache_bytes_max)
        self._looks = Looks(Lookout(pools.looks).look)
        self._hosts: dict[str, Site] = {}
        themes = {site.slug: theme_of(site) for site in sites.values()}
        self._policies = {slug: page_policy(theme.early_script_hash) for slug, theme in themes.items()}
        self._files = {
            path: _file(asset, FOR_EVER) for theme in themes.values() for path, asset in theme.assets.items()
        }
        self._icons = {
            slug: _file(theme.assets[theme.paths["icon.svg"]], "public, max-age=86400")
            for slug, theme in themes.items()
        }
        self._errors: dict[tuple[str, int], Forms] = {}
        self._swept: Mapping[str, page_reader.Look] = {}

    async def cached_response(self, request: RsgiRequest) -> CachedResponse | None:
        """Return a page that is in memory, once a look has told that it is right; and files, which are always right."""
        if request.method not in ("GET", "HEAD"):
            return None
        path, headers = request.path, request.headers
        file = self._files.get(path)
        if file is not None:
            return file.answer(headers)
        site = self._site(headers.get("host") or "")
        if path == "/favicon.ico":
            return self._icons[site.slug].answer(headers)
        place = _place(site, path, request.query_string)
        entry = self._shelf.get(place) if place else None
        if place is None or entry is None or not self._looks.may_stand(site.slug, entry.look):
            return None
        looks = await self._looks.now()
        if not _is_right(entry, site, looks):
            return None
        (CACHE_STALE if looks is None else CACHE).inc()
        return self._shelf.answer(place, entry, headers)

    async def page(self, request: Request) -> Response:
        """`GET` anything of the portal."""
        site = self._site(request.headers.get("host", ""))
        try:
            async with asyncio.timeout(MAKE_SECONDS_MAX):
                return await self._answer(request, site)
        except POSTGRES_DATA_ERRORS:  # an address that cannot be stored cannot be a page
            return self._error(site, 404, request)
        except POSTGRES_UNAVAILABLE:
            return self._error(site, 503, request)
        except Exception as error:  # noqa: BLE001 - readers get a page, operators the trace
            log.error("A page cannot be made", path=request.url.path, exc_info=error)
            return self._error(site, 500, request)

    async def _answer(self, request: Request, site: Site) -> Response:
        path, query = request.scope["path"], request.scope["query_string"].decode("latin-1")  # as they came
        surface, asked = find(path, query, dict(request.query_params), self._url(site))
        place = _place(site, path, query)
        looks = await self._looks.now()
        entry = self._shelf.get(place) if place else None
        if place and entry and _is_right(entry, site, looks):
            (CACHE_STALE if looks is None else CACHE).inc()
            return as_response(self._shelf.answer(place, entry, request.headers))
        if looks is None:
            return self._error(site, 503, request)
        look = looks.get(site.slug, page_reader.NEVER_WRITTEN)
        match made := await self._once(
            (site.slug, f"{path}?{query}"), look, lambda: self._make(site, surface, asked, entry)
        ):
            case Moved(to):
                self._shelf.drop(place)
                return moved(to)
            case Absent(status):
                self._shelf.drop(place)
                return self._error(site, status, request)
        if place is None:
            return as_response(made.forms.answer(request.headers))
        self._shelf.put(place, made)
        if not self._looks.may_stand(site.slug, made.look):
            self._swept = {}  # it may show what was withdrawn while it was made
        return as_response(self._shelf.answer(place, made, request.headers))

    async def _once(
        self,
        place: tuple[str, str],
        look: page_reader.Look,
        make: Callable[[], Coroutine[Any, Any, Entry | Moved | Absent]],
    ) -> Entry | Moved | Absent:
        """Let all who want the same page at the same look wait for one making of it."""
        under_way = self._making.get(place)
        if under_way is not None and under_way[0] == look:
            return await asyncio.shield(under_way[1])
        task = asyncio.create_task(make())
        self._making[place] = look, task
        task.add_done_callback(lambda _: self._making.pop(place) if self._making.get(place) == (look, task) else None)
        return await asyncio.shield(task)

    async def _make(self, site: Site, surface: Surface, asked: Asked, entry: Entry | None) -> Entry | Moved | Absent:
        pool = self._pools.searches if asked.path == SEARCH else self._pools.pages
        look, outcome, reader = await page_reader.at_one_moment(pool, site, lambda reader: surface(reader, asked))
        if isinstance(outcome, Moved | Absent):
            return outcome
        key = hashlib.blake2b(repr(reader.key).encode(), digest_size=16).digest()
        shows = tuple(reader.shows)
        if entry is not None and entry.key == key:
            PAGES.labels("revalidated").inc()  # something of the site changed, but nothing of this page
            return Entry(entry.forms, key, look, reader.until.timestamp(), shows)
        PAGES.labels("rendered").inc()
        document, changed_at = outcome(), look[1]
        if document.media_type == HTML and changed_at is not None:
            changed_at = max(changed_at, datetime.fromtimestamp(theme_of(site).changed_at, UTC))
        forms = Forms(document, policy=self._policy(site, document), changed_at=changed_at)
        if forms.settles_in:
            asyncio.get_running_loop().call_later(forms.settles_in, forms.settle)
        return Entry(forms, key, look, reader.until.timestamp(), shows)

    async def sweep(self) -> None:
        """Forget what was withdrawn, so that it is not served should Postgres go away before anybody asks for it.

        Does nothing if nothing has changed since the last time. It also finds out whether Postgres is back.
        """
        looks = await self._looks.again()
        if looks is None or looks == self._swept:
            return
        self._swept = looks
        checked, gone = {page_reader.ANY}, set[str]()
        try:
            while shown := self._shelf.shown() - checked:  # again, if more was made meanwhile
                gone |= await page_reader.withdrawn(self._pools.pages, shown)
                checked |= shown
        except BaseException:
            self._swept = {}
            raise
        if gone:
            count = self._shelf.drop_showing(gone | {page_reader.ANY})
            log.info("Forgot pages that show what was withdrawn", articles=len(gone), pages=count)

    async def sweep_forever(self) -> None:
        """Evict pages that show withdrawn articles, each second."""
        await run_periodically(
            self.sweep, every_seconds=SWEEP_SECONDS, on=POSTGRES_UNAVAILABLE, what="evict withdrawn articles"
        )

    def _site(self, host: str) -> Site:
        site = self._hosts.get(host)
        if site is None:
            site = self._sites.by_host(host)
            if len(self._hosts) < HOSTS_MAX and len(host) <= HOST_CHARACTERS_MAX:
                self._hosts[host] = site
        return site

    def _error(self, site: Site, status: int, request: Request) -> Response:
        PAGES.labels("error").inc()
        forms = self._errors.get((site.slug, status))
        if forms is None:
            document = render_error(site, self._url(site), status)
            forms = Forms(
                document,
                status=status,
                policy=self._policy(site, document),
                cache_control=NOT_KEPT,
                headers=SOON if status == 503 else None,
            )
            self._errors[site.slug, status] = forms
        return as_response(forms.answer(request.headers))

    def _policy(self, site: Site, document: Document) -> str:
        return self._policies[site.slug] if document.media_type == HTML else NO_PAGE_POLICY

    def _url(self, site: Site) -> str:
        return self._public_url or site.origins[0]

    def concerns(self) -> list[str]:
        """What an operator should know though pages are served."""
        away = self._looks.away
        return [f"Postgres does not answer, pages come from memory: {away}"] if away else []


def _place(site: Site, path: str, query: str) -> Place | None:
    """Return under what a page is kept. None: it is made for each request, as its query may mean anything."""
    if path == SEARCH or (path == "/" and query):  # a query of the home page may be a former address
        return None
    is_list = path.endswith("/") and query
    return site.slug, path, page_asked(dict(parse_qsl(query, keep_blank_values=True))) if is_list else 1


def _is_right(entry: Entry, site: Site, looks: Mapping[str, page_reader.Look] | None) -> bool:
    """Tell whether an entry may be served: nothing has changed since it was made, or nobody can tell."""
    stands = looks is None or looks.get(site.slug, page_reader.NEVER_WRITTEN) == entry.look
    return stands and not entry.is_over()


class _Refusal:
    """Answers whatever is not `GET` or `HEAD`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = problem(405, "Pages can only be read.", allow="GET, HEAD")
        await refused.response()(scope, receive, send)
