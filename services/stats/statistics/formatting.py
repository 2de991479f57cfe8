"""Numbers, dates and shares as a site writes them. Pure."""

from datetime import datetime, timedelta

from services.stats.statistics.translations import WORDS, Language
from shared.sites import Site


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
