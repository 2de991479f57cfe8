"""The statistics over HTTP: the page, history, top articles, sections, exports and the fragment.

They read more than a counter does, so they have a separate connection pool and cache their results for some seconds:
many requests for this page can slow down this page only.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar, get_args

import asyncpg
import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from services.stats.query_params import ANY_ORIGIN, choice_param
from services.stats.statistics.access import StatisticsAuth, query_with_token
from services.stats.statistics.assets_route import asset
from services.stats.statistics.exclusion_notes import notes_json
from services.stats.statistics.page import PAGE_HEADERS, Reader, render_fragment, render_page, render_token_form
from services.stats.statistics.periods import BucketSize, InvalidRange, Period, bucket_edges, parse_range
from services.stats.statistics.referrer_spam import split_referrers
from services.stats.statistics.report import PagesReport, ReportReader, TopReport
from services.stats.statistics.report_tables import (
    history_table,
    pages_table,
    referrers_table,
    sections_table,
    top_table,
)
from services.stats.statistics.route_params import (
    buckets_json,
    id_param,
    measure_param,
    read_or_503,
    referrers_json,
    report_frame,
    series_json,
)
from services.stats.statistics.spreadsheets import XLSX_TYPE, Table, to_csv, to_xlsx
from services.stats.statistics.time_series import MEASURES, local_time
from services.stats.statistics.top_articles import TopArticle
from services.stats.statistics.top_query import TopQuery, learn_section, parse_top_query, section_param
from shared.http.fair_limit import FairLimit
from shared.http.problems import Problem
from shared.sites import Site, Sites
from shared.translations import ui_language

_T = TypeVar("_T")
REQUESTS_OF_CALLER_MAX, REQUESTS_MAX = 64, 512
"""Requests that are being served: refused at once, before any of their work."""


class StatisticsRoutes:
    """The handlers of the statistics."""

    def __init__(self, pool: asyncpg.Pool, sites: Sites, read_tokens: Callable[[], str]) -> None:
        self._reader = ReportReader(pool)
        self._sites = sites
        self._read_tokens = read_tokens
        self._read_access()
        sites.on_change(self._read_access)
        self._requests = FairLimit(
            "statistics",
            running_max=REQUESTS_MAX,
            in_progress_max=REQUESTS_MAX,
            of_caller_max=REQUESTS_OF_CALLER_MAX,
            headers=ANY_ORIGIN,
        )
        self._renders = FairLimit("tables", running_max=1)

    def _read_access(self) -> None:
        self.auth = StatisticsAuth(self._sites, self._read_tokens())

    @property
    def routes(self) -> list[Route]:
        """All routes. They follow the counter's routes, whose paths are more specific."""
        kinds = ("json", "csv", "xlsx")
        tables = {"history": self.history, "top": self.top, "pages": self.pages, "sections": self.sections}
        tables |= {"referrers": self.referrers}
        return [
            Route("/stats/assets/{name}", asset),
            *(
                Route(f"/stats/{{site}}/{name}" + ("" if kind == "json" else f".{kind}"), self.limited(act, kind))
                for name, act in tables.items()
                for kind in kinds
            ),
            Route("/stats/{site}/top.html", self.limited(self.fragment)),
            Route("/stats/{site}/pages.html", self.limited(self.pages_fragment)),
            Route("/stats/{site}/refused-origins", self.limited(self.refused_origins)),
            Route("/stats/{site}", self.limited(self.page)),
            Route("/stats/{site}/", self.without_slash),
        ]

    async def page(self, request: Request) -> Response:
        """`GET /stats/{site}?period=24h|7d|30d|365d&lang=vi|en|…`."""
        site = self._site(request)
        language = ui_language(site, request.query_params.get("lang"))
        try:
            self.auth.check(request, site)
        except Problem as problem:
            if "text/html" not in request.headers.get("accept", ""):
                raise
            html = render_token_form(site, language, wrong="token" in request.query_params)
            return HTMLResponse(html, 401, {**PAGE_HEADERS, **problem.headers})
        period: Period = choice_param(request, "period", "7d", get_args(Period))
        numbers = await read_or_503(self._reader.page(site, period))
        owner = self.auth.has_token(request, site)
        kept = {"token": request.query_params.get("token")} if owner else {}
        link = partial(query_with_token, request, site, **kept)
        reader = Reader(owner, asks_for_token=not owner and self.auth.is_known(site), language=language)
        render = partial(render_page, numbers, site, reader, site.url, link)
        html = await self._render(render)
        return HTMLResponse(html, headers={**PAGE_HEADERS, **self._caching(site, 5, owner=owner)})

    async def without_slash(self, request: Request) -> Response:
        """Redirect `/stats/{site}/` to the page."""
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/stats/{self._site(request).slug}{query}", 308)

    async def history(self, request: Request, kind: str) -> Response:
        """`GET /stats/{site}/history?step=&from=&to=&measure=&article=&section=`, also `.csv` and `.xlsx`."""
        site = self._check_access(request)
        step: BucketSize = choice_param(request, "step", "day", get_args(BucketSize))
        article, section = id_param(request, "article"), section_param(request, site)
        if (article or section) and step == "hour":
            raise Problem(
                422,
                "Articles and sections are counted by day; use step=day.",
                field="step",
                headers=ANY_ORIGIN,
            )
        if article and section:
            raise Problem(422, "Give either `article` or `section`, not both.", field="section", headers=ANY_ORIGIN)
        measures = MEASURES if "measure" not in request.query_params else (measure_param(request, "views"),)
        query = request.query_params

        def range_at(now: int) -> tuple[int, int]:
            return parse_range(query.get("from"), query.get("to"), step, now, site)

        try:
            await self._render(bucket_edges, *range_at(int(time.time())), step, site)
        except (InvalidRange, OverflowError) as error:
            raise Problem(422, str(error), field="from", headers=ANY_ORIGIN) from error
        series = await read_or_503(self._reader.series(site, step, range_at, article=article, section=section))
        if kind != "json":
            of = " ".join(one for one in (section, article) if one)
            frame = report_frame(request, site, series.as_of, of, series.exclusions)
            return await self._file(site, f"history-{step}", kind, lambda: [history_table(series, frame)], series.as_of)
        answer = {
            "site": site.slug,
            **({"article": article} if article else {}),
            **({"section": section} if section else {}),
            "step": step,
            "from": local_time(series.starts[0], site),
            "to": local_time(series.starts[-1], site),
            "timezone": site.timezone,
            "as_of": local_time(series.as_of, site),
            "buckets": await self._render(buckets_json, series, site, measures),
            "total": series_json(series.total, measures),
            "before": series_json(series.before, measures),
            "exclusions": notes_json(series.exclusions, site),
        }
        return self._json(site, answer)

    async def top(self, request: Request, kind: str) -> Response:
        """`GET /stats/{site}/top?period=&limit=&measure=&section=`, or `from` and `to`; also `.csv` and `.xlsx`."""
        site = self._check_access(request)
        top = parse_top_query(request, site)
        report = await self._top_report(site, top, with_sections=kind == "xlsx")
        articles = report.articles[: top.limit]
        if kind != "json":
            frame = report_frame(request, site, report.as_of, top.period, report.exclusions)

            def sheets() -> list[Table]:
                wanted = [top_table(articles, frame, site.url, online=top.range_at is None)]
                if top.range_at is not None and kind == "xlsx":
                    wanted.append(sections_table(report.sections, frame))
                return wanted

            return await self._file(site, f"top-{top.period}", kind, sheets, report.as_of)
        answer = {
            "site": site.slug,
            "period": top.period,
            **({"section": top.section} if top.section else {}),
            "measure": "online" if top.range_at is None else top.measure,
            "timezone": site.timezone,
            "as_of": local_time(report.as_of, site),
            "articles": [
                {
                    "article": one.article,
                    "title": one.title,
                    "section": one.section,
                    "url": site.url + one.path if one.path else None,
                    **({"online": one.online} if top.range_at is None else series_json(one.counts, MEASURES)),
                }
                for one in articles
            ],
            "exclusions": notes_json(report.exclusions, site),
        }
        return self._json(site, answer)

    async def sections(self, request: Request, kind: str) -> Response:
        """`GET /stats/{site}/sections?period=`, or `from` and `to`; also `.csv` and `.xlsx`."""
        site = self._check_access(request)
        top = parse_top_query(request, site, default="month")
        if top.range_at is None:
            raise Problem(422, "`period=now` is not available for sections.", field="period", headers=ANY_ORIGIN)
        report = await read_or_503(self._reader.sections(site, top.range_at))
        if kind != "json":
            frame = report_frame(request, site, report.as_of, top.period, report.exclusions)
            return await self._file(
                site, f"sections-{top.period}", kind, lambda: [sections_table(report.sections, frame)], report.as_of
            )
        sections = [
            {"section": one.section or None, "articles": one.articles, **series_json(one.counts, MEASURES)}
            for one in report.sections
        ]
        answer = {
            "site": site.slug,
            "period": top.period,
            "as_of": local_time(report.as_of, site),
            "sections": sections,
            "exclusions": notes_json(report.exclusions, site),
        }
        return self._json(site, answer)

    async def referrers(self, request: Request, kind: str) -> Response:
        """`GET /stats/{site}/referrers?period=&limit=`, or `from` and `to`; also `.csv` and `.xlsx`.

        Hosts of referrer spam are apart, and only the owner reads their names: a public page would be what they want.
        """
        site = self._check_access(request)
        top = parse_top_query(request, site)
        if top.range_at is None or top.section is not None:
            raise Problem(422, "Referrers are of days of the whole site.", field="period", headers=ANY_ORIGIN)
        report = await read_or_503(self._reader.referrers(site, top.range_at))
        owner = self.auth.has_token(request, site)
        referrers = await self._render(split_referrers, report.counted, site)
        if kind != "json":
            frame = report_frame(request, site, report.as_of, top.period, report.exclusions)

            def sheets() -> list[Table]:
                return [referrers_table(referrers, frame, top.limit, with_spam_hosts=owner)]

            return await self._file(site, f"referrers-{top.period}", kind, sheets, report.as_of, owner=owner)
        answer = referrers_json(referrers, top.limit, with_spam_hosts=owner)
        times = {"timezone": site.timezone, "as_of": local_time(report.as_of, site)}
        notes = {"exclusions": notes_json(report.exclusions, site)}
        return self._json(site, {"site": site.slug, "period": top.period, **times, **answer, **notes}, owner=owner)

    async def fragment(self, request: Request) -> Response:
        """`GET /stats/{site}/top.html`: an `<ol>` of links for other pages; only articles that are live."""
        site = self._check_access(request)
        top = parse_top_query(request, site)
        report = await self._top_report(site, top, public_only=True)
        return self._fragment_response(request, site, top, report.articles, owner=False)

    def _fragment_response(
        self, request: Request, site: Site, top: TopQuery, links: Sequence[TopArticle], *, owner: bool
    ) -> Response:
        def number(one: TopArticle) -> int:
            return one.online if top.range_at is None else one.counts.of(top.measure)

        wanted = choice_param(request, "numbers", "yes", ("yes", "no")) == "yes"
        html = render_fragment(links[: top.limit], site, site.url, number, with_numbers=wanted)
        return HTMLResponse(html, headers={**self._caching(site, 15, owner=owner), **ANY_ORIGIN})

    async def pages(self, request: Request, kind: str) -> Response:
        """`GET /stats/{site}/pages?period=&limit=&measure=`, or `from` and `to`, with a token; also `.csv`, `.xlsx`."""
        site, top, report = await self._pages_report(request)
        pages = report.pages[: top.limit]
        is_online = top.range_at is None
        if kind != "json":
            frame = report_frame(request, site, report.as_of, top.period, report.exclusions)

            def sheets() -> list[Table]:
                return [pages_table(pages, frame, site.url, online=is_online)]

            return await self._file(site, f"pages-{top.period}", kind, sheets, report.as_of, owner=True)
        answer = {
            "site": site.slug,
            "period": top.period,
            "measure": "online" if is_online else top.measure,
            "timezone": site.timezone,
            "as_of": local_time(report.as_of, site),
            "pages": [
                {
                    "page": one.page,
                    "url": site.url + one.path if one.path else None,
                    **({"online": one.online} if is_online else series_json(one.counts, MEASURES)),
                }
                for one in pages
            ],
            "exclusions": notes_json(report.exclusions, site),
        }
        return self._json(site, answer, owner=True)

    async def pages_fragment(self, request: Request) -> Response:
        """`GET /stats/{site}/pages.html`: an `<ol>` of links, with a token: the site decides where it shows them."""
        site, top, report = await self._pages_report(request)
        links = [
            TopArticle(one.page, one.page, None, None, one.path, one.counts, one.online)
            for one in report.pages
            if one.path is not None
        ]
        return self._fragment_response(request, site, top, links, owner=True)

    async def refused_origins(self, request: Request) -> Response:
        """`GET /stats/{site}/refused-origins`, with a token: origins that the site does not declare."""
        site = self._site(request)
        self.auth.check_owner(request, site)
        as_of, found = await read_or_503(self._reader.refused_origins(site))
        origins = [{"origin": origin or None, "views": views} for origin, views in found]
        return self._json(site, {"site": site.slug, "as_of": local_time(as_of, site), "origins": origins}, owner=True)

    async def _pages_report(self, request: Request) -> tuple[Site, TopQuery, PagesReport]:
        site = self._site(request)
        self.auth.check_owner(request, site)
        top = parse_top_query(request, site)
        if top.section is not None:
            raise Problem(422, "Pages are in no section.", field="section", headers=ANY_ORIGIN)
        return site, top, await read_or_503(self._reader.top_pages(site, top.range_at, top.measure))

    async def _top_report(
        self, site: Site, top: TopQuery, *, public_only: bool = False, with_sections: bool = False
    ) -> TopReport:
        """Return the top articles, and for a workbook the sections of the same range and moment."""
        if top.range_at is None:
            return await read_or_503(self._reader.online_now(site, top.section, public_only=public_only))
        return await read_or_503(
            self._reader.top_articles(
                site, top.range_at, top.measure, top.section, public_only=public_only, with_sections=with_sections
            )
        )

    def _site(self, request: Request) -> Site:
        slug = request.path_params["site"]
        if slug not in self._sites:
            raise Problem(404, f"There is no site {slug!r} here.", headers=ANY_ORIGIN)
        return self._sites[slug]

    def _check_access(self, request: Request) -> Site:
        site = self._site(request)
        self.auth.check(request, site)
        return site

    def _caching(self, site: Site, seconds: int, *, owner: bool = False) -> dict[str, str]:
        """Return how long caches may keep an answer; that for the owner of a token is for nobody else."""
        if owner or site.statistics == "token":
            return {"cache-control": "private, no-store"}
        return {"cache-control": f"public, max-age={seconds}, stale-while-revalidate=60"}

    def _json(self, site: Site, answer: dict[str, Any], *, owner: bool = False) -> Response:
        headers = {**self._caching(site, 5, owner=owner), **ANY_ORIGIN}
        return Response(msgspec.json.encode(answer), media_type="application/json", headers=headers)

    def limited(self, act: Any, *arguments: str) -> Any:
        """Return a handler that is refused when too many requests are being served."""

        async def handle(request: Request) -> Response:
            async with self._requests.admit():
                await read_or_503(learn_section(request, self._sites))
                answer: Response = await act(request, *arguments)
                return answer

        return handle

    async def _render(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """Run CPU-bound work in a thread, one at a time: counters of the same process never wait for it."""
        async with self._renders.admit():
            return await asyncio.to_thread(work, *arguments)

    async def _file(
        self,
        site: Site,
        name: str,
        kind: str,
        tables: Callable[[], Sequence[Table]],
        as_of: int,
        *,
        owner: bool = False,
    ) -> Response:
        def write() -> bytes:
            return to_csv(tables()[0]) if kind == "csv" else to_xlsx(tables())

        content, media = await self._render(write), "text/csv; charset=utf-8" if kind == "csv" else XLSX_TYPE
        day = local_time(as_of, site)[:10]
        headers = {
            **self._caching(site, 5, owner=owner),
            "x-presstally-as-of": local_time(as_of, site),
            "content-disposition": f'attachment; filename="{site.slug}-{name}-{day}.{kind}"',
            "x-content-type-options": "nosniff",
        }
        return Response(content, media_type=media, headers=headers)
