"""`python -m deploy.local run|up|down|status|import`, after `bootstrap.py` has made the machine ready."""

import json
import os
import signal
import subprocess
import sys
import time

from deploy.local.bootstrap import home
from deploy.local.stack import Stack, say, wait_until_free

UP_SECONDS = 240.0
DOWN_SECONDS = 60.0


def up() -> int:
    """Start the system in the background and return when it is ready, or failed."""
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
    deadline = time.monotonic() + UP_SECONDS
    with log.open("rb") as progress:
        progress.seek(start)
        while True:
            ended = child.poll() is not None
            ready = _is_ready(child.pid)
            sys.stdout.write(progress.read().decode("utf-8", "replace"))
            sys.stdout.flush()
            if ready:
                return 0
            if ended:
                return child.returncode or 1
            if time.monotonic() > deadline:
                child.send_signal(signal.SIGTERM)
                say(f"not ready after {UP_SECONDS:g} s; stopped it")
                return 1
            time.sleep(0.1)


def _is_ready(pid: int) -> bool:
    try:
        state = json.loads((home() / "stack.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(state["pid"] == pid and state["ready"])


def down() -> int:
    """Stop the system that runs in this home, and wait until all of it has stopped."""
    state = json.loads((home() / "stack.json").read_text(encoding="utf-8"))
    os.kill(state["pid"], signal.SIGTERM)
    if wait_until_free(home() / "stack.lock", DOWN_SECONDS):
        say("stopped")
        return 0
    say(f"still stopping after {DOWN_SECONDS:g} s; see {home() / 'logs/supervisor.log'}")
    return 1


def status() -> int:
    """Print what runs."""
    print((home() / "stack.json").read_text(encoding="utf-8"))
    return 0


def import_pages() -> int:
    """Import saved pages into the system that runs in this home."""
    return Stack().import_pages(sys.argv[2:])


def run() -> int:
    """Run the system in the foreground."""
    return Stack().run()


if __name__ == "__main__":
    verbs = {"run": run, "up": up, "down": down, "status": status, "import": import_pages}
    sys.exit(verbs[sys.argv[1]]())
