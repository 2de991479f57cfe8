"""The paths of list pages. Pure."""

from shared.slugs import name_slug

CORRECTIONS_PATH = "/luu-tru/dinh-chinh/"
"""The list of corrections: below the archive, where no section and no static page can be."""


def section_path(section: str) -> str:
    """Return the path of a section's list."""
    return f"/{section}/"


def tag_path(tag: str) -> str:
    """Return the path of a tag's list."""
    return f"/tag/{name_slug(tag)}/"


def month_path(year: int, month: int) -> str:
    """Return the path of a month's list."""
    return f"/luu-tru/{year}/{month:02d}/"


def page_path(url: str, number: int) -> str:
    """Return the URL of one page of a list: a path of its own, so that a static export needs no query.

    A search, whose URL has a query already, gets another parameter.
    """
    if number == 1:
        return url
    return f"{url}&trang={number}" if "?" in url else f"{url}trang-{number}.html"
