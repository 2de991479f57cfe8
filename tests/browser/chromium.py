"""A Chromium that is driven over its debugging pipe.

Playwright makes every tab visible, and disables the back/forward cache and prerendering. The tracker's tests need all
of these, so they talk to the browser directly, and as little as possible: only a tab without a debugger prerenders.
"""

import contextlib
import itertools
import json
import os
import select
import subprocess
import tempfile
import time
from typing import Any

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]
"""Of the Chromium that Playwright drives; the one below also prerenders, so it needs its network."""
ANSWER_SECONDS = 20.0


class PageLeft(Exception):  # noqa: N818 - not an error
    """The tab navigated to another page before it answered."""


class Chromium:
    """One browser with its own profile: one visitor."""

    def __init__(self, user_agent: str) -> None:
        to_it, self._write = os.pipe()
        self._read, from_it = os.pipe()
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._buffer = b""
        self._ids = itertools.count(1)
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
        flags += ["--disable-background-timer-throttling", "--disable-component-update"]
        flags += ["--remote-debugging-pipe", f"--user-data-dir={self._profile.name}", f"--user-agent={user_agent}"]
        wired = f'exec "$@" 3<&{to_it} 4>&{from_it}'  # Chromium expects the pipe on descriptors 3 and 4
        self._process = subprocess.Popen(
            ["bash", "-c", wired, "chromium", CHROMIUM, *flags, "about:blank"],
            pass_fds=(to_it, from_it),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_it)
        os.close(from_it)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive(method)
            if answer.get("id") == number:
                if "navigated or closed" in answer.get("error", {}).get("message", ""):
                    raise PageLeft
                assert "error" not in answer, (method, answer["error"])
                return dict(answer["result"])

    def call_all(self, session: str, messages: list[tuple[str, dict[str, Any]]]) -> None:
        """Send many messages at once, such as the keys of a sentence, and wait until all are done."""
        for begin in range(0, len(messages), 50):
            waiting = set()
            for method, parameters in messages[begin : begin + 50]:
                number = next(self._ids)
                waiting.add(number)
                message = {"id": number, "method": method, "params": parameters, "sessionId": session}
                os.write(self._write, json.dumps(message).encode() + b"\0")
            while waiting:
                answer = self._receive("keys")
                assert "error" not in answer, answer["error"]
                waiting.discard(answer.get("id"))

    def _receive(self, waiting_for: str) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            assert select.select([self._read], [], [], ANSWER_SECONDS)[0], f"no answer to {waiting_for}"
            chunk = os.read(self._read, 1 << 16)
            assert chunk, "Chromium has gone"
            self._buffer += chunk
        message, self._buffer = self._buffer.split(b"\0", 1)
        return dict(json.loads(message))

    def open(self, url: str, *, behind: bool = False, attach: bool = True) -> "Tab":
        """Open a tab in the foreground, or in the background."""
        target = self.call("Target.createTarget", url=url, background=behind)["targetId"]
        tab = Tab(self, target)
        if attach:
            tab.attach()
            tab.until(f"location.href == {json.dumps(url)} && document.readyState == 'complete'")
        return tab

    def close(self) -> None:
        self.call("Browser.close")
        self._process.wait(20)
        os.close(self._write)
        os.close(self._read)
        self._profile.cleanup()


class Tab:
    """One tab. Only an attached one can run scripts."""

    def __init__(self, browser: Chromium, target: str) -> None:
        self._browser = browser
        self._target = target
        self._session = ""

    def attach(self) -> None:
        self._session = self._browser.call("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]

    def js(self, expression: str) -> Any:
        answer = self._browser.call(
            "Runtime.evaluate",
            self._session,
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(PageLeft):
                if self.js(expression):
                    return
            assert time.monotonic() < deadline, f"not within {seconds} s: {expression}"
            time.sleep(0.05)

    def input(self, messages: list[tuple[str, dict[str, Any]]]) -> None:
        """Send keys and compositions: methods of the domain Input with their parameters."""
        self._browser.call_all(self._session, [(f"Input.{method}", parameters) for method, parameters in messages])

    def go(self, url: str) -> None:
        """Navigate to a URL, as by a link."""
        self.js(f"window.left = true; location.href = {json.dumps(url)}; 0")
        self.until("!window.left && document.readyState == 'complete'")

    def back(self) -> None:
        self.js("history.back()")

    def to_front(self) -> None:
        self._browser.call("Target.activateTarget", targetId=self._target)

    def offline(self, yes: bool) -> None:
        """Disconnect or reconnect the network; the page gets the usual events."""
        self._browser.call("Network.enable", self._session)
        self._browser.call(
            "Network.emulateNetworkConditions",
            self._session,
            offline=yes,
            latency=0,
            downloadThroughput=-1,
            uploadThroughput=-1,
        )

    def close(self) -> None:
        self._browser.call("Target.closeTarget", targetId=self._target)
