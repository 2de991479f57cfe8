"""Requests to the editor API."""

import http.server
import io
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import Request

from services.ingest.newsroom.api_client import ApiClient, ApiError, ApiUnavailableError, HttpTransport


class Recorder(http.server.BaseHTTPRequestHandler):
    """Answers with what it got."""

    seen: list[tuple[str, str, dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        type(self).seen.append((self.command, self.path, {n.lower(): v for n, v in self.headers.items()}, body))
        content = b'{"detail": "no", "errors": [{"field": "body.3.html", "fault": "too long"}]}'
        is_good = "good" in self.path
        self.send_response(200 if is_good else 422)
        self.send_header("set-cookie", "a=b")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST  # noqa: N815 - the name that the server looks for

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    """A server that records requests."""
    Recorder.seen = []
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_address[1]}"
    running.shutdown()
    thread.join()
    running.server_close()


def request_of(**headers: str) -> Request:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": pairs, "client": ("10.0.0.9", 1)})


async def test_request_is_the_browsers_own(server: str) -> None:
    """Cookie, host and origin are passed on, the address is appended, and the CSRF token and version are named."""
    transport = HttpTransport(server)
    given = {
        "host": "haihau.example",
        "cookie": "s=1",
        "origin": "https://haihau.example",
        "x_forwarded_for": "203.0.113.7",
    }
    api = ApiClient(transport, request_of(**given, authorization="Bearer x"), "vi")
    await api.send("POST", "/good/á", {"a": 1}, csrf="token", version=3, q=["x", "y"], none=None)
    method, path, headers, body = Recorder.seen[0]
    assert (method, path, body) == ("POST", "/api/good/%C3%A1?q=x&q=y", b'{"a":1}')
    assert (headers["host"], headers["cookie"], headers["if-match"]) == ("haihau.example", "s=1", '"3"')
    assert (headers["x-csrf-token"], headers["accept-language"]) == ("token", "vi")
    assert headers["x-forwarded-for"] == "203.0.113.7, 10.0.0.9"
    assert "authorization" not in headers
    assert api.cookies == ["a=b"]
    await api.upload("/good", io.BytesIO(b"123"), 3, csrf="token", file_name="x.jpg")
    assert Recorder.seen[1][3] == b"123"
    transport.close()


async def test_refusal_has_the_messages_of_fields(server: str) -> None:
    """A problem document becomes an error with a message for each field of a form."""
    api = ApiClient(HttpTransport(server), request_of(), "vi")
    with pytest.raises(ApiError) as raised:
        await api.get("/bad")
    assert (raised.value.status, raised.value.field_errors) == (422, {"body": "too long"})


async def test_api_that_does_not_answer_is_unavailable() -> None:
    """Nobody listens there, or no address is set."""
    for url in ("http://127.0.0.1:9", ""):
        api = ApiClient(HttpTransport(url), request_of(), "vi")
        with pytest.raises(ApiUnavailableError):
            await api.get("/me")
