"""WordPress exports, RSS and Atom."""

from datetime import UTC, datetime

from services.ingest.imports.item import ImportItem
from shared.articles import Figure, Image, Paragraph
from tests.ingest.imports.samples import outcome, read


def test_read_wxr_posts() -> None:
    """Posts of a WordPress export have time, author, tags, image, old URL and views; scripts are removed."""
    post, draft = (one for one in read("wordpress.xml") if isinstance(one, ImportItem))
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
        ["/2019/09/truong-lang/", "/?p=41"],
    )
    url = "https://cu.example/wp-content/uploads/trong.jpg"
    assert post.body == [
        Paragraph("Trống trường vang lên lúc bảy giờ."),
        Figure("Trống trường", Image(url, "Cái trống")),
    ]
    assert post.lead_image.image.url == "https://cu.example/wp-content/uploads/bia.jpg"
    assert (outcome(draft), draft.published_at, draft.old_urls) == ("draft", None, ["/?p=42"])
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
