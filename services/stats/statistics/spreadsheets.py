"""Tables → CSV and XLSX, for people who open them in a spreadsheet. Pure."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

Cell = str | int | None
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet treats a text that begins with one of these as a formula: a title must never be one."""
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True)
class Table:
    """An exported table: a title, notes, and rows under their headings."""

    title: str
    notes: Sequence[str]
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    marks: Sequence[str] = ()
    """Notes without which the numbers would mislead: also a file without notes has them."""


def to_csv(table: Table) -> bytes:
    """Return UTF-8 with a byte order mark, by which Excel recognises it; lines end as in RFC 4180.

    It has no notes. Marks are rows below the others, after an empty one; all rows have as many cells.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(table.heads)
    writer.writerows([_without_formula(cell) for cell in row] for row in table.rows)
    if table.marks:
        rest = [""] * (len(table.heads) - 1)
        writer.writerows([["", *rest], *([_without_formula(mark), *rest] for mark in table.marks)])
    return text.getvalue().encode("utf-8-sig")


def to_xlsx(tables: Sequence[Table]) -> bytes:
    """Return a workbook with a sheet for each table. Texts are never formulas there, whatever they begin with."""
    import xlsxwriter  # late: few people export, and it takes 2.5 MB

    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        styles = {
            "title": book.add_format({"bold": True, "font_size": 14}),
            "note": book.add_format({"italic": True, "font_color": "#555555"}),
            "head": book.add_format({"bold": True, "bottom": 1}),
            "number": book.add_format({"num_format": "#,##0"}),
        }
        for table in tables:
            sheet = book.add_worksheet(table.title[:31])
            sheet.write_string(0, 0, table.title, styles["title"])
            notes = [*table.notes, *table.marks]
            for number, note in enumerate(notes, 1):
                sheet.write_string(number, 0, note, styles["note"])
            top = len(notes) + 2
            for column, head in enumerate(table.heads):
                sheet.write_string(top, column, head, styles["head"])
                cells = [row[column] for row in table.rows]
                sheet.set_column(column, column, _width([head, *cells]))
                for line, cell in enumerate(cells, top + 1):
                    if isinstance(cell, int):
                        sheet.write_number(line, column, cell, styles["number"])
                    elif cell is not None:
                        sheet.write_string(line, column, _printable(cell))
            sheet.freeze_panes(top + 1, 0)
            sheet.set_landscape()
            sheet.fit_to_pages(1, 0)
            sheet.repeat_rows(top)
    return file.getvalue()


def _without_formula(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_PREFIXES) else cell


def _printable(text: str) -> str:
    """Return the text without control characters, which XML does not allow."""
    return "".join(letter for letter in text if letter >= " ")


def _width(cells: Sequence[Cell]) -> int:
    return min(80, max(8, *(len(str(cell)) + 2 for cell in cells if cell is not None)))
