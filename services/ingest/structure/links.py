"""Links of the structure of a site that lead elsewhere. Pure."""

import re

from shared.origins import InvalidOriginError, normalize_origin

_ORIGIN = re.compile("https://[^/?#]*")


def is_external(url: str) -> bool:
    """Return whether a URL leads to a page of any site, by https."""
    found = _ORIGIN.match(url)
    try:
        return found is not None and url.isprintable() and " " not in url and bool(normalize_origin(found[0]))
    except InvalidOriginError:
        return False
