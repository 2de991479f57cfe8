"""A document → the links in it that stay on the site. Pure."""

import re
from html import unescape

from services.render.pages.document import HTML, Document
from shared.articles import MEDIA_PREFIX
from shared.object_store import NAME_PATTERN

COUNTER_PREFIXES = ("/stats/", "/t.js", "/p.gif", "/api/", "/e/")
"""What other services answer behind the same gateway."""
_IN_HTML = re.compile(r'(?:href|src)="([^"]+)"|srcset="([^"]+)"')
_IN_XML = re.compile(r'(?:href|url)="([^"]+)"|<(?:loc|link)>([^<]+)<')


def own_links(document: Document, public_url: str) -> set[str]:
    """Return the paths, with their queries, to which a document leads on its own site."""
    text = document.body.decode("utf-8", "replace")
    found = set()
    if document.media_type == HTML:
        for link, copies in _IN_HTML.findall(text):
            found.update([link] if link else [copy.split()[0] for copy in copies.split(",") if copy.strip()])
    elif "xml" in document.media_type:
        found.update(link or place for link, place in _IN_XML.findall(text))
    local = {unescape(link).removeprefix(public_url).partition("#")[0] for link in found}
    return {link for link in local if link.startswith("/") and not link.startswith(("//", *COUNTER_PREFIXES))}


def medium(link: str) -> str | None:
    """Return the name in the media store to which a link leads; None if it leads elsewhere."""
    name = link.removeprefix(MEDIA_PREFIX)
    return name if name != link and re.match(NAME_PATTERN, name) else None
