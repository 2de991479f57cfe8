"""Type and size of a file beside its name."""

import re

import pytest

from services.ingest.files.rules import EXTENSIONS
from services.render.pages.file_notes import file_extension, file_note, file_size
from shared.articles import File
from shared.sites import Site


def site(language: str) -> Site:
    return Site(slug="s", name="S", origins=["https://s.example"], timezone="UTC", language=language)


@pytest.mark.parametrize(
    ("size", "vietnamese", "english"),
    [
        (1, "1 KB", "1 KB"),
        (1_500, "1,5 KB", "1.5 KB"),
        (20_480, "20 KB", "20 KB"),
        (1_023_999, "1 MB", "1 MB"),
        (2_400_000, "2,3 MB", "2.3 MB"),
        (52_428_800, "50 MB", "50 MB"),
        (3_000_000_000, "2,8 GB", "2.8 GB"),
    ],
)
def test_file_size_is_short_and_in_the_language_of_the_site(size: int, vietnamese: str, english: str) -> None:
    """A size has two digits and the decimal sign of the language."""
    assert (file_size(size, site("vi")), file_size(size, site("en"))) == (vietnamese, english)


def test_file_note_has_type_and_size_where_they_are_known() -> None:
    """A file elsewhere has the type that its URL names; an unknown type shows its size alone."""
    assert file_note(File("/tep/x/a.pdf", "A", "x", 2_400_000, "application/pdf"), site("vi")) == "PDF, 2,3 MB"
    assert file_note(File("/tep/x/a.bin", "A", "x", 2_400_000, "image/x"), site("vi")) == "2,3 MB"
    assert file_note(File("https://a.example/a.PDF?x=1.doc", "A"), site("vi")) == "PDF"
    assert file_note(File("https://a.example/a.docx#b", "A"), site("vi")) == "Word"
    for url in ("https://a.example/", "https://a.example/pdf", "https://a.example/a.html", "https://a.pdf"):
        assert file_note(File(url, "A"), site("vi")) == file_extension(File(url, "A")) == ""


@pytest.mark.parametrize(("media_type", "extension"), EXTENSIONS.items())
def test_file_extension_of_each_accepted_type_is_its_own(media_type: str, extension: str) -> None:
    """Each type that can be uploaded has a short name for its icon, whatever its URL says, and a name in the note."""
    file = File("/tep/x/a", "A", "x", 2_048, media_type)
    assert file_extension(file) == extension.upper()
    assert re.fullmatch(r"(PDF|Word|Excel|OpenDocument|ZIP), 2 KB", file_note(file, site("vi")))
