"""Prepare the machine, then run a verb: `bootstrap.py run|up|down|status|doctor|import|token|command|dev`.

Runs under the system's Python before anything is installed: standard library only, and it must parse on old
Pythons, so that these can report that they are too old. Every failure is one message and exit code 1; `up` exits with
NOT_READY if everything runs, but a service is not ready.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON_MIN = (3, 11)
JAVA_MIN = 17
FREE_MB_MIN = 1024
OLD_PROCESS_SECONDS = 20.0
NOT_READY = 3
COMMANDS = ("doctor", "import", "token", "command")
"""Verbs that need a running installation."""
PORT_NAMES = ("gateway", "ingest", "stats", "render", "kafka", "kafka controller", "postgres", "articles")
KAFKA_PORTS = ("kafka", "kafka controller")


class SetupError(Exception):
    """The machine or its settings must be fixed first; the text is the message for the user."""


def home() -> Path:
    """Return the folder with this installation's data and logs."""
    return Path(os.environ.get("PRESSTALLY_HOME") or ROOT / ".local").absolute()


def base_port() -> int:
    """Return the gateway's port; the other ports follow it.

    Raises:
        SetupError: PRESSTALLY_PORT is invalid.
    """
    text = os.environ.get("PRESSTALLY_PORT") or "8080"
    if not text.isdigit() or not 1 <= int(text) <= 65535 - len(PORT_NAMES):
        raise SetupError(
            "PRESSTALLY_PORT is {!r}; it must be a number from 1 to {}".format(text, 65535 - len(PORT_NAMES))
        )
    return int(text)


def needed_ports() -> dict[str, int]:
    """Return {name: port} of all ports that this installation opens."""
    ports = dict(zip(PORT_NAMES, range(base_port(), base_port() + len(PORT_NAMES))))
    if os.environ.get("KAFKA_BOOTSTRAP"):
        ports = {name: port for name, port in ports.items() if name not in KAFKA_PORTS}
    if os.environ.get("DATABASE_URL"):
        ports.pop("postgres")
    return ports


def running_url() -> str | None:
    """Return the URL of this installation if it is running (it then holds its lock), else None."""
    lock = home() / "stack.lock"
    if not lock.exists():
        return None
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            state = home() / "stack.json"
            with contextlib.suppress(OSError, ValueError, KeyError):
                return str(json.loads(state.read_text())["url"])
            return "http://localhost:{}".format(base_port())
    return None


def not_ready() -> list[str]:
    """Return why services of the running installation are not ready, as its supervisor knows it."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        state = json.loads((home() / "stack.json").read_text())
        return ["{} ({})".format(name, reason) for name, reason in state["not_ready"].items()]
    return []


def check_python() -> None:
    """Check that Python is new enough and can create a venv."""
    if sys.version_info < PYTHON_MIN:
        raise SetupError("Python {}.{} or newer is needed; python3 is {}".format(*PYTHON_MIN, sys.version.split()[0]))
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        raise SetupError("Python's venv module is missing; on Debian: apt install python3-venv") from error


def check_java() -> None:
    """Check that Java and Maven are installed, unless Kafka runs elsewhere."""
    if os.environ.get("KAFKA_BOOTSTRAP"):
        return
    java = java_command()
    if java is None:
        raise SetupError(
            "Java {} or newer is needed for Kafka and none was found; on Debian: "
            "apt install openjdk-17-jre-headless (or set KAFKA_BOOTSTRAP to use your own Kafka)".format(JAVA_MIN)
        )
    output = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', output)
    if found is None or int(found.group(1)) < JAVA_MIN:
        raise SetupError(
            "Java {} or newer is needed for Kafka; {} is {}".format(
                JAVA_MIN, java, found.group(1) if found else "not usable"
            )
        )
    if shutil.which("mvn") is None and not jars_folder().exists():
        raise SetupError("Maven is needed to download Kafka and was not found; on Debian: apt install maven")


def java_command() -> str | None:
    """Return the path of the java program that runs Kafka, or None."""
    if os.environ.get("JAVA_HOME"):
        return shutil.which("java", path=os.path.join(os.environ["JAVA_HOME"], "bin"))
    return shutil.which("java")


def check_disk() -> None:
    """Check that the disk has space for the packages, the broker and the database."""
    text = os.environ.get("PRESSTALLY_MIN_FREE_MB") or str(FREE_MB_MIN)
    if not text.isdigit():
        raise SetupError("PRESSTALLY_MIN_FREE_MB is {!r}; it must be a number of megabytes".format(text))
    wanted = int(text)
    for folder in (ROOT, home()):
        while not folder.exists():
            folder = folder.parent
        free = shutil.disk_usage(folder).free // 1024 // 1024
        if free < wanted:
            raise SetupError(
                "the disk is too full: {} MB are free at {} and {} MB are needed".format(free, folder, wanted)
            )


def wait_for_old_processes() -> None:
    """Wait until the processes of a killed supervisor have exited: the kernel has signalled them, which takes a moment."""
    try:
        parts = json.loads((home() / "stack.json").read_text())["parts"].values()
    except (OSError, ValueError, KeyError):
        return
    alive = [pid for pid in parts if os.path.exists("/proc/{}".format(pid))]
    if not alive:
        return
    with step("waiting for the processes of a killed installation"):
        deadline = time.monotonic() + OLD_PROCESS_SECONDS
        while time.monotonic() < deadline and any(os.path.exists("/proc/{}".format(pid)) for pid in alive):
            time.sleep(0.1)


def check_ports() -> None:
    """Check that all ports are free; the message names the port and, if /proc shows it, the program that uses it."""
    for name, port in needed_ports().items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                if error.errno == errno.EACCES:
                    raise SetupError(
                        "port {} ({}) may not be opened by this user; set PRESSTALLY_PORT".format(port, name)
                    ) from error
                raise SetupError(
                    "port {} ({}) is in use{}; stop that program or set PRESSTALLY_PORT to another port".format(
                        port, name, port_owner(port)
                    )
                ) from error


def port_owner(port: int) -> str:
    """Return " by NAME (pid N)" for the process that listens on a port, or "" if it is not visible."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                    inodes.add("socket:[{}]".format(fields[9]))
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(os.readlink(str(link)) in inodes for link in (folder / "fd").iterdir()):
                return " by {} (pid {})".format((folder / "comm").read_text().strip(), folder.name)
    return ""


def jars_folder() -> Path:
    """Return the folder of Kafka's jars for this pom.xml; it exists only if it is complete."""
    pom = (ROOT / "deploy/local/pom.xml").read_bytes()
    return ROOT / ".local-cache" / "kafka-jars-{}".format(hashlib.sha256(pom).hexdigest()[:12])


def step(text: str) -> contextlib.AbstractContextManager[None]:
    """Print a progress line when the step begins, and its duration when it ends."""

    @contextlib.contextmanager
    def timed() -> Iterator[None]:
        begun = time.monotonic()
        print("presstally: {} ...".format(text), end="", flush=True)
        try:
            yield
        except BaseException:
            print(flush=True)
            raise
        print(" {:.1f} s".format(time.monotonic() - begun), flush=True)

    return timed()


def install_packages(venv: Path, lock: Path) -> None:
    """Create the venv from the hash-locked file, unless a complete one for this file and this Python exists."""
    stamp = venv / "presstally-lock"
    wanted = "{} {}.{}".format(hashlib.sha256(lock.read_bytes()).hexdigest(), *sys.version_info[:2])
    if stamp.exists() and stamp.read_text() == wanted:
        return
    with step("installing Python packages ({})".format(lock.name)):
        call(
            [sys.executable, "-m", "venv", "--clear", str(venv)],
            "the Python environment could not be created",
        )
        call(
            [
                str(venv / "bin/python"),
                "-m",
                "pip",
                "install",
                "--require-hashes",
                "--no-deps",
                "-r",
                str(lock),
            ],
            "the Python packages could not be installed",
        )
        stamp.write_text(wanted)


def fetch_jars() -> None:
    """Download Kafka with Maven, once."""
    folder = jars_folder()
    if folder.exists() or os.environ.get("KAFKA_BOOTSTRAP"):
        return
    with step("downloading Apache Kafka with Maven"):
        unfinished = folder.with_name(folder.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        call(
            [
                "mvn",
                "-q",
                "-B",
                "-f",
                str(ROOT / "deploy/local/pom.xml"),
                "dependency:copy-dependencies",
                "-DincludeScope=runtime",
                "-DoutputDirectory={}".format(unfinished),
            ],
            "Kafka could not be downloaded",
        )
        unfinished.rename(folder)


def call(command: list[str], sentence: str) -> None:
    """Run a command with its output in a log file.

    Raises:
        SetupError: the command failed; the message is `sentence` with the last line of the output.
    """
    log = home() / "logs" / "install.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        start = output.tell()
        code = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, cwd=str(ROOT), check=False).returncode
    if code == 0:
        return
    output_text = log.read_bytes()[start:].decode("utf-8", "replace")
    if "No space left" in output_text:
        raise SetupError("{}: the disk is full".format(sentence))
    last = next((line.strip() for line in reversed(output_text.splitlines()) if line.strip()), "no output")
    raise SetupError("{}: {} (more in {})".format(sentence, last[:300], log))


def main(verb: str) -> int:
    """Check the machine, install what is missing, and run the verb."""
    check_python()
    if verb == "dev":
        check_disk()
        check_java()
        install_packages(ROOT / ".venv-dev", ROOT / "requirements-dev.txt")
        fetch_jars()
        return 0
    url = running_url()
    if verb in ("run", "up"):
        if url:
            reasons = not_ready()
            but = ", but not ready: {}".format("; ".join(reasons)) if reasons else ""
            print("presstally: already running at {}{}".format(url, but))
            if verb == "run":
                return 1
            return NOT_READY if reasons else 0
        check_java()
        check_disk()
        wait_for_old_processes()
        check_ports()
        install_packages(ROOT / ".venv", ROOT / "requirements-local.txt")
        fetch_jars()
    elif not url:
        print("presstally: nothing is running")
        return 1 if verb in COMMANDS else 0
    python = str(ROOT / ".venv/bin/python")
    os.chdir(str(ROOT))
    os.execv(python, [python, "-m", "deploy.local", verb, *sys.argv[2:]])


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "run"))
    except SetupError as error:
        print("presstally: {}".format(error), file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error
        print("presstally: {}".format(reason), file=sys.stderr)
        sys.exit(1)
