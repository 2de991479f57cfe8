"""Exports in JSON: Ghost, NukeViet and ninjs."""

from datetime import UTC, datetime

from services.ingest.imports.item import ImportItem, UnreadableItem
from shared.articles import Figure, Paragraph, Source
from tests.ingest.imports.samples import outcome, read


def test_read_ghost_posts() -> None:
    """Posts of a Ghost export have public tags, author, image and old URL."""
    post, draft = (one for one in read("ghost.json") if isinstance(one, ImportItem))
    assert (post.lead, post.section, post.tags, post.old_urls) == (
        "Tết đến gần.",
        "tin-tuc",
        ["Tin tức"],
        ["/lang-hoa-vao-vu/", "/2024/01/20/lang-hoa-vao-vu/", "/tin-tuc/lang-hoa-vao-vu/"],
    )
    assert post.body == [Paragraph("Hoa nở sớm."), Figure("Luống hoa cúc")]  # the URL of the image is unknown
    assert (post.lead_image.caption, post.lead_image.image.alt) == ("Cánh đồng hoa", "Cánh đồng hoa")
    assert outcome(draft) == "draft"


def test_read_nukeviet_tables() -> None:
    """Articles of NukeViet tables have source, tags, views and old URLs; a row without text is unreadable."""
    article, draft, lost = read("nukeviet.json")
    assert (article.views, article.tags) == (5_678, ["cầu"])
    assert article.source == Source("Báo Nam Định", url="https://bao.example/")
    starts = ("/vi/news", "/news", "/vi", "")
    assert article.old_urls == [
        *(f"{start}/tin-tuc/{alias}-15.html" for alias in ("Thong-xe-cau-lang", "") for start in starts),
        "/index.php?language=vi&nv=news&op=tin-tuc/Thong-xe-cau-lang-15.html",
    ]
    assert article.published_at == datetime(2019, 3, 1, 2, 0, tzinfo=UTC)
    assert (outcome(draft), draft.published_at) == ("draft", None)
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
