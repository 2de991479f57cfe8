"""The date of a saved page is that of its article, not that of today, which portals show above it."""

import pytest

from tests.ingest.imports.samples import read_content

TEXT = "Sáng nay bà con các xã ven biển về dự hội làng rất đông, theo ban tổ chức. " * 3


@pytest.mark.parametrize(
    ("above", "below", "expected"),
    [
        ('<div class="date">Hôm nay: 29/11/2026</div>', '<div class="date">04/03/2020</div>', "2020-03-04 00:00"),
        ('<div id="clock" class="time">Chủ nhật, 29/11/2026</div>', "", None),
        ('<header><span class="date">29/11/2026</span></header>', "", None),
        ("", '<div class="post-date">4 tháng 3, 2020</div>', "2020-03-04 00:00"),
        ("", '<span class="NgayDang">Cập nhật: 04/03/2020 3:30:00 CH</span>', "2020-03-04 15:30"),
    ],
)
def test_read_html_date_is_that_of_the_article(above: str, below: str, expected: str | None) -> None:
    """The date after the title is taken; one of a clock or of the head of the page never."""
    page = f"<html><body>{above}<div><h1>Hội làng</h1>{below}<p>{TEXT}</p><p>{TEXT} Hai.</p></div></body></html>"
    (item,) = read_content("a.html", page.encode())
    assert (item.published_at and f"{item.published_at:%Y-%m-%d %H:%M}") == expected


def test_read_html_date_fields_of_other_vocabularies() -> None:
    """Dublin Core and microdata name the date as well."""
    for field in (
        '<meta name="DC.date.issued" content="2020-03-04">',
        '<meta itemprop="datePublished" content="2020-03-04">',
    ):
        page = f"<html><head>{field}</head><body><h1>Hội làng</h1><p>{TEXT}</p><p>{TEXT} Hai.</p></body></html>"
        (item,) = read_content("a.html", page.encode())
        assert f"{item.published_at:%Y-%m-%d %H:%M}" == "2020-03-04 00:00"
