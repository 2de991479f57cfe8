"""Requests that gateway and services could read differently: internal paths stay unreachable, connections unmixed."""

import contextlib
import itertools
import socket
from typing import Any

import pytest

INTERNAL = (b'"alive"', b'"ready"', b"# HELP")
"""What only the internal paths of a service answer."""
HIDDEN = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
HEADERS = [
    (b"content-length: 0\r\ntransfer-encoding: chunked\r\n", b"0\r\n\r\n" + HIDDEN),
    (b"content-length: 5\r\ntransfer-encoding: chunked\r\n", b"0\r\n\r\n" + HIDDEN),
    (b"transfer-encoding: chunked\r\ncontent-length: 5\r\n", b"0\r\n\r\n" + HIDDEN),
    (b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n", b"0\r\n\r\n" + HIDDEN),
    (b"transfer-encoding: identity, chunked\r\ncontent-length: 3\r\n", b"0\r\n\r\n" + HIDDEN),
    (b"transfer-encoding: xchunked\r\ncontent-length: 0\r\n", HIDDEN),
    (b"transfer-encoding : chunked\r\ncontent-length: 0\r\n", b"0\r\n\r\n" + HIDDEN),
    (b"transfer-encoding:\tchunked\r\ncontent-length: 0\r\n", b"0\r\n\r\n" + HIDDEN),
    (b"transfer-encoding:\x0bchunked\r\ncontent-length: 0\r\n", b"0\r\n\r\n" + HIDDEN),
    (b" transfer-encoding: chunked\r\ncontent-length: 0\r\n", b"0\r\n\r\n" + HIDDEN),
    (b"x: y\r\n transfer-encoding: chunked\r\ncontent-length: 0\r\n", b"0\r\n\r\n" + HIDDEN),
    (b"x: y\ntransfer-encoding: chunked\r\ncontent-length: 0\r\n", b"0\r\n\r\n" + HIDDEN),
    (b"content-length: 0\r\ncontent-length: %d\r\n" % len(HIDDEN), HIDDEN),
    (b"content-length: %d\r\ncontent-length: 0\r\n" % len(HIDDEN), HIDDEN),
    (b"content-length: +0\r\n", HIDDEN),
    (b"content-length: 0, %d\r\n" % len(HIDDEN), HIDDEN),
    (b"content-length: -1\r\n", HIDDEN),
    (b"content-length: 0x0\r\n", HIDDEN),
    (b"transfer-encoding: chunked\r\n", CHUNKED),
    (b"transfer-encoding: chunked\r\n", b"0;x=\r\n\r\n" + HIDDEN),
    (b"transfer-encoding: chunked\r\n", b"0\r\nx: y\r\n\r\n" + HIDDEN),
    (b"transfer-encoding: chunked\r\n", b"00000000000000000\r\n\r\n" + HIDDEN),
    (b"transfer-encoding: chunked\r\n", b"ffffffffffffffff1\r\n\r\n" + HIDDEN),
    (b"transfer-encoding: chunked\r\n", b"0\n\n" + HIDDEN),
    (b"transfer-encoding: chunked\r\n", b"3\r\n{}\n\r\n0\r\n\r\n" + HIDDEN),
    (b"expect: 100-continue\r\ncontent-length: 0\r\n", HIDDEN),
    (b"connection: content-length\r\ncontent-length: 4\r\n", HIDDEN),
    (b"upgrade: h2c\r\nconnection: upgrade, http2-settings\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n", HIDDEN),
]
PATHS = [
    *(
        "/livez",
        "/readyz",
        "/metrics",
        "//livez",
        "/./livez",
        "/x/../livez",
        "/e/../livez",
        "/api/../livez",
        "/%6civez",
    ),
    *("/stats/../livez", "/stats/..%2flivez", "/stats/%2e%2e/livez", "/%2e/livez", "/livez/", "/livez;x", "/livez%00"),
    *(
        "/LIVEZ",
        "/livez%20",
        "/livez?x",
        "/livez#x",
        "/%2flivez",
        "/\\livez",
        "/e/%2e%2e/metrics",
        "/api/%2e%2e/metrics",
    ),
    *("http://localhost/livez", "http://ingest:8000/metrics", "/t.js/../metrics", "/metrics%3f", "/%252e%252e/livez"),
]


def exchange(port: int, sent: bytes, seconds: float = 0.4) -> bytes:
    """Send bytes and return all that comes back until the connection is closed or quiet."""
    received = b""
    with (
        contextlib.closing(socket.create_connection(("127.0.0.1", port), 5)) as connection,
        contextlib.suppress(OSError),
    ):
        connection.sendall(sent)
        connection.settimeout(seconds)
        while chunk := connection.recv(65_536):
            received += chunk
    return received


@pytest.mark.parametrize("path", ["/e", "/api/articles", "/stats/haihau/counter", "/"])
def test_ambiguous_bodies_do_not_smuggle_a_request(system: Any, path: str) -> None:
    """Whatever a request says about its length, no hidden request is answered, and no response is mixed up."""
    for headers, body in HEADERS:
        head = b"POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n%b\r\n" % (path.encode(), headers)
        received = exchange(system.base_port, head + body + b"GET /t.js HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert not any(one in received for one in INTERNAL), (headers, received)
        for _ in range(2):  # the connections of the gateway to the services are in order
            assert system.get("/t.js").body.startswith(b"/*") or b"presstally" in system.get("/t.js").body
            assert system.get("/stats/haihau/counter").json()["site"] == "haihau"
            assert system.get("/api/articles?limit=1").status == 200


def test_internal_paths_stay_unreachable(system: Any) -> None:
    """No spelling of a path reaches health and metrics through the gateway."""
    for path, method in itertools.product(PATHS, ["GET", "POST"]):
        request = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        received = exchange(system.base_port, request.encode(), 5)
        assert received.startswith(b"HTTP/1.1 "), (path, received[:200])
        assert not any(one in received for one in INTERNAL), (path, received)
