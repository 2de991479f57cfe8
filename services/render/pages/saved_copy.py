"""An article as one file that needs nothing else: its style, pictures and a QR code of its address are inside. Pure.

`render_saved` names pictures by their paths; `complete` puts their bytes in their place. So the tag of a copy is known
before any picture is read.
"""

import re
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from html import escape, unescape

from services.render.pages.document import Document
from services.render.pages.qr_codes import qr_code
from services.render.pages.themes import TYPES, Theme
from shared.articles import Article, Image, images_of
from shared.object_store import TYPES as MEDIA_TYPES

PATH_PREFIX = "/ban-luu/"
PICTURE_BYTES_MAX = 12 * 1024 * 1024
"""Of all pictures of a copy, each as often as it is shown: those after it are links to the article."""
WIDTHS = ((12, 1280), (40, 960), (1_000_000, 640))
"""For up to so many pictures, the widest rendition of each."""
_CODE = "<!--qr-->"
_CHECKSUM = '<meta name="presstally:copy" content="">'
_IMAGE = re.compile(rb'<img (?:class="[^"]*" )?src="(/[^"]+)" alt="([^"]*)"[^>]*>')
_OWN_LINK = re.compile(r'(<a (?:[^<>"]|"[^"]*")*?href=")(/(?!/)[^"]*")')
"""In a tag: a text may speak of ` href="/"`, too."""
_STYLE_FILE = re.compile(r'url\("(/theme/[^"]+)"\)')

_COUNTER_RULE = re.compile(r"^access-counter[^{}]*\{[^{}]*\}\n", re.MULTILINE)
"""A copy has no counter."""


def saved_path(article: Article) -> str:
    """Return the path of an article's copy."""
    return f"{PATH_PREFIX}{article.slug}-{article.number}.html"


def saved_image(image: Image, count: int) -> str:
    """Return the path of the rendition for a copy with `count` pictures: the widest that is not wider than needed."""
    widest = next(width for most, width in WIDTHS if count <= most)
    fitting = [one for one in image.renditions if one.width <= widest and one.type != "image/avif"]
    return max(fitting, key=lambda one: (one.width, one.type == "image/webp")).url if fitting else image.url


def picture_paths(page: Document) -> dict[str, int]:
    """Return the paths of the pictures that a copy needs, in its order, and how many times it has each."""
    return Counter(unescape(path.decode()) for path, _ in _IMAGE.findall(page.body))


def picture_count(article: Article) -> int:
    """Return how many pictures an article has."""
    return len(images_of(article))


def inline_style(theme: Theme) -> str:
    """Return the style of a theme with its files inside."""

    def file(found: re.Match[str]) -> str:
        document = theme.assets[found[1]]
        return f'url("{data_url(document.body, document.media_type)}")'

    style = _COUNTER_RULE.sub("", theme.assets[theme.paths["site.css"]].body.decode())
    return _STYLE_FILE.sub(file, style).replace("</", "<\\/")


def data_url(content: bytes, media_type: str) -> str:
    """Return bytes as a URL."""
    return f"data:{media_type.replace('; ', ';')};base64,{b64encode(content).decode()}"


def complete(page: Document, pictures: Mapping[str, bytes], canonical: str, public_url: str) -> Document:
    """Return a copy with its pictures, its QR code and absolute links.

    Args:
        page: What `render_saved` returned.
        pictures: Bytes by path. A picture that is not among them becomes a link to the article.
        canonical: The article's address.
        public_url: Before links of the site's own.
    """

    def image(found: re.Match[bytes]) -> bytes:
        path, alt = unescape(found[1].decode()), found[2].decode()
        if path not in pictures:
            return f'<a href="{escape(canonical)}">{alt}</a>'.encode() if alt else b""
        url = data_url(pictures[path], _media_type(path)).encode()
        return found[0].replace(b'src="' + found[1] + b'"', b'src="' + url + b'"')

    text = _OWN_LINK.sub(lambda found: f"{found[1]}{escape(public_url)}{found[2]}", page.body.decode())
    if pictures.keys() >= picture_paths(page).keys():
        text = text.replace(_CHECKSUM, checksum_mark(page), 1)
    text = text.replace(_CODE, qr_code(canonical), 1)
    return Document(_IMAGE.sub(image, text.encode()))  # last, and as bytes: pictures are most of a copy


def checksum_mark(page: Document) -> str:
    """Return what the head of a complete copy has to tell which page it was made of."""
    return _CHECKSUM.replace('""', f'"{page.checksum}"')


def _media_type(path: str) -> str:
    ending = path.rpartition(".")[2]
    return MEDIA_TYPES.get(ending) or TYPES[f".{ending}"]
