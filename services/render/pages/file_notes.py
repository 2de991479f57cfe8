"""Type and size of a file, as visitors read them beside its name. Pure."""

from babel.numbers import format_decimal

from shared.articles import File
from shared.sites import Site
from shared.translations import ui_language

_NAMES = {
    "application/pdf": "PDF",
    "application/msword": "Word",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "Word",
    "application/vnd.ms-excel": "Excel",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "Excel",
    "application/vnd.oasis.opendocument.text": "OpenDocument",
    "application/zip": "ZIP",
}
_UNITS = ("KB", "MB", "GB")


def file_note(file: File, site: Site) -> str:
    """Return "PDF, 2,3 MB" in the site's language; "" for a file of which nothing is known."""
    size = file_size(file.bytes, site) if file.bytes else ""
    return ", ".join(part for part in (_NAMES.get(file.media_type, ""), size) if part)


def file_size(size: int, site: Site) -> str:
    """Return a size in bytes with two significant digits, at least 1 KB."""
    value, unit = max(1.0, size / 1024), 0
    while round(value) >= 1000 and unit + 1 < len(_UNITS):
        value, unit = value / 1024, unit + 1
    pattern = "#,##0" if value >= 10 else "0.#"
    return f"{format_decimal(round(value, 1), pattern, locale=ui_language(site))} {_UNITS[unit]}"
