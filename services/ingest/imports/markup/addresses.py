"""The addresses in imported markup: resolved against their page, pictures that load late, videos. Pure."""

import re
from collections.abc import Mapping
from urllib.parse import SplitResult, parse_qs, urljoin, urlsplit

from services.ingest.content.blocks import URL_CHARACTERS_MAX, image_url

_SCHEME = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*:(?!\d)")
_LATE = ("data-src", "data-original", "data-lazy-src", "data-lazy", "data-url", "data-echo", "data-orig-src")
"""Attributes that scripts copy to `src` when a picture comes into view; `src` is a placeholder until then."""
_LATE_SETS = ("data-srcset", "data-lazy-srcset", "srcset")
_PLACEHOLDER = re.compile(
    r"^data:|(?:^|[/_-])(?:blank|spacer|placeholder|lazyload|lazy-?load(?:er|ing)?|loading|transparent|pixel|1x1|grey|gray)"
    r"(?:[_-][^/]{0,100})?\.(?:gif|png|svg|jpe?g|webp)(?:\?|$)",
    re.IGNORECASE,
)
_YOUTUBE = re.compile(
    r"^(?:https?:)?//(?:(?:www|m|music)\.)?youtube(?:-nocookie)?\.com/(?:embed|v|e|shorts|live)/"
    r"(?!videoseries|live_stream)([\w-]{6,40})",
    re.ASCII | re.IGNORECASE,
)
_YOUTUBE_WATCH = re.compile(
    r"^(?:https?:)?//(?:(?:www|m|music)\.)?youtube(?:-nocookie)?\.com/(?:watch|attribution_link)/?\?", re.IGNORECASE
)
_YOUTUBE_SHORT = re.compile(r"^(?:https?:)?//youtu\.be/([\w-]{6,40})", re.ASCII | re.IGNORECASE)
_VIMEO = re.compile(
    r"^(?:https?:)?//(?:www\.|player\.)?vimeo\.com/"
    r"(?:video/|channels/[^/?#]+/|groups/[^/?#]+/videos/|album/\d+/video/|showcase/\d+/video/)?(\d{4,20})(?![\w-])",
    re.IGNORECASE,
)
_VIDEO_ID = re.compile(r"[\w-]{6,40}", re.ASCII)
_STORED = re.compile(r"/media/[0-9a-f]{16,64}[\w.-]*$", re.ASCII)
"""A file of the media store: other portals have a folder of this name, too."""
_IMAGE_FILE = re.compile(r"\.(?:jpe?g|png|gif|webp|avif|bmp|svg)$", re.IGNORECASE)


def resolve(base: str, url: str) -> str:
    """Return an address resolved against that of its page, with its blanks encoded; "" if it is not an address."""
    if _STORED.match(url.strip()):
        return url.strip()
    url = re.sub(r"[\t\r\n\f]", "", url.strip()).replace("\\", "/")
    url = url.replace(" ", "%20").replace("\u00a0", "%C2%A0")
    if not url or _SCHEME.match(url):
        return url
    try:
        return urljoin(base, url) if base else f"https:{url}" if url.startswith("//") else url
    except ValueError:
        return ""


def split_address(url: str) -> SplitResult:
    """Return the parts of an address; empty ones if it is damaged, as `http://[x`."""
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", "", "", "")


def is_damaged(url: str) -> bool:
    """Return whether a text that was given as an address is damaged."""
    return bool(url.strip()) and split_address(url.strip()) == SplitResult("", "", "", "", "")


def video_address(url: str) -> str:
    """Return the canonical address of a video that articles can embed, from any form of it; "" for any other one."""
    url = url.strip()
    if _YOUTUBE_WATCH.match(url):
        parameters = parse_qs(split_address(url).query)
        identity = parameters.get("v", [""])[0]
        return f"https://www.youtube.com/embed/{identity}" if _VIDEO_ID.fullmatch(identity) else ""
    found = _YOUTUBE.match(url) or _YOUTUBE_SHORT.match(url)
    if found is not None:
        return f"https://www.youtube.com/embed/{found[1]}"
    found = _VIMEO.match(url)
    return f"https://player.vimeo.com/video/{found[1]}" if found is not None else ""


def embedded_address(url: str) -> str:
    """Return the page that an embedding service shows, which its address has as a parameter; else the address."""
    try:
        parts = urlsplit(url)
        if parts.hostname and parts.hostname.endswith("facebook.com") and parts.path.startswith("/plugins/"):
            href = parse_qs(parts.query).get("href", [url])[0]
            return href if href.startswith(("http://", "https://")) else url
    except ValueError:
        return url
    return url


def is_image_file(url: str) -> bool:
    """Return whether an address is that of an image file, as of the large version to which a picture links."""
    return _IMAGE_FILE.search(split_address(url).path) is not None


def widest(srcset: str) -> str:
    """Return the address of the widest picture of a `srcset`; "" if it has none."""
    found: list[tuple[float, str]] = []
    for candidate in re.split(r",\s+|,(?=https?://|//|/)", srcset.strip()):
        url, _, size = candidate.strip().partition(" ")
        number = re.match(r"\s*(\d+(?:\.\d+)?)[wx]", size)
        if url:
            found.append((float(number[1]) if number else 1.0, url.rstrip(",")))
    return max(found, default=(0.0, ""))[1]


def picture_address(attributes: Mapping[str, str], base: str) -> str:
    """Return the address of a picture, also of one that a script loads when it comes into view; "" if it has none."""
    late = [attributes.get(name, "") for name in _LATE]
    sets = [widest(attributes.get(name, "")) for name in _LATE_SETS]
    shown = attributes.get("src", "")
    is_placeholder = _PLACEHOLDER.search(shown.strip()[:URL_CHARACTERS_MAX]) is not None
    given = [*late, *sets, shown] if is_placeholder else [*late, shown, *sets]
    for one in given:
        url = resolve(base, one)
        if url and not url.startswith("data:"):
            return url
    return next((one.strip() for one in given if one.strip()), "")


def is_usable_picture(url: str) -> bool:
    """Return whether an article can have a picture with the address: one with a host, or of the media store."""
    return image_url(url) is not None and (not url.startswith("/") or _STORED.match(url) is not None)
