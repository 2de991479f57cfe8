"""Statistics → tables of exports, with translated headings and explanatory notes. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from services.stats.statistics.exclusion_notes import ExclusionNote, touched
from services.stats.statistics.formatting import Formatter
from services.stats.statistics.referrer_spam import Referrers
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
    exclusions: Sequence[ExclusionNote] = ()
    """Of visitors who were taken out of the table's numbers later, or put back."""

    @property
    def notes(self) -> list[str]:
        """Notes above the table."""
        words, formatter = WORDS[self.language], Formatter(self.site, self.language)
        whose = f"{self.site.name}. {words['as_of']} {formatter.time(self.as_of)} ({self.site.timezone})."
        return [whose, *([words.get(self.of, self.of)] if self.of else []), *words["meanings"][:4]]

    @property
    def marks(self) -> list[str]:
        """A sentence for each exclusion, as on the statistics page."""
        words, formatter = WORDS[self.language], Formatter(self.site, self.language)
        return [
            "† "
            + words["exclusion" if one.is_excluded else "exclusion_reversed"].format(
                day=formatter.bucket(one.begin, one.end, "day"),
                begin=f"{formatter.local(one.begin):%H:%M}",
                end=f"{formatter.local(one.end):%H:%M}",
                visitors=formatter.number(one.visitors),
                at=formatter.time(one.at),
            )
            for one in self.exclusions
        ]

    def section(self, slug: str | None) -> str:
        """Return a section's name."""
        known = self.site.section(slug) if slug else None
        return known.name if known else slug or WORDS[self.language]["no_section"]


def history_table(series: TimeSeries, frame: ReportFrame) -> Table:
    """Return a series."""
    words, formatter = WORDS[frame.language], Formatter(frame.site, frame.language)
    shape = "%Y-%m-%d %H:%M" if series.step == "hour" else "%Y-%m-%d"
    rows: list[list[Cell]] = []
    marked = touched(frame.exclusions, series.starts)
    for start, end, counts, is_marked in zip(series.starts[:-1], series.starts[1:], series.counts, marked, strict=True):
        last = end if series.step == "hour" else end - 1  # the last day, and not the one after it
        names = [formatter.local(start).strftime(shape), formatter.local(last).strftime(shape)]
        mark: list[Cell] = ["†" if is_marked else None] if any(marked) else []
        rows.append([*names, *(counts.of(measure) for measure in MEASURES), *mark])
    heads = [words["begin"], words["end"], *(words[measure] for measure in MEASURES), *(["†"] if any(marked) else [])]
    return Table(words["history_by"][series.step], frame.notes, heads, rows, frame.marks)


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
    return Table(words["active_now"] if online else words["most_read"], frame.notes, heads, rows, frame.marks)


def pages_table(pages: Sequence[TopPage], frame: ReportFrame, base_url: str, *, online: bool) -> Table:
    """Return the most read pages, or those that are read now."""
    words = WORDS[frame.language]
    rows: list[list[Cell]] = []
    for rank, one in enumerate(pages, 1):
        numbers = [one.online] if online else [one.counts.of(measure) for measure in MEASURES]
        rows.append([rank, one.page, *numbers, base_url + one.path if one.path else None])
    measured = [words["online"]] if online else [words[measure] for measure in MEASURES]
    heads = [words["rank"], words["page"], *measured, words["address"]]
    return Table(words["most_read_pages"], frame.notes, heads, rows, frame.marks)


def sections_table(sections: Sequence[SectionCounts], frame: ReportFrame) -> Table:
    """Return what was read in each section."""
    words = WORDS[frame.language]
    rows: list[list[Cell]] = [
        [frame.section(one.section), one.articles, *(one.counts.of(measure) for measure in MEASURES)]
        for one in sections
    ]
    heads = [words["section"], words["articles"], *(words[measure] for measure in MEASURES)]
    return Table(words["export_sections"], frame.notes, heads, rows, frame.marks)


def referrers_table(referrers: Referrers, frame: ReportFrame, limit: int, *, with_spam_hosts: bool) -> Table:
    """Return the visits by referring host; hosts of referrer spam follow all others, and are marked."""
    words = WORDS[frame.language]
    rest = referrers.other + sum(visits for _, visits in referrers.hosts[limit:])
    rows: list[list[Cell]] = [[host, visits, None] for host, visits in referrers.hosts[:limit]]
    rows += [[words["other"], rest, None]] if rest else []
    rows += [[words["direct"], referrers.direct, None]] if referrers.direct else []
    spam = referrers.spam[: limit if with_spam_hosts else 0]
    spam_rest = referrers.spam_visits - sum(visits for _, visits in spam)
    rows += [[host, visits, words["yes"]] for host, visits in spam]
    rows += [[words["other"], spam_rest, words["yes"]]] if spam_rest else []
    notes = [*frame.notes, words["referrers_note"], f"{words['spam']}: {words['spam_note']}"]
    return Table(words["referrers"], notes, [words["host"], words["visits"], words["spam"]], rows, frame.marks)
