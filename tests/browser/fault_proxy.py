"""A proxy for the tracker's tests: it serves test pages, forwards events to the real collector, and can fail.

Requests are forwarded to the real gateway unchanged, with their Host and User-Agent, so that the real counter counts
them. The proxy records all events.
"""

import http.client
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

Mode = Literal["pass", "refuse", "cut", "lose answers"]
HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


@dataclass
class SentEvent:
    """One event that a page has sent, and the status of the response (0: none)."""

    event: dict[str, Any]
    to: str
    status: int
    purpose: str | None

    @property
    def kind(self) -> str:
        return str(self.event["kind"])


@dataclass
class FaultProxy:
    """The server, its pages and the recorded events."""

    gateway: str
    mode: Mode = "pass"
    pages: dict[str, str] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of pages, beside or instead of the usual ones."""
    sent: list[SentEvent] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    """Paths of pages that were requested."""
    go: threading.Event = field(default_factory=threading.Event)
    """Answers `/go`: signals a page to continue, for tests that must not attach to the tab."""

    def start(self) -> None:
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://localhost:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.go.set()
        self._server.shutdown()
        self._server.server_close()

    def of_kind(self, kind: str) -> list[SentEvent]:
        return [one for one in self.sent if one.kind == kind]

    @property
    def view_ids(self) -> set[str]:
        return {one.event["id"] for one in self.of_kind("view")}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: FaultProxy

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/go":
            self.proxy.go.wait(30)
            self._answer(200, {"content-type": "text/plain"}, b"")
        elif path in self.proxy.pages:
            self.proxy.opened.append(path)
            headers = {"content-type": "text/html; charset=utf-8"} | self.proxy.headers.get(path, {})
            self._answer(200, headers, self.proxy.pages[path].encode())
        else:
            self._answer(*self._pass_on(None))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        mode = self.proxy.mode
        status, headers, answer = 0, {}, b""
        if mode == "refuse":
            status, headers = 503, {"retry-after": "1"}
        elif mode != "cut":
            status, headers, answer = self._pass_on(body)
        events = json.loads(body)
        for event in events if isinstance(events, list) else [events]:
            self.proxy.sent.append(SentEvent(event, self.path, status, self.headers.get("sec-purpose")))
        if mode in ("cut", "lose answers"):
            self.close_connection = True
        else:
            self._answer(status, headers, answer)

    def _pass_on(self, body: bytes | None) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.proxy.gateway).netloc, timeout=60)
        kept = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        connection.request(self.command, self.path, body, kept)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP}
        return answer.status, headers, text

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
