"""The common result of all format readers, and helpers that they share. Pure."""

import html as html_characters
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from mmap import mmap
from typing import Any, Protocol

import msgspec

from services.ingest.content.normalization import clean_text
from services.ingest.content.sanitizer import check_size, parse_html
from services.ingest.imports.markup.addresses import is_damaged, is_usable_picture, resolve, split_address
from services.ingest.imports.markup.tree import read_blocks, without_embedded_data
from services.ingest.imports.publication import LeftOutError, SourceState, check_not_left_out
from services.ingest.imports.readers.plain_text import SavedCounter
from services.ingest.imports.text_repair import repair_markup, visible_line
from services.ingest.imports.times import ReadTime
from services.ingest.imports.warnings import ItemWarning, make_warning
from shared.articles import (
    ALT_CHARACTERS_MAX,
    CAPTION_CHARACTERS_MAX,
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
_ESCAPED_TAG = re.compile(
    r"&lt;/?(?:p|br|div|img|a|strong|b|em|i|span|h[1-6]|ul|ol|li|table|figure|blockquote)\b[^<>&]{0,500}&gt;",
    re.IGNORECASE,
)
_PARAGRAPHS = re.compile(r"\n\s*\n")
_GROUPED = re.compile(r"\d{1,3}(?:([., \u00a0])\d{3})(?:\1\d{3})*")
_REFERENCE = re.compile(r"&(?:quot|amp|apos|nbsp|lt|gt|#0?39|#x27|#34|#38|ldquo|rdquo|ndash|mdash|hellip|rsquo|lsquo);")


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
    """Its slug or name at the source, the most specific one; "" for none."""
    more_sections: list[str] = field(default_factory=list)
    """Its other sections there, by descending preference: the first one that the site has is taken."""
    categories: list[str] = field(default_factory=list)
    """Names of all its sections at the source, for tags."""
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
    embedded: Mapping[str, bytes] = field(default_factory=dict)
    """Pictures in the file itself, by the URLs with which the text refers to them."""
    is_new: bool = False
    """It was public nowhere: its publication here sets its date."""
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
    external_id: str = ""
    """Its ID, so that an article of a former import can be withdrawn; "" if it is unknown."""


Content = bytes | mmap
"""The content of a file; a mapped one is not in memory as a whole."""
ItemOrError = ImportItem | UnreadableItem | LeftOutItem


@dataclass
class ReadContext:
    """What readers know besides the file, and how far they are."""

    base_url: str = ""
    """Address of the site that the file is of, for relative addresses; "" if it is unknown."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Front matter that the folders of a page in Markdown give to it, by names in lower case."""
    bytes_read: int = 0
    """Set by the readers of files that are read item by item."""


class FormatReader(Protocol):
    """Content and name of a file → its items, in order. Raises FormatError if the file does not have the format."""

    def __call__(self, content: Content, name: str, context: ReadContext | None = None) -> Iterator[ItemOrError]:
        """Read a file."""


ITEM_ERRORS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
"""What a reader raises for an item that it cannot read."""


def read_one(
    item: object, read: Callable[[object, str], ImportItem], place: str, line: int | None = None
) -> ItemOrError:
    """Read an item, or return why it is unreadable or left out."""
    try:
        found = read(item, place)
        check_not_left_out(found.state)
    except LeftOutError as error:
        return LeftOutItem(place, error.reason, error.title, line, error.external_id)
    except ITEM_ERRORS as error:
        reason = f"has no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        return UnreadableItem(place, reason[:500] or type(error).__name__, line)
    return found if line is None else replace(found, line=line)


def leave_out(state: SourceState, title: str, external_id: str = "") -> SourceState:
    """Return the state; before the rest of the item is read, so that its faults do not matter if it is left out.

    Raises:
        LeftOutError: with the reason, the title and the external ID.
    """
    try:
        check_not_left_out(state)
    except LeftOutError as error:
        raise LeftOutError(error.reason, title, external_id) from None
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


def html_to_blocks(html: str, base: str = "", warnings: list[ItemWarning] | None = None) -> list[Block]:
    """Return the blocks of a body in HTML; what is changed or lost is appended to `warnings`.

    Raises:
        MarkupError: it is too large or nested too deep.
    """
    html = without_embedded_data(html)
    check_size(html)  # before the work
    html = repair_markup(html)[0]
    if not _TAG.search(html) and _ESCAPED_TAG.search(html):  # escaped once too often
        html = html_characters.unescape(html)
    if not _TAG.search(html):  # older systems keep plain text with blank lines
        html = "".join(f"<p>{part}</p>" for part in _PARAGRAPHS.split(html) if part.strip())
    return [_with_texts(block) for block in read_blocks(clean_text(html), base, warnings)]


def _with_texts(block: Block) -> Block:
    """Return a figure with a caption and a text alternative, each of which replaces the other if it is missing."""
    if not isinstance(block, Figure):
        return block
    caption = (block.caption or (block.image.alt if block.image else ""))[:CAPTION_CHARACTERS_MAX]
    if block.image is None:
        return Figure(caption, None, block.credit)
    alt = (block.image.alt or caption)[:ALT_CHARACTERS_MAX]
    return Figure(caption, msgspec.structs.replace(block.image, alt=alt), block.credit)


def image_figure(
    url: object, alt: object = "", caption: object = "", base: str = "", warnings: list[ItemWarning] | None = None
) -> Figure | None:
    """Return a figure of the image at an address; None if there is none, with a warning if it cannot be used."""
    given = one_line(url)
    if not given:
        return None
    address = resolve(base, given)
    if not is_usable_picture(address):
        if warnings is not None:
            shown = "a picture inside of the text (data:)" if given.startswith("data:") else repr(given[:200])
            reason = "--base-url has the address of the site" if address.startswith("/") else "it is not a web address"
            warnings.append(make_warning("image", f"a picture was left out: {shown}; {reason}"))
        return None
    image = Image(address, html_to_line(alt)[:ALT_CHARACTERS_MAX])
    found = _with_texts(Figure(html_to_line(caption)[:CAPTION_CHARACTERS_MAX], image))
    assert isinstance(found, Figure)
    return found


def unescaped(title: str) -> str:
    """Return a title without the character references of one that was escaped twice, as some systems write it."""
    return one_line(html_characters.unescape(title)) if _REFERENCE.search(title) else title


def item_address(base: str, url: object, warnings: list[ItemWarning], name: str = "link") -> str:
    """Return the address of an item; "" if it has none, with a warning if it is damaged: that costs only itself."""
    given = one_line(url)
    if is_damaged(given):
        warnings.append(make_warning("link", f"is damaged, so it is not used: {given[:200]!r}", name))
        return ""
    return resolve(base, given)


def parse_old_url(url: object) -> list[str]:
    """Return path and query of a URL at the former site, as a list of at most one item."""
    parts = split_address(one_line(url))
    if not parts.path.startswith("/") or (parts.path == "/" and not parts.query):
        return []
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return [path] if len(path) <= OLD_URL_CHARACTERS_MAX else []


def parse_count(number: object) -> int | None:
    """Return a number of views, or None if it is not a number."""
    text_value = one_line(number)
    if _GROUPED.fullmatch(text_value):  # 1.234 and 1,234,567
        text_value = re.sub(r"\D", "", text_value)
    return int(text_value) if text_value.isascii() and text_value.isdigit() and len(text_value) < 16 else None


def paragraph_text(found: list[Block]) -> str:
    """Return the text of the paragraphs as a single line, for leads."""
    return one_line(" ".join(parse_html(block.html).text for block in found if isinstance(block, Paragraph)))
