"""Role `widget`: the public read side. Stateless; reads a fixed number of rows for a counter, at most once a second."""

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
from services.stats.counter_api.counter_cache import Away, Busy, CounterKey, Counters
from services.stats.counter_api.counter_query import CounterNumbers, Window
from services.stats.counter_api.fragment import fragment
from services.stats.counter_api.live_stream import Live
from services.stats.metrics import COUNTER_REFUSALS
from services.stats.query_params import ANY_ORIGIN, one_of
from shared.events import ARTICLE_CHARACTERS_MAX, Measure
from shared.http.client_address import Network, client_address
from shared.http.negotiation import etag_matches
from shared.http.problems import Problem
from shared.http.rsgi import RsgiRequest
from shared.metrics import HTTP_CACHED_RESPONSES
from shared.role import CachedResponse
from shared.sites import Site, Sites
from shared.translations import ui_language

Form = Literal["", ".svg", ".html"]
FORMS: tuple[Form, ...] = get_args(Form)

CACHE_CONTROL = "public, max-age=1, stale-while-revalidate=10"
ANSWERS_MAX = 2_048


@dataclass(frozen=True, slots=True)
class _Ready:
    """An answer as bytes, for as long as its counter is fresh."""

    until: float
    tag: str
    whole: CachedResponse
    unchanged: CachedResponse

    def answer_to(self, if_none_match: str | None) -> CachedResponse:
        """Return 304 to whoever has it already."""
        known = if_none_match is not None and (self.tag in if_none_match or if_none_match == "*")
        return self.unchanged if known else self.whole


class Widget:
    """The counter's HTTP side."""

    def __init__(self, sites: Sites, counters: Counters, live: Live, trusted_proxies: tuple[Network, ...] = ()) -> None:
        self._sites = sites
        self._counters = counters
        self._live = live
        self._trusted_proxies = trusted_proxies
        self._ready: dict[tuple[str, str], _Ready] = {}
        """By path and query, the newest last. Only queries that mean something are here, so that nobody fills it."""

    async def cached_response(self, request: RsgiRequest) -> CachedResponse | None:
        """Return the answer to a counter's URL if one of this second is there: 10,000 readers cost one query."""
        ready = self._ready.get((request.path, request.query_string))
        if ready is None or request.method != "GET" or time.monotonic() >= ready.until:
            return None
        return ready.answer_to(request.headers.get("if-none-match"))

    async def counter(self, request: Request, form: Form) -> Response:
        """`GET /stats/{site}[/articles/{id}]/counter[.svg|.html]`: an article's views, unless asked otherwise."""
        site = self._site(request)
        article = request.path_params.get("article")
        if article is not None and not (len(article) <= ARTICLE_CHARACTERS_MAX and article.isprintable()):
            raise Problem(404, "No article has such an id.", headers=ANY_ORIGIN)
        key = self._key(request, site, article)
        draw = _drawing(request, form, site)
        try:
            known = await self._counters.get(key)
        except Away as error:
            raise Problem(503, "The counts cannot be read now.", headers={"retry-after": "2", **ANY_ORIGIN}) from error
        except Busy as error:
            COUNTER_REFUSALS.labels("articles_busy").inc()
            detail = "Too many articles' counters are being read at once."
            raise Problem(503, detail, headers={"retry-after": "1", **ANY_ORIGIN}) from error
        ready = _make_ready(known.numbers, known.until, draw, request.scope["route"].path)
        self._keep(request, form, ready)
        return _as_response(ready.answer_to(request.headers.get("if-none-match")))

    async def live(self, request: Request) -> Response:
        """`GET /stats/{site}/live`: the site's counter whenever it changed, at most once a second."""
        key = self._key(request, self._site(request), None)
        peer = request.client.host if request.client else ""
        address = client_address(peer, request.headers.getlist("x-forwarded-for"), self._trusted_proxies)
        headers = {"cache-control": "no-store, no-transform", "x-accel-buffering": "no", **ANY_ORIGIN}
        stream = self._live.stream(key, address, request.headers.get("last-event-id", ""), headers)
        request.scope["presstally.stream"] = True  # its duration is the reader's, not ours
        return stream

    def _key(self, request: Request, site: Site, article: str | None) -> CounterKey:
        measure = one_of(request, "measure", site.default_measure if article is None else "views", get_args(Measure))
        return CounterKey(site.slug, article, measure, one_of(request, "window", "calendar", get_args(Window)))

    def _site(self, request: Request) -> Site:
        slug = request.path_params["site"]
        if slug not in self._sites:
            raise Problem(404, f"There is no site {slug!r} here.", headers=ANY_ORIGIN)
        return self._sites[slug]

    def _keep(self, request: Request, form: Form, ready: _Ready) -> None:
        asked = [name for name, _ in request.query_params.multi_items()]
        if len(set(asked)) < len(asked) or not set(asked) <= PARAMETERS[form]:
            return
        url = (request.scope["path"], request.scope["query_string"].decode())
        self._ready.pop(url, None)
        self._ready[url] = ready
        if len(self._ready) > ANSWERS_MAX:
            del self._ready[next(iter(self._ready))]


PARAMETERS: Mapping[Form, set[str]] = {
    "": {"measure", "window"},
    ".svg": {"measure", "window", "show", "theme"},
    ".html": {"measure", "window", "show"},
}


def _drawing(request: Request, form: Form, site: Site) -> "partial[tuple[bytes, str]]":
    """Check what else was asked for, and return what makes a body and its type of numbers."""
    if form == "":
        return partial(_json)
    wording: dict[str, Any] = {"language": ui_language(site), "separator": site.thousands_separator}
    if form == ".html":
        return partial(_html, show=one_of(request, "show", "all", SHOWS), **wording)
    show = one_of(request, "show", "total", SHOWS)
    return partial(_svg, show=show, theme=one_of(request, "theme", "auto", THEMES), **wording)


def _json(numbers: CounterNumbers) -> tuple[bytes, str]:
    return msgspec.json.encode(numbers), "application/json"


def _svg(numbers: CounterNumbers, **how: Any) -> tuple[bytes, str]:
    return badge(numbers, **how).encode(), "image/svg+xml; charset=utf-8"


def _html(numbers: CounterNumbers, **how: Any) -> tuple[bytes, str]:
    return fragment(numbers, **how).encode(), "text/html; charset=utf-8"


def _make_ready(numbers: CounterNumbers, until: float, draw: "partial[tuple[bytes, str]]", route: str) -> _Ready:
    body, media_type = draw(numbers)
    tag = etag(draw(msgspec.structs.replace(numbers, as_of=""))[0])
    headers = [("cache-control", CACHE_CONTROL), ("etag", f"W/{tag}"), *ANY_ORIGIN.items()]
    if numbers.stale:
        headers.append(("x-presstally-stale", numbers.as_of))
    whole = CachedResponse(
        200, [("content-type", media_type), *headers], body, HTTP_CACHED_RESPONSES.labels(route, 200)
    )
    return _Ready(until, tag, whole, CachedResponse(304, headers, b"", HTTP_CACHED_RESPONSES.labels(route, 304)))


def etag(body_without_time: bytes) -> str:
    """Return a tag of what the answer says: one that differs only in its time is the same answer (weakly)."""
    return f'"{hashlib.sha256(body_without_time).hexdigest()[:16]}"'


def _as_response(answer: CachedResponse) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers))


SCRIPT = files(__package__).joinpath("widget.js").read_bytes()


async def _script(request: Request) -> Response:
    tag = f'W/"{hashlib.sha256(SCRIPT).hexdigest()[:16]}"'
    headers = {"cache-control": "public, max-age=3600", "etag": tag, **ANY_ORIGIN}
    if etag_matches(tag.removeprefix("W/"), request.headers.get("if-none-match", "")):
        return Response(None, 304, headers)
    return Response(SCRIPT, media_type="text/javascript; charset=utf-8", headers=headers)
