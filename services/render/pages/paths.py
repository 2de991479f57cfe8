"""The paths of list pages. Pure."""

from services.render.pages.article_text import tag_slug


def section_path(section: str) -> str:
    """Return the place of a section's list."""
    return f"/{section}/"


def tag_path(tag: str) -> str:
    """Return the place of a tag's list."""
    return f"/tag/{tag_slug(tag)}/"


def month_path(year: int, month: int) -> str:
    """Return the place of a month's list."""
    return f"/luu-tru/{year}/{month:02d}/"


def page_path(address: str, number: int) -> str:
    """Return the place of one page of a list: a path of its own, so that a copy needs no server that reads queries.

    A search, whose place is a query already, gets another part of it.
    """
    if number == 1:
        return address
    return f"{address}&trang={number}" if "?" in address else f"{address}trang-{number}.html"
