"""Saved pages of portals."""

from datetime import UTC, datetime

from services.ingest.imports.drafts import to_draft
from services.ingest.imports.readers.plain_text import SavedCounter
from shared.articles import Figure, Paragraph, Source
from tests.ingest.imports.samples import options, read, read_content


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


def test_read_html_links_are_resolved_against_the_base_of_the_page() -> None:
    """A relative link is beside its page, or where <base> says, not at the root of the host."""
    text = "Sáng nay bà con các xã ven biển về dự hội làng rất đông, theo ban tổ chức. " * 3
    content = f'<h1>Hội làng</h1><p>{text}</p><p>Xem <a href="bai-khac.html">bài khác</a>. {text}</p>'
    for head in (
        '<base href="https://cu.example/tin/2024/">',
        '<link rel="canonical" href="https://cu.example/tin/2024/bai.html">',
    ):
        page = f"<html><head><title>Hội làng</title>{head}</head><body><div>{content}</div></body></html>"
        (item,) = read_content("a.html", page.encode())
        assert 'href="https://cu.example/tin/2024/bai-khac.html"' in item.body[1].html
