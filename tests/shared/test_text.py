"""Plain text of inline HTML, and text without diacritics."""

import unicodedata

import pytest

from shared.articles import BulletList, Cell, Heading, Item, Paragraph, Quote, Table
from shared.text import fold_diacritics, fold_with_positions, inline_html_parts, inline_text


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("", ""),
        ("Đặng Thị Ngọc Ưỡn", "dang thi ngoc uon"),
        ("đảng BỘ", "dang bo"),
        ("Straße", "strasse"),
        ("STRASSE", "strasse"),
        ("İstanbul", "istanbul"),
        ("Diyarbakır", "diyarbakir"),
        ("DIYARBAKIR", "diyarbakir"),
        ("ﬁn ﬂot ﬀ", "fin flot ff"),
        ("Ångström", "angstrom"),
        ("e\u0301\u0323", "e"),
        ("\u0301", ""),
        ("Ἀθῆναι ΣΊΣΥΦΟΣ", "αθηναι σισυφοσ"),
        ("Ёлка", "елка"),
        ("Bài 12, ngày 1/2 — “mới”", "bai 12, ngay 1/2 — “moi”"),
        ("新聞 🙂", "新聞 🙂"),
    ],
)
def test_fold_diacritics_gives_plain_letters(text: str, folded: str) -> None:
    """Letters lose case and diacritics, ligatures are spelled out, and all else stays."""
    assert fold_diacritics(text) == folded


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_fold_diacritics_does_not_depend_on_the_normal_form(form: str) -> None:
    """The same word folds to the same text, typed as one character or as three."""
    word = "Người dân Hải Hậu, Đổi mới, ﬁ"
    assert fold_diacritics(unicodedata.normalize(form, word)) == "nguoi dan hai hau, doi moi, fi"


def test_fold_diacritics_is_idempotent_for_every_character() -> None:
    """Folding a folded character changes nothing, so that a folded index and a folded query agree."""
    for code in range(0x30000):
        folded = fold_diacritics(chr(code))
        assert fold_diacritics(folded) == folded, hex(code)


@pytest.mark.parametrize(
    ("text", "word", "original"),
    [
        ("Tin Đổi mới hôm nay", "doi", "Đổi"),
        ("Die Straße dort", "strasse", "Straße"),
        ("Die Straße dort", "dort", "dort"),
        (unicodedata.normalize("NFD", "Tin Đổi mới"), "doi", unicodedata.normalize("NFD", "Đổi")),
        (unicodedata.normalize("NFD", "Tin mới"), "moi", unicodedata.normalize("NFD", "mới")),
        ("ﬁn İstanbul", "istanbul", "İstanbul"),
    ],
)
def test_positions_lead_back_to_the_original(text: str, word: str, original: str) -> None:
    """A word found in the folded text is cut from the original with its diacritics."""
    folded, positions = fold_with_positions(text)
    assert len(positions) == len(folded) + 1
    begin = folded.index(word)
    assert text[positions[begin] : positions[begin + len(word)]] == original


def test_inline_text_has_neither_tags_nor_entities() -> None:
    """Tags go, a line break is a space, and entities are characters."""
    assert inline_text('<b>A</b> &amp; <a href="/x">B</a><br>C<br/>D &lt;i&gt;') == "A & B C D <i>"


def test_inline_html_parts_come_in_reading_order() -> None:
    """Nested items, table cells and paragraphs of a quote each are a part; a figure has none."""
    items = BulletList(items=[Item("one", [Item("two")]), Item("three")])
    table = Table(rows=[[Cell("a"), Cell("b")], [Cell("c")]])
    blocks = [Paragraph("p"), Heading("h", level=2), Quote(["q", "r"]), items, table]
    assert [part for block in blocks for part in inline_html_parts(block)] == [
        "p",
        "h",
        "q",
        "r",
        "one",
        "two",
        "three",
        "a",
        "b",
        "c",
    ]
