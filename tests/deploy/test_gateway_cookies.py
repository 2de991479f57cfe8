"""Which cookies the gateway passes on, and which services may set some: real Caddy, and a server that echoes."""

import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.conftest import ROOT, free_ports
from tests.e2e.test_behind_proxies import caddy

MARK = "haihau.1830000000." + "Ab-_" * 5 + "Cd"
OWN = f"__Host-presstally_own={MARK}"
PLAIN = f"presstally_own={MARK}"


class Echo(BaseHTTPRequestHandler):
    """Says which cookies came, and sets one."""

    def do_GET(self) -> None:
        body = json.dumps(self.headers.get_all("cookie")).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.send_header("set-cookie", "a=b")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def gateway() -> Iterator[int]:
    """The port of the gateway in front of the echo."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port, upstream = free_ports(1), f"127.0.0.1:{server.server_address[1]}"
    names = [f"{name}_UPSTREAM" for name in ("COLLECTOR", "ARTICLES", "NEWSROOM", "STATS", "RENDER")]
    given = {"GATEWAY_ADDRESS": f"http://:{port}", "GATEWAY_BIND": "127.0.0.1", **dict.fromkeys(names, upstream)}
    with caddy(ROOT / "deploy/gateway/Caddyfile", f"http://127.0.0.1:{port}/t.js", given):
        yield port
    server.shutdown()
    server.server_close()


def ask(port: int, path: str, *cookies: str) -> tuple[list[str] | None, bool]:
    """Return the cookies that reach the service, and whether its cookie comes back."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("GET", path)
    for cookie in cookies:
        connection.putheader("cookie", cookie.encode("latin-1"))
    connection.endheaders()
    answer = connection.getresponse()
    found = json.loads(answer.read())
    connection.close()
    return found, "set-cookie" in answer.headers


@pytest.mark.parametrize("path", ["/e", "/p.gif?site=a", "/e/own-traffic", "/e/own-traffic?link=x"])
@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        ((), None),
        ((OWN,), [OWN]),
        ((PLAIN,), [PLAIN]),
        ((f"a=b; {OWN}; __Host-presstally_session=secret",), [OWN]),
        ((f"a=b;{OWN};c=d",), [OWN]),
        (("a=b", OWN), [OWN]),
        ((OWN, "a=b"), [OWN]),
        ((f"{OWN}; {PLAIN}",), [OWN]),
        (("__Host-presstally_session=secret",), None),
        ((f"x{PLAIN}",), None),
        ((f"a=b {PLAIN}",), None),
        ((f"{PLAIN}x",), None),
        ((f"{PLAIN} ; a=b",), None),
        (("presstally_own=",), None),
        (("presstally_own=haihau.1.short",), None),
        (("presstally_own=HAIHAU.1830000000." + "A" * 22,), None),
        (("presstally_own=" + "a" * 41 + ".1." + "A" * 22,), None),
        (("presstally_own=haihau.123456789012." + "A" * 22,), None),
        ((f'presstally_own="{MARK}"',), None),
        (("presstally_own=" + "é" * 22,), None),
        (("a" * 8_000,), None),
        (("presstally_own={http.request.header.Authorization}",), None),
    ],
)
def test_cookie_of_own_traffic_alone_reaches_the_collector(
    gateway: int, path: str, sent: tuple[str, ...], passed: list[str] | None
) -> None:
    """Sessions of people and all other cookies stay at the gateway, in whatever order and form they are sent."""
    assert ask(gateway, path, *sent)[0] == passed


@pytest.mark.parametrize(
    "path", ["/", "/stats/haihau", "/t.js", "/e/batch", "/e/own-traffic/", "/E2/own-traffic", "/media/a"]
)
def test_public_paths_have_no_cookies(gateway: int, path: str) -> None:
    """Neither does one come in, nor does a service set one."""
    assert ask(gateway, path, OWN, "__Host-presstally_session=secret") == (None, False)


@pytest.mark.parametrize(
    ("path", "sets"), [("/e", False), ("/p.gif", False), ("/e/own-traffic", True), ("/api/me", True)]
)
def test_cookies_are_set_by_their_pages_alone(gateway: int, path: str, sets: bool) -> None:
    """Of the collector's paths only the page of own traffic sets one."""
    assert ask(gateway, path)[1] is sets
