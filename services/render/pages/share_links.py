"""Links by which readers share a page on networks, without any script of theirs. Pure."""

import json
from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote


def share_links(url: str) -> Mapping[str, str]:
    """Return the address of each network's page that shares `url`, by the name of the network."""
    zalo = b64encode(json.dumps({"url": url}, separators=(",", ":")).encode()).decode()
    return {
        "Zalo": f"https://sp.zalo.me/share_inline?d={quoted(zalo)}",
        "Facebook": f"https://www.facebook.com/sharer/sharer.php?u={quoted(url)}",
    }


@lru_cache(256)
def quoted(text: str) -> str:
    """Return a text as the value of a query's parameter. A page has the same address in several links."""
    return quote(text, safe="")
