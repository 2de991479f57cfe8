"""Videos of other platforms: the URLs of videos → embeds, and embeds → the URLs of their pages. Pure."""

import re
from typing import Literal

from shared.articles import TITLE_CHARACTERS_MAX, Embed

_VIDEO_URLS: tuple[tuple[Literal["youtube", "vimeo"], re.Pattern[str]], ...] = (
    (
        "youtube",
        re.compile(r"^https://(?:www\.)?youtube(?:-nocookie)?\.com/(?:embed/|watch\?v=)([\w-]{6,40})", re.ASCII),
    ),
    ("youtube", re.compile(r"^https://youtu\.be/([\w-]{6,40})", re.ASCII)),
    ("vimeo", re.compile(r"^https://(?:player\.)?vimeo\.com/(?:video/)?(\d{4,20})")),
)
_PAGE_URLS = {"youtube": "https://www.youtube.com/watch?v=", "vimeo": "https://vimeo.com/"}
PLATFORM_NAMES = {"youtube": "YouTube", "vimeo": "Vimeo"}
_SPACE = re.compile(r"[ \t\r\n\f]+")


def parse_embed(url: str, title: str = "") -> Embed | None:
    """Return the video of a URL; None if its platform is not allowed."""
    for provider, pattern in _VIDEO_URLS:
        found = pattern.match(url.strip())
        if found:
            one_line = _SPACE.sub(" ", title).strip()
            return Embed(provider=provider, id=found[1], title=one_line[:TITLE_CHARACTERS_MAX])
    return None


def embed_url(embed: Embed) -> str:
    """Return the URL of a video's page. Pages only link to it: they load nothing from other hosts."""
    return _PAGE_URLS[embed.provider] + embed.id
