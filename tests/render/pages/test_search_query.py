"""Search: with and without diacritics, ranking, phrases, filters and typing errors."""

import re
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.render.pages.search_query import parse
from services.render.site import search_reader
from shared.articles import Figure, Paragraph


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
    monkeypatch.setattr(search_reader, "SMALL_RESULT_MAX", 5)
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


async def test_search_for_a_title_finds_it_first_however_old(portal: Any) -> None:
    """An article whose title is the query comes before newer ones that have its words in their titles or texts."""
    await portal.add(1, title="Nước sạch")
    for number in range(2, 250):
        await portal.add(number, title=f"Nước sạch về thôn {number}", body=[Paragraph("Nước sạch. " * 5)])
    for query in ("Nước sạch", "nuoc sach", "NƯỚC SẠCH"):
        assert (await titles(portal, query))[0] == "Nước sạch"


async def test_search_ranks_titles_before_tags_and_shows_the_tags(portal: Any) -> None:
    """A tag counts less than a title, and is shown where it is why the article was found."""
    await portal.add(1, title="Chợ phiên Cồn")
    await portal.add(2, title="Hội nghị tháng", tags=["Chợ phiên", "Khác"])
    await portal.add(3, title="Bản tin", body=[Paragraph("Có một phiên chợ")])
    assert await titles(portal, "chợ phiên") == ["Chợ phiên Cồn", "Hội nghị tháng", "Bản tin"]
    page = (await portal.get("/tim-kiem?q=ch%E1%BB%A3+phi%C3%AAn")).text
    assert '<a href="/tag/cho-phien/"><mark>Chợ</mark> <mark>phiên</mark></a></p>' in page
    assert page.count('class="found-tags"') == 1
    assert "/tag/khac/" not in page


async def test_search_with_diacritics_prefers_and_marks_what_is_typed(portal: Any) -> None:
    """Of a name with diacritics, other words that fold alike are neither first nor highlighted."""
    await portal.add(1, title="Thủ khoa", lead="Em Trần Nam vừa đỗ thủ khoa.")
    await portal.add(2, title="Thị trấn một năm nhìn lại", lead="Năm qua, thị trấn đổi thay.")
    assert (await titles(portal, "Trần Nam"))[0] == "Thủ khoa"
    page = (await portal.get("/tim-kiem?q=Tr%E1%BA%A7n+Nam")).text
    assert "Em <mark>Trần</mark> <mark>Nam</mark> vừa" in page
    assert "<mark>trấn</mark>" not in page
    assert "<mark>trấn</mark>" in (await portal.get("/tim-kiem?q=tran+nam")).text


async def test_search_for_numbers_ignores_their_separators(portal: Any) -> None:
    """A number is found with and without separators of thousands, and as a part of another number it is not."""
    await portal.add(1, title="Ngân sách", lead="Thu 1.234.567 triệu đồng.")
    await portal.add(2, title="Khác", lead="Chi 234 triệu, điện thoại 0228.234.567.")
    for query in ("1.234.567", "1234567", "1,234,567"):
        assert await titles(portal, query) == ["Ngân sách"], query
    assert "<mark>1.234.567</mark>" in (await portal.get("/tim-kiem?q=1234567")).text


async def test_search_for_abbreviation_finds_its_full_form_too(portal: Any) -> None:
    """An abbreviation and what it stands for find each other, and both are highlighted."""
    await portal.add(1, title="Ủy ban nhân dân huyện họp")
    await portal.add(2, title="UBND xã trả lời")
    for query in ("UBND", "uy ban nhan dan", "Uỷ ban nhân dân"):
        assert set(await titles(portal, query)) == {"Ủy ban nhân dân huyện họp", "UBND xã trả lời"}, query
    page = (await portal.get("/tim-kiem?q=UBND")).text
    assert "<mark>Ủy</mark> <mark>ban</mark> <mark>nhân</mark> <mark>dân</mark> huyện" in page
    assert await titles(portal, '"ban nhân dân huyện"') == ["Ủy ban nhân dân huyện họp"]


async def test_search_for_a_question_finds_its_answer(portal: Any) -> None:
    """Question words need not be in the answer; what has most of the words is offered if nothing has all of them."""
    await portal.add(1, title="Đăng ký khai sinh", lead="Cha mẹ đăng ký khai sinh cho con qua mạng.")
    await portal.add(2, title="Họp tổ dân phố", lead="Làm thế nào để con em đều được đến trường.")
    question = "làm thế nào để đăng ký khai sinh cho con?"
    assert await titles(portal, question) == ["Đăng ký khai sinh"]
    assert await titles(portal, "đăng ký khai sinh cần mang theo bản chụp gì") == ["Đăng ký khai sinh"]
    page = (await portal.get(f"/tim-kiem?q={quote('đăng ký khai sinh qua bưu tá')}")).text
    assert "Gần giống nhất" in page


async def test_search_never_offers_what_it_excludes(portal: Any) -> None:
    """Neither results nor the nearest have an excluded word; one with diacritics excludes only what is written so."""
    await portal.add(1, title="Xây dựng nông thôn mới")
    await portal.add(2, title="Xây dựng nông thôn mỗi ngày")
    assert await titles(portal, "nông thôn -mới") == ["Xây dựng nông thôn mỗi ngày"]
    assert await titles(portal, "nông thôn -moi") == []
    assert await titles(portal, "xây dựng nông thônn -mới") == ["Xây dựng nông thôn mỗi ngày"]
    assert await titles(portal, "nông thôn -mới", "&sap-xep=ngay") == ["Xây dựng nông thôn mỗi ngày"]


async def test_search_result_keeps_captions_out_of_the_prose(portal: Any) -> None:
    """An excerpt is of the text alone, with a separator after a heading; of a caption if only that has the words."""
    body = [Paragraph("Bà con gieo cấy"), Figure("Ảnh: máy cấy trên đồng"), Paragraph("Vụ này được mùa.")]
    await portal.add(1, title="Tin", lead="", body=body, source=None)
    page = (await portal.get(f"/tim-kiem?q={quote('gieo cấy mùa')}")).text
    assert "Bà con <mark>gieo</mark> <mark>cấy</mark> · Vụ này được <mark>mùa</mark>." in page
    page = (await portal.get("/tim-kiem?q=m%C3%A1y")).text
    assert "Ảnh: <mark>máy</mark> cấy trên đồng" in page


async def test_search_during_an_upgrade_reads_rows_of_the_former_version(portal: Any) -> None:
    """Rows that the former builder wrote are found by words, phrases and similar titles until they are rebuilt."""
    await portal.add(1, title="Chợ phiên Cồn", lead="Đông vui", tags=["Lễ hội"])
    await portal.pool.execute(
        """UPDATE render.search SET title = 'cho phien con',
            title_words = to_tsvector('simple', 'cho phien con le hoi'),
            words = setweight(to_tsvector('simple', 'cho phien con le hoi'), 'A') || to_tsvector('simple', 'dong vui'),
            pairs = array_to_tsvector(ARRAY['cho phien', 'phien con', 'con le', 'le hoi', 'dong vui']),
            marked_words = to_tsvector('simple', 'chợ phiên cồn lễ hội đông vui')"""
    )
    for query in ("chợ phiên Cồn", "cho phien con", '"chợ phiên"', "đông vui", "chợ phienn cồn", "lễ hội"):
        assert await titles(portal, query) == ["Chợ phiên Cồn"], query


@given(st.text(alphabet="ab đ\"-“”\x00!&|<>()'\\:*1.", max_size=60))
def test_parse_of_any_query_has_only_words_and_known_operators(query: str) -> None:
    """Whatever is typed, Postgres gets quoted words, our own operators and nothing else."""
    terms = parse(query)
    if terms is not None:
        for built in (terms.folded, terms.indexed or terms.folded):
            assert re.fullmatch(r"\(?!?\(?'\w+'( <-> '\w+')*\)?( & !?\(?'\w+'( <-> '\w+')*\)?)*", built), built


@pytest.mark.parametrize(
    ("query", "required"),
    [
        ("UBND huyện", "ubnd huyen"),
        ("uy ban nhan dan huyen", "ubnd huyen"),
        ('"ủy ban nhân dân"', "uy ban nhan dan"),
        ("làm thế nào để đăng ký khai sinh cho con?", "dang ki khai sinh con"),
        ("lam the nao de dang ky khai sinh", "dang ki khai sinh"),
        ("giá bán lẻ xăng dầu", "gia ban le xang dau"),
        ("vì sao?", "vi sao"),
        ("thế nào là tốt", "tot"),
        ("chợ -mới", "cho"),
    ],
)
def test_parse_of_query_requires_the_words_that_an_answer_has(query: str, required: str) -> None:
    """Question words are not required, and a full form is one word; a query of nothing else keeps its words."""
    terms = parse(query)
    assert terms
    assert " ".join(terms.required) == required
