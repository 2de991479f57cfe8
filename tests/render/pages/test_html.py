"""State → pages: pure, escaped, whole."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from services.render.pages.dates import local_date
from services.render.pages.html import render_article, render_home, render_list
from services.render.pages.page_data import HomePage, ListInfo, ListPage, RelatedArticles, SectionBlock
from shared.articles import (
    Article,
    Author,
    BulletList,
    Cell,
    Crop,
    Embed,
    Figure,
    File,
    Heading,
    Image,
    Item,
    Paragraph,
    Quote,
    Rendition,
    Source,
    Table,
    is_public,
)
from shared.sites import Section, Site
from shared.structured_data import summary

URL = "https://haihau.example"
NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
SITE = Site(
    slug="haihau",
    name="Hải Hậu",
    origins=[URL],
    timezone="Asia/Ho_Chi_Minh",
    sections=[Section("tin-tuc", "Tin tức")],
    agency="UBND huyện Hải Hậu",
)
ARTICLE = Article(
    id="a-1",
    number=7,
    site="haihau",
    version=3,
    state="published",
    title="Đổi mới ở Hải Hậu",
    slug="doi-moi-o-hai-hau",
    section="tin-tuc",
    language="vi",
    lead="Phần dẫn.",
    body=[
        Figure(caption="Trồng cây đầu xuân."),
        Paragraph(html="Đoạn <em>một</em>."),
        Heading(html="Mục nhỏ"),
        Figure(caption="Có ảnh", image=Image("/media/x.webp", "Mô tả ảnh", 640, 480), credit="Trần Nam"),
    ],
    source=Source(name="Báo Nam Định"),
    modified_at=NOW,
    first_published_at=NOW,
    published_at=NOW,
)


def page_of(article: Article, site: Site = SITE, url: str = URL) -> str:
    return render_article(article, RelatedArticles(), site, url).body.decode()


def list_of(article: Article) -> str:
    of = ListInfo("/tin-tuc/", "Tin tức", "section", SITE.sections[0])
    return render_list(of, ListPage([article]), SITE, URL).body.decode()


def home_of(article: Article) -> str:
    return render_home(
        HomePage(article, [article], [SectionBlock(SITE.sections[0], [article])]), SITE, URL
    ).body.decode()


def changed(**fields: object) -> Article:
    return msgspec.structs.replace(ARTICLE, **fields)


def test_article_page_shows_all_parts() -> None:
    """Title, section, date, lead, body, figures, source, counter and article id are on the page."""
    page = page_of(ARTICLE)
    for part in (
        "<h1>Đổi mới ở Hải Hậu</h1>",
        "Thứ Ba, 24/11/2026 10:00",
        '<p class="lead">Phần dẫn.</p>',
        "<p>Đoạn <em>một</em>.</p>",
        "<h2>Mục nhỏ</h2>",
        'alt="Mô tả ảnh" width="640" height="480"',
        "Trồng cây đầu xuân.",
        "Trần Nam",
        "Theo Báo Nam Định",
        '<access-counter site="haihau"',
        'presstally:article" content="a-1"',
        'rel="canonical" href="https://haihau.example/doi-moi-o-hai-hau-7.html"',
        'href="/tin-tuc/" aria-current="true"',
        "UBND huyện Hải Hậu",
    ):
        assert part in page, part


def test_render_article_of_the_same_state_gives_the_same_bytes() -> None:
    """Rendering twice gives one ETag; another title, another one."""
    page = render_article(ARTICLE, RelatedArticles(), SITE, URL)
    again = render_article(ARTICLE, RelatedArticles(), SITE, URL)
    assert (again.body, again.checksum, again.encoded("gzip")) == (page.body, page.checksum, page.encoded("gzip"))
    assert render_article(changed(title="Khác"), RelatedArticles(), SITE, URL).checksum != page.checksum


def test_tracker_counts_localhost_only_for_a_local_site() -> None:
    """A page tells the tracker to count on localhost if its canonical address is on this machine."""
    assert '<script defer src="/t.js" data-site="haihau"></script>' in page_of(ARTICLE)
    for here in ("http://localhost:8080", "http://127.0.0.1", "http://[::1]:9000"):
        assert 'data-site="haihau" data-local></script>' in page_of(ARTICLE, url=here)
    assert "data-local" not in page_of(ARTICLE, url="https://localhost.example")


def test_unknown_date_is_not_shown() -> None:
    """An article with an unknown date shows no date."""
    assert "<time" not in page_of(changed(published_at=None))


def test_hostile_text_is_escaped_everywhere() -> None:
    """A title, lead, caption or source that looks like markup stays text on pages and in lists."""
    hostile = '"><script>alert(1)</script>'
    article = changed(title=hostile, lead=hostile, source=Source(name=hostile), body=[Figure(caption=hostile)])
    for page in (page_of(article), list_of(article), home_of(article)):
        assert "<script>alert" not in page


def test_pages_load_nothing_from_elsewhere() -> None:
    """Every script, style and image of a page is the portal's own."""
    for page in (page_of(ARTICLE), list_of(ARTICLE), home_of(ARTICLE)):
        loaded = re.findall(r'<(?:script|img|link rel="(?:stylesheet|icon)")[^>]+(?:src|href)="([^"]+)"', page)
        assert loaded
        assert all(url.startswith("/") and not url.startswith("//") for url in loaded)


def test_counts_are_never_part_of_a_page() -> None:
    """A page has an element for the counter and, without scripts, an image that is drawn on request."""
    for page in (page_of(ARTICLE), list_of(ARTICLE), home_of(ARTICLE)):
        found = re.search(r"<access-counter .*?</access-counter>", page, re.DOTALL)
        assert found
        assert "<strong>Thống kê truy cập</strong>" in found[0]
        image = re.search(r'<noscript><a href="([^"]+)"><img src="([^"]+)" height="80"', found[0])
        assert image
        assert image.groups() == ("/stats/haihau/counter.html", "/stats/haihau/counter.svg?show=all")
        assert "data-counter" not in page


def test_list_page_shows_its_articles() -> None:
    """A section's list has its name, and a link, date and summary of each article."""
    page = list_of(ARTICLE)
    assert '<a href="/doi-moi-o-hai-hau-7.html">Đổi mới ở Hải Hậu</a>' in page
    assert "Phần dẫn." in page
    assert 'rel="canonical" href="https://haihau.example/tin-tuc/"' in page


def test_summary_ends_at_a_word() -> None:
    """A long lead is cut between words."""
    short = summary(changed(lead="từ " * 200))
    assert len(short) <= 241
    assert short.endswith("từ…")


def test_dates_are_in_the_sites_zone_and_language() -> None:
    """An instant is written in the site's zone, in the site's language."""
    late = datetime(2026, 11, 24, 17, 30, tzinfo=UTC)
    assert local_date(late, ZoneInfo("Asia/Ho_Chi_Minh"), "vi") == "Thứ Tư, 25/11/2026 00:30"
    assert local_date(late, ZoneInfo("Europe/London"), "en") == "Tuesday, 24 November 2026 17:30"


def test_is_public_only_when_published_and_due() -> None:
    """Of all states only published is public, and not before its time."""
    states = ["draft", "in_review", "approved", "scheduled", "unpublished", "archived", "killed"]
    assert not any(is_public(changed(state=state), NOW) for state in states)
    assert is_public(ARTICLE, NOW)
    later = datetime(2027, 1, 1, tzinfo=UTC)
    assert not is_public(changed(first_published_at=later), NOW)
    assert not is_public(changed(embargo_until=later), NOW)
    assert not is_public(changed(unpublish_at=NOW), NOW)
    assert is_public(changed(unpublish_at=later, embargo_until=NOW), NOW)


def test_article_page_shows_every_kind_of_block() -> None:
    """Lists, quotes, tables, embeds, files and images with smaller copies are on the page, hostile text escaped."""
    hostile = '"><script>alert(1)</script>'
    copies = [
        Rendition("/media/a-320.jpg", 320, 240, "image/jpeg"),
        Rendition("/media/a-320.webp", 320, 240, "image/webp"),
    ]
    body = [
        BulletList([Item("một", [Item("một <em>rưỡi</em>")], ordered=True), Item("hai")]),
        Quote(["Lời người khác."], cite=hostile),
        Table([[Cell("Xã", header=True, colspan=2)], [Cell("Hải Anh"), Cell("1,2")]], caption=hostile),
        Embed("youtube", "dQw4w9WgXcQ", title=hostile),
        File("/media/x.pdf", hostile),
        Figure("Ảnh", Image("/media/a.jpg", hostile, 640, 480, renditions=copies)),
        Figure("Ảnh", Image("https://elsewhere.example/a.jpg", hostile)),
    ]
    page = page_of(changed(body=body, authors=[Author("Trần Nam", "Phóng viên")]))
    for part in (
        "<li>một<ol>",
        "<li>một <em>rưỡi</em></li>",
        "<blockquote>",
        '<th colspan="2">Xã</th>',
        'href="https://www.youtube.com/watch?v=dQw4w9WgXcQ"',
        'href="/media/x.pdf"',
        'srcset="/media/a-320.jpg 320w, /media/a.jpg 640w"',
        '<source type="image/webp" srcset="/media/a-320.webp 320w"',
        "Trần Nam (Phóng viên)",
        '<a href="https://elsewhere.example/a.jpg" rel="noopener">',
    ):
        assert part in page, part
    assert "<script>alert" not in page
    assert 'src="https://elsewhere' not in page


def test_old_article_message_decodes() -> None:
    """An article as the first version of the model wrote it is still read, and shown as it was."""
    old = {
        "id": "a-1",
        "number": 7,
        "site": "haihau",
        "version": 3,
        "state": "published",
        "title": "Cũ",
        "slug": "cu",
        "section": "tin-tuc",
        "language": "vi",
        "modified_at": "2026-11-24T03:00:00Z",
        "authors": [],
        "tags": [],
        "body": [
            {"type": "paragraph", "html": "Đoạn"},
            {"type": "figure", "caption": "Ảnh", "image": {"url": "/media/x", "alt": "x", "width": 1, "height": 2}},
        ],
        "first_published_at": "2026-11-24T03:00:00Z",
        "lead": "",
        "source": None,
        "published_at": None,
        "field_of_tomorrow": {"any": 1},
    }
    article = msgspec.json.decode(msgspec.json.encode(old), type=Article)
    assert is_public(article, NOW)
    assert '<img src="/media/x" alt="x" width="1" height="2" loading="lazy" class="tall">' in page_of(article)


def cropped_article() -> Article:
    """Return an article with a lead image that has crops, and a second one without."""
    crops = [
        Crop(
            ratio, f"/media/{name}.jpg", width, height, [Rendition(f"/media/{name}.avif", width, height, "image/avif")]
        )
        for ratio, name, width, height in (
            ("16:9", "wide", 1600, 900),
            ("3:2", "card", 640, 427),
            ("1:1", "square", 640, 640),
        )
    ]
    whole = Image("/media/whole.jpg", "Cổng chợ", 1600, 1200, media="0" * 64, crops=crops)
    return changed(lead_image=Figure("Cổng chợ", whole), body=[Figure("Hai", Image("/media/two.jpg", "Hai", 800, 600))])


def test_lists_and_share_cards_show_crops_around_the_focus_point() -> None:
    """Cards have the crop 3:2, the lead story and the share card 16:9, each in its size; the page has the whole."""
    one = cropped_article()
    listed, home, page = list_of(one), home_of(one), page_of(one)
    assert '<img src="/media/card.jpg" alt="" width="640" height="427"' in listed
    assert 'srcset="/media/card.avif 640w"' in listed
    assert "/media/whole.jpg" not in listed
    assert '<img src="/media/wide.jpg" alt="" width="1600" height="900"' in home
    assert '<meta property="og:image" content="' + URL + '/media/wide.jpg">' in page.replace(
        URL, "https://haihau.example"
    )
    assert '<meta property="og:image:width" content="1600"><meta property="og:image:height" content="900">' in page
    assert '<img src="/media/whole.jpg" alt="Cổng chợ" width="1600" height="1200"' in page


def test_image_without_crops_is_shown_whole_everywhere() -> None:
    """An article of before crops were made looks as it did: lists and share cards have the whole image."""
    one = changed(lead_image=Figure("Cũ", Image("/media/old.jpg", "Cũ", 1600, 1200)), body=[])
    for page in (list_of(one), home_of(one)):
        assert '<img src="/media/old.jpg" alt="" width="1600" height="1200"' in page
    assert '<meta property="og:image:width" content="1600"><meta property="og:image:height" content="1200">' in page_of(
        one
    )
