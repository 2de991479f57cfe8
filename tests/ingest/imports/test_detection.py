"""Detection of import formats by file name and content, and the reader of each; hostile files."""

import pytest

from services.ingest.imports.detection import READERS, detect_format
from services.ingest.imports.drafts import to_draft
from services.ingest.imports.item import FormatError, ImportItem, UnreadableItem
from tests.ingest.imports.samples import DATA, options, read


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", b"", "text"),
        ("README", b"", "text"),
        ("A.HTM", b"", "html"),
        ("a.markdown", b"", "markdown"),
        ("a.jsonl", b"", "ndjson"),
        ("a.atom", b"", "feed"),
        ("a.xml", b"<rss>", "feed"),
        ("a.xml", b'<rss xmlns:wp="http://wordpress.org/export/1.2/">', "wxr"),
        ("a.json", b'{"db": [{"data": {}}]}', "ghost"),
        ("a.json", b'{"posts": []}', "ghost"),
        ("a.json", b'[{"type":"header","comment":"x"}]', "nukeviet"),
        (
            "a.json",
            b'[{"comment":"Export to JSON plugin for PHPMyAdmin"},{"PHPMyAdmin":1, "phpmyadmin":2}]',
            "nukeviet",
        ),
        ("a.json", b'{"uri": "x"}', "ninjs"),
    ],
)
def test_detect_format_by_extension_and_content(name: str, content: bytes, expected: str) -> None:
    """The extension decides, in any case; XML and JSON are distinguished by their content."""
    assert detect_format(name, content) == expected
    assert expected in READERS


def test_detect_format_unknown_extension_lists_formats() -> None:
    """An unknown extension is an error that lists the formats to choose from."""
    with pytest.raises(FormatError, match=r"'\.pptx'; set --format: text, html"):
        detect_format("a.pptx", b"")


def test_read_text_external_id_ignores_the_counter() -> None:
    """The same page saved a day later, with other numbers in its counter, is the same article."""
    pages = [f"Tựa\nDẫn\nThân bài.\nThống kê truy cập\nTất cả: {total}".encode() for total in (1, 2)]
    first, second = [next(READERS["text"](page, "a.txt")) for page in pages]
    assert isinstance(first, ImportItem)
    assert isinstance(second, ImportItem)
    assert first.external_id == second.external_id
    assert (first.counter, first.date_precision) != (second.counter, "exact")


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
        ("a.xml", b"\x00\xff"),
        ("a.json", b"[" * 100_000),
        ("a.json", b'{"db": []}'),
        ("a.json", b'[{"type":"header"}]'),
        ("a.txt", b"\xff\xfe"),
        ("a.txt", b"Title"),
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
        ("a.json", b'{"uri": 1, "bodies": 5}'),
        ("a.json", b"{}"),
        ("a.xml", b"<rss><item>"),
        ("a.md", b"\xff"),
    ],
)
def test_readers_invalid_item_is_unreadable_with_reason(name: str, content: bytes) -> None:
    """An item that cannot be imported is reported with a reason, and raises nothing."""
    items = list(READERS[detect_format(name, content)](content, name))
    assert len(items) == 1
    assert isinstance(items[0], UnreadableItem), items
    assert items[0].reason
