"""Corrections of articles → their page's data and their feeds. Pure."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any
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
from services.render.pages.feeds import NOTHING_YET
from services.render.pages.paths import CORRECTIONS_PATH
from services.render.pages.structured_data import CONTEXT
from services.render.pages.translations import translations
from shared.article_identity import local_iso, permanent_id
from shared.articles import Article, Correction, article_path
from shared.sites import Site

FEED_ARTICLES_MAX = 30


def newest_corrections(article: Article) -> list[Correction]:
    """Return the corrections of an article, the newest first."""
    return sorted(article.corrections, key=lambda one: one.at, reverse=True)


def correction_comments(articles: Sequence[Article], public_url: str, site: Site) -> dict[str, Any]:
    """Return the corrections of articles as a schema.org ItemList of CorrectionComment."""
    comments = [
        {
            "@type": "CorrectionComment",
            "text": one.text,
            "datePublished": local_iso(one.at, site),
            "about": {"@type": "NewsArticle", "headline": article.title, "url": public_url + article_path(article)},
        }
        for article, one in _flat(articles)
    ]
    listed = [{"@type": "ListItem", "position": n, "item": one} for n, one in enumerate(comments, 1)]
    return {"@context": CONTEXT, "@type": "ItemList", "itemListElement": listed}


def rss(articles: Sequence[Article], site: Site, public_url: str) -> Document:
    """Return the RSS 2.0 feed of corrections, an item for each."""
    title = _title(site)
    root = ET.Element("rss", version="2.0")
    channel = ET.SubElement(root, "channel")
    add_text(channel, "title", title)
    add_text(channel, "link", public_url + CORRECTIONS_PATH)
    add_text(channel, "description", str(translations(site)["corrections_about"]))
    add_text(channel, "language", site.language)
    here = {"href": f"{public_url}{CORRECTIONS_PATH}rss.xml", "rel": "self", "type": "application/rss+xml"}
    ET.SubElement(channel, f"{{{ATOM}}}link", here)
    add_hubs(channel, site, f"{{{ATOM}}}link")
    for article, one in _flat(articles):
        item = ET.SubElement(channel, "item")
        add_text(item, "title", as_markup(article.title))
        add_text(item, "link", public_url + article_path(article))
        add_text(item, "guid", _id(article, one, site), isPermaLink="false")
        add_text(item, "description", as_html(one.text))
        add_text(item, "pubDate", rfc822(one.at))
    return Document(xml_bytes(root), "application/rss+xml; charset=utf-8", link=hub_links(site, here["href"]))


def atom(articles: Sequence[Article], site: Site, public_url: str) -> Document:
    """Return the Atom feed (RFC 4287) of corrections, an entry for each."""
    address, kind = f"{public_url}{CORRECTIONS_PATH}atom.xml", "application/atom+xml"
    flat = _flat(articles)
    root = ET.Element("feed", {"xmlns": ATOM, "xml:lang": site.language})
    add_text(root, "title", _title(site))
    add_text(root, "id", address)
    newest = max((one.at for _, one in flat), default=NOTHING_YET)
    add_text(root, "updated", local_iso(newest, site))
    ET.SubElement(root, "link", {"href": address, "rel": "self", "type": kind})
    add_hubs(root, site, "link")
    ET.SubElement(root, "link", {"href": public_url + CORRECTIONS_PATH, "rel": "alternate", "type": "text/html"})
    add_text(ET.SubElement(root, "author"), "name", site.agency or site.name)
    for article, one in flat:
        entry = ET.SubElement(
            root, "entry", {} if article.language == site.language else {"xml:lang": article.language}
        )
        add_atom_text(entry, "title", article.title)
        add_text(entry, "id", _id(article, one, site))
        url = public_url + article_path(article)
        ET.SubElement(entry, "link", {"href": url, "rel": "alternate", "type": "text/html"})
        add_text(entry, "updated", local_iso(one.at, site))
        add_atom_text(entry, "summary", one.text)
    return Document(xml_bytes(root), f"{kind}; charset=utf-8", link=hub_links(site, address))


def _flat(articles: Sequence[Article]) -> list[tuple[Article, Correction]]:
    """Return each correction with its article, the newest first."""
    found = [(article, one) for article in articles for one in article.corrections]
    return sorted(found, key=lambda pair: (pair[1].at, pair[0].number), reverse=True)


def _title(site: Site) -> str:
    return f"{translations(site)['corrections']} – {site.name}"


def _id(article: Article, correction: Correction, site: Site) -> str:
    """Return the permanent ID of a correction: that of its article and its time, whatever its text becomes.

    Further ones of the same time are numbered from 2, in the order of the article.
    """
    same = [one for one in article.corrections if one.at == correction.at]
    number = next(index for index, one in enumerate(same, 1) if one is correction)
    ending = f"-{number}" if number > 1 else ""
    return f"{permanent_id(article, site)}/correction/{correction.at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}{ending}"
