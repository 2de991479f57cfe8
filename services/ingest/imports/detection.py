"""Detects the format of a file by its name and the start of its content. Pure."""

from collections.abc import Iterator
from pathlib import PurePath

from services.ingest.imports.item import FormatError, FormatReader, ImportItem, ItemOrError
from services.ingest.imports.readers.feeds import read_feed, read_wxr
from services.ingest.imports.readers.html_page import read_html
from services.ingest.imports.readers.json_exports import read_ghost, read_ninjs, read_nukeviet
from services.ingest.imports.readers.markdown_ndjson import read_markdown, read_ndjson
from services.ingest.imports.readers.plain_text import PageError, read_saved_page


def read_text(content: bytes, name: str) -> Iterator[ItemOrError]:
    """Read a page saved as plain text. Its text without the counter is its external ID."""
    try:
        page = read_saved_page(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise FormatError(f"is not UTF-8: {error}") from error
    except PageError as error:
        raise FormatError(str(error)) from error
    text = "\0".join([page.title, page.lead, repr(page.body), repr(page.source)])
    yield ImportItem(
        place="page",
        external_id=text,
        title=page.title,
        lead=page.lead,
        body=page.body,
        source=page.source,
        date_precision="unknown",
        counter=page.counter,
    )


READERS: dict[str, FormatReader] = {
    "text": read_text,
    "html": read_html,
    "markdown": read_markdown,
    "wxr": read_wxr,
    "feed": read_feed,
    "ghost": read_ghost,
    "nukeviet": read_nukeviet,
    "ninjs": read_ninjs,
    "ndjson": read_ndjson,
}
SOURCE_SYSTEMS = {"text": "saved-page"}
"""Namespaces of external IDs by format; the default is the name of the format."""
_EXTENSIONS = {
    **dict.fromkeys((".txt", ""), "text"),
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    **dict.fromkeys((".md", ".markdown"), "markdown"),
    **dict.fromkeys((".ndjson", ".jsonl"), "ndjson"),
    **dict.fromkeys((".rss", ".atom"), "feed"),
}


def detect_format(name: str, content: bytes) -> str:
    """Return the format of a file.

    Raises:
        FormatError: no reader supports the file.
    """
    extension = PurePath(name).suffix.lower()
    head = content[: 64 * 1024]
    if extension == ".xml":
        return "wxr" if b"http://wordpress.org/export/" in head else "feed"
    if extension == ".json":
        if b'"phpmyadmin"' in head.lower() or b'"type":"header"' in head or b'"type": "header"' in head:
            return "nukeviet"
        return "ghost" if b'"posts"' in content or b'"db"' in head[:2_000] else "ninjs"
    if extension not in _EXTENSIONS:
        raise FormatError(f"has the unknown extension {extension!r}; set --format: {', '.join(READERS)}")
    return _EXTENSIONS[extension]
