"""Format readers, from small files of each format, and hostile files."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.ingest.imports.detection import READERS, detect_format
from services.ingest.imports.item import (
    FormatError,
    ImportItem,
    UnreadableItem,
    html_to_blocks,
    parse_old_url,
    parse_time,
)
from services.ingest.imports.pipeline import ImportOptions, to_draft
from services.ingest.imports.readers.plain_text import SavedCounter
from shared.articles import Figure, Image, Paragraph, Source
from shared.sites import Section, Site

DATA = Path(__file__).parent.parent.parent / "data/imports"
SITE = Site(
    slug="mau",
    name="Mẫu",
    origins=["https://mau.example"],
    timezone="Asia/Ho_Chi_Minh",
    sections=[Section("tin-tuc", "Tin tức"), Section("thong-bao", "Thông báo")],
)


def read(name: str) -> list[Any]:
    content = (DATA / name).read_bytes()
    return list(READERS[detect_format(name, content)](content, name))


def options(kind: str, **more: Any) -> ImportOptions:
    return ImportOptions(site=SITE, format=kind, file_name="x", who="T", **more)


@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [
        ("wordpress.xml", "wxr", 2),
        ("feed.rss", "feed", 2),
        ("feed.atom", "feed", 1),
        ("ghost.json", "ghost", 2),
        ("nukeviet.json", "nukeviet", 2),
        ("ninjs.json", "ninjs", 1),
        ("bulk.ndjson", "ndjson", 3),
        ("trang.md", "markdown", 1),
        ("trang.html", "html", 1),
    ],
)
def test_each_format_is_detected_and_read(name: str, kind: str, count: int) -> None:
    """A format is detected from name and content; its items have an external ID, a title and a body."""
    assert detect_format(name, (DATA / name).read_bytes()) == kind
    items = [item for item in read(name) if isinstance(item, ImportItem)]
    assert len(items) == count
    assert all(item.external_id and item.title and item.body for item in items)
    assert len({item.external_id for item in items}) == count
    if kind != "ndjson":
        for item in items:
            assert to_draft(item, options(kind, section="thong-bao")).fields["section"] in ("tin-tuc", "thong-bao")


def test_read_wxr_posts() -> None:
    """Posts of a WordPress export have time, author, tags, image, old URL and views; scripts are removed."""
    post, draft = read("wordpress.xml")
    assert (post.title, post.lead, post.slug) == (
        "Trường làng & ngày khai giảng",
        "Bốn trăm học sinh tới lớp.",
        "truong-lang",
    )
    assert post.published_at == datetime(2019, 9, 5, 1, 30, tzinfo=UTC)
    assert (post.section, post.tags, post.views, post.old_urls) == (
        "tin-tuc",
        ["giáo dục"],
        1_234,
        ["/2019/09/truong-lang/"],
    )
    url = "https://cu.example/wp-content/uploads/trong.jpg"
    assert post.body == [
        Paragraph("Trống trường vang lên lúc bảy giờ."),
        Figure("Trống trường", Image(url, "Cái trống")),
    ]
    assert post.lead_image.image.url == "https://cu.example/wp-content/uploads/bia.jpg"
    assert (draft.is_public, draft.published_at, draft.old_urls) == (False, None, ["/?p=42"])
    assert draft.body == [Paragraph("Đoạn một."), Paragraph("Đoạn hai.")]


def test_read_feed_rss_and_atom() -> None:
    """RSS and Atom items have their content, or else their summary; times of any zone become UTC."""
    full, short = read("feed.rss")
    assert (full.lead, full.body, full.section) == (
        "Đồng đã đủ nước.",
        [Paragraph("Bà con xuống đồng từ sớm.")],
        "Thông báo",
    )
    assert full.published_at == datetime(2026, 2, 10, 1, 0, tzinfo=UTC)
    assert (short.lead, short.body) == ("", [Paragraph("Một câu.")])
    (entry,) = read("feed.atom")
    assert (entry.body, entry.lead) == ([Paragraph("Kè dài <strong>ba</strong> cây số.")], "Ba cây số kè đá.")


def test_read_ghost_posts() -> None:
    """Posts of a Ghost export have public tags, author, image and old URL."""
    post, draft = read("ghost.json")
    assert (post.lead, post.section, post.tags, post.old_urls) == (
        "Tết đến gần.",
        "tin-tuc",
        ["Tin tức"],
        ["/lang-hoa-vao-vu/"],
    )
    assert post.body == [Paragraph("Hoa nở sớm."), Figure("Luống hoa cúc")]  # the URL of the image is unknown
    assert (post.lead_image.caption, post.lead_image.image.alt) == ("Cánh đồng hoa", "Cánh đồng hoa")
    assert not draft.is_public


def test_read_nukeviet_tables() -> None:
    """Articles of NukeViet tables have source, tags, views and both old URLs; a row without text is unreadable."""
    article, draft, lost = read("nukeviet.json")
    assert (article.views, article.tags) == (5_678, ["cầu"])
    assert article.source == Source("Báo Nam Định", url="https://bao.example/")
    assert article.old_urls == [f"{start}/news/tin-tuc/Thong-xe-cau-lang-15.html" for start in ("/vi", "")]
    assert article.published_at == datetime(2019, 3, 1, 2, 0, tzinfo=UTC)
    assert (draft.is_public, draft.published_at) == (False, None)
    assert isinstance(lost, UnreadableItem)


def test_read_ninjs_item() -> None:
    """A ninjs item has headline, summary, body, subjects, source and its widest image."""
    (item,) = read("ninjs.json")
    assert (item.title, item.lead, item.section, item.tags) == (
        "Muối được mùa",
        "Nắng đều cả tháng.",
        "Tin tức",
        ["muối"],
    )
    assert (item.source, item.lead_image.image.url) == (Source("Bản tin mẫu"), "https://cu.example/muoi.jpg")


def test_read_ndjson_each_line_is_item_or_error() -> None:
    """Each line is an article or an error of its own, with its number."""
    items = read("bulk.ndjson")
    assert [item.place for item in items] == [f"line {number}" for number in (1, 2, 4, 5, 6, 7, 8)]
    assert [isinstance(item, ImportItem) for item in items] == [True, True, False, False, True, False, False]
    assert (items[0].views, items[0].old_urls, items[0].more) == (10, ["/bai/1.html"], {"kicker": "Nông thôn mới"})
    assert items[1].body == [Paragraph("<strong>đậm</strong>")]
    with pytest.raises(ValueError, match="no section 'khong-co'"):
        to_draft(items[4], options("ndjson"))


def test_read_markdown_front_matter() -> None:
    """Front matter is read; a heading that repeats the title is removed; a date without time is a day of the site."""
    (item,) = read("trang.md")
    assert (item.external_id, item.views, item.source) == ("hugo-9", 77, Source("Bản tin xã"))
    assert item.old_urls == ["/2021/duong-lang-len-den/", "/cu/duong-den.html"]
    assert item.body[0] == Paragraph("Từ tối qua, <strong>đường làng</strong> sáng đèn.")
    assert item.body[1].caption == "Cột đèn đầu làng"
    fields = to_draft(item, options("markdown")).fields
    assert (fields["published_at"], fields["date_precision"]) == (datetime(2021, 11, 2, 17, tzinfo=UTC), "day")


def test_read_html_saved_portal_page() -> None:
    """A portal page loses menus, date line and counter; caption, source, date, lead and URL are recognised."""
    (item,) = read("trang.html")
    assert (item.title, item.section) == ("Khánh thành nhà văn hóa xóm 5", "Tin tức")
    assert item.lead.startswith("Công trình do bà con")
    assert item.source == Source("Bản tin xã Mẫu")
    assert item.counter == SavedCounter(20, 679, 1_712, 1_490_782)
    assert [type(block) for block in item.body] == [Paragraph, Figure, Paragraph, Paragraph]
    assert item.body[1].caption == "Nhà văn hóa xóm 5 trong ngày khánh thành"
    assert item.body[1].image.url == "https://cu.example/uploads/nha-van-hoa.jpg"
    assert item.old_urls == ["/tin-tuc/khanh-thanh-nha-van-hoa-123.html"]
    assert to_draft(item, options("html")).fields["published_at"] == datetime(2025, 3, 4, 1, 15, tzinfo=UTC)
    text = repr(item.body)
    for furniture in ("Trang chủ", "Bản quyền", "Đang online", "1,490,782", "04/03/2025"):
        assert furniture not in text


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    b"<rss><channel><item><title>&b;</title></item></channel></rss>"
)
SPY = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss><item><title>&x;</title></item></rss>'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.xml", BOMB),
        ("a.rss", SPY),
        ("a.xml", b"<rss><item>"),
        ("a.xml", b"\x00\xff"),
        ("a.json", b"[" * 100_000),
        ("a.json", b'{"db": []}'),
        ("a.json", b'[{"type":"header"}]'),
        ("a.txt", b"\xff\xfe"),
        ("a.txt", b"Title"),
        ("a.md", b"\xff"),
        ("a.xyz", b"x"),
    ],
)
def test_readers_invalid_file_raises_format_error(name: str, content: bytes) -> None:
    """Entities are not expanded, other files are not opened, and a file without its format is rejected."""
    with pytest.raises(FormatError):
        list(READERS[detect_format(name, content)](content, name))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.md", b"---\na: [\n---\nx"),
        ("a.md", b"---\na: !!python/object/apply:os.system [true]\n---\n# x\n\ny"),
        ("a.md", b"no title"),
        ("a.md", b"+++\na=1\n+++\nx"),
        ("a.html", b""),
        ("a.html", b"<html><body><p>x</p>"),
        ("a.ndjson", b"[" * 100_000),
        ("a.ndjson", b'{"external_id": "1", "title": "x\\u0000", "body": ""}'),
        ("a.json", b'{"uri": 1, "bodies": 5}'),
        ("a.json", b"{}"),
    ],
)
def test_readers_invalid_item_is_unreadable_with_reason(name: str, content: bytes) -> None:
    """An item that cannot be imported is reported with a reason, and raises nothing."""
    items = list(READERS[detect_format(name, content)](content, name))
    assert len(items) == 1
    assert isinstance(items[0], UnreadableItem), items
    assert items[0].reason


def test_to_draft_enforces_article_limits() -> None:
    """A title that is too long is rejected; a long lead becomes text; tags and slugs that do not fit are dropped."""
    item = ImportItem(
        place="x", external_id="1", title="t", body=[Paragraph("x")], lead="l" * 1_001, slug="Ä", tags=["x" * 61]
    )
    draft = to_draft(item, options("ndjson", section="tin-tuc"))
    assert (draft.fields["lead"], draft.fields["slug"], draft.fields["tags"]) == ("", "t", [])
    assert draft.fields["body"][0] == Paragraph("l" * 1_001)
    with pytest.raises(ValueError, match="255"):
        to_draft(ImportItem(place="x", external_id="1", title="t" * 256, body=[]), options("ndjson", section="tin-tuc"))


def test_parse_time_and_parse_old_url() -> None:
    """Times are parsed in the three notations of exports; an old URL is a path with its query."""
    when = datetime(2026, 2, 10, 1, 0, tzinfo=UTC)
    for said in ("2026-02-10T08:00:00+07:00", "Tue, 10 Feb 2026 08:00:00 +0700", "1770685200", 1770685200):
        assert parse_time(said) == when, said
    for said in ("", None, "0000-00-00 00:00:00", "hôm qua", 0, -1, 1e30):
        assert parse_time(said) is None, said
    assert parse_old_url("https://cu.example/index.php?id=5#x") == ["/index.php?id=5"]
    for said in ("https://cu.example/", "", "javascript:alert(1)", "https://cu.example/" + "x" * 600):
        assert parse_old_url(said) == [], said


def test_html_to_blocks_unresolvable_image_keeps_caption() -> None:
    """An image at a path of an unknown portal is dropped, its caption stays; inline data are dropped."""
    html = '<figure><img src="/uploads/a.jpg"><figcaption>C</figcaption></figure><p>x</p><img src="/b.jpg">'
    html += '<img src="data:x">'
    assert html_to_blocks(html) == [Figure("C"), Paragraph("x")]
    assert html_to_blocks(html, "https://cu.example/bai/1")[0] == Figure(
        "C", Image("https://cu.example/uploads/a.jpg", "C")
    )
