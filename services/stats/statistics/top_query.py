"""The parameters of lists over days: most read, pages, sections, referrers."""

import time
from functools import partial
from typing import NamedTuple, get_args

from starlette.requests import Request

from services.stats.query_params import ANY_ORIGIN, choice_param
from services.stats.statistics.periods import InvalidRange, TopPeriod, bucket_edges, parse_range
from services.stats.statistics.report import RangeAt
from services.stats.statistics.route_params import limit_param, measure_param
from services.stats.statistics.time_series import local_time
from services.stats.statistics.top_articles import DayRange, range_of
from shared.events import Measure
from shared.http.problems import Problem
from shared.sites import Site, Sites

DAYS_MAX, DAY_SECONDS = 400, 86_400
"""Summing the top articles of a year takes seconds; longer ranges are for the exports of history."""


class TopQuery(NamedTuple):
    """The parameters of `top`."""

    period: str
    range_at: RangeAt[DayRange] | None
    """None: the articles that are read now."""
    measure: Measure
    section: str | None
    limit: int


def parse_top_query(request: Request, site: Site, default: str = "today") -> TopQuery:
    """Return the parameters of a list.

    Raises:
        Problem: 422.
    """
    query = request.query_params
    section, limit = section_param(request, site), limit_param(request)
    if "from" in query or "to" in query:

        def days_at(now: int) -> DayRange:
            days = bucket_edges(*parse_range(query.get("from"), query.get("to"), "day", now, site), "day", site)
            return DayRange("day", days[0], days[-1])

        try:
            days = days_at(int(time.time()))
        except (InvalidRange, OverflowError) as error:
            raise Problem(422, str(error), field="from", headers=ANY_ORIGIN) from error
        if days.end - days.begin > (DAYS_MAX + 0.5) * DAY_SECONDS:
            raise Problem(422, f"A range has at most {DAYS_MAX} days.", field="from", headers=ANY_ORIGIN)
        name = f"{local_time(days.begin, site)[:10]}_{local_time(days.end - 1, site)[:10]}"
        return TopQuery(name, days_at, measure_param(request, "views"), section, limit)
    period = choice_param(request, "period", default, (*get_args(TopPeriod), "now"))
    range_at = None if period == "now" else partial(range_of, period, site=site)
    return TopQuery(period, range_at, measure_param(request, "views"), section, limit)


async def learn_section(request: Request, sites: Sites) -> None:
    """Read the structures of sites if a request names an unknown section: its name may be a moment old."""
    site, slug = sites.get(request.path_params.get("site", "")), request.query_params.get("section")
    if site is not None and slug is not None and site.section(slug) is None:
        await sites.refresh_structures()


def section_param(request: Request, site: Site) -> str | None:
    """Return the slug of the requested section, or None.

    Raises:
        Problem: 422, there is none.
    """
    slug = request.query_params.get("section")
    if slug is not None and site.section(slug) is None:
        names = ", ".join(section.slug for section in site.sections)
        raise Problem(422, f"There is no section {slug!r}; there are {names}.", field="section", headers=ANY_ORIGIN)
    return slug if slug is None else site.section_slug(slug)
