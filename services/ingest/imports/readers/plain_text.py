"""A portal page saved as plain text → its parts. Pure.

The format of Vietnamese portals: a title line, the lead, photo captions on separate lines, paragraphs, a source line
"Theo …", and the counter block "Thống kê truy cập" with four numbers, which is never part of the body.
"""

import re
from dataclasses import dataclass
from html import escape

from services.ingest.content.normalization import clean_text
from shared.articles import Block, Figure, Paragraph, Source

TITLE_CHARACTERS_MAX = 255
LEAD_CHARACTERS_MAX = 1_000
PARAGRAPH_CHARACTERS_MAX = 10_000
COUNTER_DIGITS_MAX = 16
PAGE_CHARACTERS_MAX = 500_000
CAPTION_CHARACTERS_MAX = 200
"""A longer line is a paragraph."""

SOURCE_LINE = re.compile(r"^(?P<label>Theo|Nguồn(?: tin)?)(?:\s*:\s*|\s+)(?P<name>[^.!?]{1,150})$", re.IGNORECASE)
_COUNTER_TITLE = re.compile(
    r"^(?:thống kê(?: (?:lượt|website))?|lượt|số lượt|bộ đếm)(?: truy cập)?\s*:?$", re.IGNORECASE
)
_COUNTER_LINE = re.compile(
    r"^[\W_]*(?P<name>(?:đang )?trực tuyến|đang (?:online|truy cập|xem)|hôm nay|trong tuần|tuần này|tất cả"
    r"|tổng(?: số)?(?: lượt)?(?: truy cập)?|(?:số )?lượt truy cập|số người truy cập"
    r"|máy chủ tìm kiếm|khách viếng thăm|khách(?: online)?"
    r"|thành viên(?: online)?|hôm qua|tuần trước|tháng (?:hiện tại|này|trước)|trong tháng"
    r"|năm (?:nay|này|trước)|trong năm|đã truy cập|người dùng online)"
    r"\s*:?\s*(?P<number>\d[\d.,\s]*)(?:\s*(?:lượt|người))?$",
    re.IGNORECASE,
)
_COUNTER_NAMES = {
    "đang": "online",
    "trực": "online",
    "hôm nay": "today",
    "trong tuần": "week",
    "tuần này": "week",
    "tất": "total",
    "tổng": "total",
    "lượt": "total",
    "số": "total",
    "đã": "total",
}
"""What the lines of a counter count, by their first word or words; the others are counted by no counter here."""


class PageError(ValueError):
    """The text is not a saved page; the message names what is missing."""


@dataclass(frozen=True)
class SavedCounter:
    """The numbers of the counter block; None for a missing line."""

    online: int | None = None
    today: int | None = None
    week: int | None = None
    total: int | None = None


@dataclass(frozen=True)
class SavedPage:
    """The parts of a saved page."""

    title: str
    lead: str
    body: list[Block]
    source: Source | None
    counter: SavedCounter | None


def read_saved_page(text: str) -> SavedPage:
    """Read a saved page.

    Raises:
        PageError: there is no title or no text, or a part is too long for an article.
    """
    if len(text) > PAGE_CHARACTERS_MAX:
        raise PageError(f"the page must have at most {PAGE_CHARACTERS_MAX:,} characters (got {len(text):,})")
    lines = [" ".join(line.split()) for line in clean_text(text).splitlines()]
    counter, lines = _take_counter(lines)
    source, lines = _take_source(lines)
    if not lines:
        raise PageError("there is no text")
    title, *rest = lines
    if not rest:
        raise PageError("there is no text after the title")
    lead, *rest = rest
    if len(lead) > LEAD_CHARACTERS_MAX:  # a page without a lead
        lead, rest = "", [lead, *rest]
    limits = [
        ("title", title, TITLE_CHARACTERS_MAX),
        *(("paragraph", one, PARAGRAPH_CHARACTERS_MAX) for one in rest),
    ]
    for name, part, limit in limits:
        if len(part) > limit:
            raise PageError(f"the {name} must have at most {limit} characters (got {len(part)})")
    return SavedPage(title, lead, _blocks(rest), source, counter)


def _blocks(lines: list[str]) -> list[Block]:
    return [
        Figure(caption=line) if _is_caption(index, lines) else Paragraph(html=escape(line, quote=False))
        for index, line in enumerate(lines)
    ]


def _is_caption(index: int, lines: list[str]) -> bool:
    """Return whether a line is a caption: a short line after the lead, or one that starts with "Ảnh: …"."""
    line = lines[index]
    if len(line) > CAPTION_CHARACTERS_MAX:
        return False
    if line.lower().startswith(("ảnh:", "ảnh minh họa", "trong ảnh:")):
        return True
    # Only the first line: the search for each line would take quadratic time.
    return index == 0 and any(len(later) > CAPTION_CHARACTERS_MAX for later in lines[1:])


def _take_counter(lines: list[str]) -> tuple[SavedCounter | None, list[str]]:
    """Return the counter, and the lines without it. One line of a kind that texts have as well is no counter."""
    found = [(line, _COUNTER_LINE.match(line)) for line in lines]
    names = [one["name"].lower() for _, one in found if one]
    is_marked = any("truy cập" in name or "online" in name for name in names) or any(map(_COUNTER_TITLE.match, lines))
    if not names or (len(names) == 1 and not is_marked):
        return None, [line for line in lines if line and not _COUNTER_TITLE.match(line)]
    numbers: dict[str, int] = {}
    for _, one in found:
        if one is not None:
            words = one["name"].lower()
            name = _COUNTER_NAMES.get(words) or _COUNTER_NAMES.get(words.split()[0])
            digits = re.sub(r"\D", "", one["number"])
            is_sum = words.startswith(("tổng", "tất"))
            if (
                name and len(digits) < COUNTER_DIGITS_MAX and (is_sum or name not in numbers)
            ):  # longer: nobody's counter
                numbers[name] = int(digits)
    kept = [line for line, one in found if line and one is None and not _COUNTER_TITLE.match(line)]
    return (SavedCounter(**numbers) if numbers else None), kept


def is_counter_line(line: str) -> bool:
    """Return whether a line may be one of a counter block, or its title."""
    return bool(_COUNTER_LINE.match(line) or _COUNTER_TITLE.match(line))


def read_counter(lines: list[str]) -> SavedCounter | None:
    """Return the counter block in lines of text, or None."""
    return _take_counter(lines)[0]


def _take_source(lines: list[str]) -> tuple[Source | None, list[str]]:
    found = SOURCE_LINE.match(lines[-1]) if len(lines) > 2 else None
    if found is None:
        return None, lines
    return Source(name=found["name"].strip(), label=found["label"].capitalize()), lines[:-1]
