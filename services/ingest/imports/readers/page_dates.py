"""When a saved page was published: by its fields, else by the date that it shows near its title. Pure."""

import re
from typing import Any

from services.ingest.imports.item import one_line
from services.ingest.imports.readers.page_media import OF_SITE, title_element
from services.ingest.imports.times import ABSENT, ReadTime, read_time

_LOWER_CLASS = "translate(@class,'ABCDEFGHIJKLMNOPQRSTUVWXYZ','abcdefghijklmnopqrstuvwxyz')"
_OF_DATES = ("date", "time", "ngay", "created", "submitted", "published", "posted")
DATES = "//time | //*[" + " or ".join(f"contains({_LOWER_CLASS},'{one}')" for one in _OF_DATES) + "]"
_YEAR = re.compile(r"(?:19|20)\d\d")
_CLOCK_BOX = re.compile(
    r"clock|dong-?ho|today|hien-?tai|current|sidebar|calendar|lich(?:$|[-_ ])|footer|copyright", re.IGNORECASE
)
_DATE_FIELDS = (
    *(
        "article:published_time",
        "datePublished",
        "DC.date.issued",
        "dc.date.issued",
        "dcterms.issued",
        "DC.date",
        "pubdate",
    ),
    *("publishdate", "publish-date", "published_time", "citation_publication_date", "date"),
)
DATE_CHARACTERS_MAX = 80


def read_page_time(
    tree: Any, linked: dict[str, Any], title: str, above: list[Any]
) -> tuple[ReadTime, list[tuple[str, ReadTime, object]]]:
    """Return when the page was published, and the fields that were read for it.

    Args:
        tree: The page.
        linked: Its schema.org article.
        title: The title of the article.
        above: The elements between its title and its text, which may have a date without a name.
    """
    given: list[tuple[str, object]] = [("schema.org datePublished", linked.get("datePublished"))]
    given = [(name, meta(tree, name)) for name in _DATE_FIELDS[:1]] + given
    given += [(name, meta(tree, name)) for name in _DATE_FIELDS[1:]]
    given += [("itemprop datePublished", attribute(tree, one)) for one in (_PUBLISHED, _PUBLISHED_TEXT)]
    given.extend(("time datetime", one) for one in tree.xpath("//time/@datetime"))
    given += [("abbr published", attribute(tree, "//abbr[contains(@class,'published')]/@title"))]  # of Blogger
    read = [(name, read_time(value), value) for name, value in given if value]
    found = next((one for _, one, _ in read if one.at is not None), None)
    if found is not None:
        return found, read
    unnamed = [one for one in above if _LEADING_DATE.match(one_line(one.text_content()[:500])) and not _is_today(one)]
    for one in [*_shown_dates(tree, title), *unnamed]:
        text_value = one_line(one.text_content())
        shown = read_time(text_value)
        read.append(("date on the page", shown, text_value))
        if shown.at is not None:
            return shown, read
    return ABSENT, read


_LEADING_DATE = re.compile(r"(?:\D{1,20}[\s,])?\d{1,2}[/.-]\d{1,2}[/.-](?:19|20)\d\d\b")
_PUBLISHED_TEXT = "//*[@itemprop='datePublished'][not(@content) and not(@datetime)]/text()"
_PUBLISHED = "//*[@itemprop='datePublished']/@content | //*[@itemprop='datePublished']/@datetime"


def _shown_dates(tree: Any, title: str) -> list[Any]:
    """Return the elements that may show the date of the article: after its title, else just before it.

    The date of today, which portals show above each page, is left out.
    """
    order = {one: number for number, one in enumerate(tree.iter())}
    found = [one for one in tree.xpath(DATES) if not _is_today(one)]
    start = title_element(tree, title)
    if start is None:
        return found
    after = [one for one in found if order[one] > order[start]]
    above = [one for _, one in zip(range(3), start.iterancestors(), strict=False) if one.tag not in ("body", "html")]
    near = [one for one in found if order[one] < order[start] and any(box in above for box in one.iterancestors())]
    return [*after, *reversed(near)]


def _is_today(element: Any) -> bool:
    text = one_line(element.text_content()[:500])
    if len(text) >= DATE_CHARACTERS_MAX or not _YEAR.search(text) or text.lower().startswith(("hôm nay", "today")):
        return True
    if element.xpath(OF_SITE) or element.xpath(
        "ancestor::footer[not(ancestor::article)] or ancestor::nav or ancestor::aside"
    ):
        return True
    boxes = [element, *element.iterancestors()]
    return any(_CLOCK_BOX.search(f"{one.get('id', '')} {one.get('class', '')}") for one in boxes if one.tag != "body")


def meta(tree: Any, name: str) -> str:
    """Return the content of a meta field; "" if there is none."""
    return attribute(tree, f"//meta[@property='{name}' or @name='{name}']/@content")


def attribute(tree: Any, path: str) -> str:
    """Return the first attribute at a path that is not empty; "" if there is none."""
    return next((text_value for one in tree.xpath(path) if (text_value := one_line(one))), "")
