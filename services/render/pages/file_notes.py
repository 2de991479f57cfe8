"""Type and size of a file, as visitors read them beside its name. Pure."""

from pathlib import PurePosixPath
from urllib.parse import urlsplit

from babel.numbers import format_decimal

from shared.articles import File
from shared.sites import Site
from shared.translations import ui_language

_TYPES = {
    "application/pdf": ("PDF", "PDF"),
    "application/msword": ("DOC", "Word"),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ("DOCX", "Word"),
    "application/vnd.ms-excel": ("XLS", "Excel"),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ("XLSX", "Excel"),
    "application/vnd.oasis.opendocument.text": ("ODT", "OpenDocument"),
    "application/zip": ("ZIP", "ZIP"),
}
"""The extension and the name of each type."""
_BY_EXTENSION = {extension: (extension, name) for extension, name in _TYPES.values()}
_UNITS = ("KB", "MB", "GB")


def file_extension(file: File) -> str:
    """Return "PDF", by which people know the type at a glance; "" if it is unknown."""
    return _type(file)[0]


def file_note(file: File, site: Site) -> str:
    """Return "PDF, 2,3 MB" in the site's language; of a file elsewhere only its type; "" if nothing is known."""
    size = file_size(file.bytes, site) if file.bytes else ""
    return ", ".join(part for part in (_type(file)[1], size) if part)


def _type(file: File) -> tuple[str, str]:
    """Return extension and name of a file's type; of one without a type, by the end of its URL."""
    if file.media_type:
        return _TYPES.get(file.media_type, ("", ""))
    extension = PurePosixPath(urlsplit(file.url).path).suffix.removeprefix(".").upper()
    return _BY_EXTENSION.get(extension, ("", ""))


def file_size(size: int, site: Site) -> str:
    """Return a size in bytes with two significant digits, at least 1 KB."""
    value, unit = max(1.0, size / 1024), 0
    while round(value) >= 1000 and unit + 1 < len(_UNITS):
        value, unit = value / 1024, unit + 1
    pattern = "#,##0" if value >= 10 else "0.#"
    return f"{format_decimal(round(value, 1), pattern, locale=ui_language(site))} {_UNITS[unit]}"
