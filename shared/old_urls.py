"""Former URLs of articles: which are accepted, and the address by which the portal finds one. Pure.

An allow-list, because static exports write them into the configuration of several servers: no character is left that
any of their languages reads as more than itself, once `services.render.export.server_configs` has encoded it.
"""

import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import parse_qsl, unquote

_PATH_MARKS = frozenset("/-._~!$&'()+,;=:@% ")
_QUERY_MARKS = frozenset("/-._~!$&'()+,;=:@%?{}")
_HOST = re.compile(r"^https?://[^/?#]*")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_TRACKING = re.compile(
    r"^(?:utm_.*|fbclid|gclid|gbraid|wbraid|dclid|msclkid|yclid|ttclid|twclid|igshid|igsh|li_fat_id|mc_[ce]id|_ga|_gl|_hs.*|"
    r"zarsrc|zalo.*|ref|referrer|source|from|share|s|si|amp|page|q|lang|v|t|_)$",
    re.IGNORECASE,
)
"""Parameters that others add to any link, or that lists have: with these alone a URL is still the home page."""


class OldUrlError(ValueError):
    """A URL that cannot be a former URL of an article; the message says why."""


def old_address(url: str) -> str:
    """Return the address of a former URL, as the portal looks it up: the decoded path, and the query as it was sent.

    Raises:
        OldUrlError: it is not a path, has a character that is not allowed, or is the home page.
    """
    raw_path, separator, query = url.partition("?")
    if _BAD_ESCAPE.search(url):
        raise OldUrlError("has a % that no two hexadecimal digits follow")
    try:
        path = unquote(raw_path, errors="strict")
        unquote(query, errors="strict").encode()
        path.encode()
    except UnicodeError as error:
        raise OldUrlError("is not UTF-8 after decoding") from error
    if not path.startswith("/") or path.startswith("//"):
        raise OldUrlError("must be a path: / and then something else than /")
    for text, marks in ((path, _PATH_MARKS), (query, _QUERY_MARKS)):
        bad = next((one for one in text if not _is_allowed(one, marks)), None)
        if bad is not None:
            raise OldUrlError(f"must not have the character U+{ord(bad):04X}")
    if "{$" in query:  # a variable of the environment in a Caddyfile
        raise OldUrlError("must not have {$")
    if any(part in (".", "..") for part in path.split("/")):
        raise OldUrlError("must not have the parts . and ..")
    if path.strip("/") == "" and not _names_an_article(query):
        raise OldUrlError("is the home page: its parameters name no article")
    return path + (f"?{query}" if separator and query else "")


def old_addresses(urls: Iterable[str]) -> list[str]:
    """Return the addresses of former URLs without their hosts, sorted; URLs that are not accepted have none."""
    found = set()
    for url in urls:
        try:
            found.add(old_address(_HOST.sub("", url.partition("#")[0])))
        except OldUrlError:
            continue
    return sorted(found)


def _is_allowed(character: str, marks: frozenset[str]) -> bool:
    return character.isalnum() or character in marks or unicodedata.category(character) in ("Mn", "Mc")


def _names_an_article(query: str) -> bool:
    return any(not _TRACKING.match(name) for name, _ in parse_qsl(query))
