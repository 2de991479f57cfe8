"""Firefox (Debian's firefox-esr), driven over its own remote protocol, with its own input method processor."""

import json
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

FIREFOX = "/usr/bin/firefox-esr"
START_SECONDS = 60
INPUT = r"""
const tip = Cc["@mozilla.org/text-input-processor;1"].createInstance(Ci.nsITextInputProcessor);
tip.beginInputTransactionForTests(window);
const press = (key, code, keyCode, also = () => {}) => {
  const event = new window.KeyboardEvent("", { key, code, keyCode });
  tip.keydown(event, keyCode ? 0 : tip.KEY_FORCE_PRINTABLE_KEY);
  also();
  tip.keyup(event);
};
for (const [kind, value, committed] of arguments[0]) {
  if (kind === "key") {
    const known = { "\b": ["Backspace", "Backspace", 8], "\n": ["Enter", "Enter", 13] }[value];
    press(...(known ?? [value, "", 0]));
  } else if (kind === "control") {
    const code = value.toUpperCase();
    press("Control", "ControlLeft", 17, () => press(value, `Key${code}`, code.charCodeAt(0)));
  } else {
    for (const text of value) {
      tip.setPendingCompositionString(text);
      tip.appendClauseToPendingComposition(text.length, tip.ATTR_RAW_CLAUSE);
      tip.setCaretInPendingComposition(text.length);
      tip.flushPendingComposition();
    }
    if (committed !== null) tip.commitCompositionWith(committed);
  }
}
"""
"""Keys and compositions, given to the browser where an operating system gives them."""


class Firefox:
    """One browser with one tab and its own profile."""

    def __init__(self) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        Path(self._profile.name, "user.js").write_text(f'user_pref("marionette.port", {port});\n')
        flags = ["--headless", "--marionette", "--remote-allow-system-access", "--profile", self._profile.name]
        self._process = subprocess.Popen(
            [FIREFOX, *flags, "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": self._profile.name},
        )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._socket = socket.create_connection(("127.0.0.1", port), 5)
                break
            except OSError:
                assert time.monotonic() < deadline, "Firefox does not start"
                time.sleep(0.2)
        self._socket.settimeout(START_SECONDS)
        self._buffer, self._number = b"", 0
        self._receive()
        self.call("WebDriver:NewSession", capabilities={})

    def _receive(self) -> Any:
        while b":" not in self._buffer:
            self._read()
        size, _, self._buffer = self._buffer.partition(b":")
        while len(self._buffer) < int(size):
            self._read()
        message, self._buffer = self._buffer[: int(size)], self._buffer[int(size) :]
        return json.loads(message)

    def _read(self) -> None:
        chunk = self._socket.recv(1 << 16)
        assert chunk, "Firefox has gone"
        self._buffer += chunk

    def call(self, command: str, **parameters: Any) -> Any:
        """Send a command; return its result."""
        self._number += 1
        message = json.dumps([0, self._number, command, parameters]).encode()
        self._socket.sendall(str(len(message)).encode() + b":" + message)
        _, _, error, result = self._receive()
        assert error is None, error
        return result

    def open(self, url: str) -> None:
        self.call("WebDriver:Navigate", url=url)

    def js(self, script: str, *arguments: Any) -> Any:
        """Run the body of a function in the page; return its result."""
        return self.call("WebDriver:ExecuteScript", script=script, args=list(arguments))["value"]

    def input(self, actions: list[tuple[str, Any, Any]]) -> None:
        """Send ("key", character, None), ("control", letter, None) and ("compose", texts, committed), in order."""
        self.call("Marionette:SetContext", value="chrome")
        self.call("WebDriver:ExecuteScript", script=INPUT, args=[actions])
        self.call("Marionette:SetContext", value="content")

    def close(self) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(START_SECONDS)
        self._profile.cleanup()
