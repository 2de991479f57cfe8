"""Paragraphs of WordPress's classic editor."""

import pytest

from services.ingest.imports.markup.autop import add_paragraphs, has_blocks
from services.ingest.imports.markup.tree import read_blocks
from shared.articles import BulletList, Heading, Paragraph, Quote, Table


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Một.\n\nHai.", [Paragraph("Một."), Paragraph("Hai.")]),
        ("Một.\r\n\r\nHai\r\nba.", [Paragraph("Một."), Paragraph("Hai<br>ba.")]),
        ("Một.\n<!--more-->\nHai.", [Paragraph("Một."), Paragraph("Hai.")]),
        ("<h2>Mục</h2>\nMột.\n<h3>Nhỏ</h3>", [Heading("Mục"), Paragraph("Một."), Heading("Nhỏ", 3)]),
        ("<p>Đã có.</p>\nRời.", [Paragraph("Đã có."), Paragraph("Rời.")]),
        (
            "<strong>Đậm</strong>\n\n<em>nghiêng</em>",
            [Paragraph("<strong>Đậm</strong>"), Paragraph("<em>nghiêng</em>")],
        ),
        ("Một<br /><br />Hai", [Paragraph("Một"), Paragraph("Hai")]),
        ("<pre>a\n\n b</pre>", [Paragraph("a<br><br> b")]),
        ("<div>Một\n\nHai</div>", [Paragraph("Một"), Paragraph("Hai")]),
        ('<a\nhref="https://vi-du.example/">x</a>', [Paragraph('<a href="https://vi-du.example/">x</a>')]),
        ("<span>Một</span>\nHai", [Paragraph("Một<br>Hai")]),
    ],
)
def test_add_paragraphs_of_classic_text(text: str, expected: list[object]) -> None:
    """Blank lines are paragraphs and line ends are breaks, with any tags in the text."""
    assert read_blocks(add_paragraphs(text)) == expected


def test_add_paragraphs_keeps_lists_tables_and_quotes() -> None:
    """Line ends between the tags of a list, a table or a quote are no text."""
    text = "<ul>\n<li>a</li>\n\n<li>b</li>\n</ul>\n<table>\n<tr>\n<td>1</td>\n<td>2</td>\n</tr>\n</table>\n"
    text += "<blockquote>c\n\nd</blockquote>"
    found = read_blocks(add_paragraphs(text))
    assert [type(one) for one in found] == [BulletList, Table, Quote]
    assert [one.html for one in found[0].items] == ["a", "b"]  # type: ignore[union-attr]
    assert found[2].paragraphs == ["c", "d"]  # type: ignore[union-attr]


def test_has_blocks_is_true_for_the_block_editor_only() -> None:
    """Texts of the block editor have their paragraphs already."""
    assert has_blocks("<!-- wp:paragraph --><p>x</p><!-- /wp:paragraph -->")
    assert not has_blocks("x<!--more-->y")
