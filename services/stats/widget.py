"""Role `widget`: the public read side. Stateless; reads a fixed number of rows for a counter."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import TypeVar, get_args

import asyncpg
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.stats.live import Live
from services.stats.reading import CounterNumbers, Window, read_counter
from services.stats.settings import StatsSettings
from services.stats.statistics import Statistics
from shared.events import Measure
from shared.postgres import POSTGRES_AWAY, open_pool
from shared.problems import Problem
from shared.process import Process, Role
from shared.sites import Site, Sites, read_sites

_Choice = TypeVar("_Choice", bound=str)

CACHE_CONTROL = "public, max-age=1, stale-while-revalidate=10"
ANY_ORIGIN = {"access-control-allow-origin": "*"}


class Widget:
    """The counter's HTTP side."""

    def __init__(self, pool: asyncpg.Pool, sites: Sites, live: Live) -> None:
        self._pool = pool
        self._sites = sites
        self._live = live

    async def site_counter(self, request: Request) -> Response:
        """`GET /stats/{site}/counter`."""
        site = self._site(request)
        return await self._answer(request, site, None, _measure(request, site.default_measure))

    async def article_counter(self, request: Request) -> Response:
        """`GET /stats/{site}/articles/{id}/counter`: views, unless another measure is asked for."""
        return await self._answer(
            request, self._site(request), request.path_params["article"], _measure(request, "views")
        )

    async def live(self, request: Request) -> Response:
        """`GET /stats/{site}/live`: the site's counter whenever it changed, at most once a second."""
        site = self._site(request)
        request.scope["presstally.stream"] = True
        headers = {"cache-control": "no-store", "x-accel-buffering": "no", **ANY_ORIGIN}
        return self._live.stream(site, headers)

    async def _answer(self, request: Request, site: Site, article: str | None, measure: Measure) -> Response:
        try:
            numbers = await read_counter(self._pool, site, article, measure, _window(request))
        except POSTGRES_AWAY as error:
            raise Problem(503, "The counts cannot be read now.", headers={"retry-after": "2", **ANY_ORIGIN}) from error
        tag = etag(numbers)
        headers = {"cache-control": CACHE_CONTROL, "etag": tag, **ANY_ORIGIN}
        if tag in request.headers.get("if-none-match", ""):
            return Response(None, 304, headers)
        return Response(msgspec.json.encode(numbers), media_type="application/json", headers=headers)

    def _site(self, request: Request) -> Site:
        slug = request.path_params["site"]
        if slug not in self._sites:
            raise Problem(404, f"There is no site {slug!r} here.", headers=ANY_ORIGIN)
        return self._sites[slug]


def etag(numbers: CounterNumbers) -> str:
    """Return a tag of the numbers alone: an answer that differs only in its time is the same answer."""
    plain = msgspec.json.encode(msgspec.structs.replace(numbers, as_of=""))
    return f'"{hashlib.sha256(plain).hexdigest()[:16]}"'


def _measure(request: Request, default: Measure) -> Measure:
    return _one_of(request, "measure", default, get_args(Measure))


def _window(request: Request) -> Window:
    return _one_of(request, "window", "calendar", get_args(Window))


def _one_of(request: Request, name: str, default: _Choice, choices: tuple[_Choice, ...]) -> _Choice:
    value = request.query_params.get(name, default)
    for choice in choices:
        if value == choice:
            return choice
    raise Problem(422, f"{name} is one of {', '.join(choices)}; {value!r} is not.", field=name, headers=ANY_ORIGIN)


async def _script(request: Request) -> Response:
    return Response(
        files("services.stats").joinpath("page/widget.js").read_bytes(),
        media_type="text/javascript; charset=utf-8",
        headers={"cache-control": "public, max-age=3600", **ANY_ORIGIN},
    )


@asynccontextmanager
async def widget(settings: StatsSettings, process: Process) -> AsyncIterator[Role]:
    """Run the public read side."""
    pool = await open_pool(
        settings.database_url.get_secret_value(), role="presstally_stats", statement_timeout_seconds=3
    )
    own = await open_pool(
        settings.database_url.get_secret_value(), role="presstally_stats", size=4, statement_timeout_seconds=10
    )
    sites = read_sites(settings.sites)
    statistics = Statistics(own, sites, settings.statistics_tokens.get_secret_value(), settings.public_url)
    live = Live(pool, process)
    here = Widget(pool, sites, live)
    try:
        yield Role(
            "widget",
            routes=[
                Route("/stats/widget.js", _script),
                Route("/stats/{site}/counter", here.site_counter),
                Route("/stats/{site}/live", here.live),
                Route("/stats/{site}/articles/{article}/counter", here.article_counter),
                *statistics.routes,
            ],
            problems=lambda: [live.problem] if live.problem else [],
        )
    finally:
        pool.terminate()
        own.terminate()
