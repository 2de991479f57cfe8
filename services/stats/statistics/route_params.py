"""Parameters and JSON of the statistics' routes."""

from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar, get_args

from starlette.requests import Request

from services.stats.query_params import ANY_ORIGIN, choice_param
from services.stats.statistics.exclusion_notes import ExclusionNote
from services.stats.statistics.periods import InvalidRange
from services.stats.statistics.referrer_spam import Referrers
from services.stats.statistics.report_tables import ReportFrame
from services.stats.statistics.time_series import Counts, TimeSeries, local_time
from services.stats.statistics.top_articles import LIMIT_MAX
from shared.events import Measure
from shared.http.problems import Problem
from shared.postgres import POSTGRES_UNAVAILABLE
from shared.sites import Site
from shared.translations import ui_language

_T = TypeVar("_T")
ID_CHARACTERS_MAX = 64


async def read_or_503(reading: Awaitable[_T]) -> _T:
    """Return what is read.

    Raises:
        Problem: 503 while Postgres is unavailable; 422 for a range that its clock makes invalid.
    """
    try:
        return await reading
    except (InvalidRange, OverflowError) as error:  # it was valid by the clock of this machine
        raise Problem(422, str(error), field="from", headers=ANY_ORIGIN) from error
    except POSTGRES_UNAVAILABLE as error:
        raise Problem(
            503, "Statistics are temporarily unavailable.", headers={"retry-after": "5", **ANY_ORIGIN}
        ) from error


def buckets_json(series: TimeSeries, site: Site, measures: Sequence[Measure]) -> list[dict[str, Any]]:
    """Return the buckets of a series."""
    starts = series.starts[:-1]
    return [
        {"start": local_time(start, site), **series_json(counts, measures)}
        for start, counts in zip(starts, series.counts, strict=True)
    ]


def series_json(counts: Counts, measures: Sequence[Measure]) -> dict[str, int]:
    """Return counts by measure."""
    return {measure: counts.of(measure) for measure in measures}


def measure_param(request: Request, default: Measure) -> Measure:
    """Return the requested measure."""
    return choice_param(request, "measure", default, get_args(Measure))


def limit_param(request: Request) -> int:
    """Return the requested number of rows."""
    text = request.query_params.get("limit", "10")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= LIMIT_MAX:
        raise Problem(422, f"limit must be a number from 1 to {LIMIT_MAX}.", field="limit", headers=ANY_ORIGIN)
    return int(text[:9])


def id_param(request: Request, name: str) -> str | None:
    """Return a requested id, or None."""
    text = request.query_params.get(name)
    if text is not None and not 1 <= len(text) <= ID_CHARACTERS_MAX:
        raise Problem(422, f"{name} must have 1 to {ID_CHARACTERS_MAX} characters.", field=name, headers=ANY_ORIGIN)
    return text


def referrers_json(referrers: Referrers, limit: int, *, with_spam_hosts: bool) -> dict[str, Any]:
    """Return the visits by referring host; `direct`, `other`, the hosts and `spam` add up to `visits`."""
    rest = sum(visits for _, visits in referrers.hosts[limit:])
    spam_hosts = [{"host": host, "visits": visits} for host, visits in referrers.spam[:limit]]
    return {
        "visits": referrers.visits,
        "direct": referrers.direct,
        "other": referrers.other + rest,
        "referrers": [{"host": host, "visits": visits} for host, visits in referrers.hosts[:limit]],
        "spam": {"visits": referrers.spam_visits, **({"hosts": spam_hosts} if with_spam_hosts else {})},
    }


def report_frame(request: Request, site: Site, as_of: int, of: str, exclusions: Sequence[ExclusionNote]) -> ReportFrame:
    """Return the context of an export."""
    return ReportFrame(site, ui_language(site, request.query_params.get("lang")), as_of, of, exclusions)
