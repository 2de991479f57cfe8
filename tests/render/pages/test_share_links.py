"""Addresses of networks' pages that share one of the portal's."""

import json
from base64 import b64decode
from urllib.parse import parse_qs, urlsplit

from services.render.pages.share_links import share_links

URL = "https://haihau.example/chợ-phiên?a=1&b=%20+c.html"


def test_share_links_carry_the_whole_address() -> None:
    """Each network reads the address that was given, whatever letters it has."""
    links = share_links(URL)
    assert list(links) == ["Zalo", "Facebook"]
    assert parse_qs(urlsplit(links["Facebook"]).query) == {"u": [URL]}
    (given,) = parse_qs(urlsplit(links["Zalo"]).query)["d"]
    assert json.loads(b64decode(given)) == {"url": URL}
