"""npm packages of tests: processes that need the same packages at once."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.conftest import wait_for

ROOT = Path(__file__).parent.parent
PROGRAM = """
import sys
from pathlib import Path
from tests.npm import install_locked
Path(sys.argv[3]).touch()
folder = install_locked(Path(sys.argv[1]), Path(sys.argv[2]))
assert (folder / "package").exists()
"""
NPM = """#!/bin/sh
echo "$@" >> "$CALLS"
rm -rf node_modules
while [ ! -e "$RELEASED" ]; do sleep 0.02; done
mkdir node_modules
touch node_modules/package
"""


def test_two_processes_install_once(tmp_path: Path) -> None:
    """The second process waits for the first, instead of removing the packages under it."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/npm").write_text(NPM)
    (tmp_path / "bin/npm").chmod(0o755)
    locked = tmp_path / "locked"
    locked.mkdir()
    for name in ("package.json", "package-lock.json"):
        (locked / name).write_text("{}")
    calls, released = tmp_path / "calls", tmp_path / "released"
    environment = {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "CALLS": str(calls),
        "RELEASED": str(released),
    }
    command = [sys.executable, "-c", PROGRAM, str(locked), str(tmp_path / "cache")]
    begun = [tmp_path / f"begun{number}" for number in range(2)]
    running = [subprocess.Popen([*command, str(file)], cwd=ROOT, env=environment) for file in begun]
    wait_for(lambda: calls.exists() and all(file.exists() for file in begun))
    time.sleep(0.5)  # a second process that does not wait calls npm within this time
    released.touch()
    assert [process.wait(60) for process in running] == [0, 0]
    assert calls.read_text().count("\n") == 1
