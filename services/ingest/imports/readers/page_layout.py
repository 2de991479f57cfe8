"""The layout of old portals: pages of one form (ASP.NET) or of nested tables, which hide their text. Pure."""

from typing import Any

from services.ingest.imports.item import one_line

FORM_TEXT_CHARACTERS_MIN = 400
CELL_TEXT_CHARACTERS_MIN = 400
_BLOCKS = "div | p | table | ul | ol | h1 | h2 | h3 | h4 | figure | blockquote | form"


def open_layout(tree: Any) -> None:
    """Remove forms and controls, and make boxes of the forms and tables that a page consists of."""
    for one in list(tree.iter("select", "textarea", "button")):
        one.drop_tree()
    _open_forms(tree)
    for table in reversed(list(tree.iter("table"))):
        if any(_is_column(cell) for cell in table.xpath("./tr/td | ./*/tr/td")):
            _make_boxes(table)


def _open_forms(tree: Any) -> None:
    """Remove forms, but not one around a page: it has the state of the page, or most of its text."""
    whole = len(one_line(tree.text_content()))
    for one in list(tree.iter("form")):
        is_around = one.xpath("count(.//p) > 1 or .//h1 or .//input[@name='__VIEWSTATE']")
        own = len(one_line(one.text_content()))
        is_page = is_around or own >= FORM_TEXT_CHARACTERS_MIN or own * 2 > whole
        one.drop_tag() if is_page else one.drop_tree()


def _is_column(cell: Any) -> bool:
    """Return whether a cell has a text with blocks, as a column of a page."""
    characters = 0
    for text in cell.itertext():
        characters += len(text.strip())
        if characters >= CELL_TEXT_CHARACTERS_MIN:
            return bool(cell.xpath(_BLOCKS))
    return False


def _make_boxes(table: Any) -> None:
    for part in table.xpath(
        ". | ./tbody | ./thead | ./tfoot | ./tr | ./*/tr | ./tr/td | ./*/tr/td | ./tr/th | ./*/tr/th"
    ):
        part.tag = "div"
        for name in ("width", "height", "cellpadding", "cellspacing", "border", "valign", "colspan", "rowspan"):
            part.attrib.pop(name, None)
        leaves = [one for one in part if one.tag == "div" and not one.xpath(_BLOCKS) and one_line(one.text_content())]
        for one in leaves if part.tag == "div" else ():
            one.tag = "p"
