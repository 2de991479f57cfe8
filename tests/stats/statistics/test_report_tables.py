"""Tables of exports: headings, notes and rows."""

import csv
import io
from datetime import datetime

import openpyxl

from services.stats.statistics.exclusion_notes import ExclusionNote
from services.stats.statistics.report_tables import ReportFrame, history_table, sections_table, top_table
from services.stats.statistics.spreadsheets import to_csv, to_xlsx
from services.stats.statistics.time_series import Counts, TimeSeries
from services.stats.statistics.top_articles import SectionCounts, TopArticle
from shared.sites import Section, Site

SITE = Site(
    slug="haihau",
    name="Hải Hậu",
    origins=["https://haihau.example"],
    timezone="Asia/Ho_Chi_Minh",
    sections=[Section(slug="tin-tuc", name="Tin tức")],
)
DAY = int(datetime.fromisoformat("2026-11-24T00:00+07:00").timestamp())
FRAME = ReportFrame(SITE, "en", DAY + 60, "")


def test_history_table_has_local_days_and_measures() -> None:
    """A row of days has its local first and last day and the three measures."""
    series = TimeSeries("day", [DAY, DAY + 86_400, DAY + 2 * 86_400], [Counts(3, 2, 1), Counts()], Counts(), DAY)
    table = history_table(series, FRAME)
    assert [list(row) for row in table.rows] == [
        ["2026-11-24", "2026-11-24", 3, 2, 1],
        ["2026-11-25", "2026-11-25", 0, 0, 0],
    ]
    assert len(table.heads) == 5


def test_history_table_of_hours_has_their_ends() -> None:
    """A row of hours ends at the next full hour."""
    series = TimeSeries("hour", [DAY, DAY + 3_600], [Counts(1, 1, 1)], Counts(), DAY)
    assert list(history_table(series, FRAME).rows[0])[:2] == ["2026-11-24 00:00", "2026-11-24 01:00"]


def test_top_table_has_titles_sections_and_addresses() -> None:
    """A removed article has its id, and no address; a known section has its name."""
    articles = [
        TopArticle("bai-1", "Tiêu đề", "tin-tuc", "published", "/bai-1.html", Counts(3, 2, 1)),
        TopArticle("bai-2", None, None, "killed", None, Counts(1, 1, 1)),
    ]
    table = top_table(articles, FRAME, "https://haihau.example", online=False)
    first, second = (list(row) for row in table.rows)
    assert first[0] == 1
    assert "Tiêu đề" in first
    assert "Tin tức" in first
    assert "https://haihau.example/bai-1.html" in first
    assert "bai-2" in second
    assert not any(isinstance(cell, str) and cell.startswith("https://") for cell in second)
    assert len(first) == len(table.heads)


def test_sections_table_has_a_row_for_unknown_sections() -> None:
    """Articles without a known section are in a row of their own."""
    table = sections_table([SectionCounts("tin-tuc", 2, Counts(5, 4, 3)), SectionCounts("", 1, Counts(1, 1, 1))], FRAME)
    assert [list(row)[1:] for row in table.rows] == [[2, 5, 4, 3], [1, 1, 1, 1]]
    assert [row[0] for row in table.rows] == ["Tin tức", "(unknown)"]


def test_report_frame_notes_name_the_site_and_the_time() -> None:
    """The notes of a table begin with the site and the time of the values in its zone."""
    notes = FRAME.notes
    assert notes[0].startswith("Hải Hậu. ")
    assert "00:01:00" in notes[0]
    assert "Asia/Ho_Chi_Minh" in notes[0]


def test_history_table_marks_buckets_of_which_visitors_were_taken_out() -> None:
    """A row that an exclusion touches has the mark, and the sentence is below; without one nothing is added."""
    series = TimeSeries("day", [DAY, DAY + 86_400, DAY + 2 * 86_400], [Counts(3, 2, 1)] * 2, Counts(), DAY)
    notes = [
        ExclusionNote(DAY + 86_400, DAY + 90_000, DAY + 100_000, 40_000, True, "a fleet of An"),
        ExclusionNote(DAY + 86_400, DAY + 90_000, DAY + 100_000, 3, False, "a mistake"),
    ]
    table = history_table(series, FRAME._replace(exclusions=notes))
    assert [list(row)[-1] for row in table.rows] == [None, "†"]
    assert table.heads[-1] == "†"
    assert table.marks[0].startswith("† 25 Nov, 00:00 to 01:00: 40,000 visitors turned out to be programs.")
    assert "put back later" in table.marks[1]
    assert "An" not in " ".join(table.marks)
    rows = list(csv.reader(io.StringIO(to_csv(table).decode("utf-8-sig"), newline="")))
    assert {len(row) for row in rows} == {len(table.heads)}
    assert rows[-2][0] == table.marks[0]
    sheet = openpyxl.load_workbook(io.BytesIO(to_xlsx([table]))).worksheets[0]
    assert table.marks[0] in [cell.value for cell in sheet["A"]]
    assert history_table(series, FRAME).heads[-1] != "†"
