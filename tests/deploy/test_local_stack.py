"""`make run`, `make up` and `make down` as their users see them."""

import contextlib
import fcntl
import grp
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.local.bootstrap import SetupError, check_home, needed_ports, reason_in
from deploy.local.log_files import bound_log
from deploy.local.supervisor import ManagedProcess, Supervisor

ROOT = Path(__file__).parent.parent.parent
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
    [ManagedProcess("sleeper", sleeper, lambda: True), ManagedProcess("stubborn", stubborn, is_up, stop_seconds=1)], 60
)
print("ready", flush=True)
keeper.keep_running()
keeper.stop()
"""


def presstally(verb: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a verb as an operator does, under the tests' Python whatever PATH has."""
    settings = {"PRESSTALLY_HOME": str(home), "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        [sys.executable, "-P", "-m", "deploy.cli", verb],
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
        done = presstally("up", tmp_path, PRESSTALLY_PORT=str(base))
    assert_one_message(done, f"port {base + 2} (stats) is in use", f"(pid {os.getpid()})", "PRESSTALLY_PORT")


@pytest.mark.parametrize("port", ["http", "0", "65535", "²", "8" * 5000])
def test_invalid_port_is_rejected(tmp_path: Path, port: str) -> None:
    """PRESSTALLY_PORT must leave room for all ports."""
    assert_one_message(presstally("up", tmp_path, PRESSTALLY_PORT=port), "PRESSTALLY_PORT", repr(port))


def test_missing_or_old_java_is_reported(tmp_path: Path, free_ports: Callable[[int], int]) -> None:
    """Without Java, or with an old one, one message says what to install."""
    port = str(free_ports(8))
    empty = tmp_path / "bin"
    empty.mkdir()
    assert_one_message(
        presstally("up", tmp_path, PRESSTALLY_PORT=port, PATH=str(empty), JAVA_HOME=""), "Java 17", "apt install"
    )
    for name, text in {"java": "echo 'openjdk version \"11.0.2\"' >&2"}.items():
        (empty / name).write_text(f"#!/bin/sh\n{text}\n")
        (empty / name).chmod(0o755)
    assert_one_message(presstally("up", tmp_path, PRESSTALLY_PORT=port, PATH=str(empty), JAVA_HOME=""), "is 11")


def test_missing_maven_is_reported(tmp_path: Path) -> None:
    """A fresh clone without Maven gets a message that says how to install it, before anything is installed."""
    copy = tmp_path / "copy"
    for name in ("presstally", "deploy/__init__.py", "deploy/local/pom.xml", "shared/__init__.py"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    for name in ("deploy/cli", "deploy/local"):
        shutil.copytree(ROOT / name, copy / name, dirs_exist_ok=True)
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "java").write_text("#!/bin/sh\necho 'openjdk version \"17.0.1\"' >&2\n")
    (tools / "java").chmod(0o755)
    for name in ("sh", "readlink", "dirname"):
        (tools / name).symlink_to(str(shutil.which(name)))
    (tools / "python3").symlink_to(sys._base_executable)  # type: ignore[attr-defined]
    environment = {"PATH": str(tools), "PRESSTALLY_HOME": str(tmp_path / "home"), "JAVA_HOME": ""}
    done = subprocess.run(
        [str(copy / "presstally"), "up"], env=environment, capture_output=True, text=True, check=False
    )
    assert_one_message(done, "Maven", "apt install maven")
    assert not (copy / ".venv").exists()


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("", "no output"),
        ("one\n\ntwo\n", "two"),
        (
            "[\x1b[1;31mERROR\x1b[m] Unknown host repo.example: unknown\n[ERROR] \x1b[1m[Help 1]\x1b[m x",
            "[ERROR] Unknown host repo.example: unknown",
        ),
        ("Looking up\nERROR: No matching distribution found for numpy\n\n[notice] upgrade\n", "ERROR: No matching"),
    ],
)
def test_reason_of_a_failed_installation_is_its_first_error(output: str, reason: str) -> None:
    """Maven colours its errors and ends with a link to help; pip ends with a notice: the error is what helps."""
    assert reason_in(output).startswith(reason)


def test_ports_of_a_privileged_gateway_are_not_privileged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the gateway is at port 80: Postgres has an account of its own, which may not open port 86."""
    for name in ("KAFKA_BOOTSTRAP", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PRESSTALLY_PORT", "80")
    ports = needed_ports()
    assert ports["gateway"] == 80
    assert min(port for name, port in ports.items() if name != "gateway") > 1024
    monkeypatch.setenv("PRESSTALLY_PORT", "9000")
    assert list(needed_ports().values()) == list(range(9000, 9008))


def test_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has the folder, the reason and the setting."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PRESSTALLY_HOME", str(tmp_path / "file/home"))
    with pytest.raises(SetupError, match=r"the folder .*/file/home cannot be written \(Not a directory\); set PRESST"):
        check_home()


def test_clean_of_a_running_installation_is_refused(system: Any) -> None:
    """`make clean` would remove the packages under running processes."""
    environment = {**system.environment, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    dry = ["make", "--no-print-directory", "-n", "clean"]
    done = subprocess.run(dry, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    guard, removal = done.stdout.splitlines()[0], done.stdout.splitlines()[-1]
    assert removal.startswith("rm -rf .venv")
    refused = subprocess.run(
        ["sh", "-c", guard], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "is running" in refused.stderr


def test_full_disk_is_reported(tmp_path: Path, free_ports: Callable[[int], int]) -> None:
    """Too little disk space is reported before anything is written."""
    done = presstally("up", tmp_path, PRESSTALLY_PORT=str(free_ports(8)), PRESSTALLY_MIN_FREE_MB="999999999")
    assert_one_message(done, "the disk is too full", "999999999 MB are needed")


@pytest.mark.parametrize("limit", ["much", "²", "9" * 5000])
def test_invalid_disk_limit_is_reported(tmp_path: Path, free_ports: Callable[[int], int], limit: str) -> None:
    """A limit that is not a number is reported with its name."""
    done = presstally("up", tmp_path, PRESSTALLY_PORT=str(free_ports(8)), PRESSTALLY_MIN_FREE_MB=limit)
    assert_one_message(done, "PRESSTALLY_MIN_FREE_MB", repr(limit))


def test_down_never_stops_another_program(tmp_path: Path) -> None:
    """A stale state file with the process ID of another program does not stop that program."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"]) as other:
        (tmp_path / "stack.json").write_text(json.dumps({"pid": other.pid, "started": "1"}))
        with (tmp_path / "stack.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = presstally("down", tmp_path)
        assert (done.returncode, other.poll()) == (1, None)
        assert "cannot determine the supervisor's process" in done.stdout
        other.kill()


def test_down_without_up_succeeds(tmp_path: Path) -> None:
    """Stopping an installation that is not running is not an error."""
    done = presstally("down", tmp_path)
    assert (done.returncode, done.stdout) == (0, f"presstally: nothing is running at {tmp_path}\n")


def test_second_up_reports_running_installation(system: Any) -> None:
    """`make up` on a running installation prints its URL, changes nothing and succeeds."""
    before = system.state()
    settings = {name: system.environment[name] for name in ("PRESSTALLY_HOME", "PRESSTALLY_PORT")}
    done = presstally("up", system.home, **settings)
    assert (done.returncode, done.stdout) == (0, f"presstally: already running at {system.url}\n")
    assert system.state() == before


def test_installation_is_closed_to_other_accounts(system: Any) -> None:
    """No other account reads or traverses the folder of an installation: it has passwords, logs and data."""
    assert system.home.stat().st_mode & 0o067 == 0
    group = system.home.stat().st_gid
    assert os.geteuid() != 0 or not grp.getgrgid(group).gr_mem  # Postgres's own group has no other members


def test_page_views_come_before_editors_on_the_processor(system: Any) -> None:
    """A hostile editor's load takes what the collector leaves, not the other way round."""
    parts = system.state()["parts"]
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, parts["ingest"]) == own
    assert os.getpriority(os.PRIO_PROCESS, parts["articles"]) == min(19, own + 10)


def test_killed_gateway_is_restarted(system: Any, wait: Callable[..., Any]) -> None:
    """A killed gateway is restarted and serves requests."""
    victim = system.state()["parts"]["gateway"]
    os.kill(victim, signal.SIGKILL)
    wait(lambda: system.state()["parts"]["gateway"] != victim)
    wait(lambda: _status(system) == 200)


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
    wait(lambda: pids(tmp_path)[0] != sleeper)
    assert pids(tmp_path)[1] == stubborn
    assert psutil.pid_exists(pids(tmp_path)[0])


def test_stop_kills_stubborn_process_after_timeout(tmp_path: Path, keeper: Any) -> None:
    """A process that does not stop is killed after its timeout, and none is left."""
    keeper.send_signal(signal.SIGINT)
    assert keeper.wait(60) == 0
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
keeper.start([ManagedProcess("flood", [sys.executable, "-c", flood], lambda: True)], 60)
keeper.keep_running()
keeper.stop()
"""


def test_log_of_running_process_is_bounded(tmp_path: Path, wait: Callable[..., Any]) -> None:
    """A process that floods its log gets a bounded file while it runs, and its newest lines are kept in order."""
    with subprocess.Popen([sys.executable, "-c", CHATTERBOX, str(tmp_path)], cwd=ROOT) as keeper:
        older = tmp_path / "flood.log.old"
        wait(older.exists)
        first = older.read_bytes()
        wait(lambda: older.read_bytes() != first)  # it is bounded more than once
        keeper.send_signal(signal.SIGINT)
        assert keeper.wait(60) == 0
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
            wait(lambda: "ready" in printed.read_text())
            sleeper, stubborn = pids(tmp_path)
            limit_files(keeper, 0)
            os.kill(sleeper, signal.SIGKILL)
            supervisor = psutil.Process(keeper.pid)
            wait(lambda: {one.pid for one in supervisor.children()} - {sleeper, stubborn})
            (restarted,) = {one.pid for one in supervisor.children()} - {sleeper, stubborn}
            os.kill(restarted, signal.SIGKILL)
            wait(lambda: {one.pid for one in supervisor.children()} - {sleeper, stubborn, restarted})
            assert (keeper.poll(), pids(tmp_path), printed.read_text()) == (None, [sleeper, stubborn], "ready\n")
            limit_files(keeper, resource.RLIM_INFINITY)
            wait(lambda: pids(tmp_path)[0] not in (sleeper, restarted))
            wait(lambda: "the state file is written again" in printed.read_text())
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
    keeper.start([ManagedProcess("quiet", [sys.executable, "-c", "import time; time.sleep(60)"], lambda: True)], 60)
    assert said == ["quiet starts without a log: Is a directory"]
    keeper.stop()


def test_processes_end_with_a_killed_supervisor(tmp_path: Path, keeper: Any, wait: Callable[..., Any]) -> None:
    """When the supervisor itself is killed, the kernel signals its processes."""
    sleeper, stubborn = pids(tmp_path)
    keeper.kill()
    keeper.wait()
    wait(lambda: not psutil.pid_exists(sleeper))
    os.kill(stubborn, signal.SIGKILL)  # it ignores SIGTERM on purpose
