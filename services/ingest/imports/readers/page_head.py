"""What a saved page shows above its text: the title, the lead and the author. Pure."""

import re
from collections.abc import Iterator
from typing import Any

from services.ingest.imports.item import FormatError, one_line, unescaped
from services.ingest.imports.readers.page_dates import meta
from services.ingest.imports.readers.page_media import FURNITURE, OF_SITE, TITLES, title_element
from shared.articles import Block, Heading, Paragraph
from shared.text import inline_text

_LOWER_CLASS = "translate(@class,'ABCDEFGHIJKLMNOPQRSTUVWXYZ','abcdefghijklmnopqrstuvwxyz')"
_LEADS = (
    f"//*[contains({_LOWER_CLASS},'sapo') or contains({_LOWER_CLASS},'hometext') or contains({_LOWER_CLASS},'lead')"
    " or @id='hometext'][normalize-space()]"
)
_OF_ANY_PAGE = re.compile(
    r"(?:chi tiết|tin tức|tin bài|bài viết|trang chủ|cổng|trang thông tin|website|home|news|detail)\b", re.IGNORECASE
)
"""Titles that portals give to all of their pages."""
_BYLINES = (
    "//*[@itemprop='author']//*[@itemprop='name'] | //*[@itemprop='author'][not(.//*)] | //a[@rel='author']"
    " | //*[contains(@class,'author')]//a[contains(@href,'author') or contains(@class,'fn')]"
    " | //*[contains(@class,'author')]//*[contains(@class,'fn')]"
    " | //*[contains(@class,'article-author') or contains(@class,'author-name')]"
)
_BYLINE_LABEL = re.compile(r"^(?:(?:viết )?bởi|by|tác giả|người đăng|người viết|posted by)\s*:?\s+", re.IGNORECASE)
_NO_NAMES = {"admin", "administrator", "quản trị", "quản trị viên", "ban biên tập"}
AUTHOR_CHARACTERS_MAX = 60
LEAD_CHARACTERS_MIN = 20
LEAD_CHARACTERS_MAX = 1_000
_TITLE_CHARACTERS_MIN = 8


def page_title(tree: Any, linked: dict[str, Any], start: Any) -> str:
    """Return the title of the article: not that of the site, which pages have as a heading over their logo as well.

    Args:
        tree: The page.
        linked: Its schema.org article.
        start: The element in which the text begins, or None.
    """
    whole = _without_site_name(unescaped(one_line(tree.findtext(".//title"))), tree)
    site = unescaped(meta(tree, "og:site_name")).casefold()
    headings = [unescaped(one_line(one.text_content())) for one in tree.xpath(f"//h1[not({OF_SITE})]")]
    named = [one for one in headings if one and one in whole]
    given = [unescaped(meta(tree, "og:title")), unescaped(one_line(linked.get("headline")))]
    others = [unescaped(one_line(one.text_content())) for one in tree.xpath("//h1")]
    near = [] if start is None else list(_headings_above(tree, start))
    shown = [one for one in near if whole.startswith(one)]
    if not named and (not headings or shown):  # headings of other levels have the title
        named = shown[:1] or (near[:1] if _OF_ANY_PAGE.match(whole) else [])
    candidates = [one for one in (*given, *named, *headings, whole, *others) if one]
    if not candidates:
        raise FormatError("has no title")
    return next((one for one in candidates if one.casefold() != site), candidates[0])


def _headings_above(tree: Any, start: Any) -> Iterator[str]:
    """Yield the texts that are styled as titles and stand before an element in a box with it, the nearest first."""
    order = {one: number for number, one in enumerate(tree.iter())}
    boxes = [one for one in start.iterancestors() if one.tag not in ("body", "html")][:3]
    found = [one for one in tree.xpath(TITLES) if order[one] < order[start] and one not in boxes]
    for one in reversed(found):
        text = unescaped(one_line(one.text_content()[:1_000]))
        is_near = any(box in boxes for box in one.iterancestors())
        if is_near and _TITLE_CHARACTERS_MIN <= len(text) <= 255 and not one.xpath(FURNITURE):
            yield text


def _without_site_name(title: str, tree: Any) -> str:
    """Return the title of a page without the name of its site, if that is in its logo: "Bài - Cổng thông tin"."""
    names = {unescaped(one_line(one.text_content()[:500])).casefold() for one in tree.xpath(f"//*[{OF_SITE}]")}
    names.add(unescaped(meta(tree, "og:site_name")).casefold())
    for separator in (" - ", " | ", " – ", " :: ", " » "):
        head, _, tail = title.rpartition(separator)
        if head and tail.casefold() in names:
            return head
    return title


def page_author(tree: Any, linked: dict[str, Any], byline: str) -> str:
    """Return the author; not the name of the site, which NukeViet has in this field of all pages.

    Args:
        tree: The page.
        linked: Its schema.org article.
        byline: The author that a line below the text names, or "".
    """
    site = meta(tree, "og:site_name").casefold()
    given = [one_line(_first_name(linked.get("author"))), meta(tree, "author")]
    named = next((one for one in given if one and one.casefold() != site), "")
    shown = [_BYLINE_LABEL.sub("", one_line(one.text_content()[:500])) for one in tree.xpath(_BYLINES)[:20]]
    fitting = (one for one in shown if one and len(one) <= AUTHOR_CHARACTERS_MAX and one.casefold() != site)
    return (
        named
        or byline
        or next((one for one in fitting if one.casefold() not in _NO_NAMES), "")
        or next((one for one in given if one), "")
    )


def _first_name(value: object) -> object:
    value = value[0] if isinstance(value, list) and value else value
    return value.get("name") if isinstance(value, dict) else value


def page_lead(tree: Any, title: str, found: list[Block], box: Any) -> tuple[str, list[Block]]:
    """Remove the lead and a repeated title from the start of the text, and return the lead.

    Args:
        tree: The page.
        title: The title of the article.
        found: The blocks of its text.
        box: The element that has the text and nothing else, or None.
    """
    while (
        found and isinstance(found[0], Heading | Paragraph) and unescaped(one_line(inline_text(found[0].html))) == title
    ):
        found = found[1:]
    marked = [one_line(one.text_content()) for one in tree.xpath(_LEADS)]
    above = [] if box is None else [one_line(one.text_content()) for one in elements_between(tree, title, box)]
    shown = [one for one in (*marked, *(one for one in above if len(one) >= LEAD_CHARACTERS_MIN)) if one]
    lead = next((one for one in (*shown, meta(tree, "og:description"), meta(tree, "description")) if one), "")
    if len(lead) > LEAD_CHARACTERS_MAX and (box is None or lead not in above):  # it is in the text as well
        lead = ""
    kept = [
        one for one in found if not (isinstance(one, Paragraph | Heading) and one_line(inline_text(one.html)) == lead)
    ]
    return lead, kept


_LEAVES = "self::p or self::div or self::span or self::h2 or self::h3 or self::h4 or self::h5 or self::strong"
_NO_LEADS = f"{FURNITURE} or ancestor-or-self::figure or ancestor-or-self::ul or ancestor-or-self::a or .//a"


def elements_between(tree: Any, title: str, box: Any) -> list[Any]:
    """Return the elements with text and without other elements of text that stand between the title and the text."""
    start = title_element(tree, title)
    if start is None:
        return []
    order = {one: number for number, one in enumerate(tree.iter())}
    inside = {*start.iter()}
    return [
        one
        for one in start.xpath(f"following::*[{_LEAVES}][not(.//p) and not(.//div)][normalize-space()]")
        if order[one] < order[box] and one not in inside and not one.xpath(_NO_LEADS)
    ]
