"""Pages of ASP.NET and of nested tables have their text; their forms for searching are left out."""

import pytest

from shared.articles import Paragraph
from tests.ingest.imports.samples import outcome, read_content

TEXT = "Sáng nay bà con các xã ven biển về dự hội làng rất đông, theo ban tổ chức. " * 3
MENU = '<div id="menu"><ul><li><a href="/">Trang chủ</a></li></ul></div>'

ASP_NET = (
    '<form id="aspnetForm"><input type="hidden" name="__VIEWSTATE" value="x"><table><tr><td>'
    f"<span>Hội làng</span></td></tr><tr><td><div><div>{TEXT}</div><div><br></div><div>{TEXT} Hai.</div></div>"
    "</td></tr></table></form>"
)


@pytest.mark.parametrize(
    "body",
    [
        ASP_NET,
        f'<form id="form1"><div><p>{TEXT}</p></div></form>',
        f"<table><tr><td>{MENU}</td><td><p>{TEXT}</p><p>{TEXT} Hai.</p></td></tr></table>",
    ],
)
def test_read_html_text_in_forms_and_tables_is_kept(body: str) -> None:
    """The text is that of the article, not that of the menu."""
    page = f"<html><head><title>Hội làng</title></head><body>{MENU}{body}</body></html>"
    (item,) = read_content("a.html", page.encode())
    assert isinstance(item.body[0], Paragraph)
    assert item.body[0].html.startswith("Sáng nay")


def test_read_html_counter_with_line_breaks() -> None:
    """The numbers of a counter may be in one box, separated by line breaks."""
    counter = "<div>Số lượt truy cập: 1.234.567<br>Đang online: 12</div>"
    (item,) = read_content("a.html", f"<html><body><h1>Hội làng</h1><p>{TEXT}</p><p>{TEXT}</p>{counter}".encode())
    assert item.counter.total == 1_234_567


def test_read_html_pages_of_a_crawl_that_are_no_articles() -> None:
    """The page of a section is a draft, and an error page is left out."""
    links = "".join(f'<li><a href="/{number}.html">Tin số {number} trong ngày</a></li>' for number in range(30))
    (page,) = read_content("index.html", f"<html><head><title>Tin</title></head><body><ul>{links}</ul></body>".encode())
    assert outcome(page) == "draft"
    (lost,) = read_content(
        "404.html", b"<html><head><title>404 Not Found</title></head><body><h1>404</h1><p>x</p></body>"
    )
    assert lost.reason == "it is an error page of the server"
