"""Role `site`: the public pages. Stateless; needs Postgres, and serves what it remembers while Postgres is away."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import asyncpg
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.render import reading
from services.render.cache import Entry, Looks, Shelf, count
from services.render.documents import HTML, Document
from services.render.images import Images
from services.render.pages import render_error
from services.render.settings import RenderSettings
from services.render.surfaces import Absent, Asked, Moved, Surface, find
from services.render.themes import theme_of
from shared.encodings import is_known, takes_gzip
from shared.logs import log
from shared.media import open_store
from shared.postgres import POSTGRES_AWAY, POSTGRES_UNFIT, open_pool
from shared.process import Process, Role
from shared.sites import Site, Sites, read_sites

SAFE_HEADERS = {"x-content-type-options": "nosniff", "referrer-policy": "strict-origin-when-cross-origin"}
PAGE_HEADERS = {
    **SAFE_HEADERS,
    "cache-control": "public, max-age=0, must-revalidate",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), browsing-topics=()",
}
POLICY = (
    "default-src 'none'; script-src 'self' 'sha256-{}'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; media-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
"""With the checksum of the theme's early script."""
OTHER_HEADERS = {**SAFE_HEADERS, "cache-control": "public, max-age=0, must-revalidate"}
FOR_EVER = "public, max-age=31536000, immutable"
HOSTS_MAX = 1_000


class Portal:
    """Serves pages by site and address."""

    def __init__(
        self, pool: asyncpg.Pool, looking: asyncpg.Pool, sites: Sites, public_url: str | None, cache_bytes_max: int
    ) -> None:
        self._pool = pool
        self._looking = looking
        self._making: dict[tuple[str, str], tuple[reading.Look, asyncio.Task[Entry | Moved | Absent]]] = {}
        self._sites = sites
        self._public_url = public_url
        self._shelf = Shelf(cache_bytes_max)
        self._looks = Looks(self._look)
        self._hosts: dict[str, Site] = {}
        self._page_headers = {
            site.slug: {**PAGE_HEADERS, "content-security-policy": POLICY.format(theme_of(site).early_script_hash)}
            for site in sites.values()
        }
        self._assets = {path: asset for site in sites.values() for path, asset in theme_of(site).assets.items()}

    async def page(self, request: Request) -> Response:
        """`GET` anything of the portal."""
        site = self._site(request.headers.get("host", ""))
        try:
            return await self._answer(request, site)
        except POSTGRES_UNFIT:  # an address that cannot be stored cannot be a page
            return self._error(site, 404)
        except POSTGRES_AWAY:
            return self._error(site, 503, {"retry-after": "5"})
        except Exception as error:  # noqa: BLE001 - readers get a page, operators the trace
            log.error("A page cannot be made", path=request.url.path, exc_info=error)
            return self._error(site, 500)

    async def _answer(self, request: Request, site: Site) -> Response:
        path, query = request.scope["path"], request.scope["query_string"].decode("latin-1")  # as they came
        surface, asked = find(path, query, dict(request.query_params), self._url(site))
        keeps = path != "/tim-kiem" and not (path == "/" and query)  # a query may be a former address
        place = (site.slug, f"{path}?{asked.page}")
        entry = self._shelf.get(place) if keeps else None
        look = await self._looks.now(site.slug)
        if entry is not None and not entry.is_over() and (look is None or look == entry.look):
            count("memory" if look else "memory_alone")
            return self._document(request, site, entry)
        if look is None:
            return self._error(site, 503, {"retry-after": "5"})
        match made := await self._once(
            (site.slug, f"{path}?{query}"), look, lambda: self._make(site, surface, asked, entry)
        ):
            case Moved(to):
                return RedirectResponse(quote(to), 301, {**SAFE_HEADERS, "cache-control": "no-cache"})
            case Absent(status):
                self._shelf.drop(place)
                return self._error(site, status)
        if keeps:
            self._shelf.put(place, made)
        return self._document(request, site, made)

    async def _once(
        self,
        place: tuple[str, str],
        look: reading.Look,
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
        look, outcome, reader = await reading.at_one_moment(self._pool, site, lambda reader: surface(reader, asked))
        if isinstance(outcome, Moved | Absent):
            return outcome
        if entry is not None and entry.key == reader.key:  # something of the site changed, but nothing of this page
            count("unchanged")
            return Entry(entry.document, entry.key, look, entry.changed_at, reader.until)
        count("made")
        return Entry(outcome(), reader.key, look, look[1], reader.until)

    async def _look(self, site: str) -> reading.Look:
        return await reading.look(self._looking, self._sites[site])

    def _site(self, host: str) -> Site:
        site = self._hosts.get(host)
        if site is None:
            site = self._sites.of_host(host)
            if len(self._hosts) < HOSTS_MAX:
                self._hosts[host] = site
        return site

    def _error(self, site: Site, status: int, headers: dict[str, str] | None = None) -> Response:
        count("error")
        document = render_error(site, self._url(site), status)
        kept = {"cache-control": "no-store", **(headers or {})}
        return _bytes(document, status, {**self._page_headers[site.slug], **kept})

    def _document(self, request: Request, site: Site, entry: Entry) -> Response:
        document = entry.document
        changed_at = entry.changed_at or datetime(2026, 1, 1, tzinfo=UTC)
        headers = OTHER_HEADERS
        if document.media_type == HTML:
            headers = self._page_headers[site.slug]
            changed_at = max(changed_at, datetime.fromtimestamp(theme_of(site).changed_at, UTC))
        return _answer(request, document, changed_at.replace(microsecond=0), headers)

    def _url(self, site: Site) -> str:
        return self._public_url or site.origins[0]

    async def asset(self, request: Request) -> Response:
        """`GET /theme/NAME`: a file of a theme, for ever."""
        document = self._assets.get(request.url.path)
        if document is None:
            return self._error(self._site(request.headers.get("host", "")), 404)
        headers = {**SAFE_HEADERS, "cache-control": FOR_EVER}
        return _answer(request, document, datetime(2026, 1, 1, tzinfo=UTC), headers)

    async def icon(self, request: Request) -> Response:
        """`GET /favicon.ico`: for browsers that ask without having been told of another."""
        theme = theme_of(self._site(request.headers.get("host", "")))
        return _bytes(
            theme.assets[theme.paths["icon.svg"]], 200, {**SAFE_HEADERS, "cache-control": "public, max-age=86400"}
        )

    def concerns(self) -> list[str]:
        """What an operator should know though pages are served."""
        away = self._looks.away
        return [f"Postgres does not answer, pages come from memory: {away}"] if away else []


def _answer(request: Request, document: Document, changed_at: datetime, headers: dict[str, str]) -> Response:
    body, tag, encoding = document.body, document.tag, {}
    if document.gzipped is not None and takes_gzip(request.headers.get("accept-encoding", "")):
        body, tag, encoding = document.gzipped, f"{tag}-gz", {"content-encoding": "gzip"}
    headers = {**headers, "etag": f'"{tag}"', "last-modified": format_datetime(changed_at, usegmt=True)}
    headers["vary"] = "accept-encoding"
    if _is_known(request, document.tag, changed_at):
        return Response(None, 304, headers)
    return _bytes(Document(body, document.media_type), 200, {**headers, **encoding})


def _bytes(document: Document, status: int, headers: dict[str, str]) -> Response:
    return Response(document.body, status, {**headers, "content-type": document.media_type})


def _is_known(request: Request, tag: str, changed_at: datetime) -> bool:
    known = request.headers.get("if-none-match")
    if known is not None:
        return any(is_known(f'"{form}"', known) for form in (tag, f"{tag}-gz"))
    try:
        since = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
    except ValueError:
        return False
    return since.tzinfo is not None and changed_at <= since


@asynccontextmanager
async def site(settings: RenderSettings, process: Process) -> AsyncIterator[Role]:
    """Run the public pages."""
    url = settings.database_url.get_secret_value()
    pool = await open_pool(url, role="presstally_render", statement_timeout_seconds=3)
    looking = await open_pool(url, role="presstally_render", size=2, statement_timeout_seconds=1)
    portal = Portal(pool, looking, read_sites(settings.sites), settings.public_url, settings.page_cache_bytes_max)
    images = Images(open_store(settings.media))
    try:
        yield Role(
            "site",
            routes=[
                Route("/theme/{name}", portal.asset),
                Route("/favicon.ico", portal.icon),
                Route("/media/{name}", images.image),
                Route("/{path:path}", portal.page),
            ],
            concerns=portal.concerns,
        )
    finally:
        pool.terminate()
        looking.terminate()
