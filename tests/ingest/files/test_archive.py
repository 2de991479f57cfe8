"""Archives and the documents that are archives: warnings, links, and bounds."""

import zipfile
from pathlib import Path

import pytest

from services.ingest.files.archive import check_archive
from services.ingest.files.rules import DOCX, ODT, RATIO_FREE_BYTES, FileError
from tests.ingest.files.samples import docx, link, odt, xlsx, zipped


def written(folder: Path, content: bytes) -> Path:
    file = folder / "a.zip"
    file.write_bytes(content)
    return file


def test_check_archive_accepts_links_to_pages(tmp_path: Path) -> None:
    """Hyperlinks are accepted without a warning, linked pictures and embedded files with one."""
    found = check_archive(written(tmp_path, docx(links=link("hyperlink", "https://haihau.example/"))))
    assert (found.type, found.warnings) == (DOCX, [])
    found = check_archive(written(tmp_path, docx(links=link("image", "https://tracker.example/a.png"))))
    assert found.warnings == ["refers to pictures or workbooks elsewhere, which are loaded when it is opened"]
    found = check_archive(written(tmp_path, xlsx({"xl/embeddings/oleObject1.bin": b"x"})))
    assert found.warnings == ["has other files embedded, which are not checked"]
    found = check_archive(written(tmp_path, odt({"Object 1/content.xml": "<x/>"})))
    assert (found.type, found.warnings) == (ODT, ["has other files embedded, which are not checked"])


def test_check_archive_accepts_well_packed_small_documents(tmp_path: Path) -> None:
    """A document of empty cells may be packed very well while it is small."""
    content = xlsx({"xl/worksheets/sheet1.xml": b"<c/>" * (RATIO_FREE_BYTES // 8)})
    assert check_archive(written(tmp_path, content)).warnings == []


def test_check_archive_in_an_archive_is_refused(tmp_path: Path) -> None:
    """Without a check for its documents, a plain archive is one in another archive."""
    with pytest.raises(FileError, match="an archive in an archive"):
        check_archive(written(tmp_path, zipped({"a.txt": b"x"})))


def test_check_archive_checks_every_document_in_it(tmp_path: Path) -> None:
    """Each document in an archive is checked by its content, whatever the case of its extension."""
    seen = []
    content = zipped({"a/b.PDF": b"one", "c.docx": b"two", "d.txt": b"three"}, zipfile.ZIP_STORED)
    check_archive(written(tmp_path, content), lambda part, name: seen.append((name, part.read())))
    assert seen == [("a/b.PDF", b"one"), ("c.docx", b"two")]


@pytest.mark.parametrize("tail", [b"\0", b"<html><script>alert(1)</script>", b"%PDF-1.7"])
def test_check_archive_with_data_after_its_end_is_refused(tmp_path: Path, tail: bytes) -> None:
    """What follows an archive, or a document that is one, is another file; a comment is a part of it."""
    for content in (zipped({"a.txt": b"x"}), docx()):
        with pytest.raises(FileError) as raised:
            check_archive(written(tmp_path, content + tail), lambda *_: None)
        assert raised.value.code == "polyglot"
    assert check_archive(written(tmp_path, zipped({"a.txt": b"x"}, comment=b"x" * 900)), lambda *_: None).warnings == []


@pytest.mark.parametrize("name", ["word/media/image1.png", "word/embeddings/oleObject1.bin", "setup.exe"])
def test_check_archive_document_with_a_program_is_refused(tmp_path: Path, name: str) -> None:
    """A program is one under any name, also in a document; a font that Word has made unreadable may begin like one."""
    with pytest.raises(FileError) as raised:
        check_archive(written(tmp_path, docx({name: b"MZ\x90\0" + bytes(100)})))
    assert raised.value.code == "embedded-files"
    font = {"word/fonts/font1.odttf": b"MZ" + bytes(100)}
    assert check_archive(written(tmp_path, docx(font))).warnings == []


@pytest.mark.parametrize("text", [b"", b"  ", b"PK\x03\x04", None])
def test_check_archive_document_without_its_text_is_damaged(tmp_path: Path, text: bytes | None) -> None:
    """The part that its types name as the text is there and is XML: readers could not open it otherwise."""
    content = (
        docx({"word/document.xml": text or b""})
        if text is not None
        else docx().replace(b"document.xml", b"documen2.xm_")
    )
    with pytest.raises(FileError) as raised:
        check_archive(written(tmp_path, content))
    assert raised.value.code == "damaged"


def test_check_archive_same_name_twice_is_refused(tmp_path: Path) -> None:
    """Two entries of one name are read differently by different programs."""
    content = zipped({"a1.txt": b"x", "a2.txt": b"y"}).replace(b"a2.txt", b"a1.txt")
    with pytest.raises(FileError, match="same name"):
        check_archive(written(tmp_path, content), lambda *_: None)
