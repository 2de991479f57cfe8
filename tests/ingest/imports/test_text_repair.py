"""Decoding and repair of files: an invalid character or byte costs itself."""

import pytest

from services.ingest.imports.item import LeftOutItem
from services.ingest.imports.text_repair import _INVALID, DecodingError, decode_text, repair_markup, repair_text
from tests.ingest.imports.samples import read_content


def test_repair_text_keeps_pairs_and_windows_characters() -> None:
    """Half pairs that belong together are one character, C1 codes are those of Windows, line ends stay."""
    assert repair_text("a\ud83d\ude00b\x93c\x0bd") == ("a😀b“c\nd", ["U+000B"])
    assert repair_text("không đổi\n\t") == ("không đổi\n\t", [])


def test_repair_markup_references_are_repaired_as_their_characters() -> None:
    """Of every character, its references in decimal and hexadecimal are repaired if and only if it is."""
    for code in (*range(0x3000), *range(0xD700, 0xE100), *range(0xFF00, 0x10100), 0x10FFFF):
        for reference in (f"&#{code};", f"&#x{code:x};", f"&#X00{code:X};"):
            repaired = repair_markup(reference)[0]
            assert (repaired == reference) == (_INVALID.match(chr(code)) is None), reference
    assert repair_markup("&#1114112;&#x110000;&#99999999999999;a")[0] == "a"


def test_decode_text_one_wrong_byte_does_not_change_the_encoding() -> None:
    """A text that is mostly UTF-8 stays UTF-8; one that declares another encoding is read in it; others are refused."""
    decoded = decode_text("Tên tôi".encode() + b"\xff", "utf-8", "cp1258")
    assert (decoded.text, decoded.encoding, decoded.damaged_lines) == ("Tên tôi\ufffd", "utf-8", (1,))
    assert decode_text(b"Vi\xea\xf2t", "windows-1258").encoding == "windows-1258"
    with pytest.raises(DecodingError, match="not UTF-8"):
        decode_text(b"Vi\xea\xf2t n\xe2\xec" * 3)


def test_json_and_ndjson_invalid_characters_cost_themselves() -> None:
    """Control characters, zeros and half surrogate pairs are removed with a warning."""
    posts = ",".join(
        f'{{"id": {number}, "title": "T{number}", "html": "a{fault}b", "status": "published"}}'
        for number, fault in enumerate(("\\u000b", "\\ud83d", "\\u0000", "\x01", "\\u202a"))
    )
    found = read_content("a.json", f'{{"db": [{{"data": {{"posts": [{posts}]}}}}]}}'.encode())
    assert [one.title for one in found] == [f"T{number}" for number in range(5)]
    assert [one.warnings[0].kind for one in found] == ["text"] * 5
    (line,) = read_content("a.ndjson", b'{"external_id": "1", "title": "x\\u0000", "body": "y"}')
    assert (line.title, len(line.warnings)) == ("x", 1)


@pytest.mark.parametrize("name", ["a.html", "a.md", "a.txt"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_pages_of_any_unicode_encoding_are_read(name: str, encoding: str) -> None:
    """UTF-16 and byte order marks are recognised in pages, Markdown and text."""
    paragraph = "Sáng nay bà con các xã ven biển đã về dự hội làng rất đông, theo ban tổ chức. " * 5
    texts = {
        "a.html": f"<html><body><article><h1>Đảng bộ</h1><p>{paragraph}</p><p>{paragraph}</p></article></body></html>",
        "a.md": f"# Đảng bộ\n\n{paragraph}",
        "a.txt": f"Đảng bộ\nDẫn\n{paragraph}",
    }
    (item,) = read_content(name, texts[name].encode(encoding))
    assert item.title == "Đảng bộ"


def test_readers_left_out_item_faults_do_not_matter() -> None:
    """An item that is left out is never an error: its content is not read."""
    (item,) = read_content(
        "a.json", b'{"db": [{"data": {"posts": [{"id": 1, "title": "A", "html": 5, "type": "page"}]}}]}'
    )
    assert item == LeftOutItem("post 1", "type is 'page'", "A", external_id="1")
