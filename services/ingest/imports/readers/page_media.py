"""Videos and pictures of a saved page: what the extraction of its text would lose is marked before and restored after.

The extractor keeps neither embedded videos nor pictures that scripts load. Pure.
"""

import re
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import unquote

from lxml import html

from services.ingest.imports.item import image_figure, one_line
from services.ingest.imports.markup.addresses import is_usable_picture, picture_address, resolve
from services.ingest.imports.warnings import ItemWarning, make_warning
from shared.articles import Block, Figure, Paragraph
from shared.text import inline_text

_MARK = re.compile(r"(?:<p>\s*)?\(embedded-medium-(\d+)-of-this-page\)(?:\s*</p>)?")
_KEPT_ATTRIBUTES = ("src", "data-src", "data-lazy-src", "title", "poster")
LOST_PICTURES_MAX = 20
_ICON = re.compile(r"[/_-](?:icons?|clock|print|share|button)[./_-]", re.IGNORECASE)
ASSET_FOLDERS = (
    *(
        "_files",
        ".files",
        "_file",
        ".file",
        "_tệp",
        "_tep",
        "_tập tin",
        "-Dateien",
        "_fichiers",
        "_archivos",
        "_arquivos",
    ),
    *("_bestanden", "_pliki", "_filer", "_soubory", "_elemei", "_dosyalar", "_file_list"),
)
"""Endings of the folder that browsers and word processors save beside a page, with its pictures and scripts."""
OF_SITE = (
    "ancestor::header[not(ancestor::article)] or ancestor-or-self::*[contains(@class,'logo') or contains(@id,'logo')"
    " or contains(@class,'site-title') or contains(@class,'site-name') or contains(@class,'banner')]"
)
"""Condition of an element that belongs to the site, not to the article."""
FURNITURE = "ancestor::header[not(ancestor::article)] or ancestor::footer or ancestor::nav or ancestor::aside"
TITLES = (
    "//h1 | //h2 | //h3 | //*[contains(@class,'itle') or contains(@class,'TieuDe') or contains(@class,'tieude')"
    " or contains(@id,'itle')]"
)


class MediaMarks:
    """Replaces the videos of a page by marks, and gives pictures the addresses that scripts would give them."""

    def __init__(self, tree: Any, base: str, warnings: list[ItemWarning]) -> None:
        self._media: list[str] = []
        for image in list(tree.iter("img")):
            attributes = {str(name): str(value) for name, value in image.attrib.items()}
            if is_saved_beside(picture_address(attributes, "")):
                shown = one_line(image.get("src"))[:200]
                message = f"a picture of a saved page was left out: {shown}; add it to the media store"
                warnings.append(make_warning("image", message))
                image.drop_tree()
                continue
            url = picture_address(attributes, base)
            if is_usable_picture(url):
                image.set("src", url)
                for name in ("srcset", "data-src", "data-original", "data-srcset"):
                    image.attrib.pop(name, None)
        for noscript in list(tree.iter("noscript")):
            self._show_pictures(noscript, tree, base)
        for element in list(tree.iter("iframe", "video", "audio")):
            self._mark(element)

    def _mark(self, element: Any) -> None:
        parent = element.getparent()
        if parent is None:
            return
        given = {name: element.get(name) for name in _KEPT_ATTRIBUTES if element.get(name)}
        if not given.get("src"):
            given["src"] = next(
                (one.get("src") for one in element.iter("source") if one.get("src")), given.get("data-src", "")
            )
        attributes = "".join(f' {name}="{escape(value)}"' for name, value in given.items() if value)
        mark = html.Element("p")
        mark.text = f"(embedded-medium-{len(self._media)}-of-this-page)"
        mark.tail, element.tail = element.tail, None
        self._media.append(f"<{element.tag}{attributes}></{element.tag}>")
        parent.replace(element, mark)

    def _show_pictures(self, noscript: Any, tree: Any, base: str) -> None:
        """Show the pictures that only browsers without scripts show, unless the page shows them as well."""
        shown = {one.get("src") for one in tree.iter("img") if not any(True for _ in one.iterancestors("noscript"))}
        for image in list(noscript.iter("img")):
            url = resolve(base, one_line(image.get("src")))
            if is_usable_picture(url) and url not in shown:
                image.set("src", url)
                image.tail = None
                noscript.addprevious(image)

    def restore(self, text: str) -> str:
        """Return extracted HTML with the videos instead of their marks."""
        return _MARK.sub(lambda found: self._media[int(found[1])] if int(found[1]) < len(self._media) else "", text)


def is_saved_beside(url: str) -> bool:
    """Return whether an address is that of a file which a browser has saved in the folder beside a page."""
    folder, _, file = unquote(url).replace("\\", "/").removeprefix("./").rpartition("/")
    return bool(file) and "//" not in folder and not folder.startswith("/") and folder.endswith(ASSET_FOLDERS)


def title_element(tree: Any, title: str) -> Any:
    """Return the element that shows the title of a page; None if there is none."""
    found = [one for one in tree.xpath(TITLES) if one_line(one.text_content()[:1_000]) == title]
    return next((one for one in found if not one.xpath(FURNITURE)), None)


def lead_picture(
    tree: Any, title: str, blocks: list[Block], base: str, captions: Mapping[str, str], *, warnings: list[ItemWarning]
) -> Figure | None:
    """Return the picture between the title and the text, which the extraction of the text loses."""
    start = title_element(tree, title)
    texts = [one_line(inline_text(one.html))[:60] for one in blocks if isinstance(one, Paragraph)]
    if start is None or not texts or isinstance(blocks[0], Figure):
        return None
    carried = {one.image.url for one in blocks if isinstance(one, Figure) and one.image is not None}
    for one in start.xpath("following::*[self::img or self::p or (self::div and not(.//div) and not(.//p))]"):
        if one.tag != "img":
            if texts[0] in one_line(one.text_content()[:20_000]):
                return None
            continue
        url = resolve(base, one_line(one.get("src")))
        sizes = [one_line(one.get(name)) for name in ("width", "height")]
        is_small = any(_is_below(size, 100) for size in sizes)
        if url and url not in carried and not is_small and not _ICON.search(url) and not one.xpath(FURNITURE):
            figure = image_figure(url, one.get("alt"), captions.get(url) or one.get("alt"), base, warnings)
            if figure is not None:
                return figure
    return None


def _is_below(size: str, pixels: int) -> bool:
    return size.isdecimal() and len(size) < len("10000") and int(size) < pixels


def report_lost_pictures(tree: Any, blocks: list[Block], base: str, warnings: list[ItemWarning]) -> None:
    """Add a warning for each picture between the first and the last paragraph of the text that is not in its blocks."""
    texts = [one_line(inline_text(one.html))[:60] for one in blocks if isinstance(one, Paragraph)]
    texts = [text for text in texts if len(text) >= 20]
    if not texts:
        return
    carried = {unquote(one.image.url) for one in blocks if isinstance(one, Figure) and one.image is not None}
    box = _common_box(tree, texts[0], texts[-1])
    lost = []
    for image in [] if box is None else box.iter("img"):
        url = resolve(base, one_line(image.get("src")))
        is_tiny = any(_is_below(one_line(image.get(name)), 50) for name in ("width", "height"))
        if url and unquote(url) not in carried and not url.startswith("data:") and not is_tiny:
            lost.append(url)
    warnings.extend(
        make_warning("image", f"a picture beside the text was left out: {url[:200]}")
        for url in list(dict.fromkeys(lost))[:LOST_PICTURES_MAX]
    )


def _common_box(tree: Any, first: str, last: str) -> Any:
    """Return the smallest element with both texts, unless it is the page itself."""
    box = None
    for element in tree.iter("p", "div", "td", "article", "section", "span"):
        is_inside = box is None or any(above is box for above in element.iterancestors())
        if is_inside and first in one_line(element.text_content()[:20_000]):
            box = element
    while box is not None and box.tag != "body" and last not in one_line(box.text_content()):
        box = box.getparent()
    return None if box is None or box.tag in ("body", "html") else box
