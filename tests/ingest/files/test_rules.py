"""What is common to the checks of documents."""

from services.ingest.files.rules import (
    ARCHIVE_EXTENSIONS,
    EXTENSIONS,
    PROGRAM_EXTENSIONS,
    FileError,
    encrypted,
    macros,
    refuse,
    unsupported,
)


def test_accepted_extensions_are_no_programs() -> None:
    """No accepted type is refused in an archive as a program, and only ZIP as an archive."""
    assert set(EXTENSIONS.values()) & PROGRAM_EXTENSIONS == set()
    assert set(EXTENSIONS.values()) & ARCHIVE_EXTENSIONS == {"zip"}


def test_file_errors_have_codes_and_statuses() -> None:
    """Another type is 415, everything else 422, each with a stable code."""
    errors: list[FileError] = [unsupported("a video"), macros(), encrypted(), refuse("is bad", "damaged")]
    assert [(error.status, error.code) for error in errors] == [
        (415, "unsupported-type"),
        (422, "macros"),
        (422, "encrypted"),
        (422, "damaged"),
    ]
    assert str(errors[0]) == "is a video; supported types are PDF, DOC, DOCX, XLS, XLSX, ODT and ZIP"
