"""The helpers that all format readers share."""

from datetime import UTC, datetime

import pytest

from services.ingest.imports.item import (
    ImportItem,
    UnreadableItem,
    html_to_blocks,
    html_to_line,
    image_figure,
    paragraph_text,
    parse_count,
    parse_old_url,
    read_one,
)
from services.ingest.imports.times import read_time
from shared.articles import Figure, Image, Paragraph

STORED = "/media/0123456789abcdef0123456789abcdef.jpg"


def test_read_time_and_parse_old_url() -> None:
    """Times are parsed in the three notations of exports; an old URL is a path with its query."""
    when = datetime(2026, 2, 10, 1, 0, tzinfo=UTC)
    for said in ("2026-02-10T08:00:00+07:00", "Tue, 10 Feb 2026 08:00:00 +0700", "1770685200", 1770685200):
        assert read_time(said).at == when, said
    for said in ("", None, "0000-00-00 00:00:00", "hôm qua", 0, -1, 1e30):
        assert read_time(said).at is None, said
    assert parse_old_url("https://cu.example/index.php?id=5#x") == ["/index.php?id=5"]
    for said in ("https://cu.example/", "", "javascript:alert(1)", "https://cu.example/" + "x" * 600):
        assert parse_old_url(said) == [], said


def test_html_to_blocks_unresolvable_image_keeps_caption() -> None:
    """An image at a path of an unknown portal is dropped, its caption stays; inline data are dropped."""
    html = '<figure><img src="/uploads/a.jpg"><figcaption>C</figcaption></figure><p>x</p><img src="/b.jpg">'
    html += '<img src="data:x">'
    assert html_to_blocks(html) == [Figure("C"), Paragraph("x")]
    assert html_to_blocks(html, "https://cu.example/bai/1")[0] == Figure(
        "C", Image("https://cu.example/uploads/a.jpg", "C")
    )


def test_read_one_of_an_unreadable_item_says_why() -> None:
    """An item that raises is unreadable with a reason; a missing key is named."""

    def read(item: object, place: str) -> ImportItem:
        assert isinstance(item, dict)
        return ImportItem(place=place, external_id="1", title=item["title"], body=[Paragraph("x" * item["length"])])

    items = ({"title": "a", "length": 1}, {"length": 1}, {"title": "b", "length": "x"})
    found = [read_one(item, read, f"line {number}") for number, item in enumerate(items, 1)]
    assert [one.place for one in found] == ["line 1", "line 2", "line 3"]
    assert [isinstance(one, ImportItem) for one in found] == [True, False, False]
    assert found[1] == UnreadableItem("line 2", "has no 'title'")
    assert isinstance(found[2], UnreadableItem)
    assert found[2].reason


def test_html_to_line_removes_tags_entities_and_line_breaks() -> None:
    """A title may have markup at its source: its text becomes one line."""
    assert html_to_line("Chợ <b>Cồn</b>\n&amp; sông") == "Chợ Cồn & sông"
    assert html_to_line("  a \n b ") == "a b"
    assert html_to_line(None) == ""


def test_html_to_blocks_plain_text_has_paragraphs_at_blank_lines() -> None:
    """Older systems keep plain text: blank lines separate its paragraphs."""
    assert html_to_blocks("một\n\n  \nhai") == [Paragraph("một"), Paragraph("hai")]
    assert html_to_blocks("") == []


@pytest.mark.parametrize(
    ("url", "base", "expected"),
    [
        ("https://cu.example/a.jpg", "", "https://cu.example/a.jpg"),
        ("a.jpg", "https://cu.example/bai/1", "https://cu.example/bai/a.jpg"),
        (STORED, "https://cu.example/", STORED),
        ("/media/a.jpg", "https://cu.example/", "https://cu.example/media/a.jpg"),
        ("javascript:alert(1)", "https://cu.example/", None),
        ("data:image/png;base64,x", "", None),
        ("", "https://cu.example/", None),
        (None, "", None),
        ("/uploads/a.jpg", "", None),
    ],
)
def test_image_figure_with_unusable_url_is_none(url: str | None, base: str, expected: str | None) -> None:
    """Relative URLs are resolved; other schemes and unknown portals give no image."""
    figure = image_figure(url, "Cổng chợ", "", base)
    assert (figure.image.url if figure and figure.image else None) == expected
    if figure:
        assert figure.caption == "Cổng chợ"


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("12", 12),
        (12, 12),
        (" 7 ", 7),
        ("", None),
        (None, None),
        ("-1", None),
        ("1,234", 1_234),
        ("1.234.567", 1_234_567),
        ("1,23", None),
        ("1.234,567", None),
        ("9" * 16, None),
    ],
)
def test_parse_count_accepts_whole_numbers_only(number: object, expected: int | None) -> None:
    """Views are digits, also in groups of thousands; anything else is unknown, and not zero."""
    assert parse_count(number) == expected


def test_paragraph_text_joins_paragraphs_in_one_line() -> None:
    """A lead from blocks has the text of the paragraphs alone."""
    assert paragraph_text([Paragraph("<em>Một</em>"), Figure("x"), Paragraph("hai")]) == "Một hai"
