"""Services as forks of the supervisor: as separate as programs, with the memory of common packages shared."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

Running = tuple["subprocess.Popen[str]", Path]
ROOT = Path(__file__).parent.parent.parent
SUPERVISOR = """
import fcntl, os, sys
from pathlib import Path
from deploy.local.forked_services import import_shared_packages
from deploy.local.stack import print_progress
from deploy.local.supervisor import ManagedProcess, Supervisor
folder = Path(sys.argv[1])
lock = (folder / "lock").open("a")
fcntl.flock(lock, fcntl.LOCK_EX)
os.environ["OF_THE_SUPERVISOR"] = "1"
import shared.sites
sys.path.insert(0, str(folder))
import_shared_packages()
def note(parts):
    (folder / "unfinished").write_text(" ".join(str(part.process.pid) for part in parts))
    (folder / "unfinished").replace(folder / "pids")
keeper = Supervisor(folder, print_progress, note)
keeper.catch_signals()
environment = {"GIVEN": "ä", "PATH": os.environ["PATH"]}
command = [sys.executable, "-m", "forked_module", "one", "two words"]
is_up = lambda: (folder / "report.json").exists()
keeper.start([ManagedProcess("forked", command, is_up, environment, is_forked=True, stop_seconds=5)], 30)
print("ready", flush=True)
keeper.keep_running()
keeper.stop()
"""
MODULE = """
import json, os, signal, sys, threading
from pathlib import Path
folder = Path(__file__).parent
report = {
    "argv": sys.argv[1:],
    "environment": sorted(os.environ),
    "given": os.environ["GIVEN"],
    "name": __name__,
    "files": sorted(os.readlink(f"/proc/self/fd/{one}") for one in os.listdir("/proc/self/fd")
                    if os.path.exists(f"/proc/self/fd/{one}")),
    "session": os.getsid(0) == os.getpid(),
    "is_shared": "aiokafka" in sys.modules,
    "own": sorted(one for one in sys.modules if one.startswith("shared")),
    "default": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
}
print("a line of the service", flush=True)
(folder / "unfinished.json").write_text(json.dumps(report))
(folder / "unfinished.json").replace(folder / "report.json")
asked = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: asked.set())
asked.wait()
print("a last line without flush")
sys.exit(7)
"""


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Running]:
    """A supervisor of one forked service, and its folder."""
    (tmp_path / "forked_module.py").write_text(MODULE, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process, tmp_path
    if process.poll() is None:
        process.kill()
    process.communicate(timeout=30)


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_forked_service_is_as_separate_as_a_program(supervisor: Running) -> None:
    """It has its own environment, session, arguments and files, and imports this project's code itself."""
    _, folder = supervisor
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert report["argv"] == ["one", "two words"]
    assert report["name"] == "__main__"
    assert report["given"] == "ä"
    assert "OF_THE_SUPERVISOR" not in report["environment"]
    assert set(report["environment"]) <= {"GIVEN", "PATH", "LC_CTYPE"}
    assert set(report["files"]) <= {os.devnull, str(folder / "forked.log")}
    assert all(report[name] for name in ("session", "default", "is_shared"))
    assert report["own"] == []
    assert "a line of the service" in (folder / "forked.log").read_text(encoding="utf-8")
    pid = int((folder / "pids").read_text())
    assert psutil.Process(pid).cmdline()[0].endswith("-m forked_module one two words") or psutil.Process(pid).cmdline()[
        1:
    ] == ["-m", "forked_module", "one", "two words"]


def test_forked_service_that_is_killed_is_restarted_with_the_code_of_now(supervisor: Running) -> None:
    """After kill -9 another one runs, from the file as it is."""
    _, folder = supervisor
    pid = int((folder / "pids").read_text())
    changed = MODULE.replace("a line of the service", "a line of the update")
    (folder / "forked_module.py").write_text(changed, encoding="utf-8")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: "a line of the update" in (folder / "forked.log").read_text(encoding="utf-8"))
    wait_until(lambda: int((folder / "pids").read_text() or pid) != pid)


def test_forked_service_ends_with_its_exit_code_and_last_lines(supervisor: Running) -> None:
    """A stop asks it to end; what it printed is in its log."""
    process, folder = supervisor
    pid = int((folder / "pids").read_text())
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: has_ended(pid))
    assert process.stdout is not None
    assert process.stdout.readline() == "presstally: forked exited with code 7; restarting it\n"
    assert "a last line without flush" in (folder / "forked.log").read_text(encoding="utf-8")


def test_forked_service_ends_with_a_killed_supervisor(supervisor: Running) -> None:
    """The kernel ends it, and the supervisor's lock is free."""
    process, folder = supervisor
    pid = int((folder / "pids").read_text())
    process.kill()
    process.wait(timeout=30)
    wait_until(lambda: has_ended(pid))
    done = subprocess.run(["flock", "--nonblock", str(folder / "lock"), "true"], check=False)
    assert done.returncode == 0
