"""Traffic of the sample site for `verify`: continuous views, each sent until it is acknowledged."""

import json
import threading
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass, field
from typing import Self

PAUSE_SECONDS = 0.05
RETRY_SECONDS = 0.5
EVENTS = 10
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"


def send_request(url: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """Send a GET, or a POST if there is a body; return the status and the response body.

    Raises:
        OSError: there was no response.
    """
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named |= {"User-Agent": BROWSER, "Content-Type": "application/json"}
    request = urllib.request.Request(url, body, named)  # noqa: S310 - loopback, a URL of this system
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - loopback, a URL of this system
            return int(response.status), bytes(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@dataclass
class TrafficGenerator:
    """Sends views and requests the page in its own thread, for the duration of a `with` block."""

    url: str
    page: str
    acknowledged: int = 0
    retries: int = 0
    pages: int = 0
    pages_failed: int = 0
    _enough: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join(60)

    def _run(self) -> None:
        while not self._enough.wait(PAUSE_SECONDS):
            self._send()
            try:
                status, _ = send_request(self.page)
            except OSError:
                status = 0
            self.pages += 1
            self.pages_failed += status != 200

    def _send(self) -> None:
        events = [
            {"id": str(uuid.uuid4()), "site": "haihau", "kind": "view", "path": f"/{number}"}
            for number in range(EVENTS)
        ]
        body = json.dumps(events).encode()
        while True:
            try:
                status, _ = send_request(f"{self.url}/e", body)
            except OSError:
                status = 0
            if status == 202:
                self.acknowledged += EVENTS
                return
            self.retries += 1
            time.sleep(RETRY_SECONDS)
