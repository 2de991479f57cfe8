"""Uploads: names, forms, and limits."""

import pytest

from services.ingest.api.uploads import clean_file_name
from services.ingest.content.errors import InvalidContentError
from shared.articles import FILE_NAME_CHARACTERS_MAX


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("C:\\anh\\cho.png", "cho.png"),
        ("/etc/passwd", "passwd"),
        ("../../x.pdf", "x.pdf"),
        ("a" * 300 + ".pdf", "a" * (FILE_NAME_CHARACTERS_MAX - 4) + ".pdf"),
        ("", ""),
    ],
)
def test_clean_file_name_has_no_folder_and_is_bounded(name: str, expected: str) -> None:
    """Of a path the last part is the name; of a long name its end, with the extension."""
    assert clean_file_name(name) == expected


def test_clean_file_name_with_invalid_characters_is_422() -> None:
    """Characters that turn or end a text are refused."""
    for name in ("a\0b.pdf", "anh\u202egpj.exe"):
        with pytest.raises(InvalidContentError, match="file_name: has the"):
            clean_file_name(name)
