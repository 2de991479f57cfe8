"""A WebSub hub on loopback: it fetches each feed that is announced, as hubs do, and keeps what it saw."""

import re
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs


class Hub(ThreadingHTTPServer):
    """A hub. `statuses` has what it answers next, by feed or for all (`*`); default: 204."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.told: list[str] = []
        """The URL of each feed of which it was told, in order."""
        self.seen: dict[str, str] = {}
        """Each feed as it was when the hub was told last."""
        self.statuses: dict[str, int] = {}
        self.gate: threading.Event | None = None
        """What it waits for before it answers."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def titles(self, topic: str) -> list[str]:
        """Return the titles of the entries that it saw in a feed."""
        return re.findall(r"<(?:item|entry)[^>]*>\s*<title>(.*?)</title>", self.seen.get(topic, ""), re.DOTALL)


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        assert form["hub.mode"] == ["publish"], form
        (topic,) = form["hub.url"]
        self.server.told.append(topic)
        if self.server.gate is not None:
            self.server.gate.wait(30)
        status = self.server.statuses.get(topic) or self.server.statuses.get("*", 204)
        if status == 204:
            with urllib.request.urlopen(topic, timeout=10) as response:
                self.server.seen[topic] = response.read().decode()
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def running_hub(port: int = 0) -> Iterator[Hub]:
    """Run a hub."""
    with Hub(port) as hub:
        thread = threading.Thread(target=hub.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield hub
        finally:
            if hub.gate is not None:
                hub.gate.set()
            hub.shutdown()
            thread.join()
