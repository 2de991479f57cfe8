"""A document → its links within the site. Pure."""

import re
from functools import lru_cache
from html import unescape

from services.render.pages.document import HTML, Document
from services.render.pages.saved_copy import PATH_PREFIX as COPY_PREFIX
from shared.articles import FILE_PREFIX, MEDIA_PREFIX
from shared.object_store import NAME_PATTERN

OTHER_SERVICES_PREFIXES = ("/stats/", "/t.js", "/p.gif", "/api/", "/e/")
"""Paths that other services serve behind the same gateway."""
_IN_HTML = tuple(re.compile(rf'{name}="([^"]+)"') for name in ("href", "src"))
"""One after the other: an expression that begins with a fixed text is found several times as fast as a choice."""
_CANDIDATES = re.compile(r'srcset="([^"]+)"')
_FILE = re.compile(rf"^{FILE_PREFIX}([0-9a-f]{{32}})/[a-z0-9-]+\.[a-z]+\Z")
_MEDIA = re.compile(rf'"(https?://[^"/]+|)({MEDIA_PREFIX}[0-9a-f]{{32}}\.[a-z]+)"')
_IN_XML = re.compile(r'(?:href|url)="([^"]+)"|<(?:loc|link)>([^<]+)<')


def own_links(document: Document, public_url: str) -> set[str]:
    """Return the paths, with their queries, to which a document links on its own site."""
    text = document.body.decode("utf-8", "replace")
    found: set[str] = set()
    if document.media_type == HTML:
        for pattern in _IN_HTML:
            found.update(pattern.findall(text))
        for candidates in _CANDIDATES.findall(text):
            found.update(one.split()[0] for one in candidates.split(",") if one.strip())
        found.update(one for before, one in _MEDIA.findall(text) if before in ("", public_url))  # of share cards too
    elif "xml" in document.media_type:
        found.update(attribute or content for attribute, content in _IN_XML.findall(text))
    return {_own(link, public_url) for link in found} - {""}


@lru_cache(maxsize=100_000)
def _own(link: str, public_url: str) -> str:
    """Return a link as a path of the site; "" if it leads elsewhere."""
    path = unescape(link).removeprefix(public_url).partition("#")[0]
    return path if path.startswith("/") and not path.startswith(("//", *OTHER_SERVICES_PREFIXES)) else ""


def media_name(link: str) -> str | None:
    """Return the name in the media store to which a link leads; None if it leads elsewhere."""
    name = link.removeprefix(MEDIA_PREFIX)
    return name if name != link and re.match(NAME_PATTERN, name) else None


def file_id(link: str) -> str | None:
    """Return the id of the document to which a link leads; None if it leads elsewhere."""
    found = _FILE.match(link)
    return found[1] if found else None


def copied_page(link: str) -> str | None:
    """Return the path of the article of which a link saves a copy; None if it leads elsewhere."""
    name = link.removeprefix(COPY_PREFIX)
    return f"/{name}" if name != link else None
