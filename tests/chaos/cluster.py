"""The suite's own Kafka, Postgres and counters, with methods to kill, freeze and restart them."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from deploy.local.bootstrap import jars_folder, java_command
from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres
from deploy.local.supervisor import ManagedProcess, Supervisor
from shared.migrate import migrate
from tests.chaos.assertions import StoredCounts
from tests.chaos.kafka_log import LogReader, Sender, begin_new_log, create_all_topics
from tests.chaos.polling import wait_until
from tests.chaos.proxy import Proxy
from tests.conftest import ROOT, SITES, STATISTICS_TOKENS, answers, free_ports
from tests.databases import url_of
from tests.soak.limits import counter_name

PARTITIONS = 6
SESSION_SECONDS = 4.0
START_SECONDS = 90.0
STOP_SECONDS = 15.0
TEMPLATE = "template_chaos"


@dataclass(eq=False)
class RunningCounter:
    """One counter process, and the proxy between it and Postgres."""

    part: ManagedProcess
    proxy: Proxy

    @property
    def pid(self) -> int:
        assert self.part.process is not None
        return self.part.process.pid

    @property
    def alive(self) -> bool:
        return self.part.process is not None and self.part.process.poll() is None

    @property
    def frozen(self) -> bool:
        return self.alive and psutil.Process(self.pid).status() == psutil.STATUS_STOPPED

    @property
    def ready(self) -> bool:
        return self.alive and self.part.is_ready()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has exited."""
        if self.alive:
            os.kill(self.pid, number)


def _is_ready(counter: RunningCounter) -> bool:
    return counter.ready


class Cluster:
    """One broker and one database server. They keep their data when they are killed and restarted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        java = java_command()
        assert java is not None, "Kafka needs Java"
        ports = free_ports(3)
        self._kafka = Kafka(folder / "kafka", jars_folder(), java, ports, ports + 1)
        self._postgres = Postgres(folder / "postgres", ports + 2)
        self.postgres_port = ports + 2
        self.partitions = PARTITIONS
        # Starts processes as the local installation does, so that the kernel ends them if this process dies.
        self._supervisor = Supervisor(folder / "logs", print, lambda _: None)
        self._installations = 0
        self.settings: dict[str, str] = {}
        """Of stats, besides those that every installation has."""
        self._limited: Callable[[str, Sequence[str]], list[str]] = lambda _, command: list(command)

    def limit(
        self, limited: Callable[[str, Sequence[str]], list[str]], settings: Mapping[str, str] | None = None
    ) -> None:
        """Run all processes by other command lines, made from a name and the plain one; stats with settings."""
        self._limited = limited
        self.settings = dict(settings or {})

    def limited(self, name: str, command: Sequence[str]) -> list[str]:
        """Return the command line by which a process runs."""
        return self._limited(name, command)

    @property
    def bootstrap(self) -> str:
        return self._kafka.bootstrap

    def url(self, database: str) -> str:
        return url_of(self._postgres.url, database)

    async def start(self) -> None:
        (self.folder / "sites.toml").write_text(SITES)
        self._kafka.prepare()
        self._postgres.prepare()
        account = {**self._postgres.as_account(), "cwd": "/"}
        # These signals also end frozen processes: the kernel sends them if this process dies.
        self.kafka = ManagedProcess(
            "kafka",
            self.limited("kafka", self._kafka.command()),
            self._kafka.is_ready,
            self._kafka.environment(),
            stop_signal=signal.SIGKILL,
        )
        self.postgres = ManagedProcess(
            "postgres",
            self.limited("postgres", self._postgres.command()),
            self._postgres.is_ready,
            stop_signal=signal.SIGQUIT,
            account=account,
        )
        self.spawn(self.kafka)
        self.spawn(self.postgres)
        await self.wait_until_up()
        await self.admin("postgres", f"CREATE DATABASE {TEMPLATE}")
        await migrate(self.url(TEMPLATE))
        await create_all_topics(self.bootstrap, PARTITIONS)

    def spawn(self, part: ManagedProcess) -> None:
        if part not in self._supervisor.parts:
            self._supervisor.parts.append(part)
        self._supervisor._spawn(part)

    async def wait_until_up(self) -> None:
        for part in (self.kafka, self.postgres):
            await wait_until(part.is_ready, START_SECONDS, part.name)

    async def kill(self, part: ManagedProcess) -> None:
        """Send SIGKILL to a process and all its children at once, as in a power failure."""
        assert part.process is not None
        parent = psutil.Process(part.process.pid)
        for process in [parent, *parent.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        await asyncio.to_thread(part.process.wait)

    async def admin(self, database: str, sql: str) -> Any:
        """Run one statement as the owner of the database."""
        connection = await asyncpg.connect(self.url(database))
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    async def begin_new_log(self) -> None:
        await begin_new_log(self.bootstrap, PARTITIONS)

    async def install(self, log: LogReader) -> "Installation":
        """Create an empty database with its own consumer group, so that its counters count the whole log."""
        self._installations += 1
        name = f"chaos_{self._installations}"
        await self.admin("postgres", f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return Installation(self, name, StoredCounts(self.url(name), log))

    def log_reader(self, invalid_values: set[bytes | None]) -> LogReader:
        return LogReader(self.bootstrap, PARTITIONS, invalid_values)

    def sender(self) -> Sender:
        return Sender(self.bootstrap)

    async def stop(self) -> None:
        await asyncio.to_thread(self._supervisor.stop)


@dataclass(eq=False)
class Installation:
    """One database and the counters that write to it."""

    cluster: Cluster
    database: str
    stored_counts: StoredCounts
    counters: list[RunningCounter] = field(default_factory=list)
    widget: str | None = None
    _started: int = 0

    async def start_counter(self, *, ready: bool = True, with_widget: bool = False, **hooks: Any) -> RunningCounter:
        """Start a counter: the real program, or with `hooks` the one of `instrumented_counter`.

        Args:
            ready: Wait until it is ready.
            with_widget: Run the public counter API in the same process.
            hooks: See `instrumented_counter`.
        """
        proxy = Proxy(self.cluster.postgres_port)
        url = self.cluster.url(self.database).replace(f":{self.cluster.postgres_port}/", f":{await proxy.start()}/")
        module = ["tests.chaos.instrumented_counter", json.dumps(hooks)] if hooks else ["services.stats"]
        module += [] if hooks or with_widget else ["counter"]
        counter = RunningCounter(self._part("counter", module, f"{url}?sslmode=disable"), proxy)
        self.cluster.spawn(counter.part)
        self.counters.append(counter)
        if ready:
            await wait_until(lambda: counter.ready, START_SECONDS, "the counter's readiness")
        return counter

    async def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of stats on this database, to its end."""
        part = self._part("command", ["services.stats", *arguments], self.cluster.url(self.database))
        return await asyncio.to_thread(
            subprocess.run,
            part.command,
            cwd=ROOT,
            env=part.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    async def start_widget(self) -> None:
        """Start the public counter API."""
        part = self._part("widget", ["services.stats", "widget"], self.cluster.url(self.database))
        self.cluster.spawn(part)
        await wait_until(part.is_ready, START_SECONDS, "the widget's readiness")
        self.widget = f"http://127.0.0.1:{part.environment['PRESSTALLY_HTTP_PORT']}"

    def _part(self, name: str, module: list[str], url: str) -> ManagedProcess:
        self._started += 1
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        environment = {
            **os.environ,
            **self.cluster.settings,
            "DATABASE_URL": url,
            "KAFKA_BOOTSTRAP": self.cluster.bootstrap,
            "PRESSTALLY_SITES": str(self.cluster.folder / "sites.toml"),
            "PRESSTALLY_STATISTICS_TOKENS": STATISTICS_TOKENS,
            "PRESSTALLY_GROUP": self.database,
            "PRESSTALLY_SESSION_TIMEOUT_MS": str(int(SESSION_SECONDS * 1000)),
            "PRESSTALLY_HTTP_PORT": str(port),
            "PYTHONUNBUFFERED": "1",
        }
        command = self.cluster.limited(
            counter_name(self._started) if name == "counter" else name, [sys.executable, "-m", *module]
        )
        full_name = f"{name}-{self.database}-{self._started}"
        url = f"http://127.0.0.1:{port}/readyz"
        return ManagedProcess(full_name, command, lambda: answers(url), environment, stop_signal=signal.SIGKILL)

    async def ensure_counters(self, count: int) -> None:
        """Start and stop counters until this many uninstrumented ones are ready."""
        for counter in list(self.counters):
            is_instrumented = "tests.chaos.instrumented_counter" in counter.part.command
            if not counter.alive or is_instrumented or self.counters.index(counter) >= count:
                await self.stop_counter(counter)
        while len(self.counters) < count:
            await self.start_counter(ready=False)
        for counter in self.counters:
            await wait_until(partial(_is_ready, counter), START_SECONDS, f"readiness of {counter.part.name}")

    async def stop_counter(self, counter: RunningCounter) -> None:
        """Stop a counter and wait until it has exited."""
        counter.proxy.thaw()
        counter.signal(signal.SIGCONT)
        counter.signal(signal.SIGTERM)
        assert counter.part.process is not None
        await asyncio.to_thread(counter.part.process.wait, STOP_SECONDS)
        await counter.proxy.stop()
        self.counters.remove(counter)

    async def stop(self) -> None:
        for counter in list(self.counters):
            await self.stop_counter(counter)
