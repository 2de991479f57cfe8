"""The common result of all format readers, and helpers that they share. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec

from services.ingest.content.blocks import tree_to_blocks
from services.ingest.content.normalization import clean_line, clean_text
from services.ingest.content.sanitizer import parse_html
from services.ingest.imports.readers.plain_text import SavedCounter
from shared.articles import (
    ALT_CHARACTERS_MAX,
    CAPTION_CHARACTERS_MAX,
    MEDIA_PREFIX,
    OLD_URL_CHARACTERS_MAX,
    Author,
    Block,
    DatePrecision,
    Figure,
    Image,
    Paragraph,
    Source,
)

_TAG = re.compile(r"<[^<>]*>")  # without "<", so that a search takes linear time
_PARAGRAPHS = re.compile(r"\n\s*\n")


class FormatError(ValueError):
    """A file or item that does not have the expected format; the message is human-readable."""


@dataclass(frozen=True, kw_only=True)
class ImportItem:
    """An article as its source has it. `place` is a readable position in the file."""

    place: str
    external_id: str
    title: str
    body: list[Block]
    lead: str = ""
    section: str = ""
    """Its slug or name at the source; "" for none."""
    source: Source | None = None
    authors: list[Author] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    published_at: datetime | None = None
    """Without a time zone: in the zone of the site."""
    date_precision: DatePrecision = "exact"
    slug: str = ""
    old_urls: list[str] = field(default_factory=list)
    views: int | None = None
    """Views counted at the source."""
    is_public: bool = True
    """Whether it is public at its source; otherwise it is imported as a draft."""
    lead_image: Figure | None = None
    language: str = ""
    counter: SavedCounter | None = None
    """The counter of the whole site, as shown on the page."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Other content fields, as the article has them."""


@dataclass(frozen=True)
class UnreadableItem:
    """An item that cannot be imported, with the reason."""

    place: str
    reason: str


ItemOrError = ImportItem | UnreadableItem
FormatReader = Callable[[bytes, str], Iterator[ItemOrError]]
"""Content and name of a file → its items, in order. Raises FormatError if the file does not have the format."""


def read_each(
    items: Sequence[object] | Iterator[object], read: Callable[[object, str], ImportItem], unit: str
) -> Iterator[ItemOrError]:
    """Read items one by one; an unreadable one does not prevent the others."""
    for number, item in enumerate(items, 1):
        place = f"{unit} {number}"
        try:
            yield read(item, place)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
            reason = f"has no {error}" if isinstance(error, KeyError) else str(error)
            yield UnreadableItem(place, reason[:500] or type(error).__name__)


def one_line(text: object) -> str:
    """Return cleaned single-line text; "" for None."""
    return clean_line(str(text)) if text is not None else ""


def html_to_line(html: object) -> str:
    """Return the text of short HTML as a single line."""
    text = one_line(html)
    return parse_html(text).text if "<" in text or "&" in text else text


def html_to_blocks(html: str, base: str = "") -> list[Block]:
    """Return the blocks of a body in HTML, with image URLs resolved against the URL of the page.

    Raises:
        MarkupError: it is too large or nested too deep.
        TextError: it has invalid characters.
    """
    if not _TAG.search(html):  # older systems keep plain text with blank lines
        html = "".join(f"<p>{part}</p>" for part in _PARAGRAPHS.split(html) if part.strip())
    return absolutize_images(tree_to_blocks(parse_html(clean_text(html))), base)


def absolutize_images(found: list[Block], base: str) -> list[Block]:
    """Return blocks with absolute image URLs; of an image whose URL cannot be resolved, only the caption is kept."""
    resolved = [_absolutized(block, base) if isinstance(block, Figure) else block for block in found]
    return [block for block in resolved if block is not None]


def _absolutized(image_figure: Figure, base: str) -> Figure | None:
    image = image_figure.image
    if image is None:
        return image_figure
    url = image.url if image.url.startswith(MEDIA_PREFIX) else urljoin(base, image.url)
    caption = (image_figure.caption or image.alt)[:CAPTION_CHARACTERS_MAX]
    if url.startswith("/") and not url.startswith(MEDIA_PREFIX):  # the portal is unknown
        return Figure(caption, None, image_figure.credit) if caption else None
    alt = (image.alt or caption)[:ALT_CHARACTERS_MAX]
    return Figure(caption, msgspec.structs.replace(image, url=url, alt=alt), image_figure.credit)


def image_figure(url: object, alt: object = "", caption: object = "", base: str = "") -> Figure | None:
    """Return a figure of the image at a URL, or None without a usable URL."""
    address = one_line(url)
    if not address:
        return None
    resolved = _absolutized(Figure(html_to_line(caption), Image(address, html_to_line(alt)[:ALT_CHARACTERS_MAX])), base)
    if resolved is None or (
        resolved.image and not resolved.image.url.startswith(("http://", "https://", MEDIA_PREFIX))
    ):
        return None
    return resolved


def parse_time(text: object) -> datetime | None:
    """Parse a time in RFC 3339, RFC 5322 or seconds since 1970; None if invalid. UTC, or naive without a zone."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        return datetime.fromtimestamp(text, UTC) if 0 < text < 4e9 else None
    text_value = one_line(text)
    if not text_value or text_value.startswith("0000"):
        return None
    if text_value.isascii() and text_value.isdigit():
        return parse_time(int(text_value))
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = parse(text_value)
        except ValueError:
            continue
        return found if found.tzinfo is None else found.astimezone(UTC)
    return None


def parse_old_url(url: object) -> list[str]:
    """Return path and query of a URL at the former site, as a list of at most one item."""
    parts = urlsplit(one_line(url))
    if not parts.path.startswith("/") or (parts.path == "/" and not parts.query):
        return []
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return [path] if len(path) <= OLD_URL_CHARACTERS_MAX else []


def parse_count(number: object) -> int | None:
    """Return a number of views, or None if it is not a number."""
    text_value = one_line(number)
    return int(text_value) if text_value.isascii() and text_value.isdigit() and len(text_value) < 16 else None


def paragraph_text(found: list[Block]) -> str:
    """Return the text of the paragraphs as a single line, for leads."""
    return one_line(" ".join(parse_html(block.html).text for block in found if isinstance(block, Paragraph)))
