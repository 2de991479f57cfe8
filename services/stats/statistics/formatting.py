"""Numbers, dates and percentages in the format of a site. Pure."""

from datetime import datetime, timedelta

from services.stats.statistics.translations import PATTERNS, WORDS
from shared.sites import Site
from shared.translations import LANGUAGES, group_thousands


class Formatter:
    """Formats a site's numbers and dates in a language."""

    def __init__(self, site: Site, language: str) -> None:
        self._site = site
        self._language = LANGUAGES[language]
        self._words = WORDS[language]
        self._patterns = PATTERNS[language]

    def number(self, number: int) -> str:
        """Return an integer with the site's thousands separator."""
        return group_thousands(number, self._site.thousands_separator)

    def percent(self, part: float, whole: float, *, sign: bool = False) -> str:
        """Return a percentage with one decimal: "12,5 %" or "12.5%"; its mark is never that of the site's thousands."""
        number = f"{100 * part / whole:+.1f}" if sign else f"{100 * part / whole:.1f}"
        number = number.replace("-", "−").replace(".", self._decimal_separator())
        return str(self._patterns["percent"].format(number=number))

    def _decimal_separator(self) -> str:
        wanted = self._language.decimal_separator
        if wanted != self._site.thousands_separator:
            return wanted
        return "." if wanted == "," else ","

    def change(self, now: int, before: int) -> str | None:
        """Return the change of a number in percent, or None if there was nothing before."""
        if before <= 0:
            return None
        if now == before:
            return str(self._words["unchanged"])
        return self.percent(now - before, before, sign=True)

    def local(self, seconds: int) -> datetime:
        """Return an instant in the site's zone."""
        return datetime.fromtimestamp(seconds, self._site.zone)

    def date(self, seconds: int) -> str:
        """Return a local date."""
        return self._language.date(self._patterns["date"], self.local(seconds))

    def time(self, seconds: int) -> str:
        """Return a local time with its date."""
        return f"{self.local(seconds):%H:%M:%S}, {self.date(seconds)}"

    def bucket(self, start: int, end: int, step: str) -> str:
        """Return a bucket's name."""
        local = self.local(start)
        day = self._day(local)
        if step == "hour":
            return f"{local:%H:%M} {day}"
        if step == "week":
            return f"{day} – {self._day(self.local(end) - timedelta(hours=12))}"
        return day

    def _day(self, local: datetime) -> str:
        return self._language.date(self._patterns["day"], local)
