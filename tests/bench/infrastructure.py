"""A real Kafka and Postgres in a temporary folder, fresh databases, and service processes."""

import asyncio
import json
import os
import shutil
import signal
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from deploy.local.bootstrap import ROOT, jars_folder, java_command
from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres
from deploy.local.stack import NICENESS
from deploy.local.supervisor import ManagedProcess, Supervisor
from shared.migrate import migrate
from tests.bench.load import PARTITIONS, SITE
from tests.conftest import answers, free_ports
from tests.databases import url_of

TEMPLATE = "template_bench"
START_SECONDS = 60.0
SESSION_TIMEOUT_MS = 4_000
"""As in the local installation."""
SITES = f"""
[[site]]
slug = "{SITE}"
name = "Trang thông tin điện tử huyện Hải Hậu"
origins = ["http://localhost:8080"]
timezone = "Asia/Ho_Chi_Minh"
tagline = "Tin tức và thông báo của huyện"
agency = "Ủy ban nhân dân huyện Hải Hậu"
responsible = "Ban Biên tập"
address = "Thị trấn Yên Định, huyện Hải Hậu"
phone = "0228 000 000"
email = "bientap@haihau.example"
sections = [
    {{ slug = "tin-tuc", name = "Tin tức" }},
    {{ slug = "thong-bao", name = "Thông báo" }},
    {{ slug = "van-hoa", name = "Văn hóa" }},
    {{ slug = "giao-duc", name = "Giáo dục" }},
]
"""


class BenchmarkError(Exception):
    """A benchmark cannot continue; the message says why."""


@dataclass
class Service:
    """One process of the stats service."""

    part: ManagedProcess
    port: int
    supervisor: Supervisor

    @property
    def pid(self) -> int:
        assert self.part.process is not None
        return self.part.process.pid

    @property
    def runs(self) -> bool:
        return self.part.process is not None and self.part.process.poll() is None

    def check(self) -> None:
        if not self.runs:
            raise BenchmarkError(f"{self.part.name} exited on its own{self.supervisor.tail(self.part.name)}")

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body; status 0 if there is no response."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def send(self, number: signal.Signals) -> None:
        assert self.part.process is not None
        self.part.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal and wait until the process has exited."""
        assert self.part.process is not None
        self.send(number)
        self.part.process.wait(20)


class Counting:
    """One database, one topic, and the processes that count the topic into the database."""

    def __init__(self, folder: Path, kafka: str, database: str, supervisor: Supervisor) -> None:
        self.kafka = kafka
        self.database = database
        self._folder = folder
        self._supervisor = supervisor
        self._group = f"bench-{uuid.uuid4().hex[:8]}"
        self._started = 0

    @property
    def supervisor(self) -> Supervisor:
        """Stops what it started at the end."""
        return self._supervisor

    @property
    def environment(self) -> dict[str, str]:
        """Environment of a process or command on this database and topic."""
        return {
            "KAFKA_BOOTSTRAP": self.kafka,
            "DATABASE_URL": self.database,
            "PRESSTALLY_SITES": str(self._folder / "sites.toml"),
            "PRESSTALLY_MEDIA": str(self._folder / "media"),
        }

    def start(self, role: str, *, service: str = "stats", until_ready: bool = True) -> Service:
        """Start one more process with this role."""
        self._started += 1
        port = free_ports(1)
        environment = {
            **os.environ,
            **self.environment,
            "PRESSTALLY_GROUP": self._group,
            "PRESSTALLY_SESSION_TIMEOUT_MS": str(SESSION_TIMEOUT_MS),
            "PRESSTALLY_SPOOL": str(self._folder / "spool"),
            "PRESSTALLY_HTTP_HOST": "127.0.0.1",
            "PRESSTALLY_HTTP_PORT": str(port),
        }
        part = ManagedProcess(
            f"{role}-{self._started}",
            [sys.executable, "-m", f"services.{service}", role],
            (lambda: answers(f"http://127.0.0.1:{port}/readyz")) if until_ready else lambda: True,
            environment,
            account={"cwd": str(ROOT)},
            niceness=NICENESS.get(role, 0),
        )
        self._supervisor.start([part], START_SECONDS)
        return Service(part, port, self._supervisor)

    def numbers(self, **query: str) -> dict[str, Any]:
        """Return the site's counter from a widget process, so that no benchmark depends on the tables."""
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        widget = self.start("widget")
        status, body = widget.get(f"/stats/{SITE}/counter?{asked}")
        widget.end()
        if status != 200:
            raise BenchmarkError(f"the widget answered {status}: {body}")
        return dict(json.loads(body))

    def check_total(self, measure: str, expected: int) -> None:
        """Stop the run if the count is not exact."""
        total = self.numbers(measure=measure)["total"]
        if total != expected:
            raise BenchmarkError(f"{total:,} {measure} were counted, not {expected:,}")


class Infrastructure:
    """Everything that the benchmarks run on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._postgres = Postgres(folder / "postgres", free_ports(1))
        self._supervisor = self._new_supervisor()
        (folder / "sites.toml").write_text(SITES, encoding="utf-8")

    def _new_supervisor(self) -> Supervisor:
        return Supervisor(self._folder / "logs", lambda text: print(f"  {text}", flush=True), lambda _: None)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run Postgres, with a template database that has all migrations."""
        self._postgres.prepare()
        account = {**self._postgres.as_account(), "cwd": "/"}
        part = ManagedProcess(
            "postgres",
            self._postgres.command(),
            self._postgres.is_ready,
            stop_signal=signal.SIGINT,
            stop_seconds=30,
            account=account,
        )
        try:
            self._supervisor.start([part], START_SECONDS)
            asyncio.run(self._make_template())
            yield
        finally:
            self._supervisor.stop()

    @property
    def postgres_pid(self) -> int:
        process = self._supervisor.parts[0].process
        assert process is not None
        return process.pid

    async def _make_template(self) -> None:
        await self._execute(f"CREATE DATABASE {TEMPLATE}")
        await migrate(url_of(self._postgres.url, TEMPLATE))

    async def _execute(self, *statements: str) -> None:
        connection = await asyncpg.connect(self._postgres.url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    def log_bytes(self, topic: str) -> int:
        """Return the size on disk of a topic, of all brokers that run."""
        return sum(one.stat().st_size for one in self._folder.glob(f"kafka-*/**/{topic}-*/*.log"))

    def run(self, copy: "Counting", statement: str, *values: Any) -> None:
        """Run a statement in a copy's database, as its owner."""

        async def run() -> None:
            connection = await asyncpg.connect(copy.database)
            await connection.execute(statement, *values)
            await connection.execute("VACUUM ANALYZE")
            await connection.close()

        asyncio.run(run())

    @contextmanager
    def broker(self, name: str) -> Iterator[str]:
        """Run a new Kafka with empty topics; yield host:port."""
        java = java_command()
        if java is None:
            raise BenchmarkError("java was not found")
        folder = self._folder / f"kafka-{name}"
        ports = free_ports(2)
        kafka = Kafka(folder, jars_folder(), java, ports, ports + 1)
        kafka.prepare()
        supervisor = self._new_supervisor()
        environment = {
            **os.environ,
            "KAFKA_BOOTSTRAP": kafka.bootstrap,
            "DATABASE_URL": self._postgres.url,
            "PRESSTALLY_PARTITIONS": str(PARTITIONS),
        }
        try:
            part = ManagedProcess(
                f"kafka-{name}", kafka.command(), kafka.is_ready, kafka.environment(), stop_seconds=15
            )
            supervisor.start([part], START_SECONDS)
            supervisor.run_once("topics", [sys.executable, "-m", "shared.topics"], environment, START_SECONDS)
            yield kafka.bootstrap
        finally:
            supervisor.stop()
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def counting(self, kafka: str) -> Iterator[Counting]:
        """Create a fresh database and consumer group; stop and remove everything at the end."""
        name = f"bench_{uuid.uuid4().hex[:12]}"
        # A checkpoint now avoids one during the measurement.
        asyncio.run(self._execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}", "CHECKPOINT"))
        supervisor = self._new_supervisor()
        try:
            yield Counting(self._folder, kafka, url_of(self._postgres.url, name), supervisor)
        finally:
            supervisor.stop()
            asyncio.run(self._execute(f"DROP DATABASE {name} WITH (FORCE)"))
