"""The text of a saved page where its portal says which box has it, and what stands below: byline, source, files. Pure.

Such a box is converted as it is. Guessing at the text of a page loses headings and numbered lists, and takes the lists
of other news for text if the article is short.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from services.ingest.imports.item import one_line
from services.ingest.imports.readers.page_media import FURNITURE
from services.ingest.imports.readers.plain_text import SOURCE_LINE
from shared.articles import Source

_NAMES = (
    *("bodytext", "news-bodyhtml"),  # NukeViet
    *("entry-content", "post-body"),  # WordPress, Blogger
    *("field--name-body", "field-name-body"),  # Drupal
    *("journal-content-article", "contentBlogs"),  # Liferay
    *("articletext", "article_text", "ms-rtestate-field"),  # mojoPortal, SharePoint
    *("com-content-article__body", "fck_detail"),  # Joomla, VnExpress
)
_IS_NAMED = " or ".join(
    f"contains(concat(' ',normalize-space(@class),' '),' {name} ') or @id='{name}'" for name in _NAMES
)
_BOXES = ("//*[@itemprop='articleBody']", f"//*[{_IS_NAMED}]")
_FURNITURE = re.compile(
    r"(?:^|[\s_-])(?:share|sharing|sharedaddy|social|related|relatedposts|comments?|rating|adsbygoogle|breadcrumbs?"
    r"|pagination)(?:$|[\s_-])|lien-?quan",
    re.IGNORECASE,
)
_HIDDEN = "@hidden or contains(translate(@style,' ',''),'display:none')"
_FILE_BOX = re.compile(r"file|attach|download|dinh-?kem|tai-?ve|tap-?tin", re.IGNORECASE)
_DOCUMENT = re.compile(r"\.(?:pdf|docx?|xlsx?|pptx?|rtf|odt|ods|zip|rar)(?:$|[?#])", re.IGNORECASE)
_UNPUBLISHED_CLASSES = {"node--unpublished", "node-unpublished", "system-unpublished"}
"""Of Drupal and Joomla, in pages that somebody with an account has saved."""
_NOTICES = (
    (
        re.compile(
            r"bài viết này chưa được xuất bản|this (?:article|post) (?:is not|has not been) published", re.IGNORECASE
        ),
        "published",
    ),
    (re.compile(r"chưa được cấp quyền xem|you do not have permission to view", re.IGNORECASE), "for everyone"),
)
AUTHOR_LINE = re.compile(r"Tác giả(?: bài viết)?\s*:\s*(.{2,100})$", re.IGNORECASE)
BELOW_MAX = 500
"""Elements below the text that are looked at."""
FILES_MAX = 20
TEXT_CHARACTERS_MIN = 80
SIZE_RATIO_MIN = 3
"""How much longer a text must be than another with its name, such as a summary."""


@dataclass
class BelowText:
    """What a page names below its text: an author, a source, and links to attached files as (address, label)."""

    author: str = ""
    source: Source | None = None
    files: list[tuple[str, str]] = field(default_factory=list)


def notice(tree: Any, classes: list[str]) -> str:
    """Return what a page tells its reader about its publication; "" if it tells nothing."""
    if _UNPUBLISHED_CLASSES & {*classes}:
        return "it is not published"
    shown = [one_line(one.text_content()[:500]) for one in tree.xpath("//*[contains(@class,'alert')]")[:20]]
    found = next((name for pattern, name in _NOTICES if any(pattern.search(one) for one in shown)), "")
    return f"it is not {found}" if found else ""


def text_box(tree: Any) -> Any:
    """Return the element that has the text of the article by its name; None if there is none, or several alike."""
    for path in _BOXES:
        found = [one for one in tree.xpath(path) if one.tag not in ("body", "html", "meta")]
        named = {*found}
        outer = [one for one in found if not any(above in named for above in one.iterancestors())]
        sizes = sorted((len(one_line(one.text_content())) + bool(one.findall(".//img")) for one in outer), reverse=True)
        if sizes and sizes[0] and (len(sizes) == 1 or sizes[0] >= SIZE_RATIO_MIN * sizes[1]):
            box = max(outer, key=lambda one: len(one_line(one.text_content())))
            return None if box.find(".//h1") is not None else box
    return None


def first_text(tree: Any) -> Any:
    """Return the first element with a text of some length, in which the text of the article may begin; or None."""
    for one in tree.iter("p", "div", "td", "span"):
        if len(one_line(one.text_content()[:1_000])) >= TEXT_CHARACTERS_MIN and not one.xpath(
            f"{FURNITURE} or .//p or .//div"
        ):
            return one
    return None


def box_html(box: Any) -> str:
    """Return the HTML of a text without what is hidden in it, or around it in its box: buttons, lists of other news."""
    whole = len(one_line(box.text_content()))
    hidden = {*box.xpath(f".//*[{_HIDDEN}]")}
    for one in [*hidden, *box.iter("nav", "aside", "section", "div", "ul")]:
        if one is box or one.getparent() is None:
            continue
        is_named = one.tag == "nav" or _FURNITURE.search(f"{one.get('id', '')} {one.get('class', '')}")
        if (is_named or one in hidden) and len(one_line(one.text_content())) * 2 <= whole:
            one.drop_tree()
    return str(etree.tostring(box, encoding="unicode", method="html", with_tail=False))


def below_text(box: Any) -> BelowText:
    """Return what stands below a text: beside its box, or beside the box around it."""
    found = BelowText()
    parent = box.getparent()
    after = [*box.itersiblings(), *(parent.itersiblings() if parent is not None and parent.tag != "body" else ())]
    read = 0
    for one in (element for sibling in after for element in sibling.iter("p", "div", "li", "span", "td")):
        read += 1
        if read > BELOW_MAX:
            break
        if one.xpath("boolean(.//p or .//div or .//li)"):
            continue
        line = one_line(one.text_content()[:500])
        author, source = AUTHOR_LINE.match(line), SOURCE_LINE.match(line) if ":" in line else None
        if author is not None and not found.author:
            found.author = author[1].strip()
        elif source is not None and found.source is None:
            found.source = Source(name=source["name"].strip(), label=source["label"].capitalize())
    links = [link for sibling in after for link in sibling.iter("a") if _is_file(link, sibling)]
    found.files = [(link.get("href", ""), one_line(link.text_content()[:500])) for link in links[:FILES_MAX]]
    return found


def _is_file(link: Any, sibling: Any) -> bool:
    href = one_line(link.get("href"))
    if not href or href.startswith(("#", "javascript:")):
        return False
    if link.get("download") is None and not _DOCUMENT.search(href):
        return False
    boxes = [link]
    while boxes[-1] is not sibling:
        boxes.append(boxes[-1].getparent())
    return any(_FILE_BOX.search(f"{one.get('id', '')} {one.get('class', '')}") for one in boxes)
