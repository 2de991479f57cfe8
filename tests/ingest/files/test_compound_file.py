"""Compound files: DOC and XLS, and what hides in them."""

from pathlib import Path

import pytest

from services.ingest.files.compound_file import check_compound_file
from services.ingest.files.rules import DOC, XLS, FileError
from tests.ingest.files.samples import compound, doc, xls


def written(folder: Path, content: bytes) -> Path:
    file = folder / "a.doc"
    file.write_bytes(content)
    return file


def test_check_compound_file_accepts_word_and_excel(tmp_path: Path) -> None:
    """The type is that of the main stream; objects of equations are accepted."""
    assert check_compound_file(written(tmp_path, doc({"ObjectPool/Equation Native": b"x"}))).type == DOC
    assert check_compound_file(written(tmp_path, xls())).type == XLS


@pytest.mark.parametrize("name", ["Macros/VBA", "_VBA_PROJECT_CUR/VBA", "Macros/PROJECT", "VBA/dir"])
def test_check_compound_file_refuses_each_place_of_macros(tmp_path: Path, name: str) -> None:
    """Each storage in which Office keeps programs is found."""
    with pytest.raises(FileError, match="has macros"):
        check_compound_file(written(tmp_path, doc({name: b"x"})))


@pytest.mark.parametrize(
    "content",
    [compound({"WordDocument": b"no header"}), compound({"Workbook": b"no records"}), compound({"Book": b""})],
)
def test_check_compound_file_refuses_streams_without_structure(tmp_path: Path, content: bytes) -> None:
    """A stream of the right name with other content is damaged, not accepted."""
    with pytest.raises(FileError) as raised:
        check_compound_file(written(tmp_path, content))
    assert raised.value.code == "damaged"


def test_check_compound_file_with_random_damage_never_raises_another_error(tmp_path: Path) -> None:
    """Each changed byte of the header and directory is accepted or refused, and nothing else happens."""
    content = doc()
    for at in range(8, 512, 7):
        changed = bytearray(content)
        changed[at] ^= 0xFF
        try:
            check_compound_file(written(tmp_path, bytes(changed)))
        except FileError:
            continue


@pytest.mark.parametrize(
    "record", [b"\1\0\x01\x04", b"\1\0\x09\0\0\x01C\x03a\x03b.xls", b"\1\0\x01\x3a", b"\0\0\x03\0\0abc"]
)
def test_check_compound_file_accepts_linked_workbooks(tmp_path: Path, record: bytes) -> None:
    """Links to the workbook itself, to others by their path, and functions of add-ins start nothing."""
    file = tmp_path / "a.xls"
    file.write_bytes(xls((0x1AE, record)))
    assert check_compound_file(file).warnings == []
