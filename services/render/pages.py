"""State → pages. Pure: the same articles, site and theme give the same bytes, so a replay writes nothing new."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from shared.articles import Article, DatePrecision, Embed, Image, Paragraph, article_path
from shared.sites import Section, Site

LIST_ARTICLES_MAX = 20
SUMMARY_CHARACTERS_MAX = 240
WEEKDAYS_VI = ("Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ Nhật")

STYLE = files("services.render").joinpath("theme/site.css").read_bytes()
STYLE_PATH = f"/theme/site-{hashlib.sha256(STYLE).hexdigest()[:12]}.css"

_environment = Environment(
    loader=PackageLoader("services.render", "theme"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Page:
    """One page as it is served."""

    path: str
    html: str
    article: str | None = None

    @property
    def etag(self) -> str:
        """Strong tag of the page's bytes."""
        return f'"{hashlib.sha256(self.html.encode()).hexdigest()[:20]}"'


def section_path(section: str) -> str:
    """Return the place of a section's list."""
    return f"/{section}/"


def theme_version(site: Site, public_url: str) -> str:
    """Return a checksum of everything but articles that pages are made of: theme, site settings, address."""
    digest = hashlib.sha256(msgspec.json.encode(site) + public_url.encode())
    folder = files("services.render").joinpath("theme")
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def render_article(article: Article, site: Site, public_url: str) -> Page:
    """Render an article's page."""
    html = _environment.get_template("article.html").render(
        **_common(site, public_url, article_path(article)),
        article=article,
        description=summary(article),
        section=site.section(article.section),
    )
    return Page(article_path(article), html, article.id)


def render_list(articles: Sequence[Article], site: Site, section: Section | None, public_url: str) -> Page:
    """Render the home page (section None) or a section's page from its newest articles."""
    path = section_path(section.slug) if section else "/"
    html = _environment.get_template("list.html").render(
        **_common(site, public_url, path), articles=articles[:LIST_ARTICLES_MAX], section=section
    )
    return Page(path, html)


def render_error(site: Site, public_url: str, title: str, text: str) -> str:
    """Render an error page in the site's own clothes."""
    return _environment.get_template("error.html").render(
        **_common(site, public_url, "/"), section=None, title=title, text=text
    )


def summary(article: Article) -> str:
    """Return the lead, or the first paragraph, cut at a word."""
    text = article.lead or next((block.html for block in article.body if isinstance(block, Paragraph)), "")
    if len(text) <= SUMMARY_CHARACTERS_MAX:
        return text
    return text[:SUMMARY_CHARACTERS_MAX].rsplit(" ", 1)[0] + "…"


def local_date(instant: datetime, zone: ZoneInfo, language: str, precision: DatePrecision = "exact") -> str:
    """Write an instant as the site's readers write dates: "Thứ Sáu, 04/03/2022 08:00", or its day alone."""
    local = instant.astimezone(zone)
    vietnamese = language.startswith("vi")
    day = f"{WEEKDAYS_VI[local.weekday()]}, {local:%d/%m/%Y}" if vietnamese else f"{local:%A, %d %B %Y}"
    return day if precision == "day" else f"{day} {local:%H:%M}"


def srcset(image: Image, kind: str = "") -> str:
    """Return the image's copies of a media type, for browsers to choose from; "" if there is no choice.

    Without a type: itself and the copies that any browser shows.
    """
    modern = ("image/avif", "image/webp")
    of_kind = [one for one in image.renditions if one.type == kind or (not kind and one.type not in modern)]
    offered = {one.width: one.url for one in of_kind}
    if offered and not kind and image.width is not None:
        offered[image.width] = image.url
    return ", ".join(f"{url} {width}w" for width, url in sorted(offered.items()))


def embed_url(embed: Embed) -> str:
    """Return where a video can be watched. Pages load nothing from there: it is a link."""
    hosts = {"youtube": "https://www.youtube.com/watch?v=", "vimeo": "https://vimeo.com/"}
    return hosts[embed.provider] + embed.id


def _common(site: Site, public_url: str, path: str) -> dict[str, object]:
    return {
        "site": site,
        "canonical": public_url + path,
        "on_this_machine": urlsplit(public_url).hostname in ("localhost", "127.0.0.1", "::1"),
        "style_path": STYLE_PATH,
        "words": _WORDS["vi" if site.language.startswith("vi") else "en"],
        "article_path": article_path,
        "section_path": section_path,
        "summary": summary,
        "srcset": srcset,
        "embed_url": embed_url,
        "date": lambda article: local_date(article.published_at, site.zone, site.language, article.date_precision),
    }


_WORDS = {
    "vi": {
        "home": "Trang chủ",
        "skip": "Tới nội dung",
        "menu": "Chuyên mục",
        "latest": "Tin mới",
        "none": "Chưa có bài viết nào.",
        "counter": "Thống kê truy cập",
        "online": "Đang online",
        "today": "Hôm nay",
        "week": "Trong tuần",
        "total": "Tất cả",
        "top": "Về đầu trang",
    },
    "en": {
        "home": "Home",
        "skip": "Skip to content",
        "menu": "Sections",
        "latest": "Latest",
        "none": "There are no articles yet.",
        "counter": "Visitors",
        "online": "Online",
        "today": "Today",
        "week": "This week",
        "total": "All time",
        "top": "Back to top",
    },
}
