"""The counter over HTTP. Stateless; reads a fixed number of rows for a counter, at most once a second."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any, Literal, get_args

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from services.stats.counter_api.badge import SHOWS, THEMES, badge
from services.stats.counter_api.counter_cache import CounterCache, CounterKey, CountsUnavailable, TooManyReads
from services.stats.counter_api.counter_query import CounterValues, Window
from services.stats.counter_api.fragment import fragment
from services.stats.counter_api.live_stream import LiveStreams
from services.stats.metrics import COUNTER_REJECTIONS
from services.stats.query_params import ANY_ORIGIN, choice_param
from shared.events import ARTICLE_CHARACTERS_MAX, Measure
from shared.http.client_address import Network, client_address
from shared.http.direct import DirectRequest
from shared.http.negotiation import etag_matches
from shared.http.problems import Problem
from shared.http.security_headers import STYLED_CSP
from shared.metrics import HTTP_CACHED_RESPONSES
from shared.role import CachedResponse
from shared.sites import Site, Sites
from shared.translations import ui_language

Form = Literal["", ".svg", ".html"]
FORMS: tuple[Form, ...] = get_args(Form)

CACHE_CONTROL = "public, max-age=1, stale-while-revalidate=10"
PREPARED_MAX = 2_048
SECURITY = (("x-content-type-options", "nosniff"), ("content-security-policy", STYLED_CSP))
"""Of the counter in each form: whatever a browser takes it for, nothing in it runs, and no page frames it."""


@dataclass(frozen=True, slots=True)
class _PreparedResponse:
    """A response as bytes, valid while its counter is fresh."""

    fresh_until: float
    etag: str
    full: CachedResponse
    not_modified: CachedResponse

    def for_client(self, if_none_match: str | None) -> CachedResponse:
        """Return 304 if the client has it already."""
        known = if_none_match is not None and (self.etag in if_none_match or if_none_match == "*")
        return self.not_modified if known else self.full


class CounterEndpoints:
    """The counter's HTTP side."""

    def __init__(
        self, sites: Sites, counters: CounterCache, live: LiveStreams, trusted_proxies: tuple[Network, ...] = ()
    ) -> None:
        self._sites = sites
        self._counters = counters
        self._live = live
        self._trusted_proxies = trusted_proxies
        self._prepared: dict[tuple[str, str], _PreparedResponse] = {}
        """By path and query, the newest last. Only known parameters are here, so that clients cannot fill it."""

    def serve_direct(self, direct: DirectRequest) -> bool:
        """Send the response of a counter's URL if it is fresh: 10,000 clients cost one query."""
        request = direct.request
        ready = self._prepared.get((direct.path, request.query_string))
        if ready is None or request.method != "GET" or time.monotonic() >= ready.fresh_until:
            return False
        ready.for_client(request.headers.get("if-none-match")).send(direct.protocol)
        return True

    async def counter(self, request: Request, form: Form) -> Response:
        """`GET /stats/{site}[/articles/{id}]/counter[.svg|.html]`: an article's views by default."""
        site = self._site(request)
        article = request.path_params.get("article")
        if article is not None and not (len(article) <= ARTICLE_CHARACTERS_MAX and article.isprintable()):
            raise Problem(404, "No article has such an id.", headers=ANY_ORIGIN)
        key = self._key(request, site, article)
        render = _renderer(request, form, site)
        try:
            cached = await self._counters.get(key)
        except CountsUnavailable as error:
            raise Problem(
                503, "Counts are temporarily unavailable.", headers={"retry-after": "2", **ANY_ORIGIN}
            ) from error
        except TooManyReads as error:
            COUNTER_REJECTIONS.labels("articles_busy").inc()
            detail = "Too many articles' counters are being read at once."
            status = 429 if error.of_caller else 503
            raise Problem(status, detail, headers={"retry-after": "1", **ANY_ORIGIN}) from error
        ready = _prepare(cached.values, cached.fresh_until, render, request.scope["route"].path)
        self._store(request, form, ready)
        return _as_response(ready.for_client(request.headers.get("if-none-match")))

    async def live(self, request: Request) -> Response:
        """`GET /stats/{site}/live`: the site's counter whenever it changed, at most once a second."""
        key = self._key(request, self._site(request), None)
        peer = request.client.host if request.client else ""
        address = client_address(peer, request.headers.getlist("x-forwarded-for"), self._trusted_proxies).address
        headers = {"cache-control": "no-store, no-transform", "x-accel-buffering": "no", **ANY_ORIGIN}
        stream = self._live.open_stream(key, address, request.headers.get("last-event-id", ""), headers)
        request.scope["presstally.stream"] = True  # the client determines its duration
        return stream

    def _key(self, request: Request, site: Site, article: str | None) -> CounterKey:
        measure = choice_param(
            request, "measure", site.default_measure if article is None else "views", get_args(Measure)
        )
        return CounterKey(site.slug, article, measure, choice_param(request, "window", "calendar", get_args(Window)))

    def _site(self, request: Request) -> Site:
        slug = request.path_params["site"]
        if slug not in self._sites:
            raise Problem(404, f"There is no site {slug!r} here.", headers=ANY_ORIGIN)
        return self._sites[slug]

    def _store(self, request: Request, form: Form, ready: _PreparedResponse) -> None:
        names = [name for name, _ in request.query_params.multi_items()]
        if len(set(names)) < len(names) or not set(names) <= PARAMETERS[form]:
            return
        url = (request.scope["path"], request.scope["query_string"].decode())
        self._prepared.pop(url, None)
        self._prepared[url] = ready
        if len(self._prepared) > PREPARED_MAX:
            del self._prepared[next(iter(self._prepared))]


PARAMETERS: Mapping[Form, set[str]] = {
    "": {"measure", "window"},
    ".svg": {"measure", "window", "show", "theme"},
    ".html": {"measure", "window", "show"},
}


def _renderer(request: Request, form: Form, site: Site) -> "partial[tuple[bytes, str]]":
    """Check the other parameters, and return a function that makes a body and its media type from values."""
    if form == "":
        return partial(_json)
    style: dict[str, Any] = {"language": ui_language(site), "separator": site.thousands_separator}
    if form == ".html":
        return partial(_html, show=choice_param(request, "show", "all", SHOWS), **style)
    show = choice_param(request, "show", "total", SHOWS)
    return partial(_svg, show=show, theme=choice_param(request, "theme", "auto", THEMES), **style)


def _json(values: CounterValues) -> tuple[bytes, str]:
    return msgspec.json.encode(values), "application/json"


def _svg(values: CounterValues, **style: Any) -> tuple[bytes, str]:
    return badge(values, **style).encode(), "image/svg+xml; charset=utf-8"


def _html(values: CounterValues, **style: Any) -> tuple[bytes, str]:
    return fragment(values, **style).encode(), "text/html; charset=utf-8"


def _prepare(
    values: CounterValues, fresh_until: float, render: "partial[tuple[bytes, str]]", route: str
) -> _PreparedResponse:
    body, media_type = render(values)
    tag = etag(render(msgspec.structs.replace(values, as_of=""))[0])
    headers = [("cache-control", CACHE_CONTROL), ("etag", f"W/{tag}"), *ANY_ORIGIN.items(), *SECURITY]
    if values.stale:
        headers.append(("x-presstally-stale", values.as_of))
    full = CachedResponse(200, [("content-type", media_type), *headers], body, HTTP_CACHED_RESPONSES.labels(route, 200))
    return _PreparedResponse(
        fresh_until, tag, full, CachedResponse(304, headers, b"", HTTP_CACHED_RESPONSES.labels(route, 304))
    )


def etag(body_without_time: bytes) -> str:
    """Return the entity tag of a body: two bodies that differ only in their time are the same (weakly)."""
    return f'"{hashlib.sha256(body_without_time).hexdigest()[:16]}"'


def _as_response(cached: CachedResponse) -> Response:
    return Response(cached.body, cached.status, dict(cached.headers))


WIDGET_SCRIPT = files(__package__).joinpath("widget.js").read_bytes()


async def widget_script(request: Request) -> Response:
    """`GET /stats/widget.js`: the script of the element `<access-counter>`."""
    tag = f'W/"{hashlib.sha256(WIDGET_SCRIPT).hexdigest()[:16]}"'
    headers = {"cache-control": "public, max-age=3600", "etag": tag, **ANY_ORIGIN}
    if etag_matches(tag.removeprefix("W/"), request.headers.get("if-none-match", "")):
        return Response(None, 304, headers)
    return Response(WIDGET_SCRIPT, media_type="text/javascript; charset=utf-8", headers=headers)
