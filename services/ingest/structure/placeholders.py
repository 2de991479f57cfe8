"""Places of a page that its ready-made beginning left to be filled in, and that nobody has filled in. Pure."""

import re
from collections.abc import Iterator

from services.ingest.content.errors import FieldError, field_error, quoted
from shared.articles import Heading, Table
from shared.site_structure import StaticPage
from shared.text import inline_html_parts, inline_text

_PLACEHOLDER = re.compile(r"\s*(?:…|\.{3,})[\s.…]*")
"""A text of nothing but dots. An empty cell says that there is nothing to fill in."""


def placeholder_errors(page: StaticPage) -> list[FieldError]:
    """Return an error for each place of a page about the organisation or its contacts that still has "…"."""
    return [] if page.kind == "page" else list(_errors(page))


def _errors(page: StaticPage) -> Iterator[FieldError]:
    heading = page.title
    for number, block in enumerate(page.body):
        if isinstance(block, Heading):
            heading = inline_text(block.html)
        if isinstance(block, Table):
            for row, cells in enumerate(block.rows, 1):
                for column, cell in enumerate(cells, 1):
                    if _is_placeholder(cell.html):
                        place = f"body.{number}"
                        yield field_error(
                            place, "placeholder_in_table", heading=quoted(heading), row=row, column=column
                        )
        elif any(map(_is_placeholder, inline_html_parts(block))):
            yield field_error(f"body.{number}", "placeholder", heading=quoted(heading))


def _is_placeholder(html: str) -> bool:
    return _PLACEHOLDER.fullmatch(inline_text(html)) is not None
