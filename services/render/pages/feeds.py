"""Articles → RSS 2.0 and Atom. Pure: no clock; a feed is as new as its newest article."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from xml.etree import ElementTree as ET

from services.render.pages.document import Document
from shared.article_identity import local_iso, permanent_id, published_date, published_instant
from shared.articles import Article, File, Image, article_path, files_of
from shared.sites import Section, Site
from shared.structured_data import hosted_images, summary

FEED_ARTICLES_MAX = 30
_LIKE_HTML = re.compile(r"</?[A-Za-z!]|&#?\w+;")
ATOM = "http://www.w3.org/2005/Atom"
DUBLIN_CORE = "http://purl.org/dc/elements/1.1/"
NOTHING_YET = datetime(2026, 1, 1, tzinfo=UTC)
"""The date of a feed without articles: Atom requires one."""

ET.register_namespace("atom", ATOM)
ET.register_namespace("dc", DUBLIN_CORE)


def feed_path(section: Section | None, kind: str) -> str:
    """Return a feed's path; `kind` is rss or atom."""
    return f"/{section.slug}/{kind}.xml" if section else f"/{kind}.xml"


def feed_title(site: Site, section: Section | None) -> str:
    """Return a feed's title."""
    return f"{section.name} – {site.name}" if section else site.name


def rss(articles: Sequence[Article], site: Site, section: Section | None, public_url: str) -> Document:
    """Return the RSS 2.0 feed of a site or of a section."""
    root = ET.Element("rss", version="2.0")
    channel = ET.SubElement(root, "channel")
    _text(channel, "title", feed_title(site, section))
    _text(channel, "link", public_url + (f"/{section.slug}/" if section else "/"))
    _text(channel, "description", site.tagline or site.name)
    _text(channel, "language", language := _language(articles, site))
    _text(channel, "lastBuildDate", _rfc822(_newest(articles)))
    here = {"href": public_url + feed_path(section, "rss"), "rel": "self", "type": "application/rss+xml"}
    ET.SubElement(channel, f"{{{ATOM}}}link", here)
    for hub in site.hubs:
        ET.SubElement(channel, f"{{{ATOM}}}link", {"href": hub, "rel": "hub"})
    for article in articles:
        item = ET.SubElement(channel, "item")
        _text(item, "title", _as_markup(article.title))
        _text(item, "link", public_url + article_path(article))
        _text(item, "guid", permanent_id(article, site), isPermaLink="false")
        _text(item, "description", escape(summary(article), quote=False))  # readers take it for HTML
        if published := published_instant(article):
            _text(item, "pubDate", _rfc822(published))
        elif day := published_date(article, site):  # a pubDate would need a time of day
            _text(item, f"{{{DUBLIN_CORE}}}date", day)
        for name in _creators(article):
            _text(item, f"{{{DUBLIN_CORE}}}creator", name)
        if article.language != language:
            _text(item, f"{{{DUBLIN_CORE}}}language", article.language)
        for category in _categories(article, site):
            _text(item, "category", category)
        if images := hosted_images(article):
            ET.SubElement(item, "enclosure", _enclosure(images[0], public_url, "url"))
        elif files := files_of(article):  # RSS has one enclosure
            ET.SubElement(item, "enclosure", _file_enclosure(files[0], public_url, "url"))
    return Document(_bytes(root), "application/rss+xml; charset=utf-8")


def atom(articles: Sequence[Article], site: Site, section: Section | None, public_url: str) -> Document:
    """Return the Atom feed (RFC 4287) of a site or of a section."""
    language = _language(articles, site)
    root = ET.Element("feed", {"xmlns": ATOM, "xml:lang": language})
    _text(root, "title", feed_title(site, section))
    _text(root, "id", public_url + feed_path(section, "atom"))
    _text(root, "updated", local_iso(_newest(articles), site))
    kind = "application/atom+xml"
    ET.SubElement(root, "link", {"href": public_url + feed_path(section, "atom"), "rel": "self", "type": kind})
    for hub in site.hubs:
        ET.SubElement(root, "link", {"href": hub, "rel": "hub"})
    home = public_url + (f"/{section.slug}/" if section else "/")
    ET.SubElement(root, "link", {"href": home, "rel": "alternate", "type": "text/html"})
    _text(ET.SubElement(root, "author"), "name", site.agency or site.name)
    for article in articles:
        entry = ET.SubElement(root, "entry", {} if article.language == language else {"xml:lang": article.language})
        _atom_text(entry, "title", article.title)
        _text(entry, "id", permanent_id(article, site))
        url = public_url + article_path(article)
        ET.SubElement(entry, "link", {"href": url, "rel": "alternate", "type": "text/html"})
        if published := published_instant(article):
            _text(entry, "published", local_iso(published, site))
        elif day := published_date(article, site):  # `published` would need a time of day
            _text(entry, f"{{{DUBLIN_CORE}}}date", day)
        _text(entry, "updated", local_iso(article.modified_at, site))
        for name in _creators(article):
            _text(ET.SubElement(entry, "author"), "name", name)
        for category in _categories(article, site):
            ET.SubElement(entry, "category", {"term": category})
        if images := hosted_images(article):
            ET.SubElement(entry, "link", {"rel": "enclosure", **_enclosure(images[0], public_url, "href")})
        for file in files_of(article):
            link = {"rel": "enclosure", "title": file.name, **_file_enclosure(file, public_url, "href")}
            ET.SubElement(entry, "link", link)
        _atom_text(entry, "summary", summary(article))
    return Document(_bytes(root), f"{kind}; charset=utf-8")


def _atom_text(parent: ET.Element, name: str, text: str) -> None:
    """Add a text of Atom: as HTML if it looks like HTML, since readers do not all keep to its type."""
    if _LIKE_HTML.search(text):
        _text(parent, name, escape(text, quote=False), type="html")
    else:
        _text(parent, name, text)


def _as_markup(title: str) -> str:
    """Return a title of RSS, which readers take for HTML if it looks like HTML, and for text if it does not."""
    return escape(title, quote=False) if _LIKE_HTML.search(title) else title


def _text(parent: ET.Element, name: str, text: str, **attributes: str) -> None:
    ET.SubElement(parent, name, attributes).text = text


def _bytes(root: ET.Element) -> bytes:
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'.encode()


def _language(articles: Sequence[Article], site: Site) -> str:
    """Return the language that all articles have; that of the site if they have several, or if there are none."""
    found = {article.language for article in articles}
    return found.pop() if len(found) == 1 else site.language


def _newest(articles: Sequence[Article]) -> datetime:
    return max((article.modified_at for article in articles), default=NOTHING_YET)


def _rfc822(instant: datetime) -> str:
    return format_datetime(instant.astimezone(UTC), usegmt=True)


def _creators(article: Article) -> list[str]:
    names = [author.name for author in article.authors]
    return names or ([article.source.name] if article.source else [])


def _categories(article: Article, site: Site) -> list[str]:
    section = site.section(article.section)
    return [*([section.name] if section else []), *article.tags]


def _enclosure(image: Image, public_url: str, url_attribute: str) -> dict[str, str]:
    """Return the attributes of an enclosure; RSS requires a length, which is 0 if it is unknown."""
    kinds = {"png": "image/png", "webp": "image/webp", "avif": "image/avif", "gif": "image/gif"}
    kind = kinds.get(image.url.rsplit(".", 1)[-1].lower(), "image/jpeg")
    return {url_attribute: public_url + image.url, "length": str(image.bytes or 0), "type": kind}


def _file_enclosure(file: File, public_url: str, url_attribute: str) -> dict[str, str]:
    kind = file.media_type or "application/octet-stream"
    return {url_attribute: public_url + file.url, "length": str(file.bytes or 0), "type": kind}
