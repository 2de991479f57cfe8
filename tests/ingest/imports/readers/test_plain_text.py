"""The reader of portal pages saved as plain text."""

import unicodedata
from pathlib import Path

import pytest

from services.ingest.imports.readers.plain_text import PageError, SavedCounter, read_saved_page
from shared.articles import Figure, Paragraph, Source

SAMPLE = Path(__file__).parent.parent.parent.parent.parent / "deploy/local/sample/trang-mau.txt"
LONG = "Một câu của thân bài, lặp lại cho đủ dài. " * 8


def page(*lines: str) -> str:
    return "\n".join(lines)


def test_read_saved_page_sample_has_all_parts() -> None:
    """The shipped sample has a title, lead, caption, paragraphs, source and counter."""
    read = read_saved_page(SAMPLE.read_text(encoding="utf-8"))
    assert read.title.startswith("Hải Hậu mở lại thư viện")
    assert read.lead.startswith("Sau ba năm")
    assert [type(block) for block in read.body] == [Figure, Paragraph, Paragraph, Paragraph]
    assert read.source == Source(name="Bản tin mẫu Presstally", label="Theo")
    assert read.counter == SavedCounter(online=12, today=431, week=1_208, total=986_543)


@pytest.mark.parametrize("number", ["1,490,782", "1.490.782", "1 490 782", "1490782"])
def test_read_counter_accepts_any_thousands_separator(number: str) -> None:
    """A total is the same number with commas, dots, spaces or nothing as the thousands separator."""
    read = read_saved_page(page("Tựa", "Dẫn", LONG, "Thống kê truy cập", f"  • Tất cả: {number}"))
    assert read.counter == SavedCounter(total=1_490_782)


def test_read_saved_page_counter_block_is_not_in_body() -> None:
    """No line of the counter block is in the body, whatever its position and bullets."""
    block = ("THỐNG KÊ TRUY CẬP", "- Đang online: 20", "* Hôm nay: 679", "Trong tuần : 1,712", "• Tất cả: 9")
    for lines in ((*block, "Tựa", "Dẫn", LONG), ("Tựa", "Dẫn", *block, LONG), ("Tựa", "Dẫn", LONG, *block)):
        read = read_saved_page(page(*lines))
        assert (read.title, read.lead) == ("Tựa", "Dẫn")
        assert read.body == [Paragraph(html=LONG.strip())]
        assert read.counter == SavedCounter(20, 679, 1_712, 9)


def test_read_saved_page_sentence_like_counter_line_is_text() -> None:
    """A paragraph that begins like a counter line stays a paragraph."""
    text = "Hôm nay: 679 học sinh đã tới trường sau kỳ nghỉ dài."
    read = read_saved_page(page("Tựa", "Dẫn", LONG, text))
    assert read.counter is None
    assert Paragraph(html=text) in read.body


def test_read_saved_page_decomposed_text_is_nfc() -> None:
    """Text in NFD becomes NFC, so that search and comparison see one spelling."""
    composed = page("Đổi mới ở Hải Hậu", "Dẫn", LONG, "Theo Báo Nam Định")
    read = read_saved_page("\ufeff" + unicodedata.normalize("NFD", composed))
    assert read == read_saved_page(composed)
    assert read.title == "Đổi mới ở Hải Hậu"


def test_read_saved_page_short_line_after_lead_is_caption() -> None:
    """A short line after the lead is a caption; a short paragraph later on is text."""
    read = read_saved_page(page("Tựa", "Dẫn", "Cảnh buổi lễ.", LONG, "Một câu ngắn.", "Ảnh: Trần Nam", LONG))
    assert [type(block) for block in read.body] == [Figure, Paragraph, Paragraph, Figure, Paragraph]


def test_read_saved_page_markup_is_escaped() -> None:
    """Markup in a saved page is escaped, because it is text there."""
    read = read_saved_page(page("Tựa", "Dẫn", f"<b onclick=x>A & B</b> {LONG}"))
    assert isinstance(read.body[0], Paragraph)
    assert read.body[0].html.startswith("&lt;b onclick=x&gt;A &amp; B&lt;/b&gt;")


def test_read_saved_page_long_first_paragraph_is_body() -> None:
    """A first paragraph that is too long for a lead is the first paragraph of the body."""
    read = read_saved_page(page("Tựa", LONG * 4))
    assert read.lead == ""
    assert len(read.body) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no text"),
        (" \n\n", "there is no text"),
        ("Thống kê truy cập\nTất cả: 5", "there is no text"),
        ("Chỉ có tựa", "no text after the title"),
        ("T" * 256 + "\nDẫn", r"the title must have at most 255 characters \(got 256\)"),
        ("Tựa\nDẫn\n" + "x" * 10_001, r"the paragraph must have at most 10000 characters \(got 10001\)"),
    ],
)
def test_read_saved_page_invalid_text_is_rejected_with_reason(text: str, message: str) -> None:
    """A text that is not a page is rejected, naming what is missing or too long."""
    with pytest.raises(PageError, match=message):
        read_saved_page(text)


def test_counter_with_other_names_is_no_text() -> None:
    """The block of other portals is read, and the source is the line before it."""
    for block, expected in (
        ("Lượt truy cập: 1.490.782\nTrực tuyến: 20", SavedCounter(online=20, total=1_490_782)),
        ("Số người truy cập: 1 490 782", SavedCounter(total=1_490_782)),
    ):
        page = read_saved_page(f"Khai hội\nLàng mở hội.\nBà con về dự.\nNguồn: TTXVN\n{block}\n")
        assert page.counter == expected
        assert (page.source and page.source.name, len(page.body)) == ("TTXVN", 1)
