"""Tables as files: opened again with the programs' own libraries."""

import csv
import io
from dataclasses import replace

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.stats.statistics.spreadsheets import Table, to_csv, to_xlsx

TITLES = ["Hội nghị", "=1+1", "+84", "-1", "@SUM(A1)", "\t=1", 'Anh "Tư", chị Năm', "", "dòng\nmới", "chuông\a"]


def table(titles: list[str]) -> Table:
    return Table("Bài đọc nhiều", ["=ghi chú"], ["Bài", "Lượt"], [[title, 1_234] for title in titles])


def test_csv_is_readable_by_excel() -> None:
    """It begins with the byte order mark, lines end with CRLF, and every text comes back but for formulas' quotes."""
    content = to_csv(table(TITLES))
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert rows[0] == ["Bài", "Lượt"]
    assert [row[0].removeprefix("'") for row in rows[1:]] == TITLES
    assert {row[1] for row in rows[1:]} == {"1234"}


@given(st.text(max_size=20))
def test_csv_texts_are_never_formulas(title: str) -> None:
    """Whatever an article is called, its cell does not begin like a formula."""
    rows = list(csv.reader(io.StringIO(to_csv(table([title])).decode("utf-8-sig", "surrogatepass"), newline="")))
    assert not rows[1][0].startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize("title", TITLES)
def test_workbook_texts_are_texts(title: str) -> None:
    """A title that begins like a formula is a text in the workbook, and numbers are numbers."""
    book = openpyxl.load_workbook(io.BytesIO(to_xlsx([table([title]), replace(table([]), title="Chuyên mục")])))
    assert len(book.worksheets) == 2
    sheet = book.worksheets[0]
    assert (sheet.print_title_rows, sheet.freeze_panes) == ("$4:$4", "A5")  # the headings, on each sheet of paper too
    assert sheet["A2"].data_type == "s"
    heads, row = list(sheet.iter_rows(min_row=4))[:2]
    assert [cell.value for cell in heads] == ["Bài", "Lượt"]
    assert row[0].data_type in ("s", "n" if not title else "s")
    assert (row[0].value or "") == title.replace("\a", "").replace("\t", "").replace("\n", "")
    assert (row[1].value, row[1].data_type) == (1_234, "n")
