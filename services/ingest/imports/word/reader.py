"""A Word document → an article: its title, its lead, and its text with tables, lists, notes and pictures."""

import hashlib
import html as html_characters
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import msgspec

from services.ingest.imports.item import (
    Content,
    FormatError,
    ImportItem,
    ItemOrError,
    ReadContext,
    html_to_blocks,
    one_line,
    read_one,
    title_or_first_words,
)
from services.ingest.imports.text_repair import to_unicode_text
from services.ingest.imports.warnings import ItemWarning, WarningKind, make_warning
from services.ingest.imports.word.conversion import IMAGE_PREFIX, ConvertedDocument
from services.ingest.media.image_types import ImageError, sniff_type
from shared.articles import LEAD_CHARACTERS_MAX, TITLE_CHARACTERS_MAX, Block, Heading, Paragraph
from shared.text import inline_text

CONVERSION_SECONDS_MAX = 120.0
DOCUMENT_BYTES_MAX = 64 * 1024**2
ROOT = Path(__file__).parents[4]
_BOLD = re.compile(r"<strong>(?:(?!</?strong>).)*</strong>", re.DOTALL)
_IMAGE = re.compile(re.escape(IMAGE_PREFIX) + "([0-9a-f]{64})")
_KINDS: dict[str, WarningKind] = {
    "comment": "text",
    "field": "field",
    "file": "file",
    "image": "image",
    "encoding": "encoding",
}
PROGRAM_TITLES = re.compile(r"^(?:Microsoft Word|Document\d*|Untitled|Slide \d+)", re.IGNORECASE)


def read_docx(content: Content, name: str, context: ReadContext | None = None) -> Iterator[ItemOrError]:
    """Read a Word document; it yields one item."""
    yield read_one(content[:], lambda one, place: _document(one, place, name), "document")


def _document(given: object, place: str, name: str) -> ImportItem:
    assert isinstance(given, bytes)
    content = given
    if not content.startswith(b"PK\x03\x04"):
        if content.startswith(b"{\\rtf"):
            raise FormatError("is RTF; save it as .docx")
        is_old = content.startswith(b"\xd0\xcf\x11\xe0")
        raise FormatError("is no .docx; save it as .docx" if is_old else "is not a Word document (.docx)")
    if len(content) > DOCUMENT_BYTES_MAX:
        raise FormatError(f"must have at most {DOCUMENT_BYTES_MAX:,} bytes (got {len(content):,})")
    document, images = _converted(content)
    lost = [make_warning(_KINDS.get(one.kind, "text"), one.message) for one in document.lost]
    html, of_fonts = to_unicode_text(document.html)
    images, refused = _supported(images)
    html = _IMAGE.sub(lambda found: found[0] if found[1] in images else "", html)
    warnings = [*lost, *of_fonts, *refused]
    body = html_to_blocks(html, "", warnings)
    if not body:
        raise FormatError("; ".join(["has no text", *(one.message for one in document.lost[:3])]))
    title, lead, body = _head(body, document.title, name, warnings)
    return ImportItem(
        place=place,
        external_id=name or hashlib.sha256(content).hexdigest(),
        is_weak_id=True,
        is_new=True,
        title=title,
        lead=lead,
        body=body,
        embedded={f"{IMAGE_PREFIX}{digest}": picture for digest, picture in images.items()},
        warnings=list(dict.fromkeys(warnings)),
    )


def _converted(content: bytes) -> tuple[ConvertedDocument, dict[str, bytes]]:
    """Convert a document in a process of its own; return it, and its pictures by SHA-256.

    Raises:
        FormatError: it cannot be converted, with the reason.
    """
    with tempfile.TemporaryDirectory(prefix="presstally-word-") as folder:
        file = Path(folder) / "document.docx"
        file.write_bytes(content)
        command = [sys.executable, "-m", "services.ingest.imports.word.conversion", str(file), folder]
        try:
            done = subprocess.run(  # noqa: S603 - this program's own module
                command, cwd=ROOT, capture_output=True, timeout=CONVERSION_SECONDS_MAX, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise FormatError("takes too long to convert") from error
        if done.returncode != 0:  # killed by its limits, or crashed on the document
            raise FormatError("cannot be converted within the limits on memory and time")
        document = msgspec.json.decode(done.stdout, type=ConvertedDocument)
        if document.error:
            raise FormatError(document.error)
        return document, {name: (Path(folder) / name).read_bytes() for name in document.images}


def _supported(images: dict[str, bytes]) -> tuple[dict[str, bytes], list[ItemWarning]]:
    """Return the pictures of types that articles can have, and a warning for each other one."""
    kept, warnings = {}, []
    for name, content in images.items():
        try:
            sniff_type(content[:1_024])
        except ImageError as error:
            warnings.append(make_warning("image", f"a picture was left out: it {error}"))
        else:
            kept[name] = content
    return kept, warnings


def _head(
    body: list[Block], property_title: str, name: str, warnings: list[ItemWarning]
) -> tuple[str, str, list[Block]]:
    """Return title, lead and the rest of the text: a heading or bold line at its beginning, and bold text after it."""
    title, lead, rest = "", "", list(body)
    if rest and (found := _title_of(rest[0])):
        title, rest = found, rest[1:]
    elif property_title and not PROGRAM_TITLES.match(property_title):
        title = one_line(html_characters.unescape(property_title))[:TITLE_CHARACTERS_MAX]
    if title and rest and isinstance(rest[0], Paragraph) and _is_bold(rest[0].html):
        text = one_line(inline_text(rest[0].html))
        if len(text) <= LEAD_CHARACTERS_MAX:
            lead, rest = text, rest[1:]
    if not title:
        title = title_or_first_words("", rest, warnings) or one_line(PurePosixPath(name).stem)
    return title, lead, rest


def _title_of(block: Block) -> str:
    is_title = isinstance(block, Heading) or (isinstance(block, Paragraph) and _is_bold(block.html))
    text = one_line(inline_text(block.html)) if is_title and isinstance(block, Heading | Paragraph) else ""
    return text if len(text) <= TITLE_CHARACTERS_MAX else ""


def _is_bold(html: str) -> bool:
    """Return whether all of a paragraph's text is bold."""
    return bool(inline_text(html)) and not inline_text(_BOLD.sub("", html)).strip()
