"""The verbs of the local installation: `presstally run|up|down|status|doctor|logs`.

`up` exits with 0 when everything is ready, with 1 and the reason when it failed and nothing runs, and with NOT_READY
when everything runs, but a service is not ready. Imports are late: without an installation, nothing needs its packages.
"""

import argparse
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploy.cli.words import LOCAL, PROGRAM
from deploy.local import bootstrap
from deploy.local.bootstrap import NOT_READY, home
from deploy.local.readiness import read_problems
from deploy.local.state import read_environment, read_state

STATE_SECONDS = 2.0
DOWN_SECONDS = 90.0
SERVICE_PARTS = ("ingest", "articles", "stats", "render")
"""The parts that answer at `/readyz`."""
NOTHING_NEEDED = ("down",)
"""Without a running installation, their work is done already."""
LOG_LINES = 40


def parser(verb: str, *, add_help: bool = True) -> argparse.ArgumentParser:
    """Return the parser of a verb's arguments."""
    own = argparse.ArgumentParser(prog=f"{PROGRAM} {verb}", description=LOCAL[verb].help, add_help=add_help)
    if verb == "status":
        own.add_argument("--json", action="store_true", help="print the state file, with what the services answer now")
    if verb == "logs":
        own.add_argument("part", nargs="*", help="such as stats; default: all")
        own.add_argument("-f", "--follow", action="store_true", help="print what is written from now on, until Ctrl-C")
        own.add_argument("-n", "--lines", type=int, default=LOG_LINES, help=f"of each log; default: {LOG_LINES}")
    return own


def run(verb: str, arguments: Sequence[str], enter_packages: Callable[[], None]) -> int:
    """Run a verb and return its exit code.

    Args:
        verb: One of LOCAL.
        arguments: The words after it.
        enter_packages: Continues with the installation's packages, after installing them if need be.

    Raises:
        SetupError: the machine must be prepared first.
    """
    given = parser(verb).parse_args(list(arguments))
    url = bootstrap.running_url()
    if verb in ("run", "up"):
        if url:
            return _print_running(verb, url)
        bootstrap.prepare(enter_packages)
        return _up() if verb == "up" else _run()
    if verb == "logs":
        return _logs(given)
    if not url:
        print(f"{PROGRAM}: nothing is running at {home()}")
        return 0 if verb in NOTHING_NEEDED else 1
    if verb == "status":
        return _status(is_json=given.json)
    enter_packages()
    return {"down": _down, "doctor": _doctor}[verb]()


def _print_running(verb: str, url: str) -> int:
    if verb == "up" and not _wait_until_started():
        print(f"{PROGRAM}: the other start failed; see {home() / 'logs/supervisor.log'}")
        return 1
    reasons = [f"{name} ({reason})" for name, reason in _with_readiness(read_state(home()) or {})["not_ready"].items()]
    but = f", but not ready: {'; '.join(reasons)}" if reasons else ""
    other = os.environ.get("PRESSTALLY_PORT", "")
    keeps = "" if other in ("", str(urlsplit(url).port or 80)) else f", not on port {other}: `{PROGRAM} down` stops it"
    print(f"{PROGRAM}: already running at {url}{keeps}{but}")
    if verb == "run":
        return 1
    return NOT_READY if reasons else 0


def _wait_until_started() -> bool:
    """Wait until the installation that another `up` starts is started; return whether it is running."""
    while bootstrap.running_url():
        state = read_state(home())
        if state is not None and _outcome(state["pid"]) is not None:
            return True
        time.sleep(0.1)
    return False


def _run() -> int:
    from deploy.local.stack import Stack

    os.chdir(bootstrap.ROOT)
    return Stack().run()


def _up() -> int:
    """Start the system in the background; return when everything is started or it has failed."""
    from deploy.local.stack import print_progress

    logs = home() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / "supervisor.log"
    with log.open("ab") as output:
        start = output.tell()
        child = subprocess.Popen(
            [sys.executable, "-m", "deploy.local"],
            cwd=bootstrap.ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        return _relay(child, log, start)
    except KeyboardInterrupt:
        child.send_signal(signal.SIGTERM)
        child.wait()
        print_progress("stopped")
        return 130


def _relay(child: subprocess.Popen[bytes], log: Path, start: int) -> int:
    """Print the supervisor's log until everything is started or it has exited, and return the exit code."""
    with log.open("rb") as progress:
        progress.seek(start)
        while True:
            ended = child.poll() is not None
            code = _outcome(child.pid)
            sys.stdout.write(progress.read().decode("utf-8", "replace"))
            sys.stdout.flush()
            if code is not None:
                return code
            if ended:
                return child.returncode or 1
            time.sleep(0.1)


def _outcome(pid: int) -> int | None:
    """Return the exit code of `up` once everything is started, else None."""
    state = read_state(home())
    if state is None or state["pid"] != pid:
        return None
    if state["not_ready"]:
        return NOT_READY
    return 0 if state["ready"] else None


def _down() -> int:
    """Stop the system of this home folder, and wait until all of it has stopped."""
    from deploy.local.stack import wait_until_free

    pid = _supervisor()
    if pid is None:
        print(f"{PROGRAM}: cannot determine the supervisor's process; {home() / 'stack.json'} does not name it")
        return 1
    os.kill(pid, signal.SIGTERM)
    if wait_until_free(home() / "stack.lock", DOWN_SECONDS):
        print(f"{PROGRAM}: stopped")
        return 0
    print(f"{PROGRAM}: still stopping after {DOWN_SECONDS:g} s; see {home() / 'logs/supervisor.log'}")
    return 1


def _supervisor() -> int | None:
    """Return the ID of the process that holds this home's lock, or None if its state file does not name it.

    The file of a killed supervisor has a process ID that may belong to another program by now.
    """
    from deploy.local.stack import started_at

    deadline = time.monotonic() + STATE_SECONDS
    while time.monotonic() < deadline:
        state = read_state(home())
        if state is not None and state["started"] and started_at(state["pid"]) == state["started"]:
            return int(state["pid"])
        time.sleep(0.05)
    return None


def _status(*, is_json: bool) -> int:
    state = read_state(home())
    if state is None:
        print(f"{PROGRAM}: starting at {home()}")
        return 0
    state = _with_readiness(state)
    if is_json:
        print(json.dumps(state, indent=2))
        return 0
    not_ready: dict[str, str] = state["not_ready"]
    print(f"{PROGRAM}: running at {state['url']} ({home()}), {_readiness(state, not_ready)}")
    print(f"  {'part':<18}{'port':>6}{'process':>9}")
    for name in [*state["parts"], *(one for one in state["ports"] if one not in state["parts"])]:
        port, pid = state["ports"].get(name, ""), state["parts"].get(name, "")
        print(f"  {name:<18}{port:>6}{pid:>9}  {not_ready.get(name, '')}".rstrip())
    return 0


def _with_readiness(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state with what the services answer now; that of a start, which has no answer yet, as it is.

    The supervisor asks only until all have been ready once.
    """
    found: dict[str, str] = dict(state.get("not_ready", {}))
    if state.get("ready") or found:
        ports = {name: port for name, port in state["ports"].items() if name in SERVICE_PARTS}
        answered = {name: read_problems(f"http://127.0.0.1:{port}/readyz").problems for name, port in ports.items()}
        found = {
            **{name: reason for name, reason in found.items() if name not in answered},
            **{name: "; ".join(problems) for name, problems in answered.items() if problems},
        }
    return {**state, "ready": bool(state.get("ready") or state.get("not_ready")) and not found, "not_ready": found}


def _readiness(state: dict[str, Any], not_ready: dict[str, str]) -> str:
    if not_ready:
        return f"not ready: {', '.join(not_ready)}"
    return "ready" if state["ready"] else "starting"


def _logs(given: argparse.Namespace) -> int:
    """Print the last lines of logs, with tail(1)."""
    folder = home() / "logs"
    known = sorted(file.stem for file in folder.glob("*.log"))
    unknown = [part for part in given.part if part not in known]
    if unknown or not known:
        listed = f"logs: {', '.join(known)}" if known else f"there are no logs in {folder}"
        print(f"{PROGRAM} logs: {'no log of ' + ', '.join(unknown) + '; ' if unknown else ''}{listed}", file=sys.stderr)
        return 1
    files = [str(folder / f"{part}.log") for part in given.part or known]
    # Files are replaced when they are rotated: -F follows the name.
    command = ["tail", "-n", str(given.lines), *(["-F"] if given.follow else []), *files]
    code = subprocess.run(command, check=False).returncode
    return 0 if code == -signal.SIGPIPE else code  # such as `presstally logs | head`


def _doctor() -> int:
    """Check the system of this home folder and report what is wrong."""
    from deploy.local.doctor import Installation
    from deploy.local.doctor import run as run_doctor
    from shared.settings import Settings

    logging.disable()  # the checks report failures themselves
    state = read_state(home())
    if state is None:
        print(f"{PROGRAM}: still starting at {home()}")
        return 1
    os.environ.update(read_environment(home()))
    settings = Settings.load()
    database_url = settings.database_url.get_secret_value()
    stores = settings.kafka, database_url, settings.sites, settings.replication
    return run_doctor(Installation(home(), state["ports"], state["parts"], *stores))
