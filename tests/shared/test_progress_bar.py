"""The progress bar of commands: on a terminal only, and only where there is time to read it."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PROGRAM = """
import sys, time
from shared.progress_bar import progress_bar
total = int(sys.argv[1])
with progress_bar("records", total) as advance:
    for _ in range(4):
        time.sleep(0.15)
        advance(total // 4)
print("done")
"""


def stderr_of(total: int, *, terminal: bool) -> str:
    """Run the program with stderr on a terminal or a pipe; return what it wrote there."""
    command = [sys.executable, "-c", PROGRAM, str(total)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "80"}
    if not terminal:
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    written = b""
    try:
        while part := os.read(ours, 4_096):
            written += part
    except OSError:  # Linux: the other side is closed
        pass
    os.close(ours)
    out, _ = process.communicate()
    assert (process.returncode, out) == (0, b"done\n")
    return written.decode()


def test_bar_on_a_terminal_shows_what_is_done() -> None:
    """A terminal sees the number of records that are done, of how many."""
    shown = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", stderr_of(2_000, terminal=True))
    assert "   0/2000 records" in shown
    assert "2000/2000 records" in shown


@pytest.mark.parametrize(("total", "terminal"), [(2_000, False), (999, True), (0, True)])
def test_pipe_or_short_work_has_no_bar(total: int, terminal: bool) -> None:
    """A log has no bar, and neither has work that is done at once."""
    assert stderr_of(total, terminal=terminal) == ""
