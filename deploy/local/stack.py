"""The processes of the local system, the order in which they start, and what is printed."""

import contextlib
import fcntl
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from deploy.local.bootstrap import ROOT, base_port, home, jars_folder, java_command, needed_ports
from deploy.local.forked_services import import_shared_packages
from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres
from deploy.local.readiness import answers, describe_not_ready, read_problems
from deploy.local.state import sites_path, write_environment
from deploy.local.supervisor import ManagedProcess, StartFailed, Stopped, Supervisor
from shared.core_dumps import forbid_core_dumps
from shared.sites import Sites, SitesError
from shared.sites_file import check_theme_folders, read_sites

SERVICES = {
    "ingest": ["services.ingest", "collector"],
    "articles": ["services.ingest", "articles", "newsroom"],
    "stats": ["services.stats"],
    "render": ["services.render"],
}
"""Processes with their modules and roles. Collector and editor API are apart, so that no editor delays a page view."""
UPSTREAMS = {
    "COLLECTOR": "ingest",
    "ARTICLES": "articles",
    "NEWSROOM": "articles",
    "STATS": "stats",
    "RENDER": "render",
}
NICENESS = {"articles": 10}
"""No load of editors delays a page view: where the processors do not suffice for both, views are first."""
PUBLISHING = {"articles", "render"}
START_SECONDS = 60.0
GATEWAY_RUNTIME = {"GOMEMLIMIT": "64MiB", "GOGC": "50"}  # a soft limit: garbage is collected sooner
if (os.cpu_count() or 1) <= 2:
    GATEWAY_RUNTIME["GOMAXPROCS"] = "1"  # otherwise a fifth of its time is waking its own threads
STORE_SECONDS = 600.0
"""Kafka and Postgres that were killed read their logs first. Stopped meanwhile, they would begin again next time."""
MIGRATE_SECONDS = math.inf
"""A migration of a large database takes its time, and would begin again."""
SAMPLE = ROOT / "deploy/local/sample/trang-mau.txt"
SAMPLE_SITE, SAMPLE_SECTION = "haihau", "tin-tuc"
SAMPLE_PUBLISHED_AT = "2026-03-04T08:00+07:00"


class Stack:
    """One local installation, identified by its home folder and its ports."""

    def __init__(self) -> None:
        self.home = home()
        self.ports = needed_ports()
        self.url = f"http://localhost:{base_port()}"
        self.home.mkdir(parents=True, exist_ok=True)
        if self.home.stat().st_mode & 0o007:  # it has secrets, logs and data; as root, Postgres's group may traverse it
            self.home.chmod(0o700)
        self._lock = (self.home / "stack.lock").open("a")
        self._state = self.home / "stack.json"
        self._ready = False
        self._not_ready: dict[str, str] = {}
        """Service → why it is not ready, once all are started."""
        self._sites = Sites()
        self._supervisor = Supervisor(self.home / "logs", print_progress, self._write_state)

    def run(self) -> int:
        """Start everything, keep it running until a stop is requested, then stop everything."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print_progress(f"already running at {self.url}")
            return 1
        self._supervisor.catch_signals()
        forbid_core_dumps()
        code = 0
        try:
            self._write_state(())  # at once, so that `down` never reads the state of a killed supervisor
            environment = self._environment()
            self._sites = read_sites(Path(environment["PRESSTALLY_SITES"]), environment["PRESSTALLY_PUBLIC_URL"])
            check_theme_folders(self._sites)  # before anything is started; render would refuse it as the last one
            article, not_ready = self._start()
            self._print_urls(article, not_ready)
            # After the URLs: `make up` prints what comes before it.
            self._ready, self._not_ready = not not_ready, not_ready
            self._supervisor.report_change()
            self._supervisor.keep_running(self._check_readiness)
        except Stopped:
            pass
        except (StartFailed, SitesError, OSError, subprocess.CalledProcessError) as error:
            print(f"presstally: {failure_reason(error)}", file=sys.stderr, flush=True)
            code = 1
        with contextlib.suppress(OSError):
            print_progress("stopping")
        self._supervisor.stop()
        self._state.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            print_progress("stopped")
        return code

    def _start(self) -> tuple[str, dict[str, str]]:
        """Start everything, and return the URL of the sample article and why services are not ready."""
        environment = self._environment()
        stores: list[ManagedProcess] = []
        if "kafka" in self.ports:
            kafka = self._kafka()
            with step("preparing Kafka"):
                kafka.prepare()
            environment["KAFKA_BOOTSTRAP"] = kafka.bootstrap
            stores.append(
                ManagedProcess("kafka", kafka.command(), kafka.is_ready, kafka.environment(), stop_seconds=15)
            )
        if "postgres" in self.ports:
            postgres = self._postgres()
            with step("preparing Postgres"):
                postgres.prepare()
            environment["DATABASE_URL"] = postgres.url
            # SIGINT is Postgres's fast shutdown: it ends sessions, writes a checkpoint and exits.
            account = {**postgres.as_account(), "cwd": "/"}
            stores.append(
                ManagedProcess(
                    "postgres",
                    postgres.command(),
                    postgres.is_ready,
                    stop_signal=signal.SIGINT,
                    account=account,
                )
            )
        write_environment(self.home, environment)
        with step("starting Kafka and Postgres"):
            self._supervisor.start(stores, STORE_SECONDS)
        with step("creating topics and applying migrations"):
            self._once("migrate", ["-m", "shared.migrate"], environment, MIGRATE_SECONDS)
            self._report_topics(self._once("topics", ["-m", "shared.topics"], environment))
        with step("starting the services"):
            import_shared_packages()
            self._supervisor.begin([self._service(name, environment) for name in SERVICES], START_SECONDS)
        with step("starting the gateway"):
            self._supervisor.start([self._gateway()], START_SECONDS)
        not_ready = self._read_problems()
        if not_ready.keys() & PUBLISHING:
            return "", not_ready  # it is published by the next start
        with step("publishing the sample article"):
            return self._publish_sample(environment), not_ready

    def _read_problems(self) -> dict[str, str]:
        """Return why services are not ready, by name."""
        found = {name: read_problems(f"http://127.0.0.1:{self.ports[name]}/readyz") for name in SERVICES}
        return {name: "; ".join(one.problems) for name, one in found.items() if one.problems}

    def _check_readiness(self) -> None:
        """Report services that have become ready since the start."""
        if self._ready:
            return
        before, self._not_ready = self._not_ready, self._read_problems()
        self._ready = not self._not_ready
        if before.keys() != self._not_ready.keys():
            self._supervisor.say(describe_not_ready(self._not_ready) or "all services are ready")
        if before != self._not_ready:
            self._supervisor.report_change()

    def _kafka(self) -> Kafka:
        java = java_command()
        assert java is not None, "bootstrap.py has checked this"
        return Kafka(self.home / "kafka", jars_folder(), java, self.ports["kafka"], self.ports["kafka controller"])

    def _postgres(self) -> Postgres:
        return Postgres(self.home / "postgres", self.ports["postgres"])

    def _environment(self) -> dict[str, str]:
        defaults = {
            "PRESSTALLY_SITES": str(sites_path(self.home.absolute(), ROOT)),
            "PRESSTALLY_PUBLIC_URL": self.url,
            "PRESSTALLY_SPOOL": str(self.home / "spool"),
            "PRESSTALLY_ARTICLES_URL": f"http://127.0.0.1:{self.ports['articles']}",
            "PRESSTALLY_MEDIA": (self.home / "media").absolute().as_uri(),
            # One counter counts all of them, and each costs it a fold and Kafka a log; more can be added at any time.
            "PRESSTALLY_PARTITIONS": "3",
            # Kafka is local, so a killed counter can be detected sooner than over a network.
            "PRESSTALLY_SESSION_TIMEOUT_MS": "4000",
            "PRESSTALLY_REVISION": checkout_revision(),
        }
        # The gateway is one of the proxies. It passes X-Forwarded-For on for those that the operator named.
        trusted = f"127.0.0.1/32 ::1/128 {os.environ.get('PRESSTALLY_TRUSTED_PROXIES', '')}".strip()
        own = {"PRESSTALLY_TRUSTED_PROXIES": trusted, "PYTHONUNBUFFERED": "1"}
        return {**defaults, **os.environ, **own}

    def _service(self, name: str, environment: dict[str, str]) -> ManagedProcess:
        port = self.ports[name]
        url = f"http://127.0.0.1:{port}/readyz"
        own = {"PRESSTALLY_HTTP_HOST": "127.0.0.1", "PRESSTALLY_HTTP_PORT": str(port)}
        return ManagedProcess(
            name,
            [sys.executable, "-m", *SERVICES[name]],
            lambda: answers(url),
            {**environment, **own},
            niceness=NICENESS.get(name, 0),
            is_forked=True,
            waits_for_operator=lambda: read_problems(url).is_decision,
        )

    def _gateway(self) -> ManagedProcess:
        port = self.ports["gateway"]
        caddy_home = str(self.home / "caddy")
        environment = {
            **(GATEWAY_RUNTIME | os.environ),
            "GATEWAY_ADDRESS": f"http://:{port}",
            "PRESSTALLY_TRUSTED_PROXIES": os.environ.get("PRESSTALLY_TRUSTED_PROXIES") or "192.0.2.0/32",  # nobody
            "GATEWAY_BIND": os.environ.get("PRESSTALLY_BIND") or loopback(),
            "XDG_DATA_HOME": caddy_home,
            "XDG_CONFIG_HOME": caddy_home,
            "HOME": caddy_home,
            **{f"{name}_UPSTREAM": f"127.0.0.1:{self.ports[service]}" for name, service in UPSTREAMS.items()},
        }
        caddy = str(Path(sys.executable).parent / "caddy")
        config = str(ROOT / "deploy/gateway/Caddyfile")
        return ManagedProcess(
            "gateway",
            [caddy, "run", "--config", config, "--adapter", "caddyfile"],
            lambda: answers(f"http://127.0.0.1:{port}/"),
            environment,
        )

    def _once(
        self, name: str, arguments: list[str], environment: dict[str, str], timeout_seconds: float = START_SECONDS
    ) -> str:
        return self._supervisor.run_once(name, [sys.executable, *arguments], environment, timeout_seconds)

    @staticmethod
    def _report_topics(printed: str) -> None:
        for line in printed.splitlines():
            if line.startswith("topic "):  # it is not as it must be
                print_progress(line)

    def _publish_sample(self, environment: dict[str, str]) -> str:
        """Publish the sample article and return its URL; "" if the sites are not those of the sample."""
        site = self._sites.get(SAMPLE_SITE)
        if site is None or site.section(SAMPLE_SECTION) is None:
            return ""
        target = ["--site", SAMPLE_SITE, "--section", SAMPLE_SECTION, "--published-at", SAMPLE_PUBLISHED_AT]
        flags = ["--publish", "--wait"]  # no --with-counter: the opening balance is for the user's own page
        printed = self._once("import", ["-m", "services.ingest", "import", str(SAMPLE), *target, *flags], environment)
        return self.url + urlsplit(printed.strip().splitlines()[-1]).path  # it may be live since another port

    def _print_urls(self, article: str, not_ready: dict[str, str]) -> None:
        statistics = [f"{self.url}/stats/{slug}" for slug in self._sites]
        lines = {
            "article": article,
            "home page": f"{self.url}/",
            "counter": f"{statistics[0]}/counter",
            "statistics": ", ".join(statistics),
            "portals": ", ".join(site.url for site in self._sites.values()) if len(self._sites) > 1 else "",
            "newsroom": f"{self.url}/ban-bien-tap/",
            "editor API": f"{self.url}/api/docs",
            "events": f"{self.url}/asyncapi",
            "ports": ", ".join(f"{name} {port}" for name, port in self.ports.items()),
            "logs": str(self.home / "logs"),
        }
        print(flush=True)
        for name, text in lines.items():
            if text:
                print(f"  {name:<11}{text}", flush=True)
        state = describe_not_ready(not_ready) or "ready"
        print(f"\npresstally: {state}. `make down` stops it; so does Ctrl-C after `make run`.", flush=True)

    def _write_state(self, _: Sequence[ManagedProcess]) -> None:
        parts = {part.name: part.process.pid for part in self._supervisor.parts if part.process}
        state = {
            "pid": os.getpid(),
            "started": started_at(os.getpid()),
            "url": self.url,
            "checkout": str(ROOT),
            "ready": self._ready,
            "not_ready": self._not_ready,
            "ports": self.ports,
            "parts": parts,
        }
        unfinished = self._state.with_suffix(".unfinished")
        try:
            unfinished.write_text(json.dumps(state, indent=2), encoding="utf-8")
            unfinished.replace(self._state)
        finally:
            unfinished.unlink(missing_ok=True)


class step:  # noqa: N801 - used as a statement
    """Print a line with the duration when a startup step has ended."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __enter__(self) -> None:
        self._begun = time.monotonic()

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            print_progress(f"{self._text} ... {time.monotonic() - self._begun:.1f} s")


def checkout_revision() -> str:
    """Return the abbreviated commit of this checkout, "-dirty" if files differ; "unknown" where there is no git."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return (
            subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip() or "unknown"
        )
    return "unknown"


def failure_reason(error: Exception) -> str:
    """Return a message of one line that explains why a start failed."""
    output_text = ""
    if isinstance(error, subprocess.CalledProcessError):
        output = error.stderr or b""
        output_text = output if isinstance(output, str) else output.decode(errors="replace")
    if "No space left" in f"{error}{output_text}":
        return f"the disk is full at {home()}"
    last = next((line.strip() for line in reversed(output_text.splitlines()) if line.strip()), "")
    return (
        f"{Path(error.cmd[0]).name} failed: {last}" if isinstance(error, subprocess.CalledProcessError) else str(error)
    )


def loopback() -> str:
    """Return this machine's loopback addresses: a browser may resolve `localhost` to either of them."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return "127.0.0.1 ::1"
    except OSError:
        return "127.0.0.1"


def print_progress(text: str) -> None:
    """Print a progress line. Nothing of it stays in a buffer if that fails.

    Raises:
        OSError: standard output cannot be written, as on a full disk.
    """
    sys.stdout.flush()
    os.write(sys.stdout.fileno(), f"presstally: {text}\n".encode())


def started_at(pid: int) -> str:
    """Return a process's start time in clock ticks, which with the pid identifies it uniquely; "" if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


def wait_until_free(lock: Path, timeout_seconds: float, each: Callable[[], None] = lambda: None) -> bool:
    """Wait until no supervisor holds the lock; return whether it became free in time."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        each()
        with lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                time.sleep(0.1)
            else:
                return True
    return False
