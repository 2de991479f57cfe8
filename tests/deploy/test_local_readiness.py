"""`make up` while a service is not ready: everything keeps running, and the reason is printed."""

import fcntl
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from deploy.local.bootstrap import NOT_READY
from deploy.local.commands import _print_running, _relay, _status, _with_readiness
from deploy.local.readiness import Problems, describe_not_ready, read_problems
from deploy.local.stack import SERVICES, START_SECONDS, STORE_SECONDS, Stack
from deploy.local.supervisor import ManagedProcess, StartFailed, Supervisor
from shared.sites_file import read_sites

ROOT = Path(__file__).parent.parent.parent
SLEEP = [sys.executable, "-c", "import time; time.sleep(100)"]
DECISION = "counter: the counts are of another topic. Run `presstally stats rebuild --new-log`"
READY = {"ready": True, "problems": [], "decisions": [], "warnings": []}
WAITING = {"ready": False, "problems": [DECISION], "decisions": [DECISION], "warnings": []}


class Readiness:
    """A `/readyz` that answers what a test sets."""

    def __init__(self) -> None:
        self.body = json.dumps(READY).encode()
        self.code = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(outer.code)
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_: Any) -> None:
                """Print nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, response: dict[str, Any]) -> None:
        self.body, self.code = json.dumps(response).encode(), 200 if response["ready"] else 503

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def readiness() -> Iterator[Readiness]:
    server = Readiness()
    yield server
    server.close()


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    keeper = Supervisor(tmp_path, lambda _: None, lambda _: None)
    yield keeper
    keeper.stop()


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (READY, Problems([], False)),
        (WAITING, Problems([DECISION], True)),
        (
            {**WAITING, "problems": [DECISION, "widget: no Postgres"]},
            Problems([DECISION, "widget: no Postgres"], False),
        ),
        ({**WAITING, "decisions": []}, Problems([DECISION], False)),
    ],
)
def test_problems_are_read_from_readyz(readiness: Readiness, response: dict[str, Any], expected: Problems) -> None:
    """A service waits for an operator only if nothing else is in its way."""
    readiness.answer(response)
    assert read_problems(f"http://127.0.0.1:{readiness.port}/readyz") == expected


@pytest.mark.parametrize(
    ("code", "body", "message"),
    [
        (500, b"oops", "/readyz is answered with 500"),
        (503, b"", "answered with 503"),
        (200, b"oops", "is not answered"),
    ],
)
def test_unreadable_readiness_is_a_problem(readiness: Readiness, code: int, body: bytes, message: str) -> None:
    """A service whose readiness cannot be read is not ready, and does not wait for an operator."""
    readiness.code, readiness.body = code, body
    (problem,), is_decision = read_problems(f"http://127.0.0.1:{readiness.port}/readyz")
    assert message in problem
    assert not is_decision


def test_service_that_does_not_answer_is_a_problem(readiness: Readiness) -> None:
    """A refused connection is a reason, too."""
    readiness.close()
    (problem,), is_decision = read_problems(f"http://127.0.0.1:{readiness.port}/readyz")
    assert (problem.startswith("/readyz is not answered"), is_decision) == (True, False)


def test_service_that_waits_for_an_operator_keeps_running(supervisor: Supervisor) -> None:
    """Nobody waits for a decision for a minute, and what waits for it is not stopped."""
    waiting = ManagedProcess("waiting", SLEEP, lambda: False, waits_for_operator=lambda: True)
    begun = time.monotonic()
    slow = ManagedProcess("slow", SLEEP, lambda: time.monotonic() > begun + 0.5)
    assert supervisor.begin([waiting, slow], 100) == [waiting]
    assert 0.5 < time.monotonic() - begun < 60
    assert all(part.process is not None and part.process.poll() is None for part in (waiting, slow))


def test_slow_service_keeps_running_after_the_timeout(supervisor: Supervisor) -> None:
    """A service that compares a large topic is left running; the store that it needs is not optional."""
    slow = ManagedProcess("slow", SLEEP, lambda: False)
    assert supervisor.begin([slow], 0.2) == [slow]
    assert slow.process is not None
    assert slow.process.poll() is None
    with pytest.raises(StartFailed, match=r"store: not ready after 0.2 s"):
        supervisor.start([ManagedProcess("store", SLEEP, lambda: False)], 0.2)


def test_long_start_says_what_it_waits_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that reads its log after a kill has minutes for it, and a message says so, once."""
    monkeypatch.setattr("deploy.local.supervisor.PATIENCE_SECONDS", 0.05)
    said: list[str] = []
    keeper = Supervisor(tmp_path, said.append, lambda _: None)
    keeper.begin([ManagedProcess("kafka", SLEEP, lambda: False), ManagedProcess("postgres", SLEEP, lambda: True)], 0.4)
    keeper.stop()
    assert said == ["kafka: not ready yet, waiting"]
    assert STORE_SECONDS > START_SECONDS


def test_service_that_exits_fails_the_start(supervisor: Supervisor) -> None:
    """A service that cannot run at all, as with bad settings, ends the start with its last lines."""
    bad = ManagedProcess("bad", [sys.executable, "-c", "print('no such site'); raise SystemExit(1)"], lambda: False)
    with pytest.raises(StartFailed, match=r"bad exited with code 1\n    no such site"):
        supervisor.begin([bad], 60)


def test_sentence_names_services_and_reasons() -> None:
    """The message of `up` has each service and why it is not ready."""
    assert describe_not_ready({}) == ""
    assert describe_not_ready({"stats": "counter: x"}) == "running, but stats is not ready: stats (counter: x)"
    several = describe_not_ready({"stats": "counter: x", "render": "builder: y"})
    assert several == "running, but stats, render are not ready: stats (counter: x) render (builder: y)"


def state_file(home: Path, **fields: Any) -> None:
    state = {"pid": os.getpid(), "started": "1", "url": "http://localhost:1", "parts": {}, "ports": {}, **fields}
    (home / "stack.json").write_text(json.dumps(state))


@pytest.mark.parametrize(("not_ready", "code"), [({}, 0), ({"stats": DECISION}, NOT_READY)], ids=["ready", "waiting"])
def test_up_returns_its_code_and_leaves_everything_running(
    not_ready: dict[str, str],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`up` prints what the supervisor printed and returns 3 when a service is not ready; nothing is stopped."""
    monkeypatch.setenv("PRESSTALLY_HOME", str(tmp_path))
    log = tmp_path / "supervisor.log"
    log.write_text(f"presstally: {DECISION}\n")
    with subprocess.Popen(SLEEP) as child:
        state_file(tmp_path, pid=child.pid, ready=not not_ready, not_ready=not_ready)
        assert _relay(child, log, 0) == code
        assert child.poll() is None
        child.kill()
    assert DECISION in capsys.readouterr().out


@pytest.mark.parametrize(("not_ready", "code"), [({}, 0), ({"stats": DECISION}, NOT_READY)])
def test_second_up_reports_what_is_not_ready(not_ready: dict[str, str], code: int, tmp_path: Path) -> None:
    """`up` on a running installation has the same exit codes."""
    state_file(tmp_path, ready=not not_ready, not_ready=not_ready)
    with (tmp_path / "stack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            [sys.executable, "-m", "deploy.cli", "up"],
            cwd=ROOT,
            env={**os.environ, "PRESSTALLY_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == code
    assert done.stdout.startswith("presstally: already running at http://localhost:1")
    assert (DECISION in done.stdout) == bool(not_ready)


@pytest.mark.parametrize("was_ready", [True, False])
@pytest.mark.parametrize(("response", "reason"), [(READY, ""), (WAITING, DECISION)], ids=["ready", "waiting"])
def test_status_says_what_services_answer_now(
    readiness: Readiness,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    was_ready: bool,
    response: dict[str, Any],
    reason: str,
) -> None:
    """The state file is of the start; a service that stopped counting since is named, and one that is mended is not."""
    monkeypatch.setenv("PRESSTALLY_HOME", str(tmp_path))
    readiness.answer(response)
    before = {"ready": was_ready, "not_ready": {} if was_ready else {"stats": "counter: at the start"}}
    state_file(tmp_path, parts={"kafka": 1, "stats": 2}, ports={"kafka": 3, "stats": readiness.port}, **before)
    assert _status(is_json=False) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.endswith("not ready: stats" if reason else ", ready")
    assert lines[-1] == f"  stats             {readiness.port:>6}        2  {reason}".rstrip()
    assert _status(is_json=True) == 0
    state = json.loads(capsys.readouterr().out)
    assert (state["ready"], state["not_ready"]) == (not reason, {"stats": reason} if reason else {})
    with (tmp_path / "stack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert _print_running("up", "http://localhost:1") == (NOT_READY if reason else 0)
    assert reason in capsys.readouterr().out


def test_status_of_a_start_does_not_ask_services() -> None:
    """What has not been started is no fault."""
    starting = {
        "url": "http://localhost:1",
        "parts": {"stats": 2},
        "ports": {"stats": 1},
        "ready": False,
        "not_ready": {},
    }
    assert _with_readiness(starting) == starting


def test_running_installation_reports_services_that_become_ready(
    readiness: Readiness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """When the operator has run the command, the state file and the log say that everything is ready."""
    monkeypatch.setenv("PRESSTALLY_HOME", str(tmp_path))
    stack = Stack()
    stack.ports |= dict.fromkeys(SERVICES, readiness.port)
    readiness.answer(WAITING)
    stack._check_readiness()
    state = json.loads((tmp_path / "stack.json").read_text())
    assert (state["ready"], state["not_ready"]) == (False, dict.fromkeys(SERVICES, DECISION))
    stack._check_readiness()
    readiness.answer(READY)
    stack._check_readiness()
    state = json.loads((tmp_path / "stack.json").read_text())
    assert (state["ready"], state["not_ready"]) == (True, {})
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 2
    assert DECISION in lines[0]
    assert lines[1] == "presstally: all services are ready"
    stack._lock.close()


@pytest.fixture
def stack_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Stack]]:
    """Return how to make a stack with its own sites' file, which is read and not started."""
    made = []

    def make(sites: str) -> Stack:
        (tmp_path / "sites.toml").write_text(sites)
        monkeypatch.setenv("PRESSTALLY_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("PRESSTALLY_SITES", str(tmp_path / "sites.toml"))
        stack = Stack()
        made.append(stack)
        monkeypatch.setattr(stack, "_start", lambda: (stack._publish_sample({}), {}))
        monkeypatch.setattr(stack._supervisor, "keep_running", lambda _: None)
        monkeypatch.setattr(stack._supervisor, "catch_signals", lambda: None)
        return stack

    yield make
    for stack in made:
        stack._lock.close()


def site(slug: str, section: str = "tin-tuc", zone: str = "Asia/Ho_Chi_Minh") -> str:
    return (
        f'[[site]]\nslug = "{slug}"\nname = "X"\norigins = ["https://{slug}.example"]\ntimezone = "{zone}"\n'
        f'sections = [{{ slug = "{section}", name = "Y" }}]\n'
    )


def test_everything_is_started_without_core_dumps(stack_of: Callable[[str], Stack]) -> None:
    """Kafka, Postgres, the gateway and the services inherit the limit."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    stack = stack_of(site("nam-dinh"))
    limits: list[int] = []
    stack._supervisor.keep_running = lambda _: limits.append(resource.getrlimit(resource.RLIMIT_CORE)[0])  # type: ignore[method-assign]
    assert stack.run() == 0
    assert limits == [0]


@pytest.mark.parametrize("sites", [site("nam-dinh") + site("giao-thuy"), site("haihau", section="chinh-tri")])
def test_own_sites_have_their_own_urls_and_no_sample(
    sites: str, stack_of: Callable[[str], Stack], capfd: pytest.CaptureFixture[str]
) -> None:
    """The sample article belongs to the sample's site and section; the printed URLs are those of the sites."""
    stack = stack_of(sites)
    assert stack.run() == 0
    printed = capfd.readouterr().out
    assert "article  " not in printed
    for slug in stack._sites:
        assert f"{stack.url}/stats/{slug}" in printed
    assert f"{stack.url}/stats/{next(iter(stack._sites))}/counter" in printed


def test_invalid_sites_are_reported_before_anything_starts(
    stack_of: Callable[[str], Stack], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One sentence with the file and the error, not the log of each service."""
    assert stack_of(site("nam-dinh", zone="Asia/Hanoi")).run() == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"presstally: {tmp_path}/sites.toml: site nam-dinh: timezone 'Asia/Hanoi' is not")


def test_missing_theme_is_reported_before_anything_starts(
    stack_of: Callable[[str], Stack], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The sentence is that of render, which would have been the last one to start."""
    assert stack_of(site("nam-dinh") + 'theme = "xanh"\n').run() == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line == f"presstally: site nam-dinh: theme {tmp_path}/xanh: no such folder"


def test_sample_of_another_port_has_this_ports_url(
    stack_of: Callable[[str], Stack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sample is live since the first start, which may have had another port."""
    stack = stack_of(site("haihau"))
    stack._sites = read_sites(tmp_path / "sites.toml")
    monkeypatch.setattr(stack, "_once", lambda *_: "1 created\nhttp://localhost:8080/mau-1.html\n")
    assert stack._publish_sample({}) == f"{stack.url}/mau-1.html"


def test_sites_of_the_home_take_the_place_of_the_sample(
    stack_of: Callable[[str], Stack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sample of the checkout is used until the home has a file of its own in `sites`."""
    stack = stack_of(site("nam-dinh"))
    monkeypatch.delenv("PRESSTALLY_SITES")
    (tmp_path / "home/sites").mkdir()
    (tmp_path / "home/sites/.hidden.toml").write_text("x")
    assert stack._environment()["PRESSTALLY_SITES"].endswith("/sites.toml")
    (tmp_path / "home/sites/10-nam-dinh.toml").write_text(site("nam-dinh"))
    assert stack._environment()["PRESSTALLY_SITES"] == str(tmp_path / "home/sites")
