"""A document → its links within the site. Pure."""

import re
from collections.abc import Callable
from functools import lru_cache
from html import unescape

from services.render.pages.document import HTML, Document
from services.render.pages.saved_copy import PATH_PREFIX as COPY_PREFIX
from shared.articles import FILE_PREFIX, MEDIA_PREFIX
from shared.object_store import NAME_PATTERN

OTHER_SERVICES_PREFIXES = ("/stats/", "/t.js", "/p.gif", "/api/", "/e/")
"""Paths that other services serve behind the same gateway."""
_ELSEWHERE = ("//", *OTHER_SERVICES_PREFIXES)
_IN_HTML = re.compile(rb'="(?:(?<=href=")|(?<=src="))([^"]+)"')
"""With a fixed beginning: such an expression is found several times as fast as a choice."""
_CANDIDATES = re.compile(rb'srcset="([^"]+)"')
_FILE = re.compile(rf"^{FILE_PREFIX}([0-9a-f]{{32}})/[a-z0-9-]+\.[a-z]+\Z")
_IN_XML = re.compile(rb'(?:href|url)="([^"]+)"|<(?:loc|link)>([^<]+)<')


def own_links(document: Document, public_url: str) -> set[str]:
    """Return the paths, with their queries, to which a document links on its own site."""
    text, own = document.body, _own_paths(public_url)
    found: set[str] = set()
    if document.media_type == HTML:
        found.update(map(own, _IN_HTML.findall(text)))
        for candidates in _CANDIDATES.findall(text):
            found.update(map(own, _urls(candidates)))
        found.update(map(own, _media(public_url).findall(text)))  # of share cards too
    elif "xml" in document.media_type:
        found.update(own(attribute or content) for attribute, content in _IN_XML.findall(text))
    found.discard("")
    return found


@lru_cache(maxsize=8)
def _own_paths(public_url: str) -> Callable[[bytes], str]:
    """Return what makes a path of the site of a link; "" of one that leads elsewhere."""

    @lru_cache(maxsize=100_000)
    def own(link: bytes) -> str:
        path = unescape(link.decode("utf-8", "replace")).removeprefix(public_url).partition("#")[0]
        return path if path.startswith("/") and not path.startswith(_ELSEWHERE) else ""

    return own


@lru_cache(maxsize=8)
def _media(public_url: str) -> re.Pattern[bytes]:
    """Return what finds the paths of images of the site, in any quotation."""
    before = "|".join(rf'(?<="{re.escape(begin)}{MEDIA_PREFIX})' for begin in ("", public_url))
    return re.compile(rf'({MEDIA_PREFIX}(?:{before})[0-9a-f]{{32}}\.[a-z]+)"'.encode())


@lru_cache(maxsize=4_096)
def _urls(candidates: bytes) -> list[bytes]:
    """Return the URLs of a `srcset`. Pages of lists have the same ones again and again."""
    return [one.split()[0] for one in candidates.split(b",") if one.strip()]


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
