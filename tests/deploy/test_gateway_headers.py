"""Which headers the gateway passes on and adds, and what it answers itself: real Caddy, and a server that echoes."""

import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.conftest import ROOT, free_ports
from tests.e2e.test_behind_proxies import caddy

SERVED = ("/e", "/api/me", "/ban-bien-tap/", "/stats/haihau", "/stats/haihau/live", "/tin-tuc/")
"""A path of each service."""
CLAIMED = {
    "forwarded": "for=203.0.113.9;host=attacker.example",
    "x-forwarded-for": "203.0.113.9",
    "x-forwarded-host": "attacker.example",
    "x-forwarded-proto": "https",
}


class Echo(BaseHTTPRequestHandler):
    """Says which headers came, and names its program."""

    server_version = "echo"

    def do_GET(self) -> None:
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def gateways() -> Iterator[tuple[int, int]]:
    """The ports of a gateway in front of the echo, and of one in front of nothing but the tracker."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    first, echo = free_ports(3), f"127.0.0.1:{server.server_address[1]}"
    config, names = ROOT / "deploy/gateway/Caddyfile", ("COLLECTOR", "ARTICLES", "NEWSROOM", "STATS", "RENDER")

    def given(port: int, upstream: str) -> dict[str, str]:
        upstreams = {f"{name}_UPSTREAM": echo if name == "COLLECTOR" else upstream for name in names}
        return {"GATEWAY_ADDRESS": f"http://:{port}", "GATEWAY_BIND": "127.0.0.1", **upstreams}

    closed = f"127.0.0.1:{first + 2}"
    with (
        caddy(config, f"http://127.0.0.1:{first}/t.js", given(first, echo)),
        caddy(config, f"http://127.0.0.1:{first + 1}/t.js", given(first + 1, closed)),
    ):
        yield first, first + 1
    server.shutdown()
    server.server_close()


def ask(port: int, path: str, **headers: str) -> tuple[int, dict[str, str], dict[str, object]]:
    """Return the status, the headers and the JSON of a response."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    found = json.loads(answer.read())
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, found


@pytest.mark.parametrize("path", SERVED)
def test_claims_of_strangers_reach_no_service(gateways: tuple[int, int], path: str) -> None:
    """Of a client that is no trusted proxy, services know the peer's address, and no host or scheme of its choice."""
    _, _, came = ask(gateways[0], path, **CLAIMED)
    assert came["x-forwarded-for"] == "127.0.0.1"
    assert not came.keys() & (CLAIMED.keys() - {"x-forwarded-for"}), came


@pytest.mark.parametrize("path", SERVED)
def test_programs_of_responses_are_not_named(gateways: tuple[int, int], path: str) -> None:
    """Neither the gateway nor a service says which program it is."""
    status, headers, _ = ask(gateways[0], path)
    assert (status, "server" in headers) == (200, False)


def check_own_response(status: int, headers: dict[str, str], problem: dict[str, object]) -> None:
    """Check that a response of the gateway itself is a problem document that runs nothing and is shown in no frame."""
    assert headers["content-type"] == "application/problem+json"
    assert (problem["status"], problem["type"]) == (status, "about:blank")
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/configz"])
def test_internal_path_is_a_problem_of_the_gateway(gateways: tuple[int, int], path: str) -> None:
    """No service is asked: the gateway says 404 itself."""
    status, headers, problem = ask(gateways[0], path)
    assert status == 404
    check_own_response(status, headers, problem)


def test_service_that_does_not_run_is_a_problem_with_a_pause(gateways: tuple[int, int]) -> None:
    """Clients get a time to come again, and nothing about the network behind the gateway."""
    status, headers, problem = ask(gateways[1], "/api/me")
    assert (status, headers["retry-after"]) == (502, "2")
    check_own_response(status, headers, problem)
    assert "127.0.0.1" not in json.dumps(problem)
