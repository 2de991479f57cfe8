"""All portals that a caller may see, with the four numbers of each and their sums: `/stats/` and `/stats/sites.json`.

All sites are read in one sweep, a few at a time, for all callers of some seconds; a caller gets what their token shows.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple, Protocol, get_args
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.stats.counter_api.counter_cache import CachedCounter, CounterKey, CountsUnavailable
from services.stats.counter_api.counter_query import CounterValues
from services.stats.query_params import ANY_ORIGIN, choice_param
from services.stats.statistics.access import StatisticsAuth
from services.stats.statistics.page import PAGE_HEADERS, render_overview, render_token_form
from shared.events import Measure
from shared.http.problems import Problem
from shared.single_flight import SingleFlight
from shared.sites import Site, Sites
from shared.translations import ui_language

VALID_SECONDS = 5.0
READS_MAX = 2
"""Counters that are read at once: half of the connections, so that the sites' own counters never wait for a sweep."""
NUMBERS: tuple[Literal["online", "today", "week", "total"], ...] = ("online", "today", "week", "total")


class Counters(Protocol):
    """What is needed of the cache of counters."""

    async def get(self, key: CounterKey) -> CachedCounter:
        """Return a counter's values."""
        ...


class SiteNumbers(NamedTuple):
    """A site with its counter."""

    site: Site
    values: CounterValues


class _Sweep(NamedTuple):
    values: Mapping[str, CounterValues]
    read_at: float


class OverviewRoutes:
    """The handlers of the overview."""

    def __init__(self, counters: Counters, sites: Sites, auth: Callable[[], StatisticsAuth]) -> None:
        self._counters = counters
        self._sites = sites
        self._auth = auth
        self._sweeps: dict[Measure, _Sweep] = {}
        self._reading = SingleFlight[Measure, _Sweep]("read the counters of all sites")

    async def page(self, request: Request) -> Response:
        """`GET /stats/?measure=&lang=`."""
        language = ui_language(self._asked_site(request), request.query_params.get("lang"))
        visible = self._visible(request)
        if not visible:
            html = render_token_form(self._asked_site(request), language, wrong="token" in request.query_params)
            return HTMLResponse(html, 401, {**PAGE_HEADERS, "www-authenticate": "Bearer", "cache-control": "no-store"})
        measure = self._measure(request, visible)
        rows = await self._numbers(visible, measure)
        html = render_overview(
            rows,
            sums(rows),
            self._asked_site(request),
            language,
            lambda **query: _query(request, **query),
            measure=measure,
            robots=all(site.statistics == "public" for site in visible),
        )
        return HTMLResponse(html, headers={**PAGE_HEADERS, **_caching(request)})

    async def json(self, request: Request) -> Response:
        """`GET /stats/sites.json?measure=`."""
        visible = self._visible(request)
        if not visible:
            raise Problem(
                401, "These statistics require a token.", headers={"www-authenticate": "Bearer", **ANY_ORIGIN}
            )
        measure = self._measure(request, visible)
        rows = await self._numbers(visible, measure)
        answer = {
            "measure": measure,
            "window": "calendar",
            "sites": [
                {
                    "site": row.site.slug,
                    "name": row.site.name,
                    "url": f"{row.site.url}/",
                    "statistics": f"{row.site.url}/stats/{row.site.slug}",
                    **{name: getattr(row.values, name) for name in NUMBERS},
                    "timezone": row.values.timezone,
                    "as_of": row.values.as_of,
                }
                for row in rows
            ],
            "sum": sums(rows),
        }
        return Response(
            msgspec.json.encode(answer), media_type="application/json", headers={**_caching(request), **ANY_ORIGIN}
        )

    async def without_slash(self, request: Request) -> Response:
        """Redirect `/stats` to the page."""
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/stats/{query}", 308)

    def _asked_site(self, request: Request) -> Site:
        return self._sites.by_host(request.headers.get("host", ""))

    def _visible(self, request: Request) -> list[Site]:
        auth = self._auth()
        return [site for site in self._sites.values() if auth.may_read(request, site)]

    def _measure(self, request: Request, visible: Iterable[Site]) -> Measure:
        defaults = {site.default_measure for site in visible}
        common: Measure = defaults.pop() if len(defaults) == 1 else "visits"
        measure: Measure = choice_param(request, "measure", common, get_args(Measure))
        return measure

    async def _numbers(self, visible: Iterable[Site], measure: Measure) -> list[SiteNumbers]:
        """Return the numbers of sites.

        Raises:
            Problem: 503.
        """
        sweep = self._sweeps.get(measure)
        if sweep is None or time.monotonic() - sweep.read_at >= VALID_SECONDS:
            try:
                sweep = await self._reading.run(measure, lambda: self._read(measure))
            except CountsUnavailable as error:
                headers = {"retry-after": "5", **ANY_ORIGIN}
                raise Problem(503, "Statistics are temporarily unavailable.", headers=headers) from error
        return [SiteNumbers(site, sweep.values[site.slug]) for site in visible if site.slug in sweep.values]

    async def _read(self, measure: Measure) -> _Sweep:
        turns = asyncio.Semaphore(READS_MAX)

        async def read(slug: str) -> CounterValues | None:
            async with turns:
                try:
                    return (await self._counters.get(CounterKey(slug, None, measure, "calendar"))).values
                except CountsUnavailable:
                    if slug in self._sites:
                        raise
                    return None  # it was removed meanwhile

        slugs = list(self._sites)
        found = await asyncio.gather(*map(read, slugs))
        values = {slug: one for slug, one in zip(slugs, found, strict=True) if one is not None}
        sweep = self._sweeps[measure] = _Sweep(values, time.monotonic())
        return sweep


def sums(rows: Iterable[SiteNumbers]) -> dict[str, int]:
    """Return the sum of each of the four numbers."""
    found = list(rows)
    return {name: sum(getattr(row.values, name) for row in found) for name in NUMBERS}


def _query(request: Request, **query: Any) -> str:
    """Return the query of a link to another view, with the token if the address has one."""
    if "token" in request.query_params:
        query["token"] = request.query_params["token"]
    given = {name: value for name, value in query.items() if value is not None}
    return f"?{urlencode(given)}" if given else "?"


def _caching(request: Request) -> dict[str, str]:
    if "token" in request.query_params or "authorization" in request.headers:
        return {"cache-control": "private, no-store"}
    return {"cache-control": f"public, max-age={VALID_SECONDS:.0f}", "vary": "authorization"}
