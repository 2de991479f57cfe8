"""Headers of files that browsers save and never show. Pure."""

import re
import unicodedata
from urllib.parse import quote

NAMELESS = "tep"
_UNSAFE = re.compile(r"[^A-Za-z0-9 !#$&+.^_`|~()\[\],;=@\'-]")


def with_extension(name: str, extension: str, characters_max: int = 200) -> str:
    """Return the name of a file with an extension, whichever it had: never an extension alone, and no hidden file."""
    name = name.rstrip(". ")
    has_it = name.lower().endswith(f".{extension}")
    stem, ending = (name[: -len(extension) - 1], name[-len(extension) - 1 :]) if has_it else (name, f".{extension}")
    return (stem.strip(". ")[: characters_max - len(ending)].rstrip(". ") or NAMELESS) + ending


def attachment(name: str) -> dict[str, str]:
    """Return the headers of a download: whatever is in it, no browser shows it, guesses its type or runs it.

    The name is sent twice, as RFC 6266 recommends: in ASCII for old clients, and in UTF-8 (RFC 8187).
    """
    plain = unicodedata.normalize("NFD", name.replace("đ", "d").replace("Đ", "D"))
    ascii_name = _UNSAFE.sub("_", "".join(one for one in plain if not unicodedata.combining(one)))
    encoded = quote(name, safe="!#$&+-.^_`|~")
    return {
        "content-disposition": f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{encoded}",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
        "x-download-options": "noopen",
    }
