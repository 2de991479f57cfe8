"""A portal with images, tags, months and sections, made up from a seed."""

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from shared.articles import (
    IMAGE_WIDTHS,
    Article,
    Author,
    Block,
    BulletList,
    Figure,
    Heading,
    Image,
    Item,
    Paragraph,
    Quote,
    Rendition,
    Source,
)
from shared.sites import Site
from tests.bench.load import SITE
from tests.bench.portal import Texts
from tests.bench.stores import SITES

NEWSROOM = msgspec.convert(tomllib.loads(SITES)["site"][0], Site)
"""The site that the processes of the benchmarks know."""
BEGIN = datetime(2024, 1, 1, 1, tzinfo=UTC)
TAGS = 200
KINDS = (("jpg", "image/jpeg"), ("webp", "image/webp"), ("avif", "image/avif"))


def articles(count: int, seed: int) -> Iterator[Article]:
    """Make articles of 3,000 characters with two photos and three tags each, two hours apart."""
    texts = Texts(seed)
    for number in range(1, count + 1):
        at = BEGIN + timedelta(hours=2 * number)
        section = NEWSROOM.sections[number % len(NEWSROOM.sections)]
        title = texts.words(10).capitalize()
        yield Article(
            id=f"bench-{number}",
            number=number,
            site=SITE,
            version=1,
            state="published",
            title=title,
            slug=f"bai-{number}",
            section=section.slug,
            language="vi",
            lead=texts.words(40).capitalize() + ".",
            lead_image=_figure(texts, f"{number:060x}aaaa"),
            body=_body(texts, number),
            source=Source("Báo Nam Định"),
            authors=[Author(texts.words(3).title())],
            tags=[texts.syllables[texts.random.randrange(TAGS)] + f" {nth}" for nth in range(3)],
            modified_at=at,
            first_published_at=at,
            published_at=at,
        )


def _body(texts: Texts, number: int) -> list[Block]:
    paragraphs = [Paragraph(texts.words(70).capitalize() + ".") for _ in range(6)]
    return [
        *paragraphs[:2],
        Heading(texts.words(6).capitalize()),
        paragraphs[2],
        _figure(texts, f"{number:060x}bbbb"),
        *paragraphs[3:5],
        BulletList([Item(texts.words(12)) for _ in range(4)]),
        Quote([texts.words(30).capitalize() + "."], cite=texts.words(3).title()),
        paragraphs[5],
    ]


def _figure(texts: Texts, name: str) -> Figure:
    """Make a photo of 2,000 by 1,500 pixels with the copies that the media store makes."""
    copies = [
        Rendition(f"/media/{name}-{width}.{ending}", width, width * 3 // 4, kind)
        for ending, kind in KINDS
        for width in IMAGE_WIDTHS
    ]
    image = Image(f"/media/{name}-2000.jpg", texts.words(8), 2_000, 1_500, name, copies)
    return Figure(texts.words(12).capitalize() + ".", image, texts.words(2).title())
