"""The shape of a table: its rows of headers, and how small it must be printed so that no word is broken. Pure."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from shared.articles import Cell, Table
from shared.text import inline_text

LONG_WORD_CHARACTERS = 24
"""Longer words, such as addresses, may be broken anywhere: they do not decide how wide their column is."""
SHORT_CELL_CHARACTERS = 22
"""Shorter cells of a wide table are one line on screens, where the table scrolls."""
PADDING_CHARACTERS = 1.6
"""Of a cell, on both sides together."""
CAPITAL_EXTRA = 0.35
"""By how much a capital letter is wider than a character of common width."""
FITS = ((82, ""), (104, "p8"), (120, "p7"), (150, "p8 across"), (190, "p6 across"))
"""How many characters a line of a printed table has, and the classes of `paper.css` that make it so."""
_GROUPED_NUMBER = re.compile(r"[+(]?\d[\d.,()-]*(?: [\d.,()-]+)+", re.ASCII)
SMALLEST = "p5 across"
"""Words of tables that do not fit even so may be broken anywhere."""


@dataclass(frozen=True)
class TableShape:
    """What a table's markup says besides its cells."""

    head_rows: int
    """So many rows at the beginning have nothing but headers: they are repeated on each printed page."""
    print_class: str
    """Classes for print, before which is a space; "" for a table of common width."""


def table_shape(table: Table) -> TableShape:
    """Return the shape of a table."""
    needed = sum(_column_characters(table.rows).values())
    fitting = next((name for characters, name in FITS if needed <= characters), SMALLEST)
    return TableShape(_head_rows(table.rows), f" {fitting}" if fitting else "")


def cell_class(cell: Cell) -> str:
    """Return the class of a cell, or "".

    `long`: it has a word that may be broken; `text`: it has several lines; `whole`: a number whose groups stay
    together, as those of telephone numbers do.
    """
    if len(cell.html) <= SHORT_CELL_CHARACTERS:
        return "whole" if _GROUPED_NUMBER.fullmatch(cell.html) else ""
    text = inline_text(cell.html)
    if any(len(word) > LONG_WORD_CHARACTERS for word in text.split()):
        return "long"
    return "text" if len(text) > SHORT_CELL_CHARACTERS else ""


def _longest_word(cell: Cell) -> float:
    """Return the width of a cell's longest word that is not broken, in characters of common width."""
    lengths = (
        len(word) + CAPITAL_EXTRA * sum(map(str.isupper, word))
        for word in inline_text(cell.html).split()
        if len(word) <= LONG_WORD_CHARACTERS
    )
    return max(lengths, default=0)


def _column_characters(rows: Sequence[Sequence[Cell]]) -> dict[int, float]:
    """Return the characters that each column needs: its longest word, and padding."""
    columns: dict[int, float] = defaultdict(float)
    occupied: dict[int, int] = {}  # column → rows that a cell above still covers
    for row in rows:
        column = 0
        covered = {place: left - 1 for place, left in occupied.items() if left > 1}
        for cell in row:
            while occupied.get(column, 0) > 0:
                column += 1
            share = _longest_word(cell) / cell.colspan + PADDING_CHARACTERS
            for place in range(column, column + cell.colspan):
                columns[place] = max(columns[place], share)
                if cell.rowspan > 1:
                    covered[place] = cell.rowspan - 1
            column += cell.colspan
        occupied = covered
    return columns


def _head_rows(rows: Sequence[Sequence[Cell]]) -> int:
    """Return how many rows at the beginning are headers; 0 if one of them reaches into the rows below, or all are."""
    count, end = 0, 0
    for row in rows:
        if not row or not all(cell.header for cell in row):
            break
        end = max(end, *(count + cell.rowspan for cell in row))
        count += 1
    return count if end <= count < len(rows) else 0
