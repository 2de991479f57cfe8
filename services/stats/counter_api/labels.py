"""The counter's words and numbers in the site's own way of writing. Pure. The same words stand in page/widget.js."""

from typing import Literal, get_args

from shared.events import Measure

Shown = Literal["online", "today", "week", "total"]
SHOWN = get_args(Shown)

WORDS: dict[str, dict[str, str]] = {
    "vi": {
        "title": "Thống kê truy cập",
        "article": "Lượt xem bài viết",
        "online": "Đang online",
        "today": "Hôm nay",
        "week": "Trong tuần",
        "total": "Tất cả",
        "stale": "số liệu cũ",
    },
    "en": {
        "title": "Visitors",
        "article": "Readers of this article",
        "online": "Online",
        "today": "Today",
        "week": "This week",
        "total": "All time",
        "stale": "not current",
    },
}
BADGE_LABELS: dict[str, dict[str, str]] = {
    "vi": {"views": "Lượt xem", "visits": "Lượt truy cập", "visitors": "Lượt người đọc"},
    "en": {"views": "Views", "visits": "Visits", "visitors": "Readers"},
}
BADGE_WINDOWS: dict[str, dict[str, str]] = {
    "vi": {"today": " hôm nay", "week": " trong tuần", "total": ""},
    "en": {"today": " today", "week": " this week", "total": ""},
}


def language_of(site_language: str) -> str:
    """Return the language that there are words in: Vietnamese for a Vietnamese site, English for all others."""
    return "vi" if site_language.startswith("vi") else "en"


def badge_label(language: str, shown: Shown, measure: Measure) -> str:
    """Return what a badge with one number says beside it, so that it can be understood alone."""
    if shown == "online":
        return WORDS[language]["online"]
    return BADGE_LABELS[language][measure] + BADGE_WINDOWS[language][shown]


def with_separator(number: int, separator: str) -> str:
    """Write an integer with its thousands parted: 1490782 → "1,490,782"."""
    return f"{number:,}".replace(",", separator)
