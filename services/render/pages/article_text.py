"""Words of an article: plain text, summaries, dates as readers write them. Pure."""

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from slugify import slugify

from shared.articles import (
    Article,
    Block,
    DatePrecision,
    Embed,
    Figure,
    File,
    Paragraph,
    Quote,
    Source,
    Table,
)
from shared.text import inline_html_parts, inline_text

SUMMARY_CHARACTERS_MAX = 240
WEEKDAYS_VI = ("Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ Nhật")


def summary(article: Article, characters_max: int = SUMMARY_CHARACTERS_MAX) -> str:
    """Return the lead, or the first paragraph, as plain text cut at a word."""
    text = article.lead or next((inline_text(block.html) for block in article.body if isinstance(block, Paragraph)), "")
    return shortened(text, characters_max)


def shortened(text: str, characters_max: int) -> str:
    """Return a text of at most `characters_max` characters and an ellipsis, cut between words."""
    if len(text) <= characters_max:
        return text
    return text[: characters_max + 1].rsplit(" ", 1)[0][:characters_max].rstrip(" ,;:") + "…"


def body_lines(article: Article) -> list[str]:
    """Return the body as lines of plain text: what a search finds beside title and lead."""
    figures = [article.lead_image] if article.lead_image else []
    lines = [line for block in (*figures, *article.body) for line in _lines(block)]
    if article.source:
        lines.append(f"{source_label(article)} {article.source.name}")
    lines += [author.name for author in article.authors]
    return [line for line in lines if line]


def source_label(article: Article) -> str:
    """Return the word before a source's name; the Vietnamese one that is given by default stays Vietnamese."""
    if article.source is None:
        return ""
    is_default = article.source.label == Source("").label
    return "Source:" if is_default and not article.language.startswith("vi") else article.source.label


def _lines(block: Block) -> Iterator[str]:
    match block:
        case Figure():
            yield block.caption
            yield block.image.alt if block.image else ""
        case Table():
            yield block.caption
        case Embed():
            yield block.title
        case File():
            yield block.name
    yield from map(inline_text, inline_html_parts(block))
    if isinstance(block, Quote):
        yield block.cite or ""


def local_date(instant: datetime, zone: ZoneInfo, language: str, precision: DatePrecision = "exact") -> str:
    """Write an instant as the site's readers write dates: "Thứ Sáu, 04/03/2022 08:00", or its day alone."""
    local = instant.astimezone(zone)
    vietnamese = language.startswith("vi")
    weekday = WEEKDAYS_VI[local.weekday()] if vietnamese else f"{local:%A}"
    day = f"{weekday}, {local_day(instant, zone, language)}"
    return day if precision == "day" else f"{day} {local.hour:02}:{local.minute:02}"


def local_day(instant: datetime, zone: ZoneInfo, language: str) -> str:
    """Write the day of an instant, where little room is: "04/03/2022" or "4 March 2022"."""
    local = instant.astimezone(zone)
    if language.startswith("vi"):  # a list has twenty dates, and strftime takes three times as long
        return f"{local.day:02}/{local.month:02}/{local.year}"
    return f"{local.day} {local:%B %Y}"


def month_name(year: int, month: int, language: str) -> str:
    """Write a month: "Tháng 11/2026" or "November 2026"."""
    return f"Tháng {month}/{year}" if language.startswith("vi") else f"{datetime(year, month, 1):%B %Y}"  # noqa: DTZ001


@lru_cache(4_096)  # slugify takes 40 µs, and pages name the same tags over and over
def tag_slug(tag: str) -> str:
    """Return a tag's place in URLs; "" for one without any letter or digit."""
    return slugify(tag, max_length=60)
