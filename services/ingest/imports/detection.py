"""Detects the format of a file by its name and the start of its content. Pure."""

import re
from collections.abc import Iterator
from pathlib import PurePath

from services.ingest.imports.item import Content, FormatError, FormatReader, ImportItem, ItemOrError, ReadContext
from services.ingest.imports.readers.json_items import as_utf8
from services.ingest.imports.readers.plain_text import PageError, read_saved_page
from services.ingest.imports.text_repair import (
    DecodingError,
    decode_text,
    repair_text,
    repair_warnings,
    to_unicode_text,
)
from shared.late_imports import late

_IMPORTS = "services.ingest.imports"


def read_text(content: Content, name: str, context: ReadContext | None = None) -> Iterator[ItemOrError]:
    """Read a page saved as plain text. Its text without the counter is its external ID."""
    try:
        decoded = decode_text(content[:])
        converted, of_fonts = to_unicode_text(decoded.text)
        text, removed = repair_text(converted)
        page = read_saved_page(text)
    except (DecodingError, PageError) as error:
        raise FormatError(str(error)) from error
    identity = "\0".join([page.title, page.lead, repr(page.body), repr(page.source)])
    yield ImportItem(
        place="page",
        external_id=identity,
        title=page.title,
        lead=page.lead,
        body=page.body,
        source=page.source,
        date_precision="unknown",
        counter=page.counter,
        warnings=[*decoded.warnings(), *of_fonts, *repair_warnings(removed)],
    )


READERS: dict[str, FormatReader] = {
    "text": read_text,
    "html": late(f"{_IMPORTS}.readers.html_page", "read_html"),
    "markdown": late(f"{_IMPORTS}.readers.markdown_ndjson", "read_markdown"),
    "wxr": late(f"{_IMPORTS}.readers.feeds", "read_feed"),
    "feed": late(f"{_IMPORTS}.readers.feeds", "read_feed"),
    "ghost": late(f"{_IMPORTS}.readers.json_exports", "read_ghost"),
    "nukeviet": late(f"{_IMPORTS}.readers.nukeviet", "read_nukeviet"),
    "ninjs": late(f"{_IMPORTS}.readers.ninjs", "read_ninjs"),
    "ndjson": late(f"{_IMPORTS}.readers.markdown_ndjson", "read_ndjson"),
    "docx": late(f"{_IMPORTS}.word.reader", "read_docx"),
}
"""Readers by format. Those with a parser of their own are imported when they are used: few people import."""
_detect_xml = late(f"{_IMPORTS}.readers.feeds", "detect_xml")
SOURCE_SYSTEMS = {"text": "saved-page"}
"""Namespaces of external IDs by format; the default is the name of the format."""
_EXTENSIONS = {
    **dict.fromkeys((".txt", ""), "text"),
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    **dict.fromkeys((".md", ".markdown"), "markdown"),
    **dict.fromkeys((".ndjson", ".jsonl"), "ndjson"),
    **dict.fromkeys((".rss", ".atom"), "feed"),
}
_HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<!--.{0,500}?-->\s*|<\?xml[^>]*>\s*)*<(?:!doctype\s+html|html|head|body)[\s>]",
    re.IGNORECASE | re.DOTALL,
)


def detect_format(name: str, content: bytes) -> str:
    """Return the format of a file.

    Raises:
        FormatError: no reader supports the file.
    """
    extension = PurePath(name).suffix.lower()
    head = content[: 64 * 1024]
    if extension == ".docx":
        if head.startswith(b"PK\x03\x04"):
            return "docx"
        raise FormatError("is not a Word document, whatever its name says")
    if extension in (".doc", ".docm", ".rtf", ".odt"):
        raise FormatError("is a document of another type; save it as .docx")
    if head.startswith((b"\x1f\x8b", b"PK\x03\x04", b"7z\xbc\xaf", b"Rar!")):
        raise FormatError("is compressed; unpack it first")
    if extension == ".sql":
        raise FormatError("is an SQL dump, which is not read; export the tables in phpMyAdmin as JSON")
    # Crawls keep the names of addresses: page.aspx, index.html@page=1
    if extension not in _EXTENSIONS and extension not in (".xml", ".json") and _HTML.match(head):
        return "html"
    if extension == ".xml":
        return str(_detect_xml(content))
    if extension == ".json":
        text = as_utf8(content)
        head = text[: 64 * 1024]
        if b"phpmyadmin" in head[:2_000].lower() or b'"type":"header"' in head or b'"type": "header"' in head:
            return "nukeviet"
        return "ghost" if text.find(b'"posts"') >= 0 or b'"db"' in head[:2_000] else "ninjs"
    if extension not in _EXTENSIONS:
        raise FormatError(f"has the unknown extension {extension!r}; set --format: {', '.join(READERS)}")
    return _EXTENSIONS[extension]
