"""Detection of import formats by file name and content."""

import pytest

from services.ingest.imports.detection import READERS, detect_format
from services.ingest.imports.item import FormatError, ImportItem


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
    with pytest.raises(FormatError, match=r"'\.docx'; set --format: text, html"):
        detect_format("a.docx", b"")


def test_read_text_external_id_ignores_the_counter() -> None:
    """The same page saved a day later, with other numbers in its counter, is the same article."""
    pages = [f"Tựa\nDẫn\nThân bài.\nThống kê truy cập\nTất cả: {total}".encode() for total in (1, 2)]
    first, second = [next(READERS["text"](page, "a.txt")) for page in pages]
    assert isinstance(first, ImportItem)
    assert isinstance(second, ImportItem)
    assert first.external_id == second.external_id
    assert (first.counter, first.date_precision) != (second.counter, "exact")
