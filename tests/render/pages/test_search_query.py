"""Search: with and without diacritics, ranking, phrases, filters and typing errors."""

import re
import unicodedata
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from services.render.pages import search_query
from services.render.pages.search_query import excerpt, highlight, parse, words
from shared.articles import Paragraph
from shared.text import fold_diacritics


async def titles(portal: Any, query: str, more: str = "") -> list[str]:
    page = (await portal.get(f"/tim-kiem?q={quote(query)}{more}")).text
    found = re.findall(r'<h2><a href="/[^"]+">(.*?)</a></h2>', page.split("<main", 1)[1])
    return [re.sub("<[^>]+>", "", title) for title in found]


async def test_search_ignores_diacritics_and_ranks_exact_matches_first(portal: Any) -> None:
    """A query without diacritics finds every spelling; with diacritics, exact matches come first."""
    await portal.add(1, title="Bạn đọc viết")
    await portal.add(2, title="Bán đấu giá")
    await portal.add(3, title="Đảng bộ huyện", body=[Paragraph("Các bạn đoàn viên")])
    assert set(await titles(portal, "ban")) == {"Bạn đọc viết", "Bán đấu giá", "Đảng bộ huyện"}
    assert (await titles(portal, "bạn"))[-1] == "Bán đấu giá"
    assert (await titles(portal, "bạn"))[0] == "Bạn đọc viết"
    assert (await titles(portal, "Bán"))[0] == "Bán đấu giá"
    for query in ("dang bo", "đảng bộ", "ĐẢNG BỘ", "Da\u0309ng bo\u0323\u0302", "Đảng bộ"):
        assert (await titles(portal, query))[0] == "Đảng bộ huyện", query


async def test_search_for_phrases_and_exclusions(portal: Any) -> None:
    """Quoted words stand together, a word after a minus is not there, and words that stand together come first."""
    await portal.add(1, title="Hội nghị", body=[Paragraph("Chợ phiên Cồn đông vui")])
    await portal.add(2, title="Lễ hội", body=[Paragraph("Phiên họp bàn về chợ")])
    assert await titles(portal, '"chợ phiên"') == ["Hội nghị"]
    assert await titles(portal, "“chợ phiên”") == ["Hội nghị"]
    assert await titles(portal, "chợ phiên") == ["Hội nghị", "Lễ hội"]
    assert await titles(portal, "chợ phiên -họp") == ["Hội nghị"]
    assert await titles(portal, "-họp") == []


async def test_search_for_a_phrase_in_the_title(portal: Any) -> None:
    """Words of a phrase that stand apart in a title are no find; long and excluded phrases are exact."""
    await portal.add(1, title="Phiên họp ở chợ", body=[Paragraph("Chợ lớn, phiên sau")])
    await portal.add(2, title="Họp chợ phiên cồn")
    await portal.add(3, title="Chợ phiên", body=[Paragraph("Họp chợ cồn. Phiên cồn, họp chợ phiên")])
    assert await titles(portal, '"chợ phiên"') == ["Chợ phiên", "Họp chợ phiên cồn"]
    assert await titles(portal, '"họp chợ phiên cồn"') == ["Họp chợ phiên cồn"]
    assert await titles(portal, 'họp -"phiên cồn"') == ["Phiên họp ở chợ"]
    assert await titles(portal, '"chợ phiên" -"phiên cồn"', "&chuyen-muc=tin-tuc") == []
    assert await titles(portal, '"chợ phiên" -lớn họp') == ["Họp chợ phiên cồn", "Chợ phiên"]
    assert await titles(portal, '"chợ phiên"', "&sap-xep=ngay") == ["Chợ phiên", "Họp chợ phiên cồn"]


async def test_search_for_frequent_words_finds_the_same(portal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few finds are ordered and many are looked through: both ways have the same results in the same order."""
    for number in range(1, 41):
        words = "muối mặn" if number % 3 else "mặn muối"
        await portal.add(number, title=f"Tin {number}", body=[Paragraph(f"Ruộng {words} vụ {number}")])
    queries = ("muối", '"muối mặn"', '"ruộng muối mặn"', "muoi -man", "ruộng muối", '"ruộng mặn muối vụ"')
    few = [[await titles(portal, query, f"&trang={page}") for page in (1, 2)] for query in queries]
    monkeypatch.setattr(search_query, "SMALL_RESULT_MAX", 5)
    assert [[await titles(portal, query, f"&trang={page}") for page in (1, 2)] for query in queries] == few
    assert few[0] == [[f"Tin {number}" for number in range(top, top - 10, -1)] for top in (40, 30)]


async def test_search_filters_and_order(portal: Any) -> None:
    """Section and local days narrow a search; by date the newest come first; all pages together hold all, once."""
    for number in range(1, 26):
        await portal.add(number, title=f"Tin muối {number}", section="van-hoa" if number % 5 == 0 else "tin-tuc")
    await portal.add(30, title="Chuyện khác", body=[Paragraph("muối " * 30)])
    assert len(await titles(portal, "muối", "&chuyen-muc=van-hoa")) == 5
    assert await titles(portal, "muối", "&tu=2100-01-01") == []
    assert await titles(portal, "muối", "&den=2000-01-01") == []
    assert (await titles(portal, "muối", "&sap-xep=ngay"))[0] == "Chuyện khác"
    for order in ("", "&sap-xep=ngay"):
        found = [title for page in "123" for title in await titles(portal, "muối", f"{order}&trang={page}")]
        assert len(found) == len(set(found)) == 26
    assert "26 kết quả" in (await portal.get("/tim-kiem?q=mu%E1%BB%91i")).text


async def test_search_with_typing_errors_offers_similar_titles(portal: Any) -> None:
    """When nothing fits, the nearest titles are shown and said to be that; nonsense finds nothing."""
    await portal.add(1, title="Thư viện lưu động")
    page = (await portal.get("/tim-kiem?q=thu+vein")).text
    assert "Gần giống nhất" in page
    assert await titles(portal, "thu vein") == ["Thư viện lưu động"]
    assert await titles(portal, "qqqxxzz") == []
    assert "Không tìm thấy" in (await portal.get("/tim-kiem?q=qqqxxzz")).text


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
        ("Phố Strasse 5", "straße", "Phố <mark>Strasse</mark> 5"),
        ("Từ İstanbul về", "istanbul ve", "Từ <mark>İstanbul</mark> <mark>về</mark>"),
        ("Từ Istanbul về", "İstanbul", "Từ <mark>Istanbul</mark> về"),
        (unicodedata.normalize("NFD", "Đổi mới"), "doi", f"<mark>{unicodedata.normalize('NFD', 'Đổi')}</mark> "),
    ],
)
def test_highlight_keeps_the_spelling(text: str, query: str, shown: str) -> None:
    """A word is marked as it is written, though folding makes it longer or shorter."""
    assert highlight(text, parse(query)).startswith(shown)


@given(st.text(max_size=80))
def test_highlight_adds_nothing_but_marks(text: str) -> None:
    """Without its marks, a highlighted text is the text."""
    terms = parse(text)
    assert unescape(highlight(text, terms).replace("<mark>", "").replace("</mark>", "")) == unescape(escape(text))


def test_every_folded_letter_is_still_a_word() -> None:
    """What a search takes for a word is one after folding too, so that Postgres gets no other characters."""
    for code in range(0x30000):
        folded = "".join(map(fold_diacritics, words(chr(code))))
        assert folded.isalnum() or not words(chr(code)), hex(code)


@given(st.text(alphabet="ab đ\"-“”\x00!&|<>()'\\:*", max_size=60))
def test_parse_of_any_query_has_only_words_and_known_operators(query: str) -> None:
    """Whatever is typed, Postgres gets words, our own operators and nothing else."""
    terms = parse(query)
    if terms is not None:
        for built in (terms.folded, terms.indexed or terms.folded):
            assert re.fullmatch(r"(!?\(\w+( <-> \w+)*\))( & !?\(\w+( <-> \w+)*\))*", built)
        assert str(highlight(query, terms)).count("<mark>") == str(highlight(query, terms)).count("</mark>")


def test_excerpt_is_where_the_words_are() -> None:
    """An excerpt holds the words, is cut between words and says where it was cut."""
    terms = parse("muối sớm")
    assert terms
    text = excerpt(["đầu " * 200 + "vụ muối sớm " + "sau " * 200], terms)
    assert text.startswith("…")
    assert text.endswith("…")
    assert "muối sớm" in text
    assert len(text) < 300
