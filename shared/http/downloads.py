"""Headers of files that browsers save and never show. Pure."""

import re
import unicodedata
from urllib.parse import quote

_UNSAFE = re.compile(r"[^A-Za-z0-9 !#$&+.^_`|~()\[\],;=@\'-]")


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
