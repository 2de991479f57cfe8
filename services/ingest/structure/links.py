"""Links of the structure of a site that lead elsewhere. Pure."""

from shared.origins import InvalidOriginError, normalize_origin


def is_external(url: str) -> bool:
    """Return whether a URL leads to a page of any site, by https."""
    origin = "/".join(url.split("/", 3)[:3])
    try:
        return url.startswith("https://") and url.isprintable() and " " not in url and bool(normalize_origin(origin))
    except InvalidOriginError:
        return False
