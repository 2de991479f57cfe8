"""Which reader reads a file. Pure: the name's ending and the content's beginning decide."""

from collections.abc import Iterator
from pathlib import PurePath

from services.ingest.imports.item import Imported, Item, Reader, ReadError
from services.ingest.imports.readers.feeds import read_feed, read_wxr
from services.ingest.imports.readers.html_page import read_html
from services.ingest.imports.readers.json_exports import read_ghost, read_ninjs, read_nukeviet
from services.ingest.imports.readers.markdown_ndjson import read_markdown, read_ndjson
from services.ingest.imports.readers.plain_text import PageError, read_page


def read_text(content: bytes, name: str) -> Iterator[Item]:
    """Read a page saved as plain text. Its text is its id, without the counter."""
    try:
        page = read_page(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ReadError(f"is not UTF-8: {error}") from error
    except PageError as error:
        raise ReadError(str(error)) from error
    text = "\0".join([page.title, page.lead, repr(page.body), repr(page.source)])
    yield Imported(
        place="page",
        external_id=text,
        title=page.title,
        lead=page.lead,
        body=page.body,
        source=page.source,
        date_precision="unknown",
        counter=page.counter,
    )


READERS: dict[str, Reader] = {
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
"""Where external ids are unique, if nobody says otherwise: the format's own name, else."""
_ENDINGS = {
    **dict.fromkeys((".txt", ""), "text"),
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    **dict.fromkeys((".md", ".markdown"), "markdown"),
    **dict.fromkeys((".ndjson", ".jsonl"), "ndjson"),
    **dict.fromkeys((".rss", ".atom"), "feed"),
}


def format_of(name: str, content: bytes) -> str:
    """Return the format of a file.

    Raises:
        ReadError: nothing here reads such a file.
    """
    ending = PurePath(name).suffix.lower()
    head = content[: 64 * 1024]
    if ending == ".xml":
        return "wxr" if b"http://wordpress.org/export/" in head else "feed"
    if ending == ".json":
        if b'"phpmyadmin"' in head.lower() or b'"type":"header"' in head or b'"type": "header"' in head:
            return "nukeviet"
        return "ghost" if b'"posts"' in content or b'"db"' in head[:2_000] else "ninjs"
    if ending not in _ENDINGS:
        raise ReadError(f"has an unknown ending {ending!r}; say its --format: {', '.join(READERS)}")
    return _ENDINGS[ending]
