"""Numbers → the statistics page, as HTML that is whole without scripts. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from services.stats.counting import DIRECT, OTHER_HOSTS
from services.stats.history import Comparison, Ledger, Series
from services.stats.most_read import Read
from services.stats.periods import PERIOD_STEPS, Period
from services.stats.reading import CounterNumbers
from services.stats.statistics_words import WORDS, Language
from shared.sites import Site

HOSTS_SHOWN = 15
ASSETS = {
    name: files("services.stats").joinpath(f"page/{file}").read_bytes()
    for name, file in {
        "statistics.css": "statistics.css",
        "statistics.js": "statistics.js",
        "uplot.js": "vendor/uplot.js",
        "uplot.css": "vendor/uplot.css",
    }.items()
}

_environment = Environment(
    loader=PackageLoader("services.stats", "page"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Numbers:
    """Everything that the page shows of one site and period."""

    counter: CounterNumbers
    adjusted: int
    """How much of the counter's total was brought."""
    period: Period
    series: Series
    comparisons: Mapping[Period, Comparison]
    most_read: Mapping[str, Sequence[Read]]
    online: Sequence[Read]
    ledger: Ledger
    referrers: Sequence[tuple[str, int]]
    counted_until: int
    """When the newest record counted had arrived: seconds since 1970 UTC; 0 if there is none."""


class Writing:
    """How a site's numbers and dates are written in a language."""

    def __init__(self, site: Site, language: Language) -> None:
        self._site = site
        self._language = language

    def number(self, number: int) -> str:
        """Return an integer with the site's thousands separator."""
        return f"{number:,}".replace(",", self._site.thousands_separator)

    def percent(self, part: float, whole: float, *, sign: bool = False) -> str:
        """Return a share with one decimal: "12,5 %" or "12.5%"."""
        text = f"{100 * part / whole:+.1f}" if sign else f"{100 * part / whole:.1f}"
        text = text.replace("-", "−")
        return f"{text.replace('.', ',')}\N{NO-BREAK SPACE}%" if self._language == "vi" else f"{text}%"

    def change(self, now: int, before: int) -> str | None:
        """Return by how much a number rose or fell, or None if there was nothing before."""
        if before <= 0:
            return None
        if now == before:
            return str(WORDS[self._language]["unchanged"])
        return self.percent(now - before, before, sign=True)

    def local(self, seconds: int) -> datetime:
        """Return an instant in the site's zone."""
        return datetime.fromtimestamp(seconds, self._site.zone)

    def date(self, seconds: int) -> str:
        """Return a local date."""
        local = self.local(seconds)
        return f"{local:%d/%m/%Y}" if self._language == "vi" else f"{local.day} {local:%b %Y}"

    def time(self, seconds: int) -> str:
        """Return a local time with its date."""
        return f"{self.local(seconds):%H:%M:%S}, {self.date(seconds)}"

    def bucket(self, start: int, end: int, step: str) -> str:
        """Return a bucket's name."""
        local = self.local(start)
        day = f"{local:%d/%m}" if self._language == "vi" else f"{local.day} {local:%b}"
        if step == "hour":
            return f"{local:%H:%M} {day}"
        if step == "week":
            last = self.local(end) - timedelta(hours=12)
            return f"{day} – {last:%d/%m}" if self._language == "vi" else f"{day} – {last.day} {last:%b}"
        return day


def render_page(numbers: Numbers, site: Site, language: Language, base_url: str, link: Any, *, robots: bool) -> str:
    """Render the page.

    Args:
        numbers: What it shows.
        site: Whose it is.
        language: Of the page.
        base_url: Where readers reach the portal.
        link: Makes the query of a link from named values.
        robots: Whether search engines may list it.
    """
    writing = Writing(site, language)
    series = numbers.series
    edges = zip(series.starts[:-1], series.starts[1:], strict=True)
    names = [writing.bucket(start, end, series.step) for start, end in edges]
    return _environment.get_template("statistics.html").render(
        site=site,
        language=language,
        words=WORDS[language],
        write=writing,
        numbers=numbers,
        as_of=int(datetime.fromisoformat(numbers.counter.as_of).timestamp()),
        rows=list(zip(series.starts[:-1], names, series.counts, strict=True)),
        step=PERIOD_STEPS[numbers.period],
        hosts=_hosts(numbers.referrers, WORDS[language]),
        visits=sum(visits for _, visits in numbers.referrers),
        base_url=base_url,
        link=link,
        robots=robots,
        asset=asset_url,
        measures=("views", "visits", "visitors"),
    )


def render_fragment(articles: Sequence[Read], site: Site, base_url: str, number: Any, numbers_wanted: bool) -> str:
    """Render most read as a list to be set into another page."""
    return _environment.get_template("top.html").render(
        articles=articles, base_url=base_url, number=number, write=Writing(site, "vi"), numbers_wanted=numbers_wanted
    )


def render_door(site: Site, language: Language, *, wrong: bool) -> str:
    """Render the page that asks for a token."""
    return _environment.get_template("door.html").render(
        site=site, language=language, words=WORDS[language], asset=asset_url, wrong=wrong
    )


def asset_url(name: str) -> str:
    """Return an asset's address; another content has another address."""
    return f"/stats/assets/{name}?v={_CHECKSUMS[name]}"


def _hosts(referrers: Sequence[tuple[str, int]], words: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return the largest hosts, and those that are not told apart in one line, the direct visits last."""
    named = [(host, visits) for host, visits in referrers if host not in (DIRECT, OTHER_HOSTS)]
    counted = dict(referrers)
    rest = sum(visits for _, visits in named[HOSTS_SHOWN:]) + counted.get(OTHER_HOSTS, 0)
    lines = named[:HOSTS_SHOWN]
    lines += [(words["other"], rest)] if rest else []
    lines += [(words["direct"], counted[DIRECT])] if counted.get(DIRECT) else []
    return lines


_CHECKSUMS = {name: hashlib.sha256(content).hexdigest()[:12] for name, content in ASSETS.items()}
