"""Structured data of an article in its page: schema.org, and parts of OpenGraph and Dublin Core. Pure."""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from services.render.pages.article_text import summary
from shared.articles import MEDIA_PREFIX, Article, Image, article_path, images_of
from shared.sites import Site


def permanent_id(article: Article, site: Site) -> str:
    """Return an id that no change of title, slug or copy's address changes: a tag URI (RFC 4151)."""
    host = urlsplit(site.origins[0]).hostname
    return f"tag:{host},2026:article/{article.id}"


def local_iso(instant: datetime, site: Site) -> str:
    """Write an instant in the site's zone, to the second: 2026-11-24T10:00:00+07:00."""
    return instant.astimezone(site.zone).isoformat(timespec="seconds")


def published_date(article: Article, site: Site) -> str | None:
    """Return when readers first saw it, as precisely as it is known; None when nobody knows."""
    if article.published_at is None or article.date_precision == "unknown":
        return None
    text = local_iso(article.published_at, site)
    return text[:10] if article.date_precision == "day" else text


def hosted_images(article: Article) -> list[Image]:
    """Return the images that the portal itself keeps: no page loads another."""
    return [image for image in images_of(article) if is_hosted(image)]


def is_hosted(image: Image) -> bool:
    """Tell whether the portal keeps the image."""
    return image.url.startswith(MEDIA_PREFIX)


def news_article(article: Article, site: Site, public_url: str) -> dict[str, Any]:
    """Return an article as schema.org NewsArticle."""
    url = public_url + article_path(article)
    section = site.section(article.section)
    publisher: dict[str, Any] = {
        "@type": "NewsMediaOrganization",
        "name": site.agency or site.name,
        "url": f"{public_url}/",
    }
    if site.emblem:
        publisher["logo"] = {"@type": "ImageObject", "url": public_url + site.emblem}
    authors = [
        {"@type": "Person", "name": author.name, **({"url": author.url} if author.url else {})}
        for author in article.authors
    ]
    told = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "@id": permanent_id(article, site),
        "url": url,
        "mainEntityOfPage": url,
        "headline": article.title,
        "alternativeHeadline": article.subtitle or article.kicker,
        "description": summary(article),
        "inLanguage": article.language,
        "articleSection": section.name if section else None,
        "keywords": article.tags,
        "datePublished": published_date(article, site),
        "dateModified": local_iso(article.modified_at, site),
        "author": authors or [publisher],
        "publisher": publisher,
        "image": [_image(image, public_url) for image in hosted_images(article)],
        "contentLocation": {"@type": "Place", "name": article.place} if article.place else None,
        "sourceOrganization": {"@type": "Organization", "name": article.source.name} if article.source else None,
        "isBasedOn": article.source.url if article.source else None,
        "copyrightHolder": _holder(article),
        "correction": [correction.text for correction in article.corrections],
    }
    return {name: value for name, value in told.items() if value}


def _holder(article: Article) -> dict[str, str] | None:
    if article.rights is None or not article.rights.holder:
        return None
    return {"@type": "Organization", "name": article.rights.holder}


def _image(image: Image, public_url: str) -> dict[str, Any]:
    sizes = {"width": image.width, "height": image.height}
    told = {"@type": "ImageObject", "url": public_url + image.url, "caption": image.alt, **sizes}
    return {name: value for name, value in told.items() if value}


def breadcrumbs(article: Article, site: Site, public_url: str, home: str) -> dict[str, Any]:
    """Return the way from the home page to an article, as schema.org BreadcrumbList."""
    section = site.section(article.section)
    way = [(home, f"{public_url}/")]
    way += [(section.name, f"{public_url}/{section.slug}/")] if section else []
    return {
        "@context": "https://schema.org",
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"@type": "ListItem", "position": place, "name": name, "item": url}
            for place, (name, url) in enumerate([*way, (article.title, public_url + article_path(article))], 1)
        ],
    }
