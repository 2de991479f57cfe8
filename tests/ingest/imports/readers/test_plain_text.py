"""A saved portal page as text → its parts."""

import unicodedata
from pathlib import Path

import pytest

from services.ingest.imports.readers.plain_text import PageError, SavedCounter, read_page
from shared.articles import Figure, Paragraph, Source

SAMPLE = Path(__file__).parent.parent.parent.parent.parent / "deploy/local/sample/trang-mau.txt"
LONG = "Một câu của thân bài, lặp lại cho đủ dài. " * 8


def page(*lines: str) -> str:
    return "\n".join(lines)


def test_the_sample_has_all_its_parts() -> None:
    """The shipped sample is read into title, lead, caption, paragraphs, source and counter."""
    read = read_page(SAMPLE.read_text(encoding="utf-8"))
    assert read.title.startswith("Hải Hậu mở lại thư viện")
    assert read.lead.startswith("Sau ba năm")
    assert [type(block) for block in read.body] == [Figure, Paragraph, Paragraph, Paragraph]
    assert read.source == Source(name="Bản tin mẫu Presstally", label="Theo")
    assert read.counter == SavedCounter(online=12, today=431, week=1_208, total=986_543)


@pytest.mark.parametrize("number", ["1,490,782", "1.490.782", "1 490 782", "1490782"])
def test_numbers_are_read_however_they_are_grouped(number: str) -> None:
    """A total is the same number with commas, points, blanks or nothing between its thousands."""
    read = read_page(page("Tựa", "Dẫn", LONG, "Thống kê truy cập", f"  • Tất cả: {number}"))
    assert read.counter == SavedCounter(total=1_490_782)


def test_the_counter_block_is_never_part_of_the_body() -> None:
    """No line of the counter block is in the body, wherever the block stands and whatever bullets it has."""
    block = ("THỐNG KÊ TRUY CẬP", "- Đang online: 20", "* Hôm nay: 679", "Trong tuần : 1,712", "• Tất cả: 9")
    for lines in ((*block, "Tựa", "Dẫn", LONG), ("Tựa", "Dẫn", *block, LONG), ("Tựa", "Dẫn", LONG, *block)):
        read = read_page(page(*lines))
        assert (read.title, read.lead) == ("Tựa", "Dẫn")
        assert read.body == [Paragraph(html=LONG.strip())]
        assert read.counter == SavedCounter(20, 679, 1_712, 9)


def test_a_sentence_about_today_is_not_a_counter() -> None:
    """A paragraph that begins like a counter line stays a paragraph."""
    text = "Hôm nay: 679 học sinh đã tới trường sau kỳ nghỉ dài."
    read = read_page(page("Tựa", "Dẫn", LONG, text))
    assert read.counter is None
    assert Paragraph(html=text) in read.body


def test_decomposed_letters_are_composed() -> None:
    """Text in NFD comes out in NFC, so that search and comparison see one spelling."""
    composed = page("Đổi mới ở Hải Hậu", "Dẫn", LONG, "Theo Báo Nam Định")
    read = read_page("\ufeff" + unicodedata.normalize("NFD", composed))
    assert read == read_page(composed)
    assert read.title == "Đổi mới ở Hải Hậu"


def test_a_short_line_below_the_lead_is_a_caption() -> None:
    """The line that a photo left behind is a figure's caption; a short paragraph later on is text."""
    read = read_page(page("Tựa", "Dẫn", "Cảnh buổi lễ.", LONG, "Một câu ngắn.", "Ảnh: Trần Nam", LONG))
    assert [type(block) for block in read.body] == [Figure, Paragraph, Paragraph, Figure, Paragraph]


def test_markup_is_text() -> None:
    """What looks like HTML in a saved page is escaped, because it was text there."""
    read = read_page(page("Tựa", "Dẫn", f"<b onclick=x>A & B</b> {LONG}"))
    assert isinstance(read.body[0], Paragraph)
    assert read.body[0].html.startswith("&lt;b onclick=x&gt;A &amp; B&lt;/b&gt;")


def test_a_page_without_a_lead_begins_with_its_text() -> None:
    """A first paragraph that is too long for a lead is the body's first paragraph."""
    read = read_page(page("Tựa", LONG * 4))
    assert read.lead == ""
    assert len(read.body) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is no text"),
        (" \n\n", "there is no text"),
        ("Thống kê truy cập\nTất cả: 5", "there is no text"),
        ("Chỉ có tựa", "nothing below it"),
        ("T" * 256 + "\nDẫn", "the title has 256 characters; 255 is the most"),
        ("Tựa\nDẫn\n" + "x" * 10_001, "the paragraph has 10001 characters; 10000 is the most"),
    ],
)
def test_what_is_no_page_is_refused_in_words(text: str, words: str) -> None:
    """A text that is no page is refused with what is missing or too long."""
    with pytest.raises(PageError, match=words):
        read_page(text)
