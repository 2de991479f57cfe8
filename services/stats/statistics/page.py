"""Page data → the statistics page, as HTML that is complete without scripts. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from importlib.resources import files
from typing import Any, NamedTuple, get_args

from jinja2 import Environment, PackageLoader, StrictUndefined

from services.stats.statistics.exclusion_notes import touched
from services.stats.statistics.formatting import Formatter
from services.stats.statistics.page_data import PageData
from services.stats.statistics.periods import PERIOD_BUCKETS
from services.stats.statistics.referrer_spam import Referrers, split_referrers
from services.stats.statistics.top_articles import TopArticle
from services.stats.statistics.translations import WORDS, counted_unit
from shared.events import Measure
from shared.sites import Site
from shared.translations import LANGUAGES, ui_language

HOSTS_SHOWN = 15
PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
ASSETS = {
    name: files(__package__).joinpath(f"assets/{file}").read_bytes()
    for name, file in {
        "statistics.css": "statistics.css",
        "statistics.js": "statistics.js",
        "uplot.js": "vendor/uplot.js",
        "uplot.css": "vendor/uplot.css",
    }.items()
}

_environment = Environment(
    loader=PackageLoader(__package__, "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Reader(NamedTuple):
    """For whom the page is."""

    is_owner: bool
    """Has a token of the site, and may see what strangers can write."""
    asks_for_token: bool
    language: str


def render_page(numbers: PageData, site: Site, reader: Reader, base_url: str, link: Any) -> str:
    """Render the page.

    Args:
        numbers: Its values.
        site: Of the statistics.
        reader: For whom it is.
        base_url: Of the portal.
        link: Returns the query of a link for named values.
    """
    language = reader.language
    formatter = Formatter(site, language)
    series = numbers.series
    referrers = split_referrers(numbers.referrers, site)
    edges = zip(series.starts[:-1], series.starts[1:], strict=True)
    names = [formatter.bucket(start, end, series.step) for start, end in edges]
    return _environment.get_template("statistics.html").render(
        site=site,
        language=language,
        languages=LANGUAGES,
        words=WORDS[language],
        write=formatter,
        unit=partial(counted_unit, language),
        numbers=numbers,
        as_of=int(datetime.fromisoformat(numbers.counter.as_of).timestamp()),
        rows=list(zip(series.starts[:-1], names, series.counts, marked_buckets(numbers), strict=True)),
        step=PERIOD_BUCKETS[numbers.period],
        hosts=_hosts(referrers, WORDS[language]),
        spam_visits=referrers.spam_visits,
        spam_hosts=_first(referrers.spam, WORDS[language]) if reader.is_owner else [],
        refused=sum(views for _, views in numbers.refused_origins),
        visits=referrers.visits,
        base_url=base_url,
        link=link,
        reader=reader,
        robots=site.statistics == "public" and not reader.is_owner,
        asset=asset_url,
        measures=("views", "visits", "visitors"),
    )


def marked_buckets(numbers: PageData) -> list[bool]:
    """Return which buckets of the series have hours of which somebody was taken out, or put back."""
    return touched(numbers.exclusions, numbers.series.starts)


def render_fragment(articles: Sequence[TopArticle], site: Site, base_url: str, number: Any, with_numbers: bool) -> str:
    """Render the top articles as a list for another page."""
    return _environment.get_template("top_articles.html").render(
        articles=articles,
        base_url=base_url,
        number=number,
        write=Formatter(site, ui_language(site)),
        numbers_wanted=with_numbers,
    )


def render_overview(
    rows: Sequence[Any],
    sum_of_sites: Mapping[str, int],
    site: Site,
    language: str,
    link: Any,
    *,
    measure: Measure,
    robots: bool,
) -> str:
    """Render the overview of sites.

    Args:
        rows: The sites with their counters, at least one.
        sum_of_sites: Of each number.
        site: Whose format numbers and times have.
        language: Of the page.
        link: Returns the query of a link for named values.
        measure: Of all counters.
        robots: Whether search engines may list it.
    """
    as_of = min((row.values.as_of for row in rows), key=datetime.fromisoformat)
    return _environment.get_template("overview.html").render(
        rows=rows,
        sum=sum_of_sites,
        numbers=tuple(sum_of_sites),
        measures=get_args(Measure),
        measure=measure,
        language=language,
        languages=LANGUAGES,
        words=WORDS[language],
        write=Formatter(site, language),
        as_of=as_of,
        as_of_seconds=int(datetime.fromisoformat(as_of).timestamp()),
        link=link,
        robots=robots,
        asset=asset_url,
    )


def render_token_form(site: Site, language: str, *, wrong: bool) -> str:
    """Render the page that asks for a token."""
    return _environment.get_template("token_required.html").render(
        site=site, language=language, words=WORDS[language], asset=asset_url, wrong=wrong
    )


def asset_url(name: str) -> str:
    """Return an asset's URL; it changes with the content."""
    return f"/stats/assets/{name}?v={_CHECKSUMS[name]}"


def _hosts(referrers: Referrers, words: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return the largest hosts, the sum of all others, and the direct visits last."""
    lines = _first(referrers.hosts, words, referrers.other)
    return lines + ([(words["direct"], referrers.direct)] if referrers.direct else [])


def _first(hosts: Sequence[tuple[str, int]], words: Mapping[str, Any], other: int = 0) -> list[tuple[str, int]]:
    """Return the largest hosts, and the sum of all others."""
    rest = sum(visits for _, visits in hosts[HOSTS_SHOWN:]) + other
    return [*hosts[:HOSTS_SHOWN], *([(words["other"], rest)] if rest else [])]


_CHECKSUMS = {name: hashlib.sha256(content).hexdigest()[:12] for name, content in ASSETS.items()}
