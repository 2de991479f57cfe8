"""Saved pages of the usual systems: their text is that of its box, with what stands above and below it."""

import pytest

from services.ingest.imports.item import ImportItem
from shared.articles import BulletList, Embed, Figure, Heading, Paragraph, Source
from tests.ingest.imports.samples import outcome, read_content

TITLE = "Khai hội làng Kiên Chính"
TEXT = "<p>Xã nghỉ lễ từ 30/4 đến hết 3/5.</p>"
OTHERS = (
    '<div class="news_column"><p class="h3"><strong>Những tin mới hơn</strong></p><ul class="related"><li><h4>'
    '<a href="/vi/news/hop-16.html">Họp mặt</a></h4><em>(12/03/2024)</em></li></ul></div></div>'
    '<div class="col-sm-8"><p>Văn bản mới</p><p>Thời gian đăng: 20/02/2024</p></div>'
)


def page(body: str, head: str = f"<title>{TITLE} - Xã</title>") -> ImportItem:
    content = f'<!DOCTYPE html><html lang="vi"><head>{head}<meta charset="utf-8"></head><body>{body}</body></html>'
    (item,) = read_content("a.html", content.encode())
    assert isinstance(item, ImportItem), item
    return item


def nukeviet(text: str = TEXT, above: str = "", below: str = "") -> ImportItem:
    """Return a page of NukeViet 4, as its template makes it."""
    head = (
        f'<title>{TITLE}</title><meta name="author" content="Cổng xã"><meta property="og:site_name" content="Cổng xã">'
        f'<meta property="og:title" content="{TITLE}"><meta property="article:published_time" '
        'content="2024-03-05+0715:30:00">'
    )
    return page(
        f'<div class="col-sm-16"><div class="news_column panel"><div class="panel-body"><h1 class="title">{TITLE}</h1>'
        '<div class="hidden hide d-none" itemprop="author"><span itemprop="name">Cổng xã</span></div>'
        f'<span class="h5">Thứ ba - 05/03/2024 15:30</span>{above}<div class="hometext">Hội mở lại sau ba năm.</div>'
        f'<div id="news-bodyhtml" class="bodytext margin-bottom-lg">{text}</div>{below}</div></div>{OTHERS}',
        head,
    )


def test_read_html_short_article_has_no_lists_of_other_news() -> None:
    """The text of a short notice of NukeViet is not filled up with the lists around it."""
    item = nukeviet()
    assert item.body == [Paragraph("Xã nghỉ lễ từ 30/4 đến hết 3/5.")]
    assert (item.title, item.lead) == (TITLE, "Hội mở lại sau ba năm.")
    assert str(item.published_at) == "2024-03-05 08:30:00+00:00"


def test_read_html_text_in_its_box_keeps_its_structure() -> None:
    """Numbered lists, headings, pictures in centred boxes and videos stay what they are."""
    text = (
        "<p>Hồ sơ gồm:</p><ol><li>Đơn;</li><li>Bản sao.</li></ol><h2>Thời gian</h2><p>Ba ngày.</p>"
        '<div style="text-align:center"><figure class="image"><img alt="" src="https://cu.example/a.jpg"><figcaption>'
        "Rước kiệu</figcaption></figure></div>"
        '<iframe src="https://www.youtube.com/embed/dQw4w9WgXcQ"></iframe>'
    )
    first, numbered, heading, last, picture, video = nukeviet(text).body
    assert (first, heading, last) == (Paragraph("Hồ sơ gồm:"), Heading("Thời gian", 2), Paragraph("Ba ngày."))
    assert isinstance(numbered, BulletList)
    assert numbered.ordered
    assert isinstance(picture, Figure)
    assert picture.caption == "Rước kiệu"
    assert isinstance(video, Embed)


def test_read_html_byline_source_and_files_below_the_text() -> None:
    """What stands below the text is carried over; the notice of the copyright is not."""
    item = nukeviet(
        below='<div class="list-group news-download-file"><a href="https://cu.example/?download=1" download>Tải về: '
        "<strong>ke-hoach.pdf</strong></a></div><div><p><strong>Tác giả: </strong>Trần Thị Lan</p>"
        '<p><strong>Nguồn tin: </strong>Báo Nam Định</p></div><div class="alert">Chú ý: Việc đăng lại bài viết</div>'
    )
    assert [one.name for one in item.authors] == ["Trần Thị Lan"]
    assert item.source == Source(name="Báo Nam Định", label="Nguồn tin")
    assert item.body[1:] == [Paragraph('<a href="https://cu.example/?download=1">Tải về: ke-hoach.pdf</a>')]


@pytest.mark.parametrize(
    "above",
    [
        '<div class="alert alert-warning">Chú ý: Bài viết này chưa được xuất bản, chỉ có những người có quyền</div>',
        '<div class="alert alert-info">Rất tiếc, bạn chưa được cấp quyền xem bài viết này.</div>',
        '<div class="node node--unpublished"></div>',
        '<div class="item-page system-unpublished"></div>',
    ],
)
def test_read_html_page_that_says_that_it_is_not_published_is_a_draft(above: str) -> None:
    """A page that somebody with an account has saved stays private if it says that it is."""
    assert (outcome(nukeviet()), outcome(nukeviet(above=above))) == ("public", "draft")


LONG = "Sáng 5/3, bà con các xã ven biển đã về dự hội làng rất đông, tại sân đình làng, theo ban tổ chức."


def test_read_html_buttons_and_related_news_in_the_box_are_no_text() -> None:
    """What a plugin or a newspaper puts into the box of the text is left out; the text around it is kept."""
    more = (
        '<div class="sharedaddy"><a href="/?s">Facebook</a></div><div class="box-tinlienquanv2"><p>Bài khác</p></div>'
    )
    item = page(f'<h1>{TITLE}</h1><div class="entry-content"><p>{LONG}</p>{more}<p>Hai.</p></div>')
    assert item.body == [Paragraph(LONG), Paragraph("Hai.")]


def test_read_html_relative_lead_picture_is_reported() -> None:
    """A picture above the text that has no host is a warning, unless it is an icon."""
    pictures = '<img src="/img/icon-clock.png"><div class="image-wrapper"><img src="/Data/hoi.jpg"></div>'
    item = page(f'<h1>{TITLE}</h1>{pictures}<div class="entry-content"><p>{LONG}</p></div>')
    (warning,) = (one for one in item.warnings if one.kind == "image")
    assert warning.message.startswith("a picture was left out: '/Data/hoi.jpg'")
