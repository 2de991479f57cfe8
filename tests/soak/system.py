"""The whole system with one process per role, as in a scaled installation, under the control of the soak.

Processes that exit are restarted. The system counts exits caused by faults and other exits separately.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import psutil

from deploy.local.stack import GATEWAY_RUNTIME
from deploy.local.supervisor import ManagedProcess
from tests.chaos.cluster import TEMPLATE, Cluster
from tests.chaos.polling import wait_until
from tests.conftest import ROOT, SITES, STATISTICS_TOKENS, answers, free_ports
from tests.soak.limits import COMMAND, Limits, small_settings

DATABASE = "soak"
ROLES = {
    "collector-1": "services.ingest collector",
    "collector-2": "services.ingest collector",
    "articles": "services.ingest articles",
    "counter-1": "services.stats counter",
    "counter-2": "services.stats counter",
    "widget": "services.stats widget",
    "builder": "services.render builder",
    "site-1": "services.render site",
    "site-2": "services.render site",
}
SMALL_ROLES = {
    "ingest": "services.ingest collector",
    "articles": "services.ingest articles",
    "stats": "services.stats counter widget",
    "render": "services.render builder site",
}
"""The processes of a small server, by the names of its containers."""
SMALL_UPSTREAMS = {"COLLECTOR": "ingest", "ARTICLES": "articles", "STATS": "stats", "RENDER": "render"}
UPSTREAMS = {"COLLECTOR": "collector", "ARTICLES": "articles", "STATS": "widget", "RENDER": "site"}
"""The gateway's upstreams: {prefix of its variable: prefix of the processes' names}."""
START_SECONDS = 60.0
RESTART_POLL_SECONDS = 0.5
STOP_SECONDS = 12.0


class RunningSystem:
    """One Kafka, one Postgres, a gateway, and service processes: by default one or two per role."""

    def __init__(
        self,
        folder: Path,
        roles: Mapping[str, str] = ROLES,
        upstreams: Mapping[str, str] = UPSTREAMS,
        limits: Limits | None = None,
    ) -> None:
        self._folder = folder
        self.limits = limits
        self.roles = roles
        self._upstreams = upstreams
        self.cluster = Cluster(folder)
        self.gateway_port = 0
        self.ports: dict[str, int] = {}
        self.parts: dict[str, ManagedProcess] = {}
        self.down: set[str] = set()
        """Processes that a fault keeps down."""
        self.deaths: Counter[str] = Counter()
        self.killed: Counter[str] = Counter()

    @property
    def url(self) -> str:
        return self.cluster.url(DATABASE)

    @property
    def bootstrap(self) -> str:
        return self.cluster.bootstrap

    def environment(self) -> dict[str, str]:
        """Return the environment of a program that uses this system."""
        return {
            **os.environ,
            "DATABASE_URL": self.url,
            "KAFKA_BOOTSTRAP": self.bootstrap,
            "PRESSTALLY_SITES": str(self._folder / "sites.toml"),
            "PRESSTALLY_PUBLIC_URL": f"http://localhost:{self.gateway_port}",
            "PRESSTALLY_TRUSTED_PROXIES": "127.0.0.1/32",
            "PRESSTALLY_STATISTICS_TOKENS": STATISTICS_TOKENS,
            "PRESSTALLY_SPOOL": str(self._folder / "spool"),
            "PRESSTALLY_MEDIA": (self._folder / "media").as_uri(),
            "PRESSTALLY_SESSION_TIMEOUT_MS": "4000",
            "PYTHONUNBUFFERED": "1",
        }

    async def start(self) -> None:
        """Start everything and wait until it is ready."""
        if self.limits is not None:
            self.cluster.limit(self.limits.command)
        await self.cluster.start()
        self.gateway_port = free_ports(len(self.roles) + 1)
        self.ports = {name: self.gateway_port + 1 + number for number, name in enumerate(self.roles)}
        (self._folder / "sites.toml").write_text(SITES)
        await self.cluster.admin("postgres", f"CREATE DATABASE {DATABASE} TEMPLATE {TEMPLATE}")
        self.parts = {"kafka": self.cluster.kafka, "postgres": self.cluster.postgres}
        for name in self.roles:
            self._start(name, self._role(name))
        for name in self.roles:
            await wait_until(self.parts[name].is_ready, START_SECONDS, f"readiness of {name}")
        self._start("gateway", self._gateway())
        await wait_until(self.parts["gateway"].is_ready, START_SECONDS, "the gateway")

    def _start(self, name: str, part: ManagedProcess) -> None:
        if self.limits is not None:
            part.command = self.limits.command(name, part.command)
        self.parts[name] = part
        self.cluster.spawn(part)

    def _role(self, name: str) -> ManagedProcess:
        port = self.ports[name]
        url = f"http://127.0.0.1:{port}/readyz"
        environment = {**self.environment(), "PRESSTALLY_HTTP_PORT": str(port)}
        if self.limits is not None:
            environment |= small_settings().get(name, {})
        return ManagedProcess(
            name, [sys.executable, "-m", *self.roles[name].split()], lambda: answers(url), environment
        )

    def _gateway(self) -> ManagedProcess:
        def of(begin: str) -> str:
            return " ".join(f"127.0.0.1:{port}" for name, port in self.ports.items() if name.startswith(begin))

        home = str(self._folder / "caddy")
        environment = {
            **os.environ,
            "GATEWAY_ADDRESS": f"http://:{self.gateway_port}",
            "GATEWAY_BIND": "127.0.0.1",
            "XDG_DATA_HOME": home,
            "XDG_CONFIG_HOME": home,
            "HOME": home,
            **GATEWAY_RUNTIME,
            **{f"{name}_UPSTREAM": of(begin) for name, begin in self._upstreams.items()},
        }
        caddy = [str(Path(sys.executable).parent / "caddy"), "run", "--adapter", "caddyfile"]
        url = f"http://127.0.0.1:{self.gateway_port}/t.js"
        return ManagedProcess(
            "gateway", [*caddy, "--config", str(ROOT / "deploy/gateway/Caddyfile")], lambda: answers(url), environment
        )

    def pid(self, name: str) -> int | None:
        """Return the ID of a process, or None while it is down."""
        process = self.parts[name].process
        return process.pid if process is not None and process.poll() is None else None

    async def kill(self, name: str, down_seconds: float) -> None:
        """Send SIGKILL to a process and its children, and keep it down for at least this time."""
        self.down.add(name)
        self.killed[name] += 1
        await self.cluster.kill(self.parts[name])
        await asyncio.sleep(down_seconds)
        self.down.discard(name)

    async def freeze(self, name: str, seconds: float) -> None:
        """Suspend a process and its children, and resume them after this time."""
        pid = self.pid(name)
        assert pid is not None, f"{name} is down"
        tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        for process in tree:
            process.suspend()
        await asyncio.sleep(seconds)
        for process in tree:
            process.resume()

    async def replace(self, name: str) -> int:
        """Replace a process as an upgrade does: stop it, start it, wait until it is ready; return the exit code."""
        process = self.parts[name].process
        assert process is not None
        self.down.add(name)
        process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(process.wait, STOP_SECONDS)
        self.cluster.spawn(self.parts[name])
        self.down.discard(name)
        await self.wait_until_ready(name)
        return code

    async def restart_dead(self) -> None:
        """Restart processes that exited, until cancelled."""
        while True:
            for name, part in self.parts.items():
                if name not in self.down and self.pid(name) is None:
                    self.deaths[name] += 1
                    self.cluster.spawn(part)
            await asyncio.sleep(RESTART_POLL_SECONDS)

    async def wait_until_ready(self, name: str) -> None:
        """Wait until a process is ready."""
        await wait_until(self.parts[name].is_ready, START_SECONDS, f"readiness of {name}")

    async def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a service's command on this system, to its end."""
        command, environment = [sys.executable, "-m", *arguments], self.environment()
        if self.limits is not None:
            command = self.limits.command(COMMAND, command)
        return await asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )

    async def stop_roles(self) -> dict[str, str]:
        """Stop all roles at once; return {name: problem} for those that did not exit properly."""
        processes = {name: process for name in self.roles if (process := self.parts[name].process) is not None}
        for process in processes.values():
            process.send_signal(signal.SIGTERM)
        wrong = {}
        for name, process in processes.items():
            try:
                code = await asyncio.to_thread(process.wait, STOP_SECONDS)
            except subprocess.TimeoutExpired:
                wrong[name] = f"did not exit within {STOP_SECONDS:g} s"
            else:
                if code != 0:
                    wrong[name] = f"exited with {code}"
        return wrong

    def last_log_lines(self) -> str:
        """Return the last lines of each log, for an error message."""
        files = sorted((self._folder / "logs").glob("*.log"))
        return "\n".join(f"{file.stem}:\n" + "\n".join(file.read_text().splitlines()[-6:]) for file in files)

    async def stop(self) -> None:
        await self.cluster.stop()
