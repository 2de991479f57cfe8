"""Limits of an article, what it needs before it is published, and warnings for its editor. Pure."""

from collections.abc import Iterator

import msgspec

from services.ingest.content.errors import ContentError, Fault
from shared.articles import (
    ARTICLE_BYTES_MAX,
    BLOCKS_MAX,
    IMAGES_MAX,
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

TITLE_CHARACTERS_GOOD = 110


CELLS_MAX = 5_000


def check_limits(article: Article, site: Site) -> None:
    """Refuse an article that is too large or stands in a section that its site does not have.

    Raises:
        ContentError: with all faults.
        Problem: 413, the whole is too large for a message.
    """
    size = len(msgspec.json.encode(article))
    if size > ARTICLE_BYTES_MAX:
        detail = f"The whole article has {size:,} bytes as JSON; {ARTICLE_BYTES_MAX:,} is the most."
        raise Problem(413, detail, limit=ARTICLE_BYTES_MAX, size=size)
    faults = [
        Fault(name, f"there is no section {slug!r}; {site.slug} has {', '.join(one.slug for one in site.sections)}")
        for name, slug in (("section", article.section), *(("also_in", slug) for slug in article.also_in))
        if site.section(slug) is None
    ]
    sizes = [
        ("body", "blocks", len(article.body), BLOCKS_MAX),
        ("body", "images", len(images_of(article)), IMAGES_MAX),
    ]
    for number, block in enumerate(article.body):
        sizes += [(f"body.{number}", "characters", size, TEXT_CHARACTERS_MAX) for size in _text_sizes(block)]
        if isinstance(block, Table):
            sizes.append((f"body.{number}", "cells", sum(map(len, block.rows)), CELLS_MAX))
    faults += [
        Fault(place, f"has {size:,} {what}; {limit:,} is the most", limit, size)
        for place, what, size, limit in sizes
        if size > limit
    ]
    for first, later in (("publish_at", "unpublish_at"), ("embargo_until", "unpublish_at")):
        begin, end = getattr(article, first), getattr(article, later)
        if begin is not None and end is not None and end <= begin:
            faults.append(Fault(later, f"is not after {first}"))
    if faults:
        raise ContentError(faults)


def _text_sizes(block: Block) -> Iterator[int]:
    return (
        len(html) if len(html) <= TEXT_CHARACTERS_MAX else len(inline_text(html)) for html in inline_html_parts(block)
    )


def publishing_faults(article: Article, site: Site) -> list[Fault]:
    """Return what must be put right before readers may see the article; empty if nothing."""
    faults = []
    if not article.body and article.lead_image is None:
        faults.append(Fault("body", "is empty"))
    if site.section(article.section) is None:
        faults.append(Fault("section", f"there is no section {article.section!r} on {site.slug}"))
    places = [("lead_image", article.lead_image), *((f"body.{n}", block) for n, block in enumerate(article.body))]
    for place, figure in places:
        if not isinstance(figure, Figure):
            continue
        if not figure.caption.strip():
            faults.append(Fault(f"{place}.caption", "a figure needs a caption before it is published"))
        if figure.image is not None and not figure.image.alt.strip():
            faults.append(Fault(f"{place}.image.alt", "an image needs its text alternative before it is published"))
    return faults


def warnings_of(article: Article) -> list[Fault]:
    """Return what an editor should know, though it may be published."""
    found = []
    if len(article.title) > TITLE_CHARACTERS_GOOD:
        fault = f"has {len(article.title)} characters; search engines cut after {TITLE_CHARACTERS_GOOD}"
        found.append(Fault("title", fault, TITLE_CHARACTERS_GOOD, len(article.title)))
    elsewhere = [image.url for image in images_of(article) if not image.url.startswith("/")]
    if elsewhere:
        fault = f"{len(elsewhere)} image(s) stand elsewhere: pages link to them and do not show them"
        found.append(Fault("body", fault))
    return found
