"""RSS 1.0, RSS 2.0 and Atom → articles; WordPress exports are in `wordpress`. Pure.

Each item is read as what it is: one with elements of a WordPress export is never taken for one of a feed, which has no
drafts, whatever the file is called.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlencode

from lxml import etree

from services.ingest.imports.item import (
    Content,
    FormatError,
    ImportItem,
    ItemOrError,
    LeftOutItem,
    ReadContext,
    UnreadableItem,
    check_title,
    date_warnings,
    html_to_blocks,
    html_to_line,
    item_address,
    leave_out,
    one_line,
    paragraph_text,
    parse_old_url,
    read_one,
    title_or_first_words,
    unescaped,
)
from services.ingest.imports.markup.addresses import split_address
from services.ingest.imports.readers.enclosures import enclosed, linked_files, picture_figures, with_pictures
from services.ingest.imports.readers.wordpress import (
    EXPORT_NAMESPACE,
    PARTS,
    is_wordpress,
    open_export,
    post_type,
    read_post,
)
from services.ingest.imports.readers.xml_items import XmlFile, XmlItem, is_cut_off, open_xml, split_items
from services.ingest.imports.similar_fields import source_state
from services.ingest.imports.times import read_first, read_time
from services.ingest.imports.warnings import ItemWarning, make_warning
from shared.articles import Author

CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"
CREATOR = "{http://purl.org/dc/elements/1.1/}creator"
DC_SUBJECT = "{http://purl.org/dc/elements/1.1/}subject"
DC_DATE = "{http://purl.org/dc/elements/1.1/}date"
DC_TERMS = "{http://purl.org/dc/terms/}"
ATOM = "{http://www.w3.org/2005/Atom}"
APP = ("{http://www.w3.org/2007/app}", "{http://purl.org/atom/app#}")
BLOGGER = "{http://schemas.google.com/blogger/2018}"
BLOGGER_KIND = "http://schemas.google.com/g/2005#kind"
THREAD = "{http://purl.org/syndication/thread/1.0}"
MEDIA = "{http://search.yahoo.com/mrss/}"
_RSS_NAMESPACES = (
    "",
    "http://purl.org/rss/1.0/",
    "http://backend.userland.com/rss2",
    "http://my.netscape.com/rdf/simple/0.9/",
)
_NO_FEEDS = {
    "urlset": "is a sitemap, not a feed: it has addresses but no articles",
    "sitemapindex": "is an index of sitemaps, not a feed",
    "opml": "is an OPML list of feeds, not a feed",
    "html": "is an HTML page, not a feed; give it the extension .html, or set --format html",
}
FEEDBURNER_LINK = "{http://rssnamespace.org/feedburner/ext/1.0}origLink"
"""The address of an item at its portal; its link counts the clicks at FeedBurner."""
_FLARE = re.compile(r'<div class="feedflare">(?:(?!<div).){0,5000}?</div>', re.DOTALL)
_FEEDS = ("rss", "RDF", "feed")
RDF_ABOUT = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}about"
ITUNES_BLOCK = "{http://www.itunes.com/dtds/podcast-1.0.dtd}block"
_VALID = re.compile(r"(start|end)\s*=\s*([^;]+)", re.IGNORECASE)
_OTHER_NAMESPACES = ("prismstandard.org", "purl.org/rss/1.0/modules/content", "search.yahoo.com/mrss")
_TRACKING = ("utm_", "fbclid", "gclid")
_MAIL_AUTHOR = re.compile(r"[^\s@]++@[^\s@(]++\s*+\(([^()]+)\)")
_PLAIN_STATES = (
    "status",
    "state",
    "draft",
    "private",
    "visibility",
    "password",
    "embargo",
    "expirationDate",
    "expires",
)


def detect_xml(content: Content) -> str:
    """Return "wxr" if an item has elements of a WordPress export, else "feed".

    Raises:
        FormatError: it is not XML.
    """
    file = open_xml(content)
    is_named = any(file.content.find(mark) >= 0 for mark in (EXPORT_NAMESPACE.encode(), b"<wp:"))
    if not is_named:
        return "feed"
    declares = any(EXPORT_NAMESPACE in uri for uri in file.namespaces.values())
    found = any(isinstance(item, XmlItem) and is_wordpress(item.element) for item in split_items(file))
    return "wxr" if found or (declares and file.first_item < 0) else "feed"


def read_feed(content: Content, name: str, context: ReadContext | None = None) -> Iterator[ItemOrError]:
    """Read the items of a feed or a WordPress export. Items without content use their summary as the body."""
    context = context or ReadContext()
    file = open_xml(content)
    if file.first_item < 0:
        local = etree.QName(file.root).localname
        if local.lower() in _NO_FEEDS:
            raise FormatError(_NO_FEEDS[local.lower()])
        if file.is_cut_off:
            raise FormatError("is not well-formed XML: it is cut off before its first item")
        raise FormatError("has no items" if local in _FEEDS else f"is not a feed: its first element is {local}")
    export = open_export(file, context.base_url)
    parts: Counter[str] = Counter()
    for number, item in enumerate(split_items(file, context), 1):
        place = f"item {number}"
        if isinstance(item, UnreadableItem):
            yield item
            continue
        _add_file_warnings(file, item, number)
        if is_wordpress(item.element):
            kind = post_type(item.element)
            if kind in PARTS:
                parts[kind] += 1
                continue
            yield read_one(item, lambda one, place: read_post(one, place, export), place, item.line)
        else:
            yield read_one(item, lambda one, place: _feed_item(one, place, context.base_url), place, item.line)
    if not isinstance(item, UnreadableItem) and is_cut_off(file):
        yield UnreadableItem("file", "is not well-formed XML: it is cut off after its last item; export it again")
    if parts:
        listed = ", ".join(f"{count} {kind}" for kind, count in sorted(parts.items()))
        yield LeftOutItem("file", f"{parts.total()} items are no articles: {listed}")


def _add_file_warnings(file: XmlFile, item: XmlItem, number: int) -> None:
    if number == 1:
        item.warnings.extend(file.warnings)


def _feed_item(item: object, place: str, base_url: str) -> ImportItem:
    assert isinstance(item, XmlItem)
    return (_atom if item.element.tag.startswith(ATOM) else _rss)(item, place, base_url)


def _rss_text(item: etree._Element, name: str) -> str:
    """Return the text of a child of RSS 2.0, which has no namespace, or of RSS 1.0."""
    for child in item:
        if _is_rss(child, name):
            return "".join(child.itertext())
    return ""


def _is_rss(child: etree._Element, name: str) -> bool:
    if not isinstance(child.tag, str):
        return False
    qualified = etree.QName(child.tag)
    return qualified.localname == name and (qualified.namespace or "") in _RSS_NAMESPACES


def _prism(item: etree._Element) -> dict[str, object]:
    """Return the fields of any version of PRISM, by their names in the table of states."""
    found: dict[str, object] = {}
    for child in item:
        if isinstance(child.tag, str) and "prismstandard.org/namespaces" in child.tag:
            found[f"prism:{etree.QName(child.tag).localname}"] = child.text
    return found


def _valid(item: etree._Element) -> dict[str, object]:
    """Return begin and end of the time in which an item is valid, in the notation of DCMI periods."""
    given = one_line(item.findtext(f"{DC_TERMS}valid"))
    return {f"dcterms:valid {name.lower()}": text.strip() for name, text in _VALID.findall(given)}


def _others(item: etree._Element) -> dict[str, object]:
    """Return the texts of the children of an item by their names without namespaces."""
    return {
        etree.QName(child.tag).localname: one_line(child.text)
        for child in item
        if isinstance(child.tag, str)
        and child.tag != "pubDate"
        and not any(part in child.tag for part in _OTHER_NAMESPACES)
    }


def _rss_link(item: etree._Element, base: str, warnings: list[ItemWarning]) -> tuple[str, str]:
    """Return the GUID of an item of RSS and its address, which is one of them if the other is missing."""
    guid, about = _rss_text(item, "guid"), item.get(RDF_ABOUT, "")
    link = item_address(base, _rss_text(item, "link"), warnings)
    element = next((one for one in item if _is_rss(one, "guid")), None)
    is_address = element is not None and element.get("isPermaLink", "true") != "false"
    permanent = one_line(guid) if is_address else one_line(about)
    if not link and permanent.startswith(("http://", "https://")):
        link = item_address("", permanent, warnings, "guid")
    return guid or about, link


def _rss(file_item: XmlItem, place: str, base_url: str) -> ImportItem:
    item, warnings = file_item.element, file_item.warnings
    raw_title = check_title(_rss_text(item, "title"))
    media_status = item.find(f"{MEDIA}status")
    values = {name: _rss_text(item, name) for name in _PLAIN_STATES} | _prism(item)
    values |= {"dcterms:available": item.findtext(f"{DC_TERMS}available"), **_valid(item)}
    values["itunes:block"] = item.findtext(ITUNES_BLOCK)
    values["dc:date"] = text if read_time(text := item.findtext(DC_DATE)).at is not None else None
    values["media:status"] = media_status.get("state") if media_status is not None else None
    guid, link = _rss_link(item, item.base or base_url, warnings)
    summary, content = _rss_text(item, "description"), item.findtext(CONTENT) or ""
    state = leave_out(source_state("feed", values, _others(item)), one_line(raw_title), guid or link)
    author = one_line(item.findtext(CREATOR)) or one_line(_rss_text(item, "author"))
    author = found[1] if (found := _MAIL_AUTHOR.fullmatch(author)) else author
    categories = [one_line("".join(one.itertext())) for one in item if _is_rss(one, "category")]
    categories += [one_line(one.text) for one in item.findall(DC_SUBJECT)]
    dates = {"pubDate": _rss_text(item, "pubDate"), "dc:date": item.findtext(DC_DATE)}
    at = read_first(*dates.values(), item.findtext(f"{DC_TERMS}issued"), item.findtext(f"{DC_TERMS}created"))
    warnings += date_warnings(*((name, read_first(text), text) for name, text in dates.items()))
    html = _FLARE.sub("", content or summary)
    body = html_to_blocks(html, item.base or link or base_url, warnings)
    pictures, files = enclosed(item)
    figures = picture_figures(pictures, link or base_url, warnings)
    lead_image, body = with_pictures(body, figures)
    body = [*body, *linked_files(files, link, warnings)]
    title = title_or_first_words(unescaped(html_to_line(raw_title)), body, warnings)
    return ImportItem(
        place=place,
        external_id=feed_id(guid, link, title, summary or content, warnings),
        title=title,
        lead=paragraph_text(html_to_blocks(summary)) if content and summary.strip() else "",
        body=body,
        section=categories[0] if categories else "",
        more_sections=categories[1:],
        categories=[one for one in categories if one],
        authors=[Author(author)] if author and "@" not in author else [],
        published_at=at.at,
        date_precision=at.precision,
        old_urls=parse_old_url(one_line(item.findtext(FEEDBURNER_LINK)) or link),
        lead_image=lead_image,
        state=state,
        warnings=warnings,
    )


def feed_id(guid: str, link: str, title: str, text: str, warnings: list[ItemWarning]) -> str:
    """Return what identifies an item: its GUID and its address, since some feeds have the same GUID on all items."""
    guid, parts = one_line(guid), split_address(one_line(link))
    query = [(key, value) for key, value in parse_qsl(parts.query) if not key.startswith(_TRACKING)]
    address = parts.path + (f"?{urlencode(query)}" if query else "")
    if address in ("", "/"):  # the home page of the portal
        address = ""
    if guid and address:
        return guid if split_address(guid).path == parts.path or guid == address else f"{guid} {address}"
    if address:
        return one_line(link)
    if not guid or split_address(guid).path in ("", "/"):
        warnings.append(
            make_warning("identity", "are missing: the item is identified by its title and text", "guid, link")
        )
        return hashlib.sha256(f"{guid}\0{title}\0{text}".encode()).hexdigest()
    return guid


def _atom(file_item: XmlItem, place: str, base_url: str) -> ImportItem:
    entry, warnings = file_item.element, file_item.warnings
    title = _atom_line(entry.find(f"{ATOM}title"))
    state = source_state("atom", _atom_state(entry) | _prism(entry) | _valid(entry), _others(entry))
    links = [one for one in entry.findall(f"{ATOM}link") if one.get("rel", "alternate") == "alternate"]
    link = item_address(links[0].base or base_url, links[0].get("href", ""), warnings) if links else ""
    state = leave_out(state, title, one_line(entry.findtext(f"{ATOM}id")) or link)
    texts = {name: entry.find(f"{ATOM}{name}") for name in ("summary", "content")}
    summary, content = (_atom_html(one) for one in texts.values())
    of_text = texts["content"] if content else texts["summary"]
    base = (_innermost(of_text).base if of_text is not None else "") or link or base_url
    names = [one_line(one.findtext(f"{ATOM}name")) for one in entry.findall(f"{ATOM}author")]
    categories = [
        one_line(one.get("label") or one.get("term"))
        for one in entry.findall(f"{ATOM}category")
        if one.get("scheme") != BLOGGER_KIND
    ]
    dates = {name: entry.findtext(f"{ATOM}{name}") for name in ("published", "updated")}
    at = read_first(*dates.values())
    warnings += date_warnings(*((name, read_first(text), text) for name, text in dates.items()))
    body = html_to_blocks(content or summary, base, warnings)
    if not body and of_text is not None and of_text.get("src"):
        warnings.append(make_warning("field", f"has its text elsewhere: {of_text.get('src', '')[:200]}", "content"))
    of_file = texts["content"]
    if of_file is not None and _atom_type(of_file) == "other" and one_line(of_file.text):
        shown = one_line(of_file.get("type"))[:100]
        warnings.append(make_warning("file", f"is a file, not a text: {shown}", "content"))
    pictures, files = enclosed(entry)
    figures = picture_figures(pictures, base, warnings)
    lead_image, body = with_pictures(body, figures)
    body = [*body, *linked_files(files, base, warnings)]
    title = title_or_first_words(title, body, warnings)
    return ImportItem(
        place=place,
        external_id=feed_id(entry.findtext(f"{ATOM}id") or "", link, title, content or summary, warnings),
        title=title,
        lead=paragraph_text(html_to_blocks(summary)) if content and summary.strip() else "",
        body=body,
        section=categories[0] if categories else "",
        more_sections=categories[1:],
        categories=[one for one in categories if one],
        authors=[Author(one) for one in names if one],
        published_at=at.at,
        date_precision=at.precision,
        old_urls=parse_old_url(link or entry.findtext(f"{BLOGGER}filename")),
        lead_image=lead_image,
        state=state,
        warnings=warnings,
    )


def _innermost(text: etree._Element) -> etree._Element:
    """Return the element around a text in XHTML, which may have an address of its own."""
    return text[0] if len(text) == 1 and isinstance(text[0].tag, str) else text


def _atom_state(entry: etree._Element) -> dict[str, object]:
    drafts = [one_line(one.text) for app in APP for one in entry.findall(f"{app}control/{app}draft")]
    kinds = [
        one.get("term", "").rpartition("#")[2]
        for one in entry.findall(f"{ATOM}category")
        if one.get("scheme") == BLOGGER_KIND
    ]
    reply = entry.find(f"{THREAD}in-reply-to")
    return {
        "app:draft": "yes" if any(one.lower() != "no" for one in drafts) else "",
        "blogger:status": entry.findtext(f"{BLOGGER}status"),
        "blogger:type": entry.findtext(f"{BLOGGER}type"),
        "category kind": " ".join(kinds),
        "thr:in-reply-to": None if reply is None else "a comment",
    }


def _atom_type(element: etree._Element) -> str:
    """Return text, html, xhtml or other; Atom 0.3 and some systems give a media type instead."""
    kind = one_line(element.get("type") or "text").lower().partition(";")[0]
    if element.get("mode", "") == "escaped" and kind.endswith(("html", "xml")):
        return "html"
    if kind in ("xhtml", "application/xhtml+xml") or (kind.endswith("html") and len(element)):
        return "xhtml"
    if "/" in kind and not kind.startswith("text/") and not kind.endswith("xml"):
        return "other"  # a file in base64
    return "html" if kind in ("html", "text/html") else "text"


def _atom_html(element: etree._Element | None) -> str:
    if element is None:
        return ""
    if _atom_type(element) == "xhtml" or len(element):
        return (element.text or "") + "".join(_without_prefixes(child) for child in element)
    text = "" if _atom_type(element) == "other" else element.text or ""
    return text if _atom_type(element) == "html" else text.replace("&", "&amp;").replace("<", "&lt;")


def _atom_line(element: etree._Element | None) -> str:
    """Return the title of an entry: markup in it is text, unless its type is another one."""
    if element is None:
        return ""
    text = check_title("".join(element.itertext()))
    if _atom_type(element) == "html" and not len(element):
        return unescaped(html_to_line(text))
    return one_line(text)


def _without_prefixes(element: etree._Element) -> str:
    """Return XHTML as HTML, whatever prefix its namespace has."""
    for one in element.iter():
        if isinstance(one.tag, str):
            one.tag = etree.QName(one.tag).localname
    etree.cleanup_namespaces(element)
    return str(etree.tostring(element, encoding="unicode", method="html"))
