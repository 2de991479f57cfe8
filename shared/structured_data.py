"""An article as schema.org NewsArticle (JSON-LD): the same on its page and in the API. Pure."""

from collections.abc import Sequence
from typing import Any

from shared.article_identity import local_iso, permanent_id, published_date, updated_date
from shared.articles import (
    MEDIA_PREFIX,
    Article,
    Author,
    Block,
    Correction,
    Crop,
    File,
    Image,
    Paragraph,
    article_path,
    files_of,
    images_of,
)
from shared.site_structure import author_path
from shared.sites import Site
from shared.text import inline_text

SUMMARY_CHARACTERS_MAX = 240


def summary(article: Article, characters_max: int = SUMMARY_CHARACTERS_MAX) -> str:
    """Return the lead, or the first paragraph, as plain text truncated between words."""
    return truncate(article.lead or first_paragraph(article.body), characters_max)


def first_paragraph(body: Sequence[Block]) -> str:
    """Return the first paragraph of a body as plain text; "" if it has none."""
    return next((inline_text(one.html) for one in body if isinstance(one, Paragraph)), "")


def truncate(text: str, characters_max: int) -> str:
    """Return at most `characters_max` characters of a text, truncated between words, with an ellipsis."""
    if len(text) <= characters_max:
        return text
    return text[: characters_max + 1].rsplit(" ", 1)[0][:characters_max].rstrip(" ,;:") + "…"


def is_hosted(image: Image) -> bool:
    """Return whether the portal itself serves the image."""
    return image.url.startswith(MEDIA_PREFIX)


def hosted_images(article: Article) -> list[Image]:
    """Return the images that the portal itself serves: pages show no others."""
    return [image for image in images_of(article) if is_hosted(image)]


def crop(image: Image, ratio: str) -> Image | Crop:
    """Return a crop of an image; the image itself if it has none in that ratio."""
    return next((one for one in image.crops if one.ratio == ratio), image)


def publisher(site: Site, public_url: str, logo_path: str = "") -> dict[str, Any]:
    """Return a site's publisher as schema.org NewsMediaOrganization; its logo is its emblem, else `logo_path`."""
    path = site.emblem or logo_path
    logo = {"@type": "ImageObject", "url": public_url + path} if path else None
    return _present(
        {"@type": "NewsMediaOrganization", "name": site.agency or site.name, "url": f"{public_url}/", "logo": logo}
    )


def news_article(
    article: Article, site: Site, public_url: str, logo: str = "", mentioned: Sequence[Article] = ()
) -> dict[str, Any]:
    """Return an article as schema.org NewsArticle.

    Args:
        article: The article.
        site: Its site.
        public_url: The address of its site.
        logo: That of its publisher, for a site without an emblem.
        mentioned: Public articles that its body shows.
    """
    url = public_url + article_path(article)
    section = site.section(article.section)
    organization = publisher(site, public_url, logo)
    authors = [
        _present({"@type": "Person", "name": one.name, "url": _author_url(one, site, public_url)})
        for one in article.authors
    ]
    source, rights = article.source, article.rights
    return _present(
        {
            "@context": "https://schema.org",
            "@type": "NewsArticle",
            "@id": permanent_id(article, site),
            "identifier": article.id,
            "version": article.version,
            "url": url,
            "mainEntityOfPage": url,
            "headline": article.title,
            "alternativeHeadline": article.subtitle or article.kicker,
            "description": summary(article),
            "inLanguage": article.language,
            "articleSection": section.name if section else article.section,
            "keywords": article.tags,
            "datePublished": published_date(article, site),
            "dateModified": updated_date(article, site),
            "expires": local_iso(article.unpublish_at, site) if article.unpublish_at else None,
            "author": authors or [organization],
            "publisher": organization,
            "image": [one for image in hosted_images(article) for one in _image_objects(image, public_url)],
            "associatedMedia": [_media_object(file, public_url) for file in files_of(article)],
            "contentLocation": {"@type": "Place", "name": article.place} if article.place else None,
            "sourceOrganization": {"@type": "Organization", "name": source.name} if source else None,
            "isBasedOn": source.url if source else None,
            "copyrightHolder": {"@type": "Organization", "name": rights.holder} if rights and rights.holder else None,
            "copyrightNotice": rights.notice if rights else None,
            "mentions": [
                {"@type": "NewsArticle", "headline": one.title, "url": public_url + article_path(one)}
                for one in mentioned
            ],
            "correction": [_correction(one, site) for one in article.corrections],
        }
    )


def _author_url(author: Author, site: Site, public_url: str) -> str | None:
    """Return the URL of an author's page on the site, else the one that the article has."""
    known = site.structure.author(author.name) if site.structure else None
    return public_url + author_path(known.slug) if known else author.url


def _correction(correction: Correction, site: Site) -> dict[str, str]:
    return {
        "@type": "CorrectionComment",
        "text": correction.text,
        "datePublished": local_iso(correction.at, site),
    }


def _image_objects(image: Image, public_url: str) -> list[dict[str, Any]]:
    """Return an image, its crops before it: search engines choose by shape."""
    shapes: list[Image | Crop] = [*image.crops, image]
    return [
        _present(
            {
                "@type": "ImageObject",
                "url": public_url + one.url,
                "caption": image.alt,
                "width": one.width,
                "height": one.height,
            }
        )
        for one in shapes
    ]


def _media_object(file: File, public_url: str) -> dict[str, Any]:
    """Return a document as schema.org MediaObject."""
    return _present(
        {
            "@type": "MediaObject",
            "name": file.name,
            "contentUrl": public_url + file.url,
            "encodingFormat": file.media_type,
            "contentSize": str(file.bytes) if file.bytes else None,
        }
    )


def _present(properties: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if value}
