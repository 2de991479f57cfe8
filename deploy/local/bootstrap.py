"""Prepares the machine: checks, the Python environment, Kafka's jars. `make test` and so on run it for developers.

Runs before anything is installed: standard library only. Every failure is one message and exit code 1.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from deploy.local.state import read_state

ROOT = Path(__file__).resolve().parent.parent.parent
JAVA_MIN = 17
FREE_MB_MIN = 1024
MB_DIGITS_MAX = 15
OLD_PROCESS_SECONDS = 20.0
NOT_READY = 3
PORT_NAMES = ("gateway", "ingest", "stats", "render", "kafka", "kafka controller", "postgres", "articles")
PRIVILEGED_PORTS = 1024
INNER_PORTS_ABOVE = 8000
KAFKA_PORTS = ("kafka", "kafka controller")
ESCAPE_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
LINE_CHARACTERS = 400


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
    if not text.isdecimal() or len(text) > len("65535") or not 1 <= int(text) <= 65535 - len(PORT_NAMES):
        raise SetupError(f"PRESSTALLY_PORT is {text!r}; it must be a number from 1 to {65535 - len(PORT_NAMES)}")
    return int(text)


def needed_ports() -> dict[str, int]:
    """Return {name: port} of all ports that this installation opens."""
    first = base_port()
    # The others are for this machine only. Below 1024, only root may open ports, and Postgres never runs as root.
    inner = first if first >= PRIVILEGED_PORTS else first + INNER_PORTS_ABOVE
    ports = dict(zip(PORT_NAMES, range(inner, inner + len(PORT_NAMES)), strict=True))
    ports["gateway"] = first
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
            state = read_state(home())
            if state is not None:
                return str(state["url"])
            return f"http://localhost:{base_port()}"
    return None


def check_venv() -> None:
    """Check that Python can create environments."""
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
            f"Java {JAVA_MIN} or newer is needed for Kafka and none was found; on Debian: "
            "apt install openjdk-17-jre-headless (or set KAFKA_BOOTSTRAP to use your own Kafka)"
        )
    output = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', output)
    if found is None or int(found.group(1)) < JAVA_MIN:
        raise SetupError(
            "Java {} or newer is needed for Kafka; {} is {}".format(
                JAVA_MIN, java, found.group(1) if found else "not usable"
            )
        )
    if shutil.which("mvn") is None and (not jars_folder().exists() or damaged_jar(jars_folder()) is not None):
        raise SetupError("Maven is needed to download Kafka and was not found; on Debian: apt install maven")


def java_command() -> str | None:
    """Return the path of the java program that runs Kafka, or None."""
    if os.environ.get("JAVA_HOME"):
        return shutil.which("java", path=str(Path(os.environ["JAVA_HOME"]) / "bin"))
    return shutil.which("java")


def check_disk() -> None:
    """Check that the disk has space for the packages, the broker and the database."""
    text = os.environ.get("PRESSTALLY_MIN_FREE_MB") or str(FREE_MB_MIN)
    if not text.isdecimal() or len(text) > MB_DIGITS_MAX:
        raise SetupError(f"PRESSTALLY_MIN_FREE_MB is {text!r}; it must be a number of megabytes")
    wanted = int(text)
    for place in (ROOT, home()):
        folder = next(one for one in (place, *place.parents) if one.exists())
        free = shutil.disk_usage(folder).free // 1024 // 1024
        if free < wanted:
            raise SetupError(f"the disk is too full: {free} MB are free at {folder} and {wanted} MB are needed")


def check_home() -> None:
    """Check that this account can write the installation's folder."""
    try:
        home().mkdir(parents=True, exist_ok=True)
        probe = home() / "probe.unfinished"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SetupError(
            f"the folder {home()} cannot be written ({error.strerror}); set PRESSTALLY_HOME to another one"
        ) from error


def wait_for_old_processes() -> None:
    """Wait until the processes of a killed supervisor, which the kernel has signalled, have exited."""
    state = read_state(home()) or {}
    alive = [pid for pid in state.get("parts", {}).values() if Path(f"/proc/{pid}").exists()]
    if not alive:
        return
    with step("waiting for the processes of a killed installation"):
        deadline = time.monotonic() + OLD_PROCESS_SECONDS
        while time.monotonic() < deadline and any(Path(f"/proc/{pid}").exists() for pid in alive):
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
                        f"port {port} ({name}) may not be opened by this user; set PRESSTALLY_PORT"
                    ) from error
                raise SetupError(
                    f"port {port} ({name}) is in use{port_owner(port)}; "
                    "stop that program or set PRESSTALLY_PORT to another port"
                ) from error


def port_owner(port: int) -> str:
    """Return " by NAME (pid N)" for the process that listens on a port, or "" if it is not visible."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(str(link.readlink()) in inodes for link in (folder / "fd").iterdir()):
                return " by {} (pid {})".format((folder / "comm").read_text().strip(), folder.name)
    return ""


def jars_folder() -> Path:
    """Return the folder of Kafka's jars for this pom.xml; it exists only if it is complete."""
    pom = (ROOT / "deploy/local/pom.xml").read_bytes()
    return ROOT / ".local-cache" / f"kafka-jars-{hashlib.sha256(pom).hexdigest()[:12]}"


def step(text: str) -> contextlib.AbstractContextManager[None]:
    """Print a progress line when the step begins, and its duration when it ends."""

    @contextlib.contextmanager
    def timed() -> Iterator[None]:
        begun = time.monotonic()
        print(f"presstally: {text} ...", end="", flush=True)
        try:
            yield
        except BaseException:
            print(flush=True)
            raise
        print(f" {time.monotonic() - begun:.1f} s", flush=True)

    return timed()


@contextlib.contextmanager
def only_installer(folder: Path = ROOT / ".local-cache") -> Iterator[None]:
    """Hold a folder's installation lock: `make run` and `make test` may start in a new clone together."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "install.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("presstally: waiting for another installation in this folder", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install_packages(venv: Path, lock: Path) -> None:
    """Create the venv from the hash-locked file, unless a complete one for this file and this Python exists."""
    wanted = "{} {}.{}".format(hashlib.sha256(lock.read_bytes()).hexdigest(), *sys.version_info[:2])
    if _is_stamped(venv, wanted):
        return
    if venv.is_symlink():
        raise SetupError(f"{venv} is a link to another environment, with other packages; remove the link")
    with only_installer():
        if not _is_stamped(venv, wanted):
            _create_environment(venv, lock, wanted)


def _is_stamped(venv: Path, wanted: str) -> bool:
    stamp = venv / "presstally-lock"
    return stamp.exists() and stamp.read_text() == wanted


def _create_environment(venv: Path, lock: Path, stamp: str) -> None:
    with step(f"installing Python packages ({lock.name})"):
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
        (venv / "presstally-lock").write_text(stamp)


def fetch_jars() -> None:
    """Download Kafka with Maven, once; again if a file is damaged, as after a power failure or on a bad disk."""
    folder = jars_folder()
    if os.environ.get("KAFKA_BOOTSTRAP") or (folder.exists() and damaged_jar(folder) is None):
        return
    with only_installer():
        damaged = damaged_jar(folder)
        if damaged is not None:
            print(f"presstally: {damaged} is damaged", flush=True)
        elif folder.exists():
            return
        _download_jars(folder)


def damaged_jar(folder: Path) -> Path | None:
    """Return a jar that is cut off or empty, or None."""
    return next((jar for jar in sorted(folder.glob("*.jar")) if not zipfile.is_zipfile(jar)), None)


def _download_jars(folder: Path) -> None:
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
                f"-DoutputDirectory={unfinished}",
            ],
            "Kafka could not be downloaded",
        )
        damaged = damaged_jar(unfinished)
        if damaged is not None:
            raise SetupError(f"Maven has a damaged {damaged.name}; remove it from ~/.m2/repository and try again")
        shutil.rmtree(folder, ignore_errors=True)
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
        raise SetupError(f"{sentence}: the disk is full")
    raise SetupError(f"{sentence}: {reason_in(output_text)} (more in {log})")


def reason_in(output: str) -> str:
    """Return the line of a program's output that says why it failed: the first error, or else the last line."""
    lines = [line.strip() for line in ESCAPE_CODES.sub("", output).splitlines() if line.strip()]
    errors = [line for line in lines if line.upper().startswith(("[ERROR]", "ERROR:"))]
    return (errors[0] if errors else lines[-1] if lines else "no output")[:LINE_CHARACTERS]


def is_own_environment() -> bool:
    """Return whether this process runs in the checkout's environment, or in that of its developers."""
    own = os.path.realpath(sys.prefix)
    return own in (os.path.realpath(str(ROOT / ".venv")), os.path.realpath(str(ROOT / ".venv-dev")))


def prepare(enter_packages: Callable[[], None]) -> None:
    """Check the machine, install what is missing, and continue with the installation's packages.

    Raises:
        SetupError: something must be mended first.
    """
    check_venv()
    check_java()
    check_disk()
    check_home()
    wait_for_old_processes()
    check_ports()
    enter_packages()
    fetch_jars()


def main() -> int:
    """Prepare the environment of developers: packages of tests and tools, and Kafka."""
    try:
        check_venv()
        check_disk()
        check_java()
        install_packages(ROOT / ".venv-dev", ROOT / "requirements-dev.txt")
        fetch_jars()
    except (SetupError, OSError) as error:
        reason = "the disk is full" if getattr(error, "errno", None) == errno.ENOSPC else error
        print(f"presstally: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
