"""`python -m deploy.local VERB`, after `bootstrap.py` has prepared the machine; the verbs are at the end of this file.

`up` exits with 0 when everything is ready, with 1 and the reason when it failed and nothing runs, and with NOT_READY
when everything runs, but a service is not ready.
"""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from deploy.local.bootstrap import NOT_READY, home
from deploy.local.stack import Stack, print_progress, started_at, wait_until_free

STATE_SECONDS = 2.0
UP_SECONDS = 240.0
DOWN_SECONDS = 90.0


def up() -> int:
    """Start the system in the background; return when it is ready or has failed."""
    logs = home() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / "supervisor.log"
    with log.open("ab") as output:
        start = output.tell()
        child = subprocess.Popen(
            [sys.executable, "-m", "deploy.local", "run"],
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
    deadline = time.monotonic() + UP_SECONDS
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
            if time.monotonic() > deadline:
                child.send_signal(signal.SIGTERM)
                child.wait()
                print_progress(f"not ready after {UP_SECONDS:g} s; stopped it")
                return 1
            time.sleep(0.1)


def _outcome(pid: int) -> int | None:
    """Return the exit code of `up` once everything is started, else None."""
    try:
        state = json.loads((home() / "stack.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if state["pid"] != pid:
        return None
    if state["not_ready"]:
        return NOT_READY
    return 0 if state["ready"] else None


def down() -> int:
    """Stop the system of this home folder, and wait until all of it has stopped."""
    pid = _supervisor()
    if pid is None:
        print_progress(f"cannot determine the supervisor's process; {home() / 'stack.json'} does not name it")
        return 1
    os.kill(pid, signal.SIGTERM)
    if wait_until_free(home() / "stack.lock", DOWN_SECONDS):
        print_progress("stopped")
        return 0
    print_progress(f"still stopping after {DOWN_SECONDS:g} s; see {home() / 'logs/supervisor.log'}")
    return 1


def _supervisor() -> int | None:
    """Return the ID of the process that holds this home's lock, or None if its state file does not name it.

    The file of a killed supervisor has a process ID that may belong to another program by now.
    """
    deadline = time.monotonic() + STATE_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError, KeyError):
            state = json.loads((home() / "stack.json").read_text(encoding="utf-8"))
            if state["started"] and started_at(state["pid"]) == state["started"]:
                return int(state["pid"])
        time.sleep(0.05)
    return None


def status() -> int:
    """Print the state file."""
    print((home() / "stack.json").read_text(encoding="utf-8"))
    return 0


def doctor() -> int:
    """Check the system of this home folder and report what is wrong."""
    from deploy.local.doctor import Installation
    from deploy.local.doctor import run as run_doctor
    from shared.settings import Settings

    logging.disable()  # the checks report failures themselves
    state = json.loads((home() / "stack.json").read_text(encoding="utf-8"))
    os.environ.update(Stack().client_environment())
    settings = Settings.load()
    database_url = settings.database_url.get_secret_value()
    return run_doctor(
        Installation(home(), state["ports"], state["parts"], settings.kafka, database_url, settings.replication)
    )


def ingest_command() -> int:
    """Run a command of the ingest service, such as `import`, on the system of this home folder."""
    return Stack().run_command("services.ingest", sys.argv[1:])


def command() -> int:
    """Run any command, such as `services.stats rebuild`, on the system of this home folder."""
    module, *arguments = sys.argv[2:] or [""]
    if not module.startswith(("services.", "shared.")):
        print("presstally: which command? For example: command services.stats verify", file=sys.stderr)
        return 2
    return Stack().run_command(module, arguments)


def run() -> int:
    """Run the system in the foreground."""
    return Stack().run()


if __name__ == "__main__":
    verbs = {
        "run": run,
        "up": up,
        "down": down,
        "status": status,
        "doctor": doctor,
        "import": ingest_command,
        "token": ingest_command,
        "command": command,
    }
    try:
        sys.exit(verbs[sys.argv[1]]())
    except OSError as error:
        print(f"presstally: {error}", file=sys.stderr)
        sys.exit(1)
