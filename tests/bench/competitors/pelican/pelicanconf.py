"""Pelican's settings for the comparison: the same blocks as Presstally's theme. Functions add what Pelican lacks."""

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PATH = "content"
THEME = str(HERE)
SITENAME = "Trang thông tin điện tử huyện Hải Hậu"
SITEURL = FEED_DOMAIN = "http://localhost:8080"
TIMEZONE = "Asia/Ho_Chi_Minh"
DEFAULT_LANG = "vi"
DEFAULT_PAGINATION = 20
LOAD_CONTENT_CACHE = CACHE_CONTENT = False
DELETE_OUTPUT_DIRECTORY = False
SLUG_REGEX_SUBSTITUTIONS = [(r"[^\w\s-]", ""), (r"[-\s]+", "-")]
READERS = {"rst": None, "md": None}
TYPOGRIFY = False
THEME_STATIC_PATHS: list[str] = []
STATIC_PATHS = ["media"]

ARTICLE_URL = ARTICLE_SAVE_AS = "{slug}.html"
CATEGORY_URL, CATEGORY_SAVE_AS = "{slug}/", "{slug}/index.html"
TAG_URL, TAG_SAVE_AS = "tag/{slug}/", "tag/{slug}/index.html"
AUTHOR_URL = AUTHOR_SAVE_AS = ""
MONTH_ARCHIVE_URL, MONTH_ARCHIVE_SAVE_AS = "luu-tru/{date:%Y}/{date:%m}/", "luu-tru/{date:%Y}/{date:%m}/index.html"
PAGINATED_TEMPLATES = {"category": None, "tag": None, "period_archives": None}
DIRECT_TEMPLATES = ["index", "sitemap"]
SITEMAP_SAVE_AS = "sitemap.xml"
FEED_RSS, FEED_ALL_ATOM, FEED_ATOM = "rss.xml", None, "atom.xml"
CATEGORY_FEED_RSS, CATEGORY_FEED_ATOM = "{slug}/rss.xml", "{slug}/atom.xml"
TRANSLATION_FEED_ATOM = AUTHOR_FEED_ATOM = AUTHOR_FEED_RSS = None
FEED_MAX_ITEMS = 30
WEEKDAYS = ("Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ Nhật")
_around: dict[str, list[Any]] = {}


def around(article: Any, articles: list[Any]) -> list[Any]:
    """Return the next newer and older of the section, and the five older ones with most tags in common.

    All are found when the first is asked for: articles come newest first.
    """
    if not _around:
        newest: dict[Any, Any] = {}
        by_tag: dict[Any, list[Any]] = defaultdict(list)
        for one in reversed(articles):
            older = newest.get(one.category)
            shared: Counter[Any] = Counter(near for tag in one.tags for near in by_tag[tag][:-51:-1])
            related = [near for near, _ in shared.most_common(5)]
            _around[one.slug] = [None, older, related]
            if older is not None:
                _around[older.slug][0] = one
            newest[one.category] = one
            for tag in one.tags:
                by_tag[tag].append(one)
    return _around[article.slug]


def news_article(article: Any, url: str) -> dict[str, Any]:
    """Return the structured data for search engines."""
    image = json.loads(article.image)
    site = {"@type": "NewsMediaOrganization", "name": "Ủy ban nhân dân huyện Hải Hậu", "url": SITEURL + "/"}
    picture = {"@type": "ImageObject", "url": SITEURL + image["url"], "caption": image["alt"]}
    return {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "@id": f"tag:localhost,2026:article/{article.id}",
        "url": url,
        "mainEntityOfPage": url,
        "headline": article.title,
        "description": article.description,
        "inLanguage": "vi",
        "articleSection": article.category.name,
        "keywords": [tag.name for tag in article.tags],
        "datePublished": article.date.isoformat(),
        "dateModified": article.date.isoformat(),
        "author": [{"@type": "Person", "name": article.writer}],
        "publisher": site,
        "image": [{**picture, "width": image["width"], "height": image["height"]}],
        "sourceOrganization": {"@type": "Organization", "name": article.source},
    }


def way(article: Any, url: str) -> dict[str, Any]:
    """Return the way from the home page to an article."""
    steps = [
        ("Trang chủ", f"{SITEURL}/"),
        (article.category.name, f"{SITEURL}/{article.category.url}"),
        (article.title, url),
    ]
    items = [{"@type": "ListItem", "position": n, "name": name, "item": at} for n, (name, at) in enumerate(steps, 1)]
    return {"@context": "https://schema.org", "@type": "BreadcrumbList", "itemListElement": items}


JINJA_FILTERS = {
    "from_json": json.loads,
    "srcset": lambda copies: ", ".join(f"{one['url']} {one['width']}w" for one in copies),
    "day": lambda at: f"{WEEKDAYS[at.weekday()]}, {at:%d/%m/%Y %H:%M}",
}
JINJA_GLOBALS = {"around": around, "news_article": news_article, "way": way}
