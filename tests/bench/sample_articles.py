"""A generated portal with images, tags, months and sections."""

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from shared.articles import (
    IMAGE_WIDTHS,
    MEDIA_PREFIX,
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
from shared.object_store import TYPES
from shared.sites import Site
from tests.bench.infrastructure import SITES
from tests.bench.load import SITE
from tests.bench.portal import Texts

SAMPLE_SITE = msgspec.convert(tomllib.loads(SITES)["site"][0], Site)
"""The site that the processes of the benchmarks know."""
BEGIN = datetime(2024, 1, 1, 1, tzinfo=UTC)
TAGS = 200
PHOTOS = 50
SIZE = (2_000, 1_500)


def articles(count: int, seed: int) -> Iterator[Article]:
    """Make articles of 3,000 characters with two photos and three tags each, two hours apart."""
    texts = Texts(seed)
    for number in range(1, count + 1):
        at = BEGIN + timedelta(hours=2 * number)
        section = SAMPLE_SITE.sections[number % len(SAMPLE_SITE.sections)]
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
            lead_image=_figure(texts, number),
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
        _figure(texts, number + 7),
        *paragraphs[3:5],
        BulletList([Item(texts.words(12)) for _ in range(4)]),
        Quote([texts.words(30).capitalize() + "."], cite=texts.words(3).title()),
        paragraphs[5],
    ]


def _figure(texts: Texts, number: int) -> Figure:
    return Figure(texts.words(12).capitalize() + ".", _photo(number % PHOTOS, texts.words(8)), texts.words(2).title())


def _photo(number: int, alt: str) -> Image:
    """Return a photo with the renditions that the media store creates. There are few, so that copying them is cheap."""
    copies = [
        Rendition(_address(number, width, ending), width, width * SIZE[1] // SIZE[0], kind)
        for ending, kind in TYPES.items()
        for width in IMAGE_WIDTHS
    ]
    return Image(_address(number, SIZE[0], "jpg"), alt, *SIZE, f"{number:064x}", copies)


def _address(number: int, width: int, ending: str) -> str:
    return f"{MEDIA_PREFIX}{number:016x}{width:016x}.{ending}"


def write_photos(folder: Path) -> None:
    """Write a file for each photo and rendition. None of the measured programs reads its contents."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(PHOTOS):
        photo = _photo(number, "")
        for url in (photo.url, *(copy.url for copy in photo.renditions)):
            (folder / url.removeprefix(MEDIA_PREFIX)).write_bytes(url.encode() * 50)
