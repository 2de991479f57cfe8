"""Tables: how small they are printed, and which rows are repeated."""

from hypothesis import given
from hypothesis import strategies as st

from services.render.pages.tables import SMALLEST, cell_class, table_shape
from shared.articles import Cell, Table


def numbers(columns: int, text: str = "1.234.567") -> Table:
    return Table([[Cell("Xã", header=True)] * columns, [Cell(text)] * columns])


def test_table_shape_gets_smaller_with_its_width() -> None:
    """A table of few columns has common print, a wide one smaller print, and a wider one paper across."""
    shapes = [table_shape(numbers(columns)).print_class.strip() for columns in (6, 9, 11, 13, 17, 40)]
    assert shapes == ["", "p8", "p7", "p8 across", "p6 across", SMALLEST]


def test_table_shape_counts_covered_columns() -> None:
    """A row below a cell of several rows has its cells in the columns that are free."""
    number = Cell("1.234.567")
    below = Table([[Cell("1.234.567", rowspan=2), number], [number] * 9])
    assert table_shape(below).print_class == table_shape(numbers(10)).print_class != table_shape(numbers(9)).print_class


def test_table_shape_ignores_words_that_may_be_broken() -> None:
    """An address of 200 letters does not make the print of all other columns smaller."""
    long = Cell("https://haihau.example/" + "a" * 200)
    found = [cell_class(Cell(text)) for text in ("Hải Anh", "<em>Xã Hải Anh</em>", "Ủy ban nhân dân xã Hải Anh")]
    assert [cell_class(long), *found] == ["long", "", "", "text"]
    assert table_shape(Table([[long, Cell("1")]])).print_class == ""


def test_cell_class_keeps_groups_of_a_number_together() -> None:
    """Telephone numbers and thousands with blanks are one line; other cells are as they were."""
    whole = ("0228 3877 000", "+84 228 3877 000", "(0228) 3.877.000", "1 234 567")
    others = ("1.234.567", "2025", "Tổ 5", "12 hộ", "5 - 7 ngày", "")
    assert {cell_class(Cell(text)) for text in whole} == {"whole"}
    assert {cell_class(Cell(text)) for text in others} == {""}


def test_table_shape_repeats_leading_headers_alone() -> None:
    """Headers at the beginning are repeated, unless a cell reaches into the rows below, or there are none."""
    head, line = [Cell("A", header=True), Cell("B", header=True)], [Cell("1"), Cell("2")]
    two = [[Cell("A", header=True, rowspan=2), Cell("B", header=True)], [Cell("C", header=True)]]
    reaching = [[Cell("A", header=True, rowspan=3), Cell("B", header=True)], [Cell("C", header=True)], [Cell("1")]]
    found = [table_shape(Table(rows)).head_rows for rows in ([head, line], [line], [head], [*two, line], reaching, [])]
    assert found == [1, 0, 0, 2, 0, 0]


CELLS = st.builds(Cell, st.text(max_size=40), st.booleans(), st.integers(1, 100), st.integers(1, 500))


@given(st.lists(st.lists(CELLS, max_size=8), max_size=8))
def test_table_shape_exists_for_every_table(rows: list[list[Cell]]) -> None:
    """Whatever spans a table has, it has a shape, and never more rows of headers than rows."""
    shape = table_shape(Table(rows))
    assert 0 <= shape.head_rows <= max(0, len(rows) - 1)
