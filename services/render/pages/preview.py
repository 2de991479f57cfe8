"""Pages → previews: the page's own bytes without the tracker, with a banner. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape, unescape
from typing import Literal
from urllib.parse import urlsplit

from services.render.pages.dates import local_date
from services.render.pages.document import Document
from services.render.pages.themes import theme_of
from shared.sites import Site

View = Literal["trang", "in", "the", "dien-thoai", "may-tinh"]
FRAMES: Mapping[str, tuple[int, int]] = {"dien-thoai": (390, 844), "may-tinh": (1280, 800)}
"""Views that show the page in a frame: its width and height in CSS pixels."""
BEGIN, END = "<!--preview-->", "<!--/preview-->"
_OWN = r"""\bsrc\s*=\s*["']?(?:(?:https?:)?//[^/"'\s>]+)?"""
_END = r"""(?=["'?\s>])"""
_TRACKER = re.compile(
    rf"""[ \t]*(?:<script\b[^>]*{_OWN}/(?:[\w-]+/)*t\.js{_END}[^>]*>\s*</script\s*>"""
    rf"""|<noscript\b[^>]*>\s*<img\b[^>]*{_OWN}/(?:[\w-]+/)*p\.gif{_END}[^>]*>\s*</noscript\s*>"""
    rf"""|<img\b[^>]*{_OWN}/(?:[\w-]+/)*p\.gif{_END}[^>]*>)\n?""",
    re.IGNORECASE,
)
"""As the default theme has it, and as a theme of a site's own may write it."""
_BODY = re.compile(r"<body\b[^>]*>")
_META = re.compile(r'<meta property="(og:[a-z_:]+)" content="([^"]*)">')
_WORDS = {
    "vi": {
        "preview": "Xem trước",
        "version": "bản",
        "working": "bản đang soạn, hiện là bản",
        "page": "bản đang soạn của trang",
        "until": "Liên kết hết hạn",
        "not_published": "Trang này chưa đăng. Không gửi liên kết cho người ngoài.",
        "trang": "Trang",
        "dien-thoai": "Điện thoại",
        "may-tinh": "Máy tính",
        "in": "Bản in",
        "the": "Thẻ chia sẻ",
        "no_image": "Không có ảnh",
    },
    "en": {
        "preview": "Preview",
        "version": "version",
        "working": "the working version, now version",
        "page": "the working copy of the page",
        "until": "The link expires",
        "not_published": "This page is not published. Do not pass the link on.",
        "trang": "Page",
        "dien-thoai": "Phone",
        "may-tinh": "Desktop",
        "in": "Print",
        "the": "Share card",
        "no_image": "No image",
    },
}


@dataclass(frozen=True)
class PreviewInfo:
    """What the banner says."""

    version: int | None
    """Null: it is a static page, which has no numbers."""
    follows: bool
    """The link shows the working version, whichever it is."""
    expires_at: datetime
    view: View = "trang"


def preview_words(site: Site) -> Mapping[str, str]:
    """Return the texts of previews in a site's language."""
    return _WORDS["vi" if site.language.startswith("vi") else "en"]


def without_tracker(page: str) -> str:
    """Return a page without the tracker and its pixel: previews are not counted."""
    return _TRACKER.sub("", page)


def without_banner(page: str) -> str:
    """Return a preview without what was added to the page."""
    return re.sub(f"{BEGIN}.*?{END}", "", page, flags=re.DOTALL)


def preview_page(page: Document, info: PreviewInfo, site: Site) -> Document:
    """Return a page as its preview; with the view `in` as it is printed."""
    text = without_tracker(page.body.decode())
    if info.view == "in":
        paths = theme_of(site).paths
        text = text.replace(f'href="{paths["site.css"]}"', f'href="{paths["print.css"]}"', 1)
    body = _BODY.search(text)
    assert body is not None, "every page has a body"
    return Document(f"{text[: body.end()]}{_banner(info, site)}{text[body.end() :]}".encode())


def _banner(info: PreviewInfo, site: Site) -> str:
    words, paths = preview_words(site), theme_of(site).paths
    shown = f"{words['working' if info.follows else 'version']} {info.version}" if info.version else words["page"]
    until = local_date(info.expires_at, site.zone, site.language, "exact")
    links = "".join(
        f'<a href="?xem={view}"{_CURRENT if view == info.view else ""}>{words[view]}</a> '
        for view in ("trang", *FRAMES, "in", "the")
    )
    return (
        f'{BEGIN}<link rel="stylesheet" href="{paths["preview.css"]}">'
        f'<aside class="preview-banner of-{info.view}" id="{_IN_FRAME}" aria-label="{words["preview"]}">'
        f"<p><strong>{words['preview']}</strong>: "
        f"{shown}. {words['until']}: "
        f'<time datetime="{info.expires_at.isoformat()}">{escape(until)}</time>. '
        f'{words["not_published"]}</p><nav aria-label="{words["preview"]}">{links}</nav></aside>{END}'
    )


_CURRENT = ' aria-current="page"'
_IN_FRAME = "xem-truoc"
"""Of the banner. In a frame it is the target of the address, and not shown: it stands above the frame."""


def preview_frame(info: PreviewInfo, site: Site) -> Document:
    """Return a page that shows the preview in a frame of the width of a device."""
    width, height = FRAMES[info.view]
    words = preview_words(site)
    frame = (
        f'<iframe src="?xem=trang#{_IN_FRAME}" width="{width}" height="{height}" title="{words[info.view]}"></iframe>'
    )
    return _shell(info, site, f'<main class="preview-frame">{frame}</main>')


def preview_card(page: Document, info: PreviewInfo, site: Site, public_url: str) -> Document:
    """Return a page that shows the share card that networks make of a page's own metadata."""
    found: dict[str, str] = {}
    for name, content in _META.findall(page.body.decode()):
        found.setdefault(name, unescape(content))
    words = preview_words(site)
    image = found.get("og:image", "")
    source = escape(image.removeprefix(public_url)) if image.startswith(public_url) else ""
    alt = escape(found.get("og:image:alt", ""))
    picture = f'<img src="{source}" alt="{alt}">' if source else f'<p class="no-image">{words["no_image"]}</p>'
    title, description = escape(found.get("og:title", "")), escape(found.get("og:description", ""))
    host = escape(urlsplit(public_url).hostname or "")
    return _shell(
        info,
        site,
        f'<main class="preview-card"><article>{picture}<p class="host">{host}</p><h1>{title}</h1>'
        f"<p>{description}</p></article></main>",
    )


def _shell(info: PreviewInfo, site: Site, content: str) -> Document:
    words = preview_words(site)
    return Document(
        f'<!doctype html>\n<html lang="{escape(site.language)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{words['preview']} – {escape(site.name)}</title>\n</head>\n<body>{_banner(info, site)}\n{content}\n"
        "</body>\n</html>\n".encode()
    )
