"""Statistics → tables of exports, with translated headings and explanatory notes. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from services.stats.statistics.formatting import Formatter
from services.stats.statistics.spreadsheets import Cell, Table
from services.stats.statistics.time_series import MEASURES, TimeSeries
from services.stats.statistics.top_articles import SectionCounts, TopArticle
from services.stats.statistics.top_pages import TopPage
from services.stats.statistics.translations import WORDS
from shared.sites import Site


class ReportFrame(NamedTuple):
    """The context of all tables of an export."""

    site: Site
    language: str
    as_of: int
    of: str
    """The part of the site, or the period; may be empty."""

    @property
    def notes(self) -> list[str]:
        """Notes above the table."""
        words, formatter = WORDS[self.language], Formatter(self.site, self.language)
        whose = f"{self.site.name}. {words['as_of']} {formatter.time(self.as_of)} ({self.site.timezone})."
        return [whose, *([words.get(self.of, self.of)] if self.of else []), *words["meanings"][:4]]

    def section(self, slug: str | None) -> str:
        """Return a section's name."""
        known = self.site.section(slug) if slug else None
        return known.name if known else slug or WORDS[self.language]["no_section"]


def history_table(series: TimeSeries, frame: ReportFrame) -> Table:
    """Return a series."""
    words, formatter = WORDS[frame.language], Formatter(frame.site, frame.language)
    shape = "%Y-%m-%d %H:%M" if series.step == "hour" else "%Y-%m-%d"
    rows: list[list[Cell]] = []
    for start, end, counts in zip(series.starts[:-1], series.starts[1:], series.counts, strict=True):
        last = end if series.step == "hour" else end - 1  # the last day, and not the one after it
        names = [formatter.local(start).strftime(shape), formatter.local(last).strftime(shape)]
        rows.append([*names, *(counts.of(measure) for measure in MEASURES)])
    heads = [words["begin"], words["end"], *(words[measure] for measure in MEASURES)]
    return Table(words["history_by"][series.step], frame.notes, heads, rows)


def top_table(articles: Sequence[TopArticle], frame: ReportFrame, base_url: str, *, online: bool) -> Table:
    """Return most read, or what is being read now."""
    words = WORDS[frame.language]
    rows: list[list[Cell]] = []
    for rank, one in enumerate(articles, 1):
        title = one.title or (words["removed"] if one.state == "killed" else words["untitled"])
        numbers = [one.online] if online else [one.counts.of(measure) for measure in MEASURES]
        address = base_url + one.path if one.path else None
        rows.append([rank, title, frame.section(one.section), *numbers, address, one.state, one.article])
    measured = [words["online"]] if online else [words[measure] for measure in MEASURES]
    heads = [
        words["rank"],
        words["article"],
        words["section"],
        *measured,
        words["address"],
        words["state"],
        words["id"],
    ]
    return Table(words["active_now"] if online else words["most_read"], frame.notes, heads, rows)


def pages_table(pages: Sequence[TopPage], frame: ReportFrame, base_url: str, *, online: bool) -> Table:
    """Return the most read pages, or those that are read now."""
    words = WORDS[frame.language]
    rows: list[list[Cell]] = []
    for rank, one in enumerate(pages, 1):
        numbers = [one.online] if online else [one.counts.of(measure) for measure in MEASURES]
        rows.append([rank, one.page, *numbers, base_url + one.path if one.path else None])
    measured = [words["online"]] if online else [words[measure] for measure in MEASURES]
    heads = [words["rank"], words["page"], *measured, words["address"]]
    return Table(words["most_read_pages"], frame.notes, heads, rows)


def sections_table(sections: Sequence[SectionCounts], frame: ReportFrame) -> Table:
    """Return what was read in each section."""
    words = WORDS[frame.language]
    rows: list[list[Cell]] = [
        [frame.section(one.section), one.articles, *(one.counts.of(measure) for measure in MEASURES)]
        for one in sections
    ]
    heads = [words["section"], words["articles"], *(words[measure] for measure in MEASURES)]
    return Table(words["export_sections"], frame.notes, heads, rows)
