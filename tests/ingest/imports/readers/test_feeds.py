"""WordPress exports, RSS and Atom."""

from datetime import UTC, datetime

from services.ingest.imports.item import ImportItem
from shared.articles import Figure, Image, Paragraph
from tests.ingest.imports.samples import outcome, read, read_content


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


def rss_item(content: str) -> ImportItem:
    text = f'<rss version="2.0" xmlns:m="http://search.yahoo.com/mrss/"><channel><item>{content}</item></channel></rss>'
    (item,) = read_content("a.rss", text.encode())
    assert isinstance(item, ImportItem), item
    return item


def test_read_rss_damaged_addresses_cost_themselves_only() -> None:
    """A link, a GUID or a file with a damaged address is reported; the item is read."""
    item = rss_item("<title>A</title><link>http://[bad</link><guid>http://[x</guid><description>b</description>")
    assert (item.old_urls, item.warnings[0].field) == ([], "link")


def test_read_rss_permanent_guid_is_the_address() -> None:
    """A GUID that is an address is one, unless the feed says that it is not."""
    assert rss_item("<title>A</title><guid>https://cu.example/e</guid>").old_urls == ["/e"]
    assert rss_item('<title>A</title><guid isPermaLink="false">https://cu.example/e</guid>').old_urls == []


def test_read_rss_text_escaped_twice_is_read() -> None:
    """Markup that was escaped once too often is markup."""
    item = rss_item(
        "<title>A</title><link>https://cu.example/a</link><description>&amp;lt;p&amp;gt;Hai&amp;lt;/p&amp;gt;</description>"
    )
    assert [one.html for one in item.body] == ["Hai"]


def test_read_rss_all_pictures_are_carried_over() -> None:
    """The first picture is the lead picture, the others follow the text."""
    item = rss_item(
        '<title>A</title><description>b</description><m:content url="https://cu.example/1.jpg" medium="image"/>'
        '<m:content url="https://cu.example/2.jpg" medium="image"><m:title>Hai</m:title></m:content>'
    )
    assert item.lead_image.image.url == "https://cu.example/1.jpg"
    assert (item.body[1].image.url, item.body[1].caption) == ("https://cu.example/2.jpg", "Hai")


def test_read_atom_file_in_content_is_no_text() -> None:
    """A picture in base64 is not the text of an article."""
    text = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>a</id><title>A</title>'
        '<content type="image/png">iVBORw0KGgo=</content></entry></feed>'
    )
    (item,) = read_content("a.atom", text.encode())
    assert (item.body, [one.kind for one in item.warnings]) == ([], ["file"])


def test_read_rss_address_of_feedburner_is_that_of_the_portal() -> None:
    """FeedBurner's link is not what the portal redirects, and its buttons are not part of the text."""
    namespace = "http://rssnamespace.org/feedburner/ext/1.0"
    item = rss_item(
        "<title>A</title><link>http://feedproxy.example/~r/x/~3/a.html</link><description>&lt;p&gt;Chữ.&lt;/p&gt;"
        '&lt;div class="feedflare"&gt;&lt;img src="http://feeds.example/~ff/x"&gt;&lt;/div&gt;</description>'
        f'<f:origLink xmlns:f="{namespace}">http://cu.example/2024/a.html</f:origLink>'
    )
    assert (item.old_urls, item.body) == (["/2024/a.html"], [Paragraph("Chữ.")])
    assert "/~r/x/~3/a.html" in item.external_id


def test_read_rss_picture_with_which_the_text_begins_is_shown_once() -> None:
    """The enclosed picture is above the text, and not at its beginning again."""
    item = rss_item(
        "<title>A</title><link>https://cu.example/a</link><description>"
        '&lt;img src="https://cu.example/a.jpg" alt="Bão"&gt;'
        '&lt;p&gt;Chữ.&lt;/p&gt;</description><enclosure type="image/jpeg" url="https://cu.example/a.jpg"/>'
    )
    assert item.lead_image is not None
    assert (item.lead_image.caption, item.body) == ("Bão", [Paragraph("Chữ.")])


def test_read_atom_backup_of_blogger_has_the_old_addresses() -> None:
    """Google Takeout writes no links, but the paths of the posts."""
    blogger = "http://schemas.google.com/blogger/2018"
    entry = (
        "<id>tag:blogger.com,1999:blog-1.post-1</id><b:type>POST</b:type><b:status>LIVE</b:status><title>A</title>"
        '<content type="html">x</content><b:filename>/2024/03/khai-hoi.html</b:filename>'
    )
    feed = f'<feed xmlns="http://www.w3.org/2005/Atom" xmlns:b="{blogger}"><entry>{entry}</entry></feed>'
    (item,) = read_content("feed.atom", feed.encode())
    assert item.old_urls == ["/2024/03/khai-hoi.html"]
