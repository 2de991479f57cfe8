"""The scripts of the newsroom in Node: their packages from the lock, and calls of their functions."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.npm import install_locked

SOURCE = Path(__file__).parent.parent.parent.parent.parent / "services/ingest/newsroom/client"


def copy_client(folder: Path) -> Path:
    """Copy the sources into a folder, with the locked packages; return the folder."""
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("node_modules"), dirs_exist_ok=True)
    (folder / "node_modules").symlink_to(install_locked(SOURCE))
    return folder


class ClientScripts:
    """A Node process that calls functions of the scripts."""

    def __init__(self, folder: Path) -> None:
        copy_client(folder)
        shutil.copy(Path(__file__).parent / "bridge.mjs", folder)
        self._process = subprocess.Popen(
            ["node", "bridge.mjs"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a function of bridge.mjs with JSON values; return its result."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"call": name, "arguments": arguments}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
