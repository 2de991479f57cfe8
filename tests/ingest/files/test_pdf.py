"""The check of PDFs: what is scripted in any disguise, and what is only compressed data."""

import random

import pytest

from services.ingest.files.pdf import OBJECT_STREAM_BYTES_MAX, check_pdf
from services.ingest.files.rules import FileError
from tests.ingest.files.samples import object_stream, pdf

MEDIA = [b"/Subtype/3D", b"/OnInstantiate", b"/S/Movie", b"/Subtype/Sound", b"/S/GoToE"]


def test_check_pdf_ignores_names_in_compressed_data() -> None:
    """Bytes of pictures and fonts that look like short names of scripts are no scripts."""
    noise = random.Random(5).randbytes(20_000)
    picture = b"<</Subtype/Image>>stream\n/JS (x) /Encrypt " + noise.replace(b"endstream", b"") + b"\nendstream "
    assert check_pdf(pdf(picture)).warnings == []


@pytest.mark.parametrize("name", [b"/JS", b"/JavaScript", b"/Launch", b"/RichMedia", b"/#4aS", b"/ImportData", *MEDIA])
def test_check_pdf_finds_each_script_between_streams(name: bytes) -> None:
    """Scripts are found after a stream as well as before it."""
    with pytest.raises(FileError, match="is a PDF with"):
        check_pdf(pdf(b"<<>>stream\nx\nendstream ", b"<<" + name + b" 3 0 R>>"))


@pytest.mark.parametrize(
    "target",
    [b"/F(\\\\\\\\may-chu\\\\a.pdf)", b"/F<5C5C6D6179>", b"/UF (//may-chu/a.pdf)", b"/F(file://may-chu/a.pdf)"],
)
def test_check_pdf_that_opens_a_file_on_a_server_is_refused(target: bytes) -> None:
    """Windows logs in at the server of such a name; another file of the same folder, and a link, are ordinary."""
    with pytest.raises(FileError) as raised:
        check_pdf(pdf(b"<</S/GoToR" + target + b"/D[0/Fit]>>"))
    assert raised.value.code == "external-content"
    for ordinary in (b"<</S/GoToR/F(phu-luc.pdf)/D[0/Fit]>>", b"<</S/URI/URI(https://haihau.example/)>>"):
        assert check_pdf(pdf(ordinary)).warnings == []


def test_check_pdf_accepts_packed_objects_without_scripts() -> None:
    """Packed objects of ordinary documents are accepted; similar names are other names."""
    assert check_pdf(pdf(object_stream(b"1 0 <</Type/Page/JSX 1/Launcher 2>>"))).warnings == []


def test_check_pdf_warns_of_attached_files_and_forms() -> None:
    """Attachments and forms are accepted, and reported."""
    found = check_pdf(pdf(b"<</Type/EmbeddedFile>>", b"<</XFA[]>>"))
    assert [one.split(",")[0] for one in found.warnings] == [
        "has other files attached",
        "has a form that some programs do not show",
    ]


def test_check_pdf_refuses_objects_that_unpack_to_too_much() -> None:
    """A bomb in packed objects costs a bounded amount of memory and is refused."""
    with pytest.raises(FileError) as raised:
        check_pdf(pdf(object_stream(bytes(OBJECT_STREAM_BYTES_MAX + 10))))
    assert raised.value.code == "too-large"


def test_check_pdf_stream_without_end_is_read_to_the_end() -> None:
    """A stream that never ends hides nothing that a viewer would show."""
    with pytest.raises(FileError):
        check_pdf(pdf(b"<</Type/ObjStm/Filter/FlateDecode>>stream\nno data"))
