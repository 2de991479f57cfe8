"""Rows → sitemaps for search engines. Pure; the caller selects the articles of the news sitemap."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from xml.etree import ElementTree as ET

from services.render.pages.document import Document
from shared.article_identity import local_iso, published_date
from shared.articles import MEDIA_PREFIX, Article, article_path
from shared.sites import Site

SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
IMAGE = "http://www.google.com/schemas/sitemap-image/1.1"
NEWS = "http://www.google.com/schemas/sitemap-news/0.9"
PART_NUMBERS = 10_000
"""Public numbers in one part. An article stays in its part; the protocol allows 50,000 URLs."""
NEWS_ARTICLES_MAX = 1_000
NEWS_AGE = timedelta(days=2)
XML_TYPE = "application/xml; charset=utf-8"

ET.register_namespace("image", IMAGE)
ET.register_namespace("news", NEWS)


def part_path(part: int) -> str:
    """Return the path of one part, counted from 0."""
    return f"/sitemap-articles-{part + 1}.xml"


def index(parts: Iterable[tuple[int, datetime]], site: Site, public_url: str) -> Document:
    """Return the sitemap index: the part with lists, and each part with articles and its newest change."""
    root = ET.Element("sitemapindex", xmlns=SITEMAP)
    _entry(root, "sitemap", f"{public_url}/sitemap-pages.xml")
    for part, changed_at in parts:
        _entry(root, "sitemap", public_url + part_path(part), local_iso(changed_at, site))
    return _document(root)


def urls(paths: Iterable[tuple[str, datetime | None, str | None]], site: Site, public_url: str) -> Document:
    """Return one part: paths, each with the time of its last change and the path of its image, where known."""
    root = ET.Element("urlset", xmlns=SITEMAP)
    for path, changed_at, image in paths:
        url = _entry(root, "url", public_url + path, local_iso(changed_at, site) if changed_at else None)
        if image and image.startswith(MEDIA_PREFIX):
            ET.SubElement(ET.SubElement(url, f"{{{IMAGE}}}image"), f"{{{IMAGE}}}loc").text = public_url + image
    return _document(root)


def news(articles: Sequence[Article], site: Site, public_url: str) -> Document:
    """Return the news sitemap of these articles."""
    root = ET.Element("urlset", {"xmlns": SITEMAP})
    for article in articles:
        published = published_date(article, site)
        assert published is not None
        url = _entry(root, "url", public_url + article_path(article))
        entry = ET.SubElement(url, f"{{{NEWS}}}news")
        publication = ET.SubElement(entry, f"{{{NEWS}}}publication")
        ET.SubElement(publication, f"{{{NEWS}}}name").text = site.name
        ET.SubElement(publication, f"{{{NEWS}}}language").text = article.language.split("-", 1)[0]
        ET.SubElement(entry, f"{{{NEWS}}}publication_date").text = published
        ET.SubElement(entry, f"{{{NEWS}}}title").text = article.title
    return _document(root)


def robots(public_url: str) -> Document:
    """Return robots.txt: all but the API is allowed. Searches are not indexed: robots must see that they say so."""
    lines = ("User-agent: *", "Disallow: /api/", "")
    maps = (f"Sitemap: {public_url}/sitemap.xml", f"Sitemap: {public_url}/news-sitemap.xml", "")
    return Document("\n".join((*lines, *maps)).encode(), "text/plain; charset=utf-8")


def _entry(root: ET.Element, name: str, url: str, changed_at: str | None = None) -> ET.Element:
    entry = ET.SubElement(root, name)
    ET.SubElement(entry, "loc").text = url
    if changed_at:
        ET.SubElement(entry, "lastmod").text = changed_at
    return entry


def _document(root: ET.Element) -> Document:
    ET.indent(root)
    text = f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'
    return Document(text.encode(), XML_TYPE)
