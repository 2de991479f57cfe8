"""A counter as an SVG image: measured text, light and dark, with a text alternative for screen readers. Pure."""

import unicodedata
from typing import Literal, get_args
from xml.sax.saxutils import escape

from services.stats.counter_api.counter_query import CounterValues
from services.stats.counter_api.labels import LABELS, SHOWN, Shown, badge_label
from shared.translations import group_thousands

Theme = Literal["auto", "light", "dark"]
THEMES = get_args(Theme)
Show = Literal["online", "today", "week", "total", "all"]
SHOWS = get_args(Show)

# Advance widths of DejaVu Sans, in thousandths of the font size; Verdana has the same ones within a hair.
# Diacritics take no extra width, so letters are looked up without them; the horns of Ơ and Ư do.
WIDTHS = {
    letter: width
    for width, letters in {
        275: "'",
        278: "ijl",
        295: "IJ",
        318: " ,.·’",
        337: "/:;\\|",
        352: "f",
        361: "-",
        390: "()[]",
        392: "t",
        401: "!",
        411: "r",
        460: '"',
        500: "*_`–",
        521: "s",
        525: "z",
        531: "?",
        550: "c",
        557: "L",
        575: "F",
        579: "k",
        592: "vxy",
        603: "P",
        611: "TY",
        612: "o",
        613: "a",
        615: "e",
        632: "E",
        634: "hnu",
        635: "Sbdgpqđ",
        636: "$0123456789{}₫",
        656: "K",
        684: "AV",
        685: "XZ",
        686: "B",
        695: "R",
        698: "C",
        732: "U",
        748: "N",
        752: "H",
        770: "D",
        775: "GĐ",
        780: "&",
        787: "OQ",
        818: "w",
        838: "#+<=>^~",
        858: "Ư",
        863: "M",
        913: "Ơ",
        950: "%",
        974: "m",
        989: "W",
        1000: "@…",
    }.items()
    for letter in letters
}
WIDEST = 1_000
"""The width of a letter without an entry: too wide looks better than cut off."""
HORN = "\u031b"

FONT_PX = 11
HEIGHT_PX = 20
PADDING_PX = 6
GAP_PX = 16
STYLE = {
    "light": ".l{fill:#5c5853}.v{fill:#1c1b1a}.b{fill:#f7f1e6;stroke:#d8cfc0}",
    "dark": ".l{fill:#b3aca1}.v{fill:#ece7df}.b{fill:#211e1b;stroke:#4a443d}",
}


def text_width(text: str) -> float:
    """Return the width of a text at FONT_PX, in pixels."""
    return sum(_width(letter) for letter in unicodedata.normalize("NFC", text)) * FONT_PX / 1_000


def _width(letter: str) -> int:
    if letter not in WIDTHS:
        parts = unicodedata.normalize("NFD", letter)
        letter = {"O": "Ơ", "U": "Ư"}.get(parts[0], parts[0]) if HORN in parts else parts[0]
    return WIDTHS.get(letter, WIDEST)


def badge(values: CounterValues, show: Show, theme: Theme, language: str, separator: str) -> str:
    """Draw a counter.

    Args:
        values: The counter.
        show: One of the values with its name, or `all` four below each other.
        theme: light or dark; auto follows the visitor's system.
        language: Code of a language that has a catalogue.
        separator: Between thousands.
    """
    rows = [
        (_label(values, shown, show, language), group_thousands(getattr(values, shown), separator))
        for shown in (SHOWN if show == "all" else (show,))
    ]
    text = " · ".join(f"{label}: {value}" for label, value in rows)
    title = f"{_heading(values, language)} · {text}"
    if values.stale:
        title += f" ({LABELS[language]['stale']}: {values.as_of})"
    labels = max(text_width(label) for label, _ in rows)
    width = round(labels + max(text_width(value) for _, value in rows) + 2 * PADDING_PX + GAP_PX / 2)
    height = HEIGHT_PX * len(rows)
    texts = "".join(
        _text("l", PADDING_PX, place, label) + _text("v", width - PADDING_PX - text_width(value), place, value)
        for place, (label, value) in enumerate(rows)
    )
    quoted = escape(title, {'"': "&quot;"})
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label="{quoted}" xml:lang="{language}"><title>{escape(title)}</title>'
        f"<style>{_style(theme)}</style>"
        f'<rect class="b" x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="3.5"/>{texts}</svg>'
    )


def _label(values: CounterValues, shown: Shown, show: Show, language: str) -> str:
    return LABELS[language][shown] if show == "all" else badge_label(language, shown, values.measure)


def _heading(values: CounterValues, language: str) -> str:
    return str(LABELS[language]["article" if values.article else "counter"])


def _text(kind: str, x: float, place: int, text: str) -> str:
    # textLength makes the text as wide as measured in any other font.
    y = HEIGHT_PX * place + 14
    return f'<text class="{kind}" x="{x:.1f}" y="{y}" textLength="{text_width(text):.1f}">{escape(text)}</text>'


def _style(theme: Theme) -> str:
    font = f"text{{font:{FONT_PX}px 'DejaVu Sans',Verdana,Geneva,sans-serif}}"
    if theme != "auto":
        return font + STYLE[theme]
    return f"{font}{STYLE['light']}@media(prefers-color-scheme:dark){{{STYLE['dark']}}}"
