"""Sanitising of HTML, Markdown and text: allowed markup, limits and run time."""

import contextlib
import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.content.blocks import image_url, inline_html, link_url, tree_to_blocks
from services.ingest.content.conversion import make_slug
from services.ingest.content.markup_bounds import DEPTH_MAX, MarkupError
from services.ingest.content.normalization import TextError, clean_line, clean_text
from services.ingest.content.sanitizer import dropped_tags, markdown_to_html, parse_html
from shared.articles import Block, BulletList, Cell, Embed, Figure, Heading, Image, Item, Paragraph, Quote, Table
from shared.text import fold_diacritics, inline_html_parts, inline_text

XSS: list[str] = json.loads((Path(__file__).parent.parent.parent / "data/xss.json").read_text(encoding="utf-8"))
INLINE = {"a", "em", "strong", "br", "sub", "sup"}


class Tags(HTMLParser):
    """Collects the tags and attributes that a browser would parse."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def only_allowed(block: Block) -> None:
    for html in inline_html_parts(block):
        tags = Tags()
        tags.feed(html)
        for tag, attributes in tags.found:
            assert tag in INLINE, html
            assert set(attributes) <= ({"href", "title"} if tag == "a" else set()), html
            if tag == "a":
                assert re.match(r"^(https?://|mailto:|tel:|/|#)", attributes["href"] or ""), html
    if isinstance(block, Figure) and block.image is not None:
        assert re.match(r"^(https?://|/)", block.image.url)


def blocks(html: str) -> list[Block]:
    return tree_to_blocks(parse_html(html))


@pytest.mark.parametrize("hostile", XSS)
def test_parse_html_known_attacks_leave_only_allowed_markup(hostile: str) -> None:
    """Of each known attack, as HTML, as Markdown and inside other markup, only text and allowed tags are left."""
    for html in (hostile, f"<p>a {hostile} b</p>", f"<ul><li>{hostile}<table><tr><td>{hostile}", f"<b>{hostile}"):
        for found in (blocks(html), blocks(markdown_to_html(html))):
            for block in found:
                only_allowed(block)
    only_allowed(Paragraph(inline_html(parse_html(hostile).children)))


@given(st.text(alphabet=st.sampled_from("<>/=\"'&;!-? abpiu\n\tscriptonload:()x[]`#*_|"), max_size=120))
def test_parse_html_arbitrary_markup_becomes_stable_blocks(html: str) -> None:
    """Any HTML or Markdown becomes blocks of allowed parts, which parse to themselves again."""
    for found in (blocks(html), blocks(markdown_to_html(html))):
        for block in found:
            only_allowed(block)
            for part in inline_html_parts(block):
                assert inline_text(inline_html(parse_html(part).children)).split() == inline_text(part).split()


def test_html_becomes_blocks() -> None:
    """Each part of a page has its block: text, headings, lists, tables, quotes, figures and videos."""
    found = blocks(
        "<h1>Mục</h1>Chữ <b>đậm</b> <i>nghiêng</i><p>A<img src=/media/a.jpg alt=Ả width=640 height=480px>B</p>"
        "<figure><img src=/media/b.jpg alt=b><figcaption>Chú <b>thích</b></figcaption></figure>"
        "<ul><li>một<ol><li>1.1</ol><li>hai</ul><table><caption>C</caption><tr><th colspan=2>X<tr><td>1<td>2</table>"
        "<blockquote><p>q</blockquote><iframe src=https://www.youtube.com/embed/dQw4w9WgXcQ title=V></iframe>"
        "<iframe src=https://evil.example/></iframe><p>&nbsp;</p>"
    )
    assert found == [
        Heading("Mục", 2),
        Paragraph("Chữ <strong>đậm</strong> <em>nghiêng</em>"),
        Paragraph("A"),
        Figure("", Image("/media/a.jpg", "Ả", 640, 480)),
        Paragraph("B"),
        Figure("Chú thích", Image("/media/b.jpg", "b")),
        BulletList([Item("một", [Item("1.1")], ordered=True), Item("hai")]),
        Table([[Cell("X", header=True, colspan=2)], [Cell("1"), Cell("2")]], "C"),
        Quote(["q"]),
        Embed("youtube", "dQw4w9WgXcQ", "V"),
    ]


def test_markdown_becomes_blocks() -> None:
    """Markdown has headings, emphasis, lists, tables, and figures whose caption is the title of the image."""
    text = '## Mục\n\nxin *chào* **bạn**\n\n1. một\n\n|a|\n|-|\n|b|\n\n![mô tả](/media/a.jpg "Chú thích")\n'
    assert blocks(markdown_to_html(text)) == [
        Heading("Mục", 2),
        Paragraph("xin <em>chào</em> <strong>bạn</strong>"),
        BulletList([Item("một")], ordered=True),
        Table([[Cell("a", header=True)], [Cell("b")]]),
        Figure("Chú thích", Image("/media/a.jpg", "mô tả")),
    ]


def test_parse_html_pathological_markup_ends_soon() -> None:
    """Markup that would take a sanitiser quadratic time is rejected or parsed within seconds."""
    hostile = (
        "<div>" * 40_000,
        "<div></x>" * 20_000,
        "<div><table></div></table>" * 9_000,
        "<ul><li>" * 30_000,
        "<b><a>" * 30_000,
        "<table><tr><td>" * 15_000,
        "<" * 250_000,
        "&" * 250_000,
        "<!--" * 60_000,
        "[" * 100_000,
        ">" * 250_000,
        "x" * 250_001,
    )
    for html in hostile:
        for convert in (blocks, lambda text: blocks(markdown_to_html(text))):
            begun = time.monotonic()
            with contextlib.suppress(MarkupError):
                convert(html)
            assert time.monotonic() - begun < 15, html[:20]


def test_parse_html_over_limit_names_limit_and_size() -> None:
    """The error of markup that is too long or nested too deep has the limit and the size."""
    for html, limit, size in (("<div>" * 100, DEPTH_MAX, 100), ("x" * 250_001, 250_000, 250_001)):
        with pytest.raises(MarkupError) as raised:
            blocks(html)
        assert (raised.value.limit, raised.value.size) == (limit, size)


def test_dropped_tags_names_removed_tags_only() -> None:
    """Removed tags are named; harmless ones that become text are not."""
    assert dropped_tags("<p><span>a</span><script>b</script><VIDEO>") == ["script", "video"]


def test_link_url_accepts_allowed_targets_only() -> None:
    """Links go to the web, mail, telephone or the site itself; images come from the web or the site."""
    for url in ("https://a.vn/x?y=1", "http://a.vn", "mailto:a@b.vn", "tel:+84123", "/tin-tuc/", "#muc"):
        assert link_url(url) == url
    assert link_url("//a.vn/x") == "https://a.vn/x"
    for url in (
        "",
        "javascript:alert(1)",
        "data:x",
        "x.html",
        "/\\evil.vn",
        "https://",
        "http://[x",
        "a" * 2_001,
        "\0",
    ):
        assert link_url(url) is None, url
    assert image_url("mailto:a@b.vn") is None


def test_clean_text_composes_and_rejects_hidden_characters() -> None:
    """Text is NFC without zero-width characters; control and direction characters are rejected with their position."""
    assert clean_line("  Ba\u0323n\u200b \n đọc\u00ad ") == "Bạn đọc"
    assert clean_text("a\r\nb\u2028c") == "a\nb\nc"
    for hostile, message in (
        ("a\0", "U+0000 at position 1"),
        ("\x1b[31m", "U+001B"),
        ("\u202egnp", "direction character U+202E"),
        ("\ud83d", "lone surrogate U+D83D"),
        ("\uffff", "U+FFFF"),
    ):
        with pytest.raises(TextError, match=re.escape(message)):
            clean_line(hostile)


def test_make_slug_and_fold_of_vietnamese() -> None:
    """đ is d in slugs and folds; Bán and Bạn stay two titles; a title without letters has a slug too."""
    assert make_slug("Đường Đê: Bạn & bán — 50%") == "duong-de-ban-ban-50"
    assert make_slug("Ba\u0323n đọc") == make_slug("Bạn đọc") == "ban-doc"
    assert make_slug("!!!") == make_slug("../../") == "bai-viet"
    assert re.match(r"^[a-z0-9-]{1,80}$", make_slug("Từ " * 200))
    assert re.match(r"^[a-z0-9-]{1,80}$", make_slug("аррlе" * 200))
    assert fold_diacritics("Đảng bộ") == fold_diacritics("đảng BỘ") == "dang bo"
    assert clean_line("Bán") != clean_line("Bạn")
