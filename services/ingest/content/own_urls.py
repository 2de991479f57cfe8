"""Addresses of a site's own images and files, as people copy them from its pages. Pure."""

import re
from collections.abc import Iterable

import msgspec

from services.ingest.content.errors import FieldError, field_error
from shared.articles import FILE_PREFIX, MEDIA_PREFIX, Article, Block, Figure, File
from shared.sites import Site
from shared.text import inline_html_parts

_LINK = re.compile(rf'<a href="([^"]*?){FILE_PREFIX}([0-9a-f]{{32}})/')


def with_own_paths(article: Article, site: Site) -> Article:
    """Return the article with its site's own images and files by their paths, by which its libraries know them."""
    lead_image = None if article.lead_image is None else _with_own_image(article.lead_image, site)
    return msgspec.structs.replace(article, body=own_paths(article.body, site), lead_image=lead_image)


def own_paths(blocks: Iterable[Block], site: Site) -> list[Block]:
    """Return blocks with the site's own images and files by their paths."""
    return [_own(block, site) for block in blocks]


def _own(block: Block, site: Site) -> Block:
    if isinstance(block, File):
        return msgspec.structs.replace(block, url=_path(block.url, site))
    return _with_own_image(block, site) if isinstance(block, Figure) else block


def _with_own_image(figure: Figure, site: Site) -> Figure:
    if figure.image is None:
        return figure
    image = msgspec.structs.replace(figure.image, url=_path(figure.image.url, site))
    return msgspec.structs.replace(figure, image=image)


def _path(url: str, site: Site) -> str:
    for origin in site.origins:
        path = url[len(origin) :]
        if url.startswith(origin) and path.startswith((FILE_PREFIX, MEDIA_PREFIX)):
            return path
    return url


def link_warnings(article: Article, site: Site) -> list[FieldError]:
    """Return a warning for links in texts to files of the site that no block of the article offers."""
    offered = {block.media for block in article.body if isinstance(block, File)}
    linked = {
        file_id
        for block in article.body
        for html in inline_html_parts(block)
        for origin, file_id in _LINK.findall(html)
        if origin in ("", *site.origins)
    }
    missing = len(linked - offered)
    return [field_error("body", "file_link_alone", count=missing)] if missing else []
