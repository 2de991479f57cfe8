"""The common result of all format readers, and helpers that they share. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec

from services.ingest.content.blocks import tree_to_blocks
from services.ingest.content.normalization import clean_text
from services.ingest.content.sanitizer import MARKUP_CHARACTERS_MAX, parse_html
from services.ingest.imports.publication import LeftOutError, SourceState, check_not_left_out
from services.ingest.imports.readers.plain_text import SavedCounter
from services.ingest.imports.text_repair import repair_markup, visible_line
from services.ingest.imports.times import ReadTime
from services.ingest.imports.warnings import ItemWarning, make_warning
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


NO_STATE = SourceState("text")
"""The state of a format that has none."""


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
    state: SourceState = NO_STATE
    """What its source says about its publication."""
    is_weak_id: bool = False
    """Other items may have its external ID, which is an address or a file name: it must also resemble the article."""
    lead_image: Figure | None = None
    language: str = ""
    counter: SavedCounter | None = None
    """The counter of the whole site, as shown on the page."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Other content fields, as the article has them."""
    line: int | None = None
    """Its line in the file; the first is 1."""
    warnings: list[ItemWarning] = field(default_factory=list)
    """The parts of it that were changed or lost."""


@dataclass(frozen=True)
class UnreadableItem:
    """An item that cannot be imported, with the reason."""

    place: str
    reason: str
    line: int | None = None


@dataclass(frozen=True)
class LeftOutItem:
    """An item that is not imported: deleted at its source, or no article."""

    place: str
    reason: str
    title: str = ""
    line: int | None = None


ItemOrError = ImportItem | UnreadableItem | LeftOutItem
FormatReader = Callable[[bytes, str], Iterator[ItemOrError]]
"""Content and name of a file → its items, in order. Raises FormatError if the file does not have the format."""
ITEM_ERRORS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
"""What a reader raises for an item that it cannot read."""


def read_each(
    items: Sequence[object] | Iterator[object], read: Callable[[object, str], ImportItem], unit: str
) -> Iterator[ItemOrError]:
    """Read items one by one; an unreadable one does not prevent the others."""
    for number, item in enumerate(items, 1):
        yield read_one(item, read, f"{unit} {number}")


def read_one(
    item: object, read: Callable[[object, str], ImportItem], place: str, line: int | None = None
) -> ItemOrError:
    """Read an item, or return why it is unreadable or left out."""
    try:
        found = read(item, place)
        check_not_left_out(found.state)
    except LeftOutError as error:
        title = error.args[1] if len(error.args) > 1 else ""
        return LeftOutItem(place, str(error.args[0]), title, line)
    except ITEM_ERRORS as error:
        reason = f"has no {error}" if isinstance(error, KeyError) else str(error)
        return UnreadableItem(place, reason[:500] or type(error).__name__, line)
    return found if line is None else replace(found, line=line)


def leave_out(state: SourceState, title: str) -> SourceState:
    """Return the state; before the rest of the item is read, so that its faults do not matter if it is left out.

    Raises:
        LeftOutError: with the reason and the title.
    """
    try:
        check_not_left_out(state)
    except LeftOutError as error:
        raise LeftOutError(error.args[0], title) from None
    return state


def date_warnings(*fields: tuple[str, ReadTime, object]) -> list[ItemWarning]:
    """Return a warning for each field with a value that is no time; of a field: its name, its time and its value."""
    return [
        make_warning("date", f"is not a time that can be read, so it is not used: {one_line(value)[:60]!r}", name)
        for name, read, value in fields
        if read.is_unreadable
    ]


TITLE_MARKUP_CHARACTERS_MAX = 10_000
TITLE_WORDS_CHARACTERS_MAX = 80


def check_title(text: str) -> str:
    """Return a title as its source has it, unless it is too long to be one.

    Raises:
        FormatError: it is longer than TITLE_MARKUP_CHARACTERS_MAX.
    """
    if len(text) > TITLE_MARKUP_CHARACTERS_MAX:
        raise FormatError(f"the title must have at most {TITLE_MARKUP_CHARACTERS_MAX:,} characters (got {len(text):,})")
    return text


def title_or_first_words(title: str, body: list[Block], warnings: list[ItemWarning]) -> str:
    """Return the title, or the first words of the text for items without one, which some systems have."""
    text = title or paragraph_text(body)
    if title or not text:
        return title
    warnings.append(make_warning("field", "is missing: the first words of the text are the title", "title"))
    if len(text) <= TITLE_WORDS_CHARACTERS_MAX:
        return text
    return text[:TITLE_WORDS_CHARACTERS_MAX].rsplit(" ", 1)[0] + " …"


def one_line(text: object) -> str:
    """Return single-line text without invalid characters; "" for None."""
    return visible_line(str(text)) if text is not None else ""


def html_to_line(html: object) -> str:
    """Return the text of short HTML as a single line."""
    text = one_line(repair_markup(str(html))[0]) if html is not None else ""
    return one_line(parse_html(text).text) if "<" in text or "&" in text else text


def html_to_blocks(html: str, base: str = "") -> list[Block]:
    """Return the blocks of a body in HTML, with image URLs resolved against the URL of the page.

    Raises:
        MarkupError: it is too large or nested too deep.
    """
    if len(html) > MARKUP_CHARACTERS_MAX:
        parse_html(html)  # raises the error before the work
    html = repair_markup(html)[0]
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
