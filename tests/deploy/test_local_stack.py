"""`make run`, `make up` and `make down` as their users see them."""

import ast
import contextlib
import fcntl
import grp
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.local.bootstrap import SetupError, check_python
from deploy.local.log_files import bound_log
from deploy.local.supervisor import ManagedProcess, Supervisor

ROOT = Path(__file__).parent.parent.parent
BOOTSTRAP = ROOT / "deploy/local/bootstrap.py"
KEEPER = """
import signal, sys
from pathlib import Path
from deploy.local.stack import print_progress
from deploy.local.supervisor import ManagedProcess, Supervisor
folder = Path(sys.argv[1])
def note(parts):
    (folder / "unfinished").write_text(" ".join(str(part.process.pid) for part in parts))
    (folder / "unfinished").replace(folder / "pids")
keeper = Supervisor(folder, print_progress, note)
keeper.catch_signals()
wait = "import time; time.sleep(1000)"
sleeper = [sys.executable, "-c", wait]
stubborn = [sys.executable, "-c", "import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True); " + wait]
is_up = lambda: "up" in keeper.tail("stubborn")
keeper.start(
    [ManagedProcess("sleeper", sleeper, lambda: True), ManagedProcess("stubborn", stubborn, is_up, stop_seconds=1)], 10
)
print("ready", flush=True)
keeper.keep_running()
keeper.stop()
"""


def bootstrap(verb: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {"PRESSTALLY_HOME": str(home), **environment}
    return subprocess.run(
        [sys.executable, str(BOOTSTRAP), verb],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def assert_one_message(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode == 1, done.stdout
    assert done.stderr.startswith("presstally: ")
    assert done.stderr.count("\n") == 1
    for part in parts:
        assert part in done.stderr


def test_port_in_use_is_reported_with_its_owner(tmp_path: Path, free_ports: Callable[[int], int]) -> None:
    """A port that another program uses is reported with its name and that program."""
    base = free_ports(8)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", base + 2))
        taken.listen()
        done = bootstrap("up", tmp_path, PRESSTALLY_PORT=str(base))
    assert_one_message(done, f"port {base + 2} (stats) is in use", f"(pid {os.getpid()})", "PRESSTALLY_PORT")


@pytest.mark.parametrize("port", ["http", "0", "65535"])
def test_invalid_port_is_rejected(tmp_path: Path, port: str) -> None:
    """PRESSTALLY_PORT must leave room for all ports."""
    assert_one_message(bootstrap("up", tmp_path, PRESSTALLY_PORT=port), "PRESSTALLY_PORT", repr(port))


def test_missing_or_old_java_is_reported(tmp_path: Path, free_ports: Callable[[int], int]) -> None:
    """Without Java, or with an old one, one message says what to install."""
    port = str(free_ports(8))
    empty = tmp_path / "bin"
    empty.mkdir()
    assert_one_message(
        bootstrap("up", tmp_path, PRESSTALLY_PORT=port, PATH=str(empty), JAVA_HOME=""), "Java 17", "apt install"
    )
    for name, text in {"java": "echo 'openjdk version \"11.0.2\"' >&2"}.items():
        (empty / name).write_text(f"#!/bin/sh\n{text}\n")
        (empty / name).chmod(0o755)
    assert_one_message(bootstrap("up", tmp_path, PRESSTALLY_PORT=port, PATH=str(empty), JAVA_HOME=""), "is 11")


def test_missing_maven_is_reported(tmp_path: Path) -> None:
    """A fresh clone without Maven gets a message that says how to install it."""
    copy = tmp_path / "copy/deploy/local"
    copy.mkdir(parents=True)
    for name in ("bootstrap.py", "pom.xml"):
        (copy / name).write_bytes((ROOT / "deploy/local" / name).read_bytes())
    java = tmp_path / "bin/java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"17.0.1\"' >&2\n")
    java.chmod(0o755)
    environment = {"PATH": str(java.parent), "PRESSTALLY_HOME": str(tmp_path), "JAVA_HOME": ""}
    done = subprocess.run(
        [sys.executable, str(copy / "bootstrap.py"), "up"], env=environment, capture_output=True, text=True, check=False
    )
    assert_one_message(done, "Maven", "apt install maven")


def test_full_disk_is_reported(tmp_path: Path, free_ports: Callable[[int], int]) -> None:
    """Too little disk space is reported before anything is written."""
    done = bootstrap("up", tmp_path, PRESSTALLY_PORT=str(free_ports(8)), PRESSTALLY_MIN_FREE_MB="999999999")
    assert_one_message(done, "the disk is too full", "999999999 MB are needed")


def test_invalid_disk_limit_is_reported(tmp_path: Path, free_ports: Callable[[int], int]) -> None:
    """A limit that is not a number is reported with its name."""
    done = bootstrap("up", tmp_path, PRESSTALLY_PORT=str(free_ports(8)), PRESSTALLY_MIN_FREE_MB="much")
    assert_one_message(done, "PRESSTALLY_MIN_FREE_MB", "'much'")


def test_old_python_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.8 can parse the bootstrap, which then reports the required version."""
    ast.parse(BOOTSTRAP.read_text(), feature_version=(3, 8))
    monkeypatch.setattr(sys, "version_info", (3, 8, 10))
    with pytest.raises(SetupError, match=r"Python 3\.11 or newer is needed"):
        check_python()


def test_down_never_stops_another_program(tmp_path: Path) -> None:
    """A stale state file with the process ID of another program does not stop that program."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"]) as other:
        (tmp_path / "stack.json").write_text(json.dumps({"pid": other.pid, "started": "1"}))
        with (tmp_path / "stack.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = subprocess.run(
                [sys.executable, "-m", "deploy.local", "down"],
                env={**os.environ, "PRESSTALLY_HOME": str(tmp_path)},
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
        assert (done.returncode, other.poll()) == (1, None)
        assert "cannot determine the supervisor's process" in done.stdout
        other.kill()


def test_down_without_up_succeeds(tmp_path: Path) -> None:
    """Stopping an installation that is not running is not an error."""
    done = bootstrap("down", tmp_path)
    assert (done.returncode, done.stdout) == (0, "presstally: nothing is running\n")


def test_second_up_reports_running_installation(system: Any) -> None:
    """`make up` on a running installation prints its URL, changes nothing and succeeds."""
    before = system.state()
    settings = {name: system.environment[name] for name in ("PRESSTALLY_HOME", "PRESSTALLY_PORT")}
    done = bootstrap("up", system.home, **settings)
    assert (done.returncode, done.stdout) == (0, f"presstally: already running at {system.url}\n")
    assert system.state() == before


def test_installation_is_closed_to_other_accounts(system: Any) -> None:
    """No other account reads or traverses the folder of an installation: it has passwords, logs and data."""
    assert system.home.stat().st_mode & 0o067 == 0
    group = system.home.stat().st_gid
    assert os.geteuid() != 0 or not grp.getgrgid(group).gr_mem  # Postgres's own group has no other members


def test_killed_gateway_is_restarted(system: Any, wait: Callable[..., Any]) -> None:
    """A killed gateway is restarted within 10 seconds and serves requests."""
    victim = system.state()["parts"]["gateway"]
    os.kill(victim, signal.SIGKILL)
    wait(lambda: system.state()["parts"]["gateway"] != victim, 10)
    wait(lambda: _status(system) == 200, 10)


def _status(system: Any) -> int:
    try:
        return int(system.get("/").status)
    except OSError:
        return 0


@pytest.fixture
def keeper(tmp_path: Path) -> Any:
    command = [sys.executable, "-c", KEEPER, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()
    for pid in pids(tmp_path):  # the stubborn process ignores the kernel's SIGTERM
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def pids(folder: Path) -> list[int]:
    return [int(pid) for pid in (folder / "pids").read_text().split()]


def test_killed_process_is_restarted(tmp_path: Path, keeper: Any, wait: Callable[..., Any]) -> None:
    """A killed process is restarted soon, and the other one keeps running."""
    sleeper, stubborn = pids(tmp_path)
    os.kill(sleeper, signal.SIGKILL)
    wait(lambda: pids(tmp_path)[0] != sleeper, 10)
    assert pids(tmp_path)[1] == stubborn
    assert psutil.pid_exists(pids(tmp_path)[0])


def test_stop_kills_stubborn_process_after_timeout(tmp_path: Path, keeper: Any) -> None:
    """A process that does not stop is killed after its timeout, and none is left."""
    keeper.send_signal(signal.SIGINT)
    assert keeper.wait(10) == 0
    assert "stubborn did not stop within 1 s; killing it" in keeper.stdout.read()
    assert not any(psutil.pid_exists(pid) for pid in pids(tmp_path))


CHATTERBOX = r"""
import sys
from pathlib import Path
from deploy.local import log_files
from deploy.local.supervisor import ManagedProcess, Supervisor
log_files.bound_log.__defaults__ = (100_000,)
keeper = Supervisor(Path(sys.argv[1]), print, lambda parts: None)
keeper.catch_signals()
flood = "import time\nfor n in range(10**9):\n print(f'line {n}', flush=True)\n if n % 1000 == 0: time.sleep(0.02)"
keeper.start([ManagedProcess("flood", [sys.executable, "-c", flood], lambda: True)], 10)
keeper.keep_running()
keeper.stop()
"""


def test_log_of_running_process_is_bounded(tmp_path: Path, wait: Callable[..., Any]) -> None:
    """A process that floods its log gets a bounded file while it runs, and its newest lines are kept in order."""
    with subprocess.Popen([sys.executable, "-c", CHATTERBOX, str(tmp_path)], cwd=ROOT) as keeper:
        older = tmp_path / "flood.log.old"
        wait(older.exists, 10)
        first = older.read_bytes()
        wait(lambda: older.read_bytes() != first, 10)  # it is bounded more than once
        keeper.send_signal(signal.SIGINT)
        assert keeper.wait(20) == 0
    numbers = [int(line.split()[1]) for line in older.read_text().splitlines()[1:]]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert older.stat().st_size <= 2_000_000
    assert sorted(file.name for file in tmp_path.iterdir()) == ["flood.log", "flood.log.old"]


def test_log_that_cannot_be_copied_is_emptied(tmp_path: Path) -> None:
    """A log that is too large is emptied although there is no place for its copy: a full disk would be worse."""
    log = tmp_path / "a.log"
    log.write_bytes(b"x" * 101)
    (tmp_path / "a.log.unfinished").mkdir()
    with pytest.raises(OSError, match="directory"):
        bound_log(log, 100)
    assert log.stat().st_size == 0
    assert not bound_log(log, 100)
    assert not bound_log(tmp_path / "missing.log", 100)


def limit_files(process: Any, size: int) -> None:
    """Let a running process, and those that it starts, write no further than this into any file."""
    _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, hard))


def test_supervisor_survives_a_full_disk_and_recovers(tmp_path: Path, wait: Callable[..., Any]) -> None:
    """Without space for the state and the logs, a killed process is restarted; with space again, all is written."""
    printed = tmp_path / "supervisor.out"
    with (
        printed.open("ab") as output,
        subprocess.Popen([sys.executable, "-c", KEEPER, str(tmp_path)], cwd=ROOT, stdout=output) as keeper,
    ):
        try:
            wait(lambda: "ready" in printed.read_text(), 20)
            sleeper, stubborn = pids(tmp_path)
            limit_files(keeper, 0)
            os.kill(sleeper, signal.SIGKILL)
            supervisor = psutil.Process(keeper.pid)
            wait(lambda: {one.pid for one in supervisor.children()} - {sleeper, stubborn}, 10)
            (restarted,) = {one.pid for one in supervisor.children()} - {sleeper, stubborn}
            os.kill(restarted, signal.SIGKILL)
            wait(lambda: {one.pid for one in supervisor.children()} - {sleeper, stubborn, restarted}, 10)
            assert (keeper.poll(), pids(tmp_path), printed.read_text()) == (None, [sleeper, stubborn], "ready\n")
            limit_files(keeper, resource.RLIM_INFINITY)
            wait(lambda: pids(tmp_path)[0] not in (sleeper, restarted), 10)
            wait(lambda: "the state file is written again" in printed.read_text(), 10)
            assert {one.pid for one in supervisor.children()} == set(pids(tmp_path))
            assert "cannot write the state file: File too large" in printed.read_text()
        finally:
            keeper.kill()
    with contextlib.suppress(ProcessLookupError):
        os.kill(stubborn, signal.SIGKILL)  # it ignores the kernel's SIGTERM


def test_process_without_a_log_is_started(tmp_path: Path) -> None:
    """A log that cannot be opened does not prevent its process from being started."""
    (tmp_path / "quiet.log").mkdir()
    said: list[str] = []
    keeper = Supervisor(tmp_path, said.append, lambda _: None)
    keeper.start([ManagedProcess("quiet", [sys.executable, "-c", "import time; time.sleep(60)"], lambda: True)], 10)
    assert said == ["quiet starts without a log: Is a directory"]
    keeper.stop()


def test_processes_end_with_a_killed_supervisor(tmp_path: Path, keeper: Any, wait: Callable[..., Any]) -> None:
    """When the supervisor itself is killed, the kernel signals its processes."""
    sleeper, stubborn = pids(tmp_path)
    keeper.kill()
    keeper.wait()
    wait(lambda: not psutil.pid_exists(sleeper), 5)
    os.kill(stubborn, signal.SIGKILL)  # it ignores SIGTERM on purpose
