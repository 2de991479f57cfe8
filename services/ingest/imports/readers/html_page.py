"""A saved web page in HTML → an article. Pure.

trafilatura finds the text among menus and footers. What it does not know are the habits of Vietnamese portals: captions
in tables, "Theo …" as the last line, dates by day and month, the counter block. These are ours.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urljoin

import trafilatura
from lxml import etree, html

from services.ingest.imports.item import Imported, Item, ReadError, blocks, each, instant, line, old_url
from services.ingest.imports.readers.plain_text import SOURCE_LINE, read_counter
from shared.articles import Author, Block, DatePrecision, Figure, Heading, Paragraph, Source
from shared.text import inline_text

_CAPTIONS = (
    "//figcaption | //*[contains(@class,'aption') or contains(@class,'chuthich') or contains(@class,'chu-thich')]"
    "[not(ancestor::*[contains(@class,'aption')])]"
)
_LEADS = "//*[contains(@class,'sapo') or contains(@class,'hometext') or contains(@class,'lead')][normalize-space()]"
_DATES = "//time | //*[contains(@class,'date') or contains(@class,'time') or contains(@class,'ngay')]"
_COUNTERS = "//*[not(*[normalize-space()])][normalize-space()] | //li | //p | //tr | //div[not(.//div)]"
_DAY = re.compile(r"\b(\d{1,2})[/.-](\d{1,2})[/.-]((?:19|20)\d\d)\b")
_HOUR = re.compile(r"\b([01]?\d|2[0-3])(?::|h|g)([0-5]\d)\b")
_NOT_TEXT = ("script", "style", "noscript", "template", "svg", "form")
CAPTION_CHARACTERS_MAX = 500
DATE_CHARACTERS_MAX = 80


def read_html(content: bytes, name: str) -> Iterator[Item]:
    """Read a page."""
    yield from each([content], lambda one, place: _page(one, place, name), "page")


def _page(content: Any, place: str, name: str) -> Imported:
    text = _decoded(content)
    try:
        tree = html.document_fromstring(text)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
        raise ReadError(f"is no HTML: {error}") from error
    for one in list(tree.iter(*_NOT_TEXT)):
        if one.get("type") != "application/ld+json":
            one.drop_tree()
    linked = _linked_data(tree)
    counter = read_counter([line(one.text_content()) for one in tree.xpath(_COUNTERS)])
    url = _attribute(tree, "//link[@rel='canonical']/@href") or _meta(tree, "og:url")
    title = _title(tree)
    at, precision = _time(tree, linked)  # before its line is taken out of the text
    captions = _with_figures(tree, url)
    found = _body(etree.tostring(tree, encoding="unicode", method="html"), url)
    lead, found = _lead(tree, title, found)
    source, found = _source(found)
    found = _captions(found, captions)
    if not found:
        raise ReadError("has no text that can be told from its menus")
    author = line(_first_name(linked.get("author"))) or _meta(tree, "author")
    section = _meta(tree, "article:section") or line(linked.get("articleSection"))
    return Imported(
        place=place,
        external_id=url or name,
        title=title,
        lead=lead,
        body=found,
        section=section,
        source=source,
        authors=[Author(author)] if author and len(author) <= 150 else [],
        tags=[line(one) for one in tree.xpath("//meta[@property='article:tag']/@content")][:20],
        published_at=at,
        date_precision=precision,
        old_urls=old_url(url),
        language=line(tree.get("lang")),
        counter=counter,
    )


def _decoded(content: bytes) -> str:
    declared = re.search(rb"<meta[^>]+charset=[\"']?([A-Za-z0-9_-]+)", content[:4_096], re.IGNORECASE)
    for encoding in ("utf-8-sig", declared[1].decode() if declared else "utf-8", "cp1258"):
        try:
            text = content.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        return re.sub(r"^\s*<\?xml[^>]*\?>", "", text)
    raise ReadError("is in no encoding that is known")


def _title(tree: Any) -> str:
    headings = [line(one.text_content()) for one in tree.xpath("//h1")]
    whole = line(tree.findtext(".//title"))
    title = _meta(tree, "og:title") or next((one for one in headings if one), "") or whole
    if not title:
        raise ReadError("has no title")
    return title


def _body(text: str, url: str) -> list[Block]:
    extracted = trafilatura.extract(
        text,
        url=url or None,
        output_format="html",
        include_comments=False,
        include_images=True,
        include_links=True,
        include_formatting=True,
        include_tables=True,
    )
    return blocks(extracted or "", url)


def _with_figures(tree: Any, url: str) -> dict[str, str]:
    """Make figures of tables that hold one picture, take lines of the date away, and return captions.

    By the picture's address, because trafilatura lets captions fall; one without a picture is under its own text.
    """
    captions = {(said := line(one.text_content())): said for one in tree.xpath(_CAPTIONS)}
    for one in tree.xpath("//figure[count(.//img)=1] | //table[count(.//img)=1][not(.//table)]"):
        image, caption = one.xpath(".//img")[0], line(one.text_content())
        if len(caption) > CAPTION_CHARACTERS_MAX or one.getparent() is None:
            continue
        captions[urljoin(url, line(image.get("src")))] = caption
        figure = html.Element("figure")
        figure.append(image)
        figure.tail, image.tail = one.tail, None
        one.getparent().replace(one, figure)
    for one in tree.xpath(_DATES):
        said = line(one.text_content())
        if one.getparent() is not None and len(said) < DATE_CHARACTERS_MAX and _DAY.search(said):
            one.drop_tree()
    captions.pop("", None)
    return captions


def _lead(tree: Any, title: str, found: list[Block]) -> tuple[str, list[Block]]:
    """Take the lead and the repeated title off the text's beginning."""
    while found and isinstance(found[0], Heading | Paragraph) and line(inline_text(found[0].html)) == title:
        found = found[1:]
    marked = [line(one.text_content()) for one in tree.xpath(_LEADS)]
    lead = next((one for one in (*marked, _meta(tree, "og:description"), _meta(tree, "description")) if one), "")
    lead = lead if len(lead) <= 1_000 else ""
    kept = [one for one in found if not (isinstance(one, Paragraph | Heading) and line(inline_text(one.html)) == lead)]
    return lead, kept


def _source(found: list[Block]) -> tuple[Source | None, list[Block]]:
    """The last line but the counter says where it was taken from."""
    kept = [one for one in found if not (isinstance(one, Paragraph) and _is_furniture(inline_text(one.html)))]
    if kept and isinstance(kept[-1], Paragraph):
        said = SOURCE_LINE.match(line(inline_text(kept[-1].html)))
        if said:
            return Source(name=said["name"].strip(), label=said["label"].capitalize()), kept[:-1]
    return None, kept


def _is_furniture(text: str) -> bool:
    lines = [line(text)]
    return read_counter(lines) is not None or line(text).lower() in ("thống kê truy cập", "lượt truy cập")


def _captions(found: list[Block], captions: dict[str, str]) -> list[Block]:
    """A paragraph that the page marks as a caption belongs to the picture before it, or is what is left of one."""
    kept: list[Block] = []
    for block in found:
        if isinstance(block, Figure) and block.image is not None:
            caption = captions.get(block.image.url) or block.caption
            kept.append(Figure(caption, block.image, block.credit))
            continue
        text = line(inline_text(block.html)) if isinstance(block, Paragraph) else ""
        if not text or text not in captions or len(text) > CAPTION_CHARACTERS_MAX:
            kept.append(block)
        elif kept and isinstance(kept[-1], Figure) and kept[-1].image is not None:
            kept[-1] = Figure(text, kept[-1].image, kept[-1].credit)
        else:
            kept.append(Figure(text))
    return kept


def _time(tree: Any, linked: dict[str, Any]) -> tuple[datetime | None, DatePrecision]:
    exact = [_meta(tree, "article:published_time"), line(linked.get("datePublished"))]
    exact += [line(one) for one in tree.xpath("//time/@datetime")]
    for said in exact:
        found = instant(said)
        if found is not None:
            return found, "exact" if "T" in said or ":" in said else "day"
    for one in tree.xpath(_DATES):
        said = line(one.text_content())
        day = _DAY.search(said) if len(said) < DATE_CHARACTERS_MAX else None
        if day is None:
            continue
        hour = _HOUR.search(said)
        parts = (int(day[3]), int(day[2]), int(day[1]), *((int(hour[1]), int(hour[2])) if hour else ()))
        try:
            return datetime(*parts), "exact" if hour else "day"  # noqa: DTZ001
        except ValueError:
            continue
    return None, "unknown"


def _meta(tree: Any, name: str) -> str:
    return _attribute(tree, f"//meta[@property='{name}' or @name='{name}']/@content")


def _attribute(tree: Any, path: str) -> str:
    return next((said for one in tree.xpath(path) if (said := line(one))), "")


def _linked_data(tree: Any) -> dict[str, Any]:
    """Return the page's own schema.org article, if it has one."""
    for one in tree.xpath("//script[@type='application/ld+json']"):
        try:
            said = json.loads(one.text or "")
        except (ValueError, RecursionError):
            continue
        graph = said.get("@graph", [said]) if isinstance(said, dict) else said
        for node in graph if isinstance(graph, list) else []:
            if isinstance(node, dict) and "Article" in str(node.get("@type")):
                return node
    return {}


def _first_name(value: object) -> object:
    value = value[0] if isinstance(value, list) and value else value
    return value.get("name") if isinstance(value, dict) else value
