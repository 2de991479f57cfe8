"""Articles → RSS 2.0 and Atom. Pure: no clock; a feed is as new as its newest article."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from services.render.pages.document import Document
from services.render.pages.feed_elements import (
    ATOM,
    add_atom_text,
    add_hubs,
    add_text,
    as_html,
    as_markup,
    hub_links,
    rfc822,
    xml_bytes,
)
from services.render.pages.paths import CORRECTIONS_PATH
from shared.article_identity import local_iso, permanent_id, published_date, published_instant
from shared.articles import Article, File, Image, article_path, files_of, updated_at
from shared.site_structure import StructureAuthor, author_path
from shared.sites import Section, Site
from shared.structured_data import hosted_images, summary

FEED_ARTICLES_MAX = 30
DUBLIN_CORE = "http://purl.org/dc/elements/1.1/"
NOTHING_YET = datetime(2026, 1, 1, tzinfo=UTC)
"""The date of a feed without articles: Atom requires one."""

ET.register_namespace("dc", DUBLIN_CORE)


FeedOf = Section | StructureAuthor | None
"""Whose articles a feed has: those of a section, of an author, or all of the site."""


def feed_path(of: FeedOf, kind: str) -> str:
    """Return a feed's path; `kind` is rss or atom."""
    return f"{_page_path(of)}{kind}.xml"


def feed_paths(site: Site) -> Iterator[str]:
    """Return the paths of a site's feeds: its own, those of its sections, and those of its corrections."""
    for kind in ("rss", "atom"):
        for section in (None, *site.sections):
            yield feed_path(section, kind)
        yield f"{CORRECTIONS_PATH}{kind}.xml"


def author_feed_paths(site: Site) -> Iterator[str]:
    """Return the paths of the feeds of a site's authors."""
    for author in site.structure.authors.values() if site.structure else ():
        for kind in ("rss", "atom"):
            yield feed_path(author, kind)


def feed_title(site: Site, of: FeedOf) -> str:
    """Return a feed's title."""
    return f"{of.name} – {site.name}" if of else site.name


def _page_path(of: FeedOf) -> str:
    """Return the path of the page with the articles of a feed."""
    if of is None:
        return "/"
    return author_path(of.slug) if isinstance(of, StructureAuthor) else f"/{of.slug}/"


def _add_hubs(parent: ET.Element, site: Site, of: FeedOf, tag: str = "link") -> None:
    """Name the site's hubs; not in feeds of authors, of which no hub hears."""
    if not isinstance(of, StructureAuthor):
        add_hubs(parent, site, tag)


def _links(site: Site, of: FeedOf, feed_url: str) -> str:
    return "" if isinstance(of, StructureAuthor) else hub_links(site, feed_url)


def rss(articles: Sequence[Article], site: Site, of: FeedOf, public_url: str) -> Document:
    """Return the RSS 2.0 feed of a site, of a section or of an author."""
    root = ET.Element("rss", version="2.0")
    channel = ET.SubElement(root, "channel")
    add_text(channel, "title", feed_title(site, of))
    add_text(channel, "link", public_url + _page_path(of))
    add_text(channel, "description", site.tagline or site.name)
    add_text(channel, "language", language := _language(articles, site))
    add_text(channel, "lastBuildDate", rfc822(_newest(articles)))
    here = {"href": public_url + feed_path(of, "rss"), "rel": "self", "type": "application/rss+xml"}
    ET.SubElement(channel, f"{{{ATOM}}}link", here)
    _add_hubs(channel, site, of, f"{{{ATOM}}}link")
    for article in articles:
        item = ET.SubElement(channel, "item")
        add_text(item, "title", as_markup(article.title))
        add_text(item, "link", public_url + article_path(article))
        add_text(item, "guid", permanent_id(article, site), isPermaLink="false")
        add_text(item, "description", as_html(summary(article)))  # readers take it for HTML
        if published := published_instant(article):
            add_text(item, "pubDate", rfc822(published))
        elif day := published_date(article, site):  # a pubDate would need a time of day
            add_text(item, f"{{{DUBLIN_CORE}}}date", day)
        for name in _creators(article):
            add_text(item, f"{{{DUBLIN_CORE}}}creator", name)
        if article.language != language:
            add_text(item, f"{{{DUBLIN_CORE}}}language", article.language)
        for category in _categories(article, site):
            add_text(item, "category", category)
        if images := hosted_images(article):
            ET.SubElement(item, "enclosure", _enclosure(images[0], public_url, "url"))
        elif files := files_of(article):  # RSS has one enclosure
            ET.SubElement(item, "enclosure", _file_enclosure(files[0], public_url, "url"))
    return Document(xml_bytes(root), "application/rss+xml; charset=utf-8", link=_links(site, of, here["href"]))


def atom(articles: Sequence[Article], site: Site, of: FeedOf, public_url: str) -> Document:
    """Return the Atom feed (RFC 4287) of a site, of a section or of an author."""
    language = _language(articles, site)
    root = ET.Element("feed", {"xmlns": ATOM, "xml:lang": language})
    add_text(root, "title", feed_title(site, of))
    add_text(root, "id", public_url + feed_path(of, "atom"))
    add_text(root, "updated", local_iso(_newest(articles), site))
    kind = "application/atom+xml"
    address = public_url + feed_path(of, "atom")
    ET.SubElement(root, "link", {"href": address, "rel": "self", "type": kind})
    _add_hubs(root, site, of)
    home = public_url + _page_path(of)
    ET.SubElement(root, "link", {"href": home, "rel": "alternate", "type": "text/html"})
    add_text(ET.SubElement(root, "author"), "name", site.agency or site.name)
    for article in articles:
        entry = ET.SubElement(root, "entry", {} if article.language == language else {"xml:lang": article.language})
        add_atom_text(entry, "title", article.title)
        add_text(entry, "id", permanent_id(article, site))
        url = public_url + article_path(article)
        ET.SubElement(entry, "link", {"href": url, "rel": "alternate", "type": "text/html"})
        if published := published_instant(article):
            add_text(entry, "published", local_iso(published, site))
        elif day := published_date(article, site):  # `published` would need a time of day
            add_text(entry, f"{{{DUBLIN_CORE}}}date", day)
        add_text(entry, "updated", local_iso(updated_at(article), site))
        for name in _creators(article):
            add_text(ET.SubElement(entry, "author"), "name", name)
        for category in _categories(article, site):
            ET.SubElement(entry, "category", {"term": category})
        if images := hosted_images(article):
            ET.SubElement(entry, "link", {"rel": "enclosure", **_enclosure(images[0], public_url, "href")})
        for file in files_of(article):
            link = {"rel": "enclosure", "title": file.name, **_file_enclosure(file, public_url, "href")}
            ET.SubElement(entry, "link", link)
        add_atom_text(entry, "summary", summary(article))
    return Document(xml_bytes(root), f"{kind}; charset=utf-8", link=_links(site, of, address))


def _language(articles: Sequence[Article], site: Site) -> str:
    """Return the language that all articles have; that of the site if they have several, or if there are none."""
    found = {article.language for article in articles}
    return found.pop() if len(found) == 1 else site.language


def _newest(articles: Sequence[Article]) -> datetime:
    return max(map(updated_at, articles), default=NOTHING_YET)


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
