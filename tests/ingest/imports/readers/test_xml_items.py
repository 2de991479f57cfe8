"""Feeds and exports in XML: a fault costs at most its item, and a file without articles is refused."""

import time

import pytest

from services.ingest.imports.item import FormatError, ImportItem, UnreadableItem
from services.ingest.imports.readers import xml_items
from services.ingest.imports.readers.xml_items import items_with, open_xml
from tests.bench.importing import WXR_HEAD
from tests.ingest.imports.samples import read_content

ITEM = "<item><title>{title}</title><link>https://cu.example/{title}</link><description>{text}</description></item>"


def feed(*texts: str) -> str:
    items = "\n".join(ITEM.format(title=f"t{number}", text=text) for number, text in enumerate(texts))
    return f"<rss><channel><title>x</title>\n{items}</channel></rss>"


@pytest.mark.parametrize(
    "fault",
    [
        "a\x0bb",
        "a&nbsp;b",
        "AT & T",
        "a < b",
        "a &foo; b",
        "a\u202ab",
        "a&#11;b",
        "a&#xD83D;b",
        "<![CDATA[a]]> b]]&gt;",
        "\x93a\x94",
    ],
)
def test_feed_fault_in_the_text_costs_itself(fault: str) -> None:
    """A character or entity that XML does not allow is repaired with a warning, and all items are read."""
    found = read_content("a.rss", feed("x", fault, "y").encode())
    assert [type(one) for one in found] == [ImportItem] * 3
    assert all(one.body for one in found)


@pytest.mark.parametrize("fault", ["<b>", "</p>", "<a b='c", "<![CDATA[a", "<!-- a"])
def test_feed_broken_markup_costs_its_item(fault: str) -> None:
    """An item that cannot be parsed is reported with its line, and the items around it are read."""
    found = read_content("a.rss", feed("x", fault, "y").encode())
    assert isinstance(found[0], ImportItem)
    assert isinstance(found[1], UnreadableItem), found
    assert found[1].line == 3
    assert isinstance(found[-1], ImportItem)
    assert found[-1].title == "t2"


def test_feed_wrong_byte_is_replaced_with_its_line() -> None:
    """A byte that is not UTF-8 is replaced in its item, with a warning; the rest stays UTF-8."""
    content = feed("Hải Hậu", "Nam Định", "Đồng").encode().replace("ị".encode(), b"\xff")
    found = read_content("a.rss", content)
    assert [one.title for one in found] == ["t0", "t1", "t2"]
    assert [len(one.warnings) for one in found] == [0, 1, 0]
    assert (found[1].warnings[0].kind, found[1].warnings[0].line) == ("encoding", 3)


def test_feed_huge_value_that_is_not_needed_costs_nothing() -> None:
    """Eleven megabytes in a field of a plugin do not matter."""
    extra = f"x</description><meta>{'[1]' * 4_000_000}</meta><description>"
    assert [type(one) for one in read_content("a.rss", feed("x", extra, "y").encode())] == [ImportItem] * 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xml", b"<urlset><url/></urlset>", "sitemap"),
        ("a.xml", b"<opml><body/></opml>", "OPML"),
        ("a.xml", b"<html><body><p>x</p></body></html>", "HTML page"),
        ("a.xml", b"<rss><channel><title>x</title></channel></rss>", "has no items"),
        ("a.rss", b"<rss><channel><title>x", "cut off"),
        ("a.json", b'{"version": "https://jsonfeed.org/version/1.1", "items": []}', "JSON Feed"),
        ("a.ndjson", b"\n\n", "has no lines"),
    ],
)
def test_file_without_articles_is_refused_with_a_sentence(name: str, content: bytes, message: str) -> None:
    """A file that has no articles is an error, never a success without a result."""
    with pytest.raises(FormatError, match=message):
        read_content(name, content)


def test_feed_cut_off_between_items_is_reported() -> None:
    """The items before the end are read, and the missing end is reported: items may be missing."""
    content = feed("x", "y").removesuffix("</channel></rss>").encode()
    first, second, end = read_content("a.rss", content)
    assert (first.title, second.title) == ("t0", "t1")
    assert isinstance(end, UnreadableItem)
    assert "cut off" in end.reason


def test_items_with_of_many_attachments_takes_linear_time() -> None:
    """Each attachment is searched from the one before, not from the beginning of the file."""
    item = (
        f"<item><title>Ảnh</title>{'x' * 5_000}<wp:attachment_url>https://cu.example/a.png</wp:attachment_url></item>"
    )
    content = (WXR_HEAD + item * 5_000 + "</channel></rss>").encode()
    begun = time.process_time()
    found = list(items_with(open_xml(content), b"attachment_url"))
    assert len(found) == 5_000
    assert time.process_time() - begun < 4


def test_items_with_finds_marks_at_the_edges_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mark that lies across two parts of a search is found, each once."""
    content = (WXR_HEAD + "<item><title>a</title><attachment_url/></item>" * 5 + "</channel></rss>").encode()
    for size in range(1, 60):
        monkeypatch.setattr(xml_items, "FIND_BYTES", size)
        assert len(list(items_with(open_xml(content), b"attachment_url"))) == 5
