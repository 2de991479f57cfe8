"""WordPress exports: what is not public stays so, in any file."""

import pytest

from services.ingest.imports.item import ImportItem
from tests.ingest.imports.samples import outcome, read_content

WXR = (
    '<rss xmlns:wp="http://wordpress.org/export/1.2/" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>'
    "{items}</channel></rss>"
)


def post(number: int, status: str, password: str = "") -> str:
    return (
        f"<item><title>Bài {number}</title><link>https://cu.example/{number}</link><guid>g</guid>"
        f"<content:encoded>x</content:encoded><wp:post_id>{number}</wp:post_id><wp:post_type>post</wp:post_type>"
        f"<wp:status>{status}</wp:status><wp:post_password>{password}</wp:post_password></item>"
    )


ITEMS = post(1, "publish") + post(2, "draft") + post(3, "private") + post(4, "trash") + post(5, "publish", "p")
FILE = WXR.format(items=ITEMS)
LATE = FILE.replace(' xmlns:wp="http://wordpress.org/export/1.2/"', "").replace(
    "<item>", '<item xmlns:wp="https://wordpress.org/export/1.3/">'
)


@pytest.mark.parametrize(
    "content",
    [
        FILE.encode(),
        b"\xef\xbb\xbf \n" + FILE.encode(),
        FILE.encode("utf-16"),
        FILE.encode("utf-16-le"),
        f'<?xml version="1.0" encoding="UTF-16"?>{FILE}'.encode("utf-16-be"),
        FILE.encode("utf-32"),
        LATE.encode(),
        f"<!-- {'x' * 2_000_000} -->{LATE}".encode(),
        FILE.replace(' xmlns:wp="http://wordpress.org/export/1.2/"', "").encode(),
        FILE.replace("wp:", "w:").replace(":wp=", ":w=").encode(),
        FILE.replace("<wp:status>draft</wp:status>", "").encode(),
    ],
)
@pytest.mark.parametrize("name", ["x.xml", "x.rss", "x.atom"])
def test_wordpress_export_is_never_read_as_a_feed(content: bytes, name: str) -> None:
    """Drafts, private, deleted and protected posts stay so: in any encoding, with any prefix, under any file name."""
    found = read_content(name, content)
    outcomes = {one.title: outcome(one) for one in found}
    assert outcomes == {"Bài 1": "public", "Bài 2": "draft", "Bài 3": "draft", "Bài 4": "left_out", "Bài 5": "draft"}


HEAD = (
    '<rss version="2.0" xmlns:excerpt="http://wordpress.org/export/1.2/excerpt/" xmlns:wp="http://wordpress.org/export/1.2/"'
    ' xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>'
    "<wp:author><wp:author_login>thu</wp:author_login>"
    "<wp:author_display_name>Thu Hà</wp:author_display_name></wp:author>"
)


def wordpress_item(more: str, link: str = "https://cu.example/a/", text: str = "b") -> str:
    return (
        f"<item><title>A</title><link>{link}</link><guid>https://cu.example/?p=1</guid><content:encoded><![CDATA[{text}]]>"
        f"</content:encoded><wp:post_id>1</wp:post_id><wp:status>publish</wp:status><wp:post_type>post</wp:post_type>{more}</item>"
    )


def read_wordpress(item: str, before: str = "") -> ImportItem:
    (found,) = read_content("a.xml", f"{before}{HEAD}{item}</channel></rss>".encode())
    assert isinstance(found, ImportItem), found
    return found


def test_read_wordpress_damaged_link_costs_itself_only() -> None:
    """A damaged address is reported, and the item has its others."""
    item = read_wordpress(wordpress_item("", link="http://[bad"))
    assert (item.old_urls, item.warnings[0].field) == (["/?p=1"], "link")


def test_read_wordpress_messages_before_the_xml_are_left_out() -> None:
    """Messages of PHP before the XML do not cost the names of the authors."""
    item = read_wordpress(
        wordpress_item("<dc:creator>thu</dc:creator>"), "\n<br />\n<b>Notice</b>: Undefined index in x.php\n"
    )
    assert ([one.name for one in item.authors], item.warnings[0].kind) == (["Thu Hà"], "text")


def test_read_wordpress_bylines_are_names() -> None:
    """Authors of a plugin replace the creator, and a login without a name is no byline."""
    several = '<dc:creator>admin</dc:creator><category domain="author" nicename="cap-thu">thu</category>'
    assert [one.name for one in read_wordpress(wordpress_item(several)).authors] == ["Thu Hà"]
    alone = read_wordpress(wordpress_item("<dc:creator>admin</dc:creator>"))
    assert (alone.authors, alone.warnings[0].field) == ([], "dc:creator")


def test_read_wordpress_other_taxonomies_are_reported() -> None:
    """Tags of old exports are tags, a language is the language, and other taxonomies are named."""
    item = read_wordpress(
        wordpress_item(
            '<category domain="tag">chèo</category><category domain="language" nicename="en">English</category>'
            '<category domain="series" nicename="s">Loạt bài</category>'
        )
    )
    assert (item.tags, item.language) == (["chèo"], "en")
    assert "series: Loạt bài" in item.warnings[0].message


def test_read_wordpress_page_builders_show_their_pictures_and_texts() -> None:
    """Elements of page builders stand below each other, with their pictures; an excerpt has no shortcodes."""
    text = (
        "[vc_row][vc_column_text]Một.[/vc_column_text][vc_column_text]Hai.[/vc_column_text][/vc_row]"
        '[et_pb_image src="https://cu.example/a.jpg" alt="Chợ" /]'
        "[fusion_imageframe]https://cu.example/b.jpg[/fusion_imageframe]"
    )
    excerpt = "<excerpt:encoded><![CDATA[Sapo [toc]]]></excerpt:encoded>"
    item = read_wordpress(wordpress_item(excerpt, text=text))
    assert [getattr(one, "html", "") or one.image.url for one in item.body] == [
        "Một.",
        "Hai.",
        "https://cu.example/a.jpg",
        "https://cu.example/b.jpg",
    ]
    assert item.lead == "Sapo"


def test_read_wordpress_members_only_part_makes_a_draft() -> None:
    """A part that a plugin hides from other visitors must not become public."""
    assert outcome(read_wordpress(wordpress_item("", text="a [members_only]b[/members_only]"))) == "draft"
