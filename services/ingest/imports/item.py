"""What every reader makes of its format, and the few rules that all of them share. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec

from services.ingest.content.blocks import blocks_of
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

_TAG = re.compile(r"<[^>]*>")
_PARAGRAPHS = re.compile(r"\n\s*\n")


class ReadError(ValueError):
    """A file that is not what its format wants, or an item of it; the message is for people."""


@dataclass(frozen=True, kw_only=True)
class Imported:
    """An article as its source has it. `place` says where in the file it stands, for people."""

    place: str
    external_id: str
    title: str
    body: list[Block]
    lead: str = ""
    section: str = ""
    """Its slug or its name at the source; "" if it has none."""
    source: Source | None = None
    authors: list[Author] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    published_at: datetime | None = None
    """Without a zone: in that of the site."""
    date_precision: DatePrecision = "exact"
    slug: str = ""
    old_urls: list[str] = field(default_factory=list)
    views: int | None = None
    """How often it was read before us."""
    is_public: bool = True
    """At its source: a draft there is a draft here."""
    lead_image: Figure | None = None
    language: str = ""
    counter: SavedCounter | None = None
    """Of the whole site, as the page showed it."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Other fields of the article's content, as the article has them."""


@dataclass(frozen=True)
class Unreadable:
    """An item that cannot become an article, and why."""

    place: str
    reason: str


Item = Imported | Unreadable
Reader = Callable[[bytes, str], Iterator[Item]]
"""A file's content and name → its items, in their order. Raises ReadError if the file is no file of the format."""


def each(
    items: Sequence[object] | Iterator[object], read: Callable[[object, str], Imported], what: str
) -> Iterator[Item]:
    """Read items one by one; one that cannot be read does not keep the others from it."""
    for number, item in enumerate(items, 1):
        place = f"{what} {number}"
        try:
            yield read(item, place)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
            reason = f"has no {error}" if isinstance(error, KeyError) else str(error)
            yield Unreadable(place, reason[:500] or type(error).__name__)


def line(text: object) -> str:
    """Return a text of one line, cleaned; "" for what is none."""
    return clean_line(str(text)) if text is not None else ""


def words(html: object) -> str:
    """Return a short piece of HTML as a text of one line."""
    text = line(html)
    return parse_html(text).text if "<" in text or "&" in text else text


def blocks(html: str, base: str = "") -> list[Block]:
    """Return the blocks of a body in HTML; image addresses become whole ones, from the page's own address.

    Raises:
        MarkupError: it is too large or nested too deep.
        TextError: it has characters that cannot be taken.
    """
    if not _TAG.search(html):  # older systems keep plain text with blank lines
        html = "".join(f"<p>{part}</p>" for part in _PARAGRAPHS.split(html) if part.strip())
    return with_places(blocks_of(parse_html(clean_text(html))), base)


def with_places(found: list[Block], base: str) -> list[Block]:
    """Return blocks whose images stand at whole addresses. What cannot be found any more keeps its caption alone."""
    placed = [_placed(block, base) if isinstance(block, Figure) else block for block in found]
    return [block for block in placed if block is not None]


def _placed(figure: Figure, base: str) -> Figure | None:
    image = figure.image
    if image is None:
        return figure
    url = image.url if image.url.startswith(MEDIA_PREFIX) else urljoin(base, image.url)
    caption = (figure.caption or image.alt)[:CAPTION_CHARACTERS_MAX]
    if url.startswith("/") and not url.startswith(MEDIA_PREFIX):  # nobody knows of which portal
        return Figure(caption, None, figure.credit) if caption else None
    alt = (image.alt or caption)[:ALT_CHARACTERS_MAX]
    return Figure(caption, msgspec.structs.replace(image, url=url, alt=alt), figure.credit)


def figure(url: object, alt: object = "", caption: object = "", base: str = "") -> Figure | None:
    """Return the figure of an image that is named by its address, or None without one."""
    address = line(url)
    if not address:
        return None
    placed = _placed(Figure(words(caption), Image(address, words(alt)[:ALT_CHARACTERS_MAX])), base)
    if placed is None or (placed.image and not placed.image.url.startswith(("http://", "https://", MEDIA_PREFIX))):
        return None
    return placed


def instant(text: object) -> datetime | None:
    """Return a time of RFC 3339, RFC 5322 or seconds since 1970, or None. In UTC, unless it has no zone."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        return datetime.fromtimestamp(text, UTC) if 0 < text < 4e9 else None
    said = line(text)
    if not said or said.startswith("0000"):
        return None
    if said.isascii() and said.isdigit():
        return instant(int(said))
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = parse(said)
        except ValueError:
            continue
        return found if found.tzinfo is None else found.astimezone(UTC)
    return None


def old_url(url: object) -> list[str]:
    """Return the path of an address at the old portal (with its query, if it has one), as a list of one or none."""
    parts = urlsplit(line(url))
    if not parts.path.startswith("/") or (parts.path == "/" and not parts.query):
        return []
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return [path] if len(path) <= OLD_URL_CHARACTERS_MAX else []


def count(number: object) -> int | None:
    """Return a number of views, or None if it is none."""
    said = line(number)
    return int(said) if said.isascii() and said.isdigit() and len(said) < 16 else None


def only_text(found: list[Block]) -> str:
    """Return the paragraphs of blocks as a text of one line: for leads, which have no markup."""
    return line(" ".join(parse_html(block.html).text for block in found if isinstance(block, Paragraph)))
