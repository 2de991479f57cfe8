"""A saved web page in HTML → an article. Pure.

trafilatura separates the text from menus and footers. This module adds the conventions of Vietnamese portals: captions
in tables, "Theo …" as the last line, dates as day/month/year, and the counter block.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import escape
from itertools import islice
from typing import Any

from lxml import etree, html

from services.ingest.imports.item import (
    Content,
    FormatError,
    ImportItem,
    ItemOrError,
    ReadContext,
    date_warnings,
    html_to_blocks,
    one_line,
    parse_old_url,
    read_one,
)
from services.ingest.imports.limits import check_page
from services.ingest.imports.markup.addresses import resolve
from services.ingest.imports.publication import LeftOutError, SourceState
from services.ingest.imports.readers.page_dates import DATE_CHARACTERS_MAX, DATES, attribute, meta, read_page_time
from services.ingest.imports.readers.page_head import elements_between, page_author, page_lead, page_title
from services.ingest.imports.readers.page_layout import open_layout
from services.ingest.imports.readers.page_media import MediaMarks, lead_picture, report_lost_pictures
from services.ingest.imports.readers.page_text import (
    AUTHOR_LINE,
    BelowText,
    below_text,
    box_html,
    first_text,
    notice,
    text_box,
)
from services.ingest.imports.readers.plain_text import SOURCE_LINE, is_counter_line, read_counter
from services.ingest.imports.similar_fields import source_state
from services.ingest.imports.state_fields import WORDPRESS_STATUS
from services.ingest.imports.text_repair import decode_text, repair_markup, repair_warnings, to_unicode_text
from services.ingest.imports.warnings import ItemWarning, make_warning
from shared.articles import Author, Block, Figure, Paragraph, Source, Table
from shared.text import inline_html_parts, inline_text

_CAPTIONS = (
    "//figcaption | //*[contains(@class,'aption') or contains(@class,'chuthich') or contains(@class,'chu-thich')]"
    "[not(ancestor::*[contains(@class,'aption')])]"
)
_COUNTERS = "//*[not(*[normalize-space()])][normalize-space()] | //li | //p | //tr | //div[not(.//div)]"
_DAY = re.compile(r"\b(\d{1,2})[/.-](\d{1,2})[/.-]((?:19|20)\d\d)\b")
_UNAVAILABLE_AFTER = re.compile(r"unavailable_after:\s*([^|]+)", re.IGNORECASE)
_CONVERTED_MARK = "\ufffd"
_SAVED_FROM = re.compile(r"<!--\s*saved from url=\(\d+\)(https?://\S+?)\s*-->", re.IGNORECASE)
"""What browsers of Microsoft and Chrome write into the pages that they save."""
_ERROR_PAGE = re.compile(
    r"(?:(?:http )?error|lỗi)?\s*(?:40[0-9]|50[0-9])\s*(?:$|[-–:|.]|not found|forbidden|error|bad|internal|service"
    r"|không tìm)"
    r"|page not found|not found$|access denied$|không tìm thấy trang",
    re.IGNORECASE,
)
_CACHE_FIELDS = ("expires", "pragma", "cache-control", "viewport")
LINKS_OF_LIST_MIN = 8
LINKS_READ_MAX = 1_000
LIST_CHARACTERS_MAX = 100_000
_NOT_TEXT = ("script", "style", "noscript", "template", "svg")
CAPTION_CHARACTERS_MAX = 500
COMPARED_TEXTS_MAX = 3_000
COMPARED_ELEMENTS_MAX = 10_000
"""Of a page with more, one extraction must do: a second one, to compare it with, takes time by the square of its texts
and by the depth of its elements."""


def read_html(content: Content, name: str, context: ReadContext | None = None) -> Iterator[ItemOrError]:
    """Read a saved page; it yields one item."""
    base_url = (context or ReadContext()).base_url
    yield read_one(content[:], lambda one, place: _page(one, place, name, base_url), "page 1")


def _page(content: Any, place: str, name: str, base_url: str) -> ImportItem:
    check_page(content)
    text, warnings = _decoded(content)
    try:
        tree = html.document_fromstring(text)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
        raise FormatError(f"is not HTML: {error}") from error
    linked = _linked_data(tree)
    state = _state(tree, linked)
    base = resolve(base_url, attribute(tree, "//base/@href")) or base_url
    saved = _SAVED_FROM.search(text[:4_096])
    given = attribute(tree, "//link[@rel='canonical']/@href") or meta(tree, "og:url") or (saved[1] if saved else "")
    url = resolve(base, given)
    base = base or url
    marks = MediaMarks(tree, base, warnings)
    for one in list(tree.iter(*_NOT_TEXT)):
        if one.get("type") != "application/ld+json":
            one.drop_tree()
    open_layout(tree)
    for one in tree.iter("a") if base else ():  # the extractor would resolve them against the host alone
        if one.get("href") and not one.get("href", "").startswith("#"):
            one.set("href", resolve(base, one.get("href", "")))
    counter = read_counter([line for one in tree.xpath(_COUNTERS) for line in _lines(one)])
    box = text_box(tree)
    title = page_title(tree, linked, box if box is not None else first_text(tree))
    if _ERROR_PAGE.match(title):
        raise LeftOutError("it is an error page of the server", title)
    above = [] if box is None else elements_between(tree, title, box)
    at, dates = read_page_time(tree, linked, title, above)  # before the date line is removed from the text
    captions = _with_figures(tree, base)
    below = BelowText() if box is None else below_text(box)
    found = _body(marks, tree, box, base, warnings)
    lead, found = page_lead(tree, title, found, box)
    source, found = _source(found, has_counter=counter is not None)
    byline, found = _byline(found)
    found = [*_captions(found, captions), *_files(below, base)]
    state = replace(state, values={**state.values, "text of the page": _kind_of_text(tree, found)})
    picture = lead_picture(tree, title, found, base, captions, warnings=warnings)
    carried = [*found, picture] if picture is not None else found
    report_lost_pictures(tree, carried, base, warnings)
    if not found:
        raise FormatError("has no article text")
    if _CONVERTED_MARK in title:
        warnings.append(make_warning("encoding", "has characters that could not be decoded", "title"))
    author = page_author(tree, linked, byline or below.author)
    section = meta(tree, "article:section") or one_line(linked.get("articleSection"))
    return ImportItem(
        place=place,
        external_id=url if parse_old_url(url) else name,  # some portals give the home page as the address of each
        is_weak_id=True,
        title=title,
        lead=lead,
        body=found,
        section=section,
        source=source or below.source,
        authors=[Author(author)] if author and len(author) <= 150 else [],
        tags=_tags(tree),
        lead_image=picture,
        published_at=at.at,
        date_precision=at.precision,
        old_urls=parse_old_url(url),
        language=one_line(tree.get("lang")),
        counter=counter,
        state=state,
        warnings=[*warnings, *date_warnings(*dates)],
    )


def _state(tree: Any, linked: dict[str, Any]) -> SourceState:
    robots = tree.xpath("//meta[@name='robots' or @name='googlebot']/@content")
    after = next((found[1] for one in robots if (found := _UNAVAILABLE_AFTER.search(one))), None)
    classes = " ".join(tree.xpath("//body//@class | //body/@class")).split()
    statuses = {one.removeprefix("status-") for one in classes if one.startswith("status-")} & {*WORDPRESS_STATUS}
    is_protected = "post-password-required" in classes or "post-password-form" in classes
    values = {
        "article:expiration_time": meta(tree, "article:expiration_time"),
        "article:content_tier": meta(tree, "article:content_tier"),
        "schema.org expires": linked.get("expires"),
        "robots unavailable_after": after,
        "schema.org creativeWorkStatus": linked.get("creativeWorkStatus"),
        "schema.org isAccessibleForFree": linked.get("isAccessibleForFree"),
        "schema.org conditionsOfAccess": linked.get("conditionsOfAccess"),
        "class status-…": " ".join(sorted(statuses - {"publish"})),
        "class post-password-required": "set" if is_protected else "",
        "notice on the page": notice(tree, classes),
    }
    named = {str(one.get("name") or one.get("property")): one.get("content") for one in tree.xpath("//meta[@content]")}
    others = {name: value for name, value in named.items() if name.lower() not in _CACHE_FIELDS}
    return source_state("html", values, others, is_prefixed=True)


def _lines(element: Any) -> list[str]:
    """Return the lines of an element, which are separated by line breaks if it has any."""
    if element.find("br") is None:
        return [one_line(element.text_content())]
    return [line for text in element.itertext() if (line := one_line(text))]


def _kind_of_text(tree: Any, found: list[Block]) -> str:
    """Return "a list of links" for the page of a section, whose text is that of its links."""
    text = one_line(" ".join(inline_text(part) for block in found for part in inline_html_parts(block)))
    text = text[:LIST_CHARACTERS_MAX]
    linked = {
        label
        for one in islice(tree.iter("a"), LINKS_READ_MAX)
        if len(label := one_line(one.text_content()[:500])) > 3 and label in text
    }
    is_list = len(linked) >= LINKS_OF_LIST_MIN and sum(map(len, linked)) >= 0.7 * len(text)
    return "a list of links" if is_list else ""


def _byline(found: list[Block]) -> tuple[str, list[Block]]:
    """Return the author that a line below the text names, and the other blocks."""
    for block in found[-3:]:
        named = AUTHOR_LINE.match(one_line(inline_text(block.html))) if isinstance(block, Paragraph) else None
        if named is not None:
            return named[1].strip(), [one for one in found if one is not block]
    return "", found


def _tags(tree: Any) -> list[str]:
    given = [one_line(one) for one in tree.xpath("//meta[@property='article:tag']/@content")]
    if not given:  # NukeViet and others link them below the text
        linked = tree.xpath("//a[contains(@href,'/tag/') or contains(@href,'/tags/')]")
        given = [one_line(one.text_content()).removeprefix("#") for one in linked]
    return [one for one in dict.fromkeys(given) if one and len(one) <= 60][:20]


def _decoded(content: bytes) -> tuple[str, list[ItemWarning]]:
    declared = re.search(rb"<meta[^>]+charset=[\"']?([A-Za-z0-9_-]+)", content[:4_096], re.IGNORECASE)
    decoded = decode_text(content, declared[1].decode() if declared else "", "cp1258")
    converted, of_fonts = to_unicode_text(decoded.text)
    text, removed = repair_markup(converted)
    warnings = [*decoded.warnings(), *of_fonts, *repair_warnings(removed)]
    return re.sub(r"^\s*<\?xml[^>]*\?>", "", text), warnings


def _files(below: BelowText, base: str) -> list[Block]:
    """Return the files that are attached below the text, as links."""
    html_of_links = "".join(f'<p><a href="{escape(url)}">{escape(label or url)}</a></p>' for url, label in below.files)
    return html_to_blocks(html_of_links, base) if html_of_links else []


def _body(marks: MediaMarks, tree: Any, box: Any, url: str, warnings: list[ItemWarning]) -> list[Block]:
    """Return the text in its box; if none is known, what the extraction takes for it."""
    found = [] if box is None else html_to_blocks(marks.restore(box_html(box)), url, warnings)
    return found or _extracted(marks, tree, url, warnings)


def _extracted(marks: MediaMarks, tree: Any, url: str, warnings: list[ItemWarning]) -> list[Block]:
    import trafilatura  # late: it takes 6 MB, and the editor API rarely imports saved pages

    texts = sum(not one.isspace() for one in tree.itertext())
    elements = sum(1 for _ in tree.iter())
    extracted = trafilatura.extract(
        etree.tostring(tree, encoding="unicode", method="html"),
        fast=texts > COMPARED_TEXTS_MAX or elements > COMPARED_ELEMENTS_MAX,
        url=url if url.startswith(("http://", "https://")) else None,
        output_format="html",
        include_comments=False,
        include_images=True,
        include_links=True,
        include_formatting=True,
        include_tables=True,
    )
    return html_to_blocks(marks.restore(extracted or ""), url, warnings)


def _with_figures(tree: Any, url: str) -> dict[str, str]:
    """Convert tables with one image into figures, remove date lines, and return the captions.

    Captions are keyed by image URL, because trafilatura drops them; one without an image is keyed by its own text.
    """
    captions = {(text_value := one_line(one.text_content())): text_value for one in tree.xpath(_CAPTIONS)}
    for one in tree.xpath("//figure[count(.//img)=1] | //table[count(.//img)=1][not(.//table)]"):
        image, caption = one.xpath(".//img")[0], one_line(one.text_content())
        if len(caption) > CAPTION_CHARACTERS_MAX or one.getparent() is None:
            continue
        captions[resolve(url, one_line(image.get("src")))] = caption
        figure = html.Element("figure")
        figure.append(image)
        figure.tail, image.tail = one.tail, None
        one.getparent().replace(one, figure)
    for one in tree.xpath(DATES):
        text_value = one_line(one.text_content())
        if one.getparent() is not None and len(text_value) < DATE_CHARACTERS_MAX and _DAY.search(text_value):
            one.drop_tree()
    captions.pop("", None)
    return captions


def _source(found: list[Block], *, has_counter: bool) -> tuple[Source | None, list[Block]]:
    """Return the source named in the last line before the counter, and the remaining blocks."""
    kept = [one for one in found if not _is_furniture(one, has_counter=has_counter)]
    if kept and isinstance(kept[-1], Paragraph):
        text_value = SOURCE_LINE.match(one_line(inline_text(kept[-1].html)))
        if text_value:
            return Source(name=text_value["name"].strip(), label=text_value["label"].capitalize()), kept[:-1]
    return None, kept


def _is_furniture(block: Block, *, has_counter: bool) -> bool:
    """Return whether a block is the counter of the page, or its title."""
    parts = [part for html_part in inline_html_parts(block) for part in html_part.split("<br>")]
    if isinstance(block, Table):  # a row has the name in one cell and the number in the next
        parts = [" ".join(cell.html for cell in row) for row in block.rows]
    lines = [line for part in parts if (line := one_line(inline_text(part)))]
    is_title = len(lines) == 1 and lines[0].lower() in ("thống kê truy cập", "lượt truy cập")
    return is_title or (has_counter and bool(lines) and all(is_counter_line(line) for line in lines))


def _captions(found: list[Block], captions: dict[str, str]) -> list[Block]:
    """Turn paragraphs marked as captions into captions of the preceding image, or into figures without an image."""
    kept: list[Block] = []
    for block in found:
        if isinstance(block, Figure) and block.image is not None:
            caption = captions.get(block.image.url) or block.caption
            kept.append(Figure(caption, block.image, block.credit))
            continue
        text = one_line(inline_text(block.html)) if isinstance(block, Paragraph) else ""
        if not text or text not in captions or len(text) > CAPTION_CHARACTERS_MAX:
            kept.append(block)
        elif kept and isinstance(kept[-1], Figure) and kept[-1].image is not None:
            kept[-1] = Figure(text, kept[-1].image, kept[-1].credit)
        else:
            kept.append(Figure(text))
    return kept


def _linked_data(tree: Any) -> dict[str, Any]:
    """Return the schema.org article embedded in the page, or {}."""
    for one in tree.xpath("//script[@type='application/ld+json']"):
        try:
            text_value = json.loads(one.text or "")
        except (ValueError, RecursionError):
            continue
        graph = text_value.get("@graph", [text_value]) if isinstance(text_value, dict) else text_value
        for node in graph if isinstance(graph, list) else []:
            if isinstance(node, dict) and "Article" in str(node.get("@type")):
                return node
    return {}
