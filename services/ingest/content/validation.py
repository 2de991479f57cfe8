"""Checks of an article: size limits, requirements for publication, and warnings for editors. Pure."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from services.ingest.content.errors import FieldError, InvalidContentError, field_error, invalid, quoted
from services.ingest.content.normalization import TextError, check_text
from services.ingest.content.own_urls import link_warnings
from shared.articles import (
    ARTICLE_BYTES_MAX,
    BLOCKS_MAX,
    IMAGES_MAX,
    PUBLICATION_BYTES_MAX,
    TEXT_CHARACTERS_MAX,
    Article,
    Block,
    Figure,
    Table,
    images_of,
)
from shared.http.problems import Problem
from shared.sites import Site
from shared.text import inline_html_parts, inline_text

TITLE_CHARACTERS_ADVISED = 110


CELLS_MAX = 5_000
LANGUAGE = re.compile("[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8}){0,3}")


def check_limits(article: Article, site: Site) -> None:
    """Reject an article that is too large or in a section that its site does not have.

    Raises:
        InvalidContentError: with all errors.
        Problem: 413 if it is too large for a Kafka message.
    """
    encoded = msgspec.json.encode(article)
    size = len(encoded)
    limit = ARTICLE_BYTES_MAX if article.first_published_at is None else ARTICLE_BYTES_MAX + PUBLICATION_BYTES_MAX // 2
    if size > limit:
        detail = f"The article must have at most {limit:,} bytes as JSON (got {size:,})."
        raise Problem(413, detail, limit=limit, size=size)
    known = ", ".join(one.slug for one in site.sections)
    errors = [
        field_error(name, "unknown_section_of", section=quoted(slug), site=site.slug, sections=known)
        for name, slug in (("section", article.section), *(("also_in", slug) for slug in article.also_in))
        if site.section(slug) is None
    ]
    sizes = [
        ("body", "too_many_blocks", len(article.body), BLOCKS_MAX),
        ("body", "too_many_images", len(images_of(article)), IMAGES_MAX),
    ]
    for number, block in enumerate(article.body):
        sizes += [(f"body.{number}", "too_many_characters", size, TEXT_CHARACTERS_MAX) for size in _text_sizes(block)]
        if isinstance(block, Table):
            sizes.append((f"body.{number}", "too_many_cells", sum(map(len, block.rows)), CELLS_MAX))
    errors += [field_error(path, code, limit=limit, size=size) for path, code, size, limit in sizes if size > limit]
    for first, later in (("publish_at", "unpublish_at"), ("embargo_until", "unpublish_at")):
        begin, end = getattr(article, first), getattr(article, later)
        if begin is not None and end is not None and end <= begin:
            errors.append(field_error(later, "not_after", first=first))
    if not LANGUAGE.fullmatch(article.language):
        errors.append(field_error("language", "not_a_language"))
    errors += text_errors(msgspec.to_builtins(article))
    if errors:
        raise InvalidContentError(errors)
    try:
        msgspec.json.decode(encoded, type=Article)  # what is stored must be readable, by every service
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$.")
        raise invalid(place.removesuffix("`") or "article", "invalid_value", reason=message) from error


def text_errors(value: Any, path: str = "") -> list[FieldError]:
    """Return an error for each text in a value of JSON that has a character which no page, feed or export may have."""
    if isinstance(value, str):
        try:
            check_text(value)
        except TextError as error:
            return [field_error(path, error.code, **error.values)]
        return []
    named = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [error for name, one in named for error in text_errors(one, f"{path}.{name}" if path else str(name))]


def _text_sizes(block: Block) -> Iterator[int]:
    return (
        len(html) if len(html) <= TEXT_CHARACTERS_MAX else len(inline_text(html)) for html in inline_html_parts(block)
    )


def publishing_errors(article: Article, site: Site) -> list[FieldError]:
    """Return the errors that prevent the publication of an article; empty if it can be published."""
    errors = []
    if not article.body and article.lead_image is None:
        errors.append(field_error("body", "empty"))
    if site.section(article.section) is None:
        errors.append(field_error("section", "unknown_section", section=quoted(article.section), site=site.slug))
    figures = [("lead_image", article.lead_image), *((f"body.{n}", block) for n, block in enumerate(article.body))]
    for path, figure in figures:
        if not isinstance(figure, Figure):
            continue
        if not figure.caption.strip():
            errors.append(field_error(f"{path}.caption", "required_for_publication"))
        if figure.image is not None and not figure.image.alt.strip():
            errors.append(field_error(f"{path}.image.alt", "required_for_publication"))
    return errors


def editor_warnings(article: Article, site: Site) -> list[FieldError]:
    """Return warnings for the editor that do not prevent publication."""
    warnings = []
    if len(article.title) > TITLE_CHARACTERS_ADVISED:
        sizes = {"limit": TITLE_CHARACTERS_ADVISED, "size": len(article.title)}
        warnings.append(field_error("title", "long_title", **sizes))
    external = [image.url for image in images_of(article) if not image.url.startswith("/")]
    if external:
        warnings.append(field_error("body", "images_elsewhere", count=len(external)))
    return warnings + link_warnings(article, site)
