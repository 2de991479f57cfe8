"""Links by which readers share a page on networks, without any script of theirs. Pure."""

import json
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import quote


def share_links(url: str) -> Mapping[str, str]:
    """Return the address of each network's page that shares `url`, by the name of the network."""
    zalo = b64encode(json.dumps({"url": url}, separators=(",", ":")).encode()).decode()
    return {
        "Zalo": f"https://sp.zalo.me/share_inline?d={quote(zalo, safe='')}",
        "Facebook": f"https://www.facebook.com/sharer/sharer.php?u={quote(url, safe='')}",
    }
