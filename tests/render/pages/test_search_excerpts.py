"""Which part of an article a result shows, and which of its words are highlighted."""

import unicodedata
from html import unescape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from services.render.pages.search_excerpts import excerpt, highlight, matching_tags
from services.render.pages.search_query import parse
from shared.articles import Paragraph


async def test_results_are_highlighted_and_escaped(portal: Any) -> None:
    """The words are marked in title and excerpt as they are written there; markup of any origin stays text."""
    await portal.add(
        1, title="Đổi <b>mới</b>", lead="", body=[Paragraph("đầu " * 300 + "đổi mới &lt;script&gt; " + "sau " * 99)]
    )
    page = (await portal.get("/tim-kiem?q=doi+moi+%3Cscript%3E")).text
    assert "<mark>Đổi</mark> &lt;b&gt;<mark>mới</mark>&lt;/b&gt;" in page
    assert "<mark>đổi</mark> <mark>mới</mark> &lt;<mark>script</mark>&gt;" in page
    assert "<script>" not in page.split("<main", 1)[1]


@pytest.mark.parametrize(
    ("text", "query", "shown"),
    [
        ("Phố Straße 5", "strasse", "Phố <mark>Straße</mark> 5"),
        ("Phố Straße, Strasse", "straße", "Phố <mark>Straße</mark>, Strasse"),
        ("Từ İstanbul về", "istanbul ve", "Từ <mark>İstanbul</mark> <mark>về</mark>"),
        ("Từ Istanbul về", "İstanbul", "Từ <mark>Istanbul</mark> về"),
        (unicodedata.normalize("NFD", "Đổi mới"), "doi", f"<mark>{unicodedata.normalize('NFD', 'Đổi')}</mark> "),
        (unicodedata.normalize("NFD", "Đổi đời"), "đổi", f"<mark>{unicodedata.normalize('NFD', 'Đổi')}</mark> "),
        ("Hoà bình, hòa giải, hỏa", "hòa", "<mark>Hoà</mark> bình, <mark>hòa</mark> giải, hỏa"),
        ("Thị trấn một năm", "Trần Nam", "Thị trấn một năm"),
        ("Thị trấn một năm", "tran nam", "Thị <mark>trấn</mark> một <mark>năm</mark>"),
        ("Thu 1.234.567 đồng", "1234567", "Thu <mark>1.234.567</mark> đồng"),
    ],
)
def test_highlight_of_words_follows_the_diacritics_typed(text: str, query: str, shown: str) -> None:
    """With diacritics, a word is marked where it is written so, in any spelling; without, wherever it is."""
    assert highlight(text, parse(query)).startswith(shown)


@given(st.text(max_size=80))
def test_highlight_adds_nothing_but_marks(text: str) -> None:
    """Without its marks, a highlighted text is the text."""
    terms = parse(text)
    assert unescape(highlight(text, terms).replace("<mark>", "").replace("</mark>", "")) == unescape(escape(text))


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("chợ", ["Chợ quê", "Chợ phiên"]),
        ("chợ phiên", ["Chợ phiên"]),
        ("cho phien", ["Chợ phiên"]),
        ("cho que", ["Chợ quê"]),
        ("x", []),
    ],
)
def test_matching_tags_have_the_words_of_the_query(query: str, shown: list[str]) -> None:
    """A tag is shown with two words of the query, or with its only one, as typed."""
    assert matching_tags(["Chợ quê", "Chợ phiên", "Khác"], parse(query)) == shown


def test_excerpt_is_where_the_words_are() -> None:
    """An excerpt has the words, is cut between words and says where it was cut."""
    terms = parse("muối sớm")
    assert terms
    text = excerpt(["đầu " * 200 + "vụ muối sớm " + "sau " * 200], [], terms)
    assert text.startswith("…")
    assert text.endswith("…")
    assert "muối sớm" in text
    assert len(text) < 300


def test_excerpt_prefers_different_words_and_the_spelling_typed() -> None:
    """A place with both words wins over one with the same word often, and one as typed over one that folds alike."""
    terms = parse("muối sớm")
    assert terms
    assert "muối sớm" in excerpt(["muối " * 30 + "đầu " * 200 + "vụ muối sớm. " + "sau " * 200], [], terms)
    assert "muối sớm" in excerpt(["mười sơm muôi " + "đầu " * 200 + "vụ muối sớm. " + "sau " * 200], [], terms)
    assert "mười" in excerpt(["đầu " * 200 + "muời mười"], [], parse("muội") or terms)


def test_excerpt_joins_lines_by_a_separator_unless_they_end() -> None:
    """A heading does not run into the paragraph below it; captions are shown alone, if only they have the words."""
    terms = parse("muối")
    assert terms
    assert excerpt(["Kết quả", "Được mùa muối.", "Giá tăng."], ["Ảnh"], terms) == "Kết quả · Được mùa muối. Giá tăng."
    assert excerpt(["Kết quả."], ["Ảnh: ruộng muối", "Lan"], terms) == "Ảnh: ruộng muối · Lan"
    assert excerpt([], [], terms) == ""
