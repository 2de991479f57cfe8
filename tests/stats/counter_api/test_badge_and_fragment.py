"""The counter as a picture and as a piece of HTML. Pure."""

import re
import unicodedata
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from services.stats.counter_api.badge import SHOWS, THEMES, WIDEST, WIDTHS, badge, text_width
from services.stats.counter_api.counter_query import CounterValues
from services.stats.counter_api.fragment import fragment
from services.stats.counter_api.labels import LABELS, SHOWN, badge_label
from shared.events import Measure
from shared.translations import group_thousands, nearest_language

NUMBERS = CounterValues(
    site="haihau",
    online=20,
    today=679,
    week=1_712,
    total=1_490_782,
    measure="visits",
    window="calendar",
    timezone="Asia/Ho_Chi_Minh",
    as_of="2026-11-25T18:00:00+07:00",
)
SVG = "{http://www.w3.org/2000/svg}"
SCRIPT = Path("services/stats/counter_api/widget.js").read_text(encoding="utf-8")
VIETNAMESE = [
    unicodedata.normalize("NFC", base + mark)
    for base in "aăâeêioôơuưyAĂÂEÊIOÔƠUƯY"
    for mark in ("", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323")
]


def drawn(show: str = "total", theme: str = "auto", language: str = "vi", separator: str = ",") -> ET.Element:
    return ET.fromstring(badge(NUMBERS, show, theme, language, separator))  # type: ignore[arg-type]


def test_text_width_knows_every_vietnamese_letter() -> None:
    """Every Vietnamese letter has a width, and a diacritic takes no extra width."""
    for letter in [*VIETNAMESE, *"đĐ"]:
        assert text_width(letter) < WIDEST * 11 / 1_000, letter
        assert text_width(unicodedata.normalize("NFD", letter)) == text_width(letter)
    assert text_width("ế") == text_width("e")
    assert text_width("Ợ") > text_width("O")


def test_text_width_of_a_known_text_is_correct() -> None:
    """Texts are as wide as DejaVu Sans sets them, to a tenth of a pixel."""
    assert text_width("1,490,782") == pytest.approx(7 * 6.996 + 2 * 3.498, abs=0.05)
    assert text_width("Đang online") == pytest.approx(66.3, abs=0.05)
    assert all(200 < width <= WIDEST for width in WIDTHS.values())


@pytest.mark.parametrize("show", SHOWS)
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_badge_contains_its_text(show: str, theme: str, language: str) -> None:
    """Every badge is well-formed, and each of its texts lies inside and beside the others."""
    image = drawn(show, theme, language)
    width, height = int(image.attrib["width"]), int(image.attrib["height"])
    lines: dict[str, list[tuple[float, float]]] = {}
    for text in image.iter(f"{SVG}text"):
        begin = float(text.attrib["x"])
        end = begin + float(text.attrib["textLength"])
        assert 0 < begin < end < width
        assert 0 < int(text.attrib["y"]) < height
        lines.setdefault(text.attrib["y"], []).append((begin, end))
    assert len(lines) == (4 if show == "all" else 1)
    for label, value in lines.values():
        assert label[1] + 4 <= value[0]


def test_badge_has_a_text_alternative() -> None:
    """The image has a role, a title and a label with its name and values."""
    image = drawn("all")
    assert image.attrib["role"] == "img"
    title = image.findtext(f"{SVG}title")
    assert title == ("Thống kê truy cập · Đang online: 20 · Hôm nay: 679 · Trong tuần: 1,712 · Tất cả: 1,490,782")
    assert image.attrib["aria-label"] == title


def test_badge_follows_light_and_dark() -> None:
    """Without a theme the visitor's system decides; with one it does not."""
    assert "prefers-color-scheme:dark" in badge(NUMBERS, "total", "auto", "vi", ",")
    light, dark = (badge(NUMBERS, "total", theme, "vi", ",") for theme in ("light", "dark"))
    assert "prefers-color-scheme" not in light + dark
    assert light != dark


def test_badge_names_its_measure() -> None:
    """A badge has no context, so its label names the measure and the window."""
    assert badge_label("vi", "total", "views") == "Lượt xem"
    assert badge_label("vi", "today", "visits") == "Lượt truy cập hôm nay"
    assert badge_label("en", "week", "visitors") == "Visitors this week"
    assert badge_label("vi", "online", "views") == "Đang online"


def test_stale_badge_and_fragment_are_marked() -> None:
    """A badge and a fragment of stale values say so, and since when."""
    old = msgspec.structs.replace(NUMBERS, stale=True)
    assert NUMBERS.as_of not in badge(NUMBERS, "total", "auto", "vi", ",") + fragment(NUMBERS, "all", "vi", ",")
    assert f"số liệu cũ: {NUMBERS.as_of}" in badge(old, "total", "auto", "vi", ",")
    assert f'<time datetime="{NUMBERS.as_of}">' in fragment(old, "all", "vi", ",")


def test_separators_are_those_of_the_site() -> None:
    """Thousands are parted as the site writes them, and markup as a separator stays text."""
    assert group_thousands(1_490_782, ".") == "1.490.782"
    assert group_thousands(999, ",") == "999"
    assert "1&lt;490&lt;782" in fragment(NUMBERS, "all", "vi", "<")
    assert [text.text for text in drawn(separator="<").iter(f"{SVG}text")][1] == "1<490<782"


def test_fragment_has_the_four_values() -> None:
    """The piece of HTML has each number beside its name, in the site's language, and is well-formed."""

    class Texts(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.texts: list[str] = []
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

        def handle_data(self, data: str) -> None:
            self.texts += [data.strip()] if data.strip() else []

    parser = Texts()
    parser.feed(fragment(NUMBERS, "all", "vi", ","))
    assert not parser.open
    wanted = "Thống kê truy cập|Đang online:|20|Hôm nay:|679|Trong tuần:|1,712|Tất cả:|1,490,782"
    assert parser.texts == wanted.split("|")


def test_fragment_of_one_value_names_its_measure() -> None:
    """One number alone has the measure in its name, as on a badge."""
    article = msgspec.structs.replace(NUMBERS, article="bai-1", measure="views")
    assert 'Lượt xem: <b data-counter="total">1,490,782</b>' in fragment(article, "total", "vi", ",")
    assert "strong" not in fragment(article, "total", "vi", ",")


@pytest.mark.parametrize("language", ["vi", "en"])
def test_script_has_the_same_labels(language: str) -> None:
    """The component, the badge and the fragment name things alike."""
    words = re.search(rf"{language}: {{(.*?)}}", SCRIPT, re.DOTALL)
    assert words
    for name in ("title", *SHOWN):
        assert f'{name}: "{LABELS[language]["counter" if name == "title" else name]}"' in words[1]
    for measure in get_args(Measure):
        assert f'{measure}: "{LABELS[language][measure]}"' in words[1]


def test_other_languages_use_english() -> None:
    """A site in a language that there are no words in gets English ones."""
    assert [nearest_language(one) for one in ("vi", "vi-VN", "VI", "en", "fr", "")] == [
        "vi",
        "vi",
        "vi",
        "en",
        "en",
        "en",
    ]
