"""Title, lead, date and author of saved pages are those of the article, not of the portal."""

import pytest

from services.ingest.imports.item import ImportItem
from tests.ingest.imports.samples import read_content

TITLE = "Khai hội làng Kiên Chính"
LONG = "Sáng 5/3, bà con các xã ven biển đã về dự hội làng rất đông, tại sân đình làng, theo ban tổ chức."
LEAD = "Hội mở lại sau ba năm."
MORE = f"<p>{LONG}</p><p>Hai: {LONG}</p><p>Ba: {LONG}</p><p>Bốn: {LONG}</p>"
LIFERAY = f"""<title>Chi tiết - Cổng thông tin</title></head><body><div class="detailBlogs"><div class="title">
<h2>{TITLE}</h2><span>05/03/2024 15:30:00</span></div><div class="description"><h4>{LEAD}</h4></div>
<div class="contentBlogs">{MORE}</div></div>"""
MOJO = f"""<title>{TITLE} - Trường</title></head><body><div class="main"><h2 class="articletitle">{TITLE}</h2>
<div class="more"><span>05/03/2024 15:30 |&nbsp;Đã xem: <span class="texthit">12</span></span></div>
<div class="sapo">{LEAD}</div><div><div class="articletext" id="article_text">{MORE}</div></div></div>"""
SHAREPOINT = f"""<title>\n\t{TITLE}\n</title></head><body><form id="aspnetForm">
<input type="hidden" name="__VIEWSTATE" value="x"><h1 id="pageTitle">Tin tức sự kiện</h1><div class="news-detail">
<h3 class="article-title">{TITLE}</h3><div class="article-date">05/03/2024 3:30 CH</div>
<div class="ms-rtestate-field">{LEAD}</div><div><div class="ms-rtestate-field">{MORE}</div></div></div></form>"""
PORTAL = f"""<title>Cổng TTĐT huyện</title></head><body><div class="Around"><div class="News_Title">{TITLE}</div>
<div class="News_Date">Thứ ba, 05/03/2024 | 15:30</div><div class="News_Lead">{LEAD}</div>
<div class="News_Content">{MORE}</div></div>"""
DRUPAL = f"""<title>{TITLE} | Sở</title></head><body><h1>{TITLE}</h1><article><footer>
<span class="field--name-created">Thứ Ba, 03/05/2024 - 15:30</span></footer><div class="lead">{LEAD}</div>
<div class="field field--name-body">{MORE}</div></article>"""
BLOGGER = f"""<title>{TITLE} - Làng tôi</title></head><body><div class="post hentry">
<h3 class="post-title entry-title">{TITLE}</h3><p class="sapo">{LEAD}</p><div class="post-body entry-content"
itemprop="articleBody">{MORE}</div><abbr class="published" title="2024-03-05T15:30:00+07:00">15:30</abbr></div>"""


def page(body: str, head: str = f"<title>{TITLE} - Xã</title>") -> ImportItem:
    content = f'<!DOCTYPE html><html lang="vi"><head>{head}<meta charset="utf-8"></head><body>{body}</body></html>'
    (item,) = read_content("a.html", content.encode())
    assert isinstance(item, ImportItem), item
    return item


@pytest.mark.parametrize("content", [LIFERAY, MOJO, SHAREPOINT, PORTAL, DRUPAL, BLOGGER])
def test_read_html_title_lead_and_date_of_portals_are_those_of_the_article(content: str) -> None:
    """Titles and dates are those beside the text, not those that all pages of a portal have."""
    (item,) = read_content("a.html", f"<html><head><meta charset='utf-8'>{content}</body></html>".encode())
    at = item.published_at.replace(hour=15, tzinfo=None) if item.published_at.tzinfo else item.published_at
    assert (item.title, item.lead, str(at)) == (TITLE, LEAD, "2024-03-05 15:30:00")
    assert [one.html[-len(LONG) :] for one in item.body] == [LONG] * 4


def test_read_html_author_in_the_markup_of_a_theme_is_the_byline() -> None:
    """The link to the author's page is the byline; a login that many have is not."""
    for name, expected in (("Trần Thị Lan", ["Trần Thị Lan"]), ("admin", [])):
        shown = f'<span class="post-author">Bởi <a href="/author/1/">{name}</a></span>'
        item = page(f'<h1>{TITLE}</h1>{shown}<div class="entry-content"><p>{LONG}</p></div>')
        assert [one.name for one in item.authors] == expected


def test_read_html_long_lead_beside_the_box_is_not_lost() -> None:
    """A lead of more than the limit is still in the article, which gets it as its first paragraph."""
    item = page(f'<h1>{TITLE}</h1><div class="sapo">{LONG * 12}</div><div class="entry-content"><p>{LONG}</p></div>')
    assert item.lead == LONG * 12
