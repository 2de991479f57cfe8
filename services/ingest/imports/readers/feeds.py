"""WordPress exports (WXR), RSS 2.0 and Atom → articles. Pure.

They are untrusted XML: entities are never expanded and nothing is fetched.
"""

import io
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import urlsplit

from lxml import etree

from services.ingest.imports.item import (
    FormatError,
    ImportItem,
    ItemOrError,
    html_to_blocks,
    html_to_line,
    image_figure,
    one_line,
    paragraph_text,
    parse_count,
    parse_old_url,
    parse_time,
    read_each,
)
from services.ingest.imports.limits import XML_DEPTH_MAX, XML_ELEMENTS_MAX
from shared.articles import Author

CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"
CREATOR = "{http://purl.org/dc/elements/1.1/}creator"
ATOM = "{http://www.w3.org/2005/Atom}"
MEDIA = "{http://search.yahoo.com/mrss/}"
WORDPRESS = "{http://wordpress.org/export/"
VIEWS = ("post_views_count", "views", "_post_views", "views_count")
"""Meta keys under which common WordPress plugins store view counts."""


def _elements(content: bytes, *tags: str) -> Iterator[etree._Element]:
    """Yield the elements with one of the tags, one at a time in memory; what is outside them is dropped as it is read.

    Raises:
        FormatError: it is not well-formed, declares entities, or an article exceeds a bound.
    """
    options = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}
    options |= {"remove_comments": True, "remove_pis": True}
    within, depth, count = 0, 0, 0  # the depth at which the current article begins, or 0
    try:
        for event, element in etree.iterparse(io.BytesIO(content), events=("start", "end"), **options):
            if event == "start":
                depth += 1
                count += 1
                if depth == 1:
                    _refuse_entities(element)
                if not within and element.tag in tags:
                    within, count = depth, 0
                if depth > XML_DEPTH_MAX:
                    raise FormatError(f"must be nested at most {XML_DEPTH_MAX} elements deep")
                if within and count > XML_ELEMENTS_MAX:
                    raise FormatError(f"must have at most {XML_ELEMENTS_MAX:,} elements in each article")
                continue
            if depth == within:
                yield element
                within = 0
            depth -= 1
            if not within:
                _drop(element)
    except etree.XMLSyntaxError as error:
        raise FormatError(f"is not well-formed XML: {error}") from error


def _refuse_entities(root: etree._Element) -> None:
    # In whatever encoding and after whatever comment: an attribute would expand them although elements do not.
    declared = root.getroottree().docinfo.internalDTD
    if declared is not None and any(True for _ in declared.iterentities()):
        raise FormatError("declares entities, which are not supported")


def _drop(element: etree._Element) -> None:
    """Free the memory of an element that was read, and of its siblings before it."""
    element.clear()
    parent = element.getparent()
    if parent is not None:
        while parent[0] is not element:
            del parent[0]


def read_wxr(content: bytes, name: str) -> Iterator[ItemOrError]:
    """Read the posts of a WordPress export."""
    pictures = {
        _wp(one, "post_id"): _wp(one, "attachment_url")
        for one in _elements(content, "item")
        if _wp(one, "post_type") == "attachment"
    }

    def read(item: object, place: str) -> ImportItem:
        assert isinstance(item, etree._Element)  # noqa: SLF001 - lxml has no public name for it
        link = item.findtext("link") or ""
        meta = {
            _wp(one, "meta_key"): _wp(one, "meta_value") for one in item if etree.QName(one).localname == "postmeta"
        }
        by_domain: dict[str, list[str]] = {"category": [], "post_tag": []}
        for one in item.findall("category"):
            by_domain.setdefault(one.get("domain", ""), []).append(one.get("nicename") or one_line(one.text))
        tags = [one_line(one.text) for one in item.findall("category") if one.get("domain") == "post_tag"]
        excerpt = next((one.text for one in item if one.tag.endswith("excerpt/}encoded")), "") or ""
        author = one_line(item.findtext(CREATOR))
        views = next((found for key in VIEWS if (found := parse_count(meta.get(key))) is not None), None)
        return ImportItem(
            place=place,
            external_id=item.findtext("guid") or _wp(item, "post_id"),
            title=html_to_line(item.findtext("title")),
            lead=paragraph_text(html_to_blocks(excerpt)) if excerpt.strip() else "",
            body=html_to_blocks(item.findtext(CONTENT) or "", link),
            section=(by_domain["category"] or [""])[0],
            authors=[Author(author)] if author else [],
            tags=[tag for tag in tags if tag],
            published_at=_wordpress_time(item),
            slug=_wp(item, "post_name"),
            old_urls=parse_old_url(link),
            views=views,
            is_public=_wp(item, "status") == "publish" and not _wp(item, "post_password"),
            lead_image=image_figure(pictures.get(meta.get("_thumbnail_id", "")), base=link),
        )

    posts = (one for one in _elements(content, "item") if _wp(one, "post_type") == "post")
    yield from read_each(posts, read, "post")


def _wp(item: etree._Element, name: str) -> str:
    """Return the text of an element of the wp namespace, whose URL contains the export's version."""
    for child in item:
        if isinstance(child.tag, str) and child.tag.startswith(WORDPRESS) and child.tag.endswith(f"}}{name}"):
            return one_line(child.text)
    return ""


def _wordpress_time(item: etree._Element) -> datetime | None:
    gmt = _wp(item, "post_date_gmt")
    return (
        parse_time(f"{gmt.replace(' ', 'T')}+00:00")
        if gmt and not gmt.startswith("0000")
        else parse_time(item.findtext("pubDate"))
    )


def read_feed(content: bytes, name: str) -> Iterator[ItemOrError]:
    """Read the items of an RSS 2.0 or Atom feed. Items without content use their summary as the body."""
    yield from read_each(_elements(content, "item", f"{ATOM}entry"), _feed_item, "item")


def _feed_item(item: object, place: str) -> ImportItem:
    assert isinstance(item, etree._Element)  # noqa: SLF001 - lxml has no public name for it
    return _atom(item, place) if item.tag.startswith(ATOM) else _rss(item, place)


def _rss(item: etree._Element, place: str) -> ImportItem:
    link = one_line(item.findtext("link"))
    summary, content = item.findtext("description") or "", item.findtext(CONTENT) or ""
    author = one_line(item.findtext(CREATOR)) or one_line(item.findtext("author"))
    enclosure = item.find("enclosure")
    picture = enclosure.get("url") if enclosure is not None and enclosure.get("type", "").startswith("image/") else None
    thumbnail = item.find(f"{MEDIA}content")
    if picture is None and thumbnail is not None:
        picture = thumbnail.get("url")
    return ImportItem(
        place=place,
        external_id=one_line(item.findtext("guid")) or link,
        title=html_to_line(item.findtext("title")),
        lead=paragraph_text(html_to_blocks(summary)) if content and summary.strip() else "",
        body=html_to_blocks(content or summary, link),
        section=one_line(item.findtext("category")),
        authors=[Author(author)] if author and "@" not in author else [],
        published_at=parse_time(item.findtext("pubDate")),
        old_urls=parse_old_url(link),
        lead_image=image_figure(picture, base=link),
    )


def _atom(entry: etree._Element, place: str) -> ImportItem:
    links = [one for one in entry.findall(f"{ATOM}link") if one.get("rel", "alternate") == "alternate"]
    link = links[0].get("href", "") if links else ""
    summary, content = _atom_html(entry.find(f"{ATOM}summary")), _atom_html(entry.find(f"{ATOM}content"))
    names = [one_line(one.findtext(f"{ATOM}name")) for one in entry.findall(f"{ATOM}author")]
    categories = [one_line(one.get("label") or one.get("term")) for one in entry.findall(f"{ATOM}category")]
    published = entry.findtext(f"{ATOM}published") or entry.findtext(f"{ATOM}updated")
    return ImportItem(
        place=place,
        external_id=one_line(entry.findtext(f"{ATOM}id")) or link,
        title=html_to_line(entry.findtext(f"{ATOM}title")),
        lead=paragraph_text(html_to_blocks(summary)) if content and summary.strip() else "",
        body=html_to_blocks(content or summary, link),
        section=categories[0] if categories else "",
        authors=[Author(one) for one in names if one],
        published_at=parse_time(published),
        old_urls=parse_old_url(link) if urlsplit(link).path else [],
    )


def _atom_html(element: etree._Element | None) -> str:
    if element is None:
        return ""
    if element.get("type") == "xhtml":
        return str(etree.tostring(element, encoding="unicode", method="html", with_tail=False))
    text = element.text or ""
    return text if element.get("type") == "html" else text.replace("&", "&amp;").replace("<", "&lt;")
