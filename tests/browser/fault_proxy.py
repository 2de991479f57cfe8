"""A front for the tracker's tests: pages of ours before the real collector, which can be made to fail in all ways.

What a page sends goes on to the real gateway as it came, with its Host and its browser's name, so that the real
counter counts it. The front writes down what passed.
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
    """One sign that a page has sent, and what it was answered (0: nothing)."""

    event: dict[str, Any]
    to: str
    status: int
    purpose: str | None

    @property
    def kind(self) -> str:
        return str(self.event["kind"])


@dataclass
class FaultProxy:
    """The server, its pages and its log."""

    gateway: str
    mode: Mode = "pass"
    pages: dict[str, str] = field(default_factory=dict)
    sent: list[SentEvent] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)
    """Answers `/go`: how a test that must not attach to a tab tells its page to go on."""

    def start(self) -> None:
        handler = type("Handler", (_Handler,), {"front": self})
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
            self._answer(200, {"content-type": "text/html; charset=utf-8"}, self.proxy.pages[path].encode())
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
        connection = http.client.HTTPConnection(urlsplit(self.proxy.gateway).netloc, timeout=10)
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
