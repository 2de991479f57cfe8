"""Fixtures with real processes: a Postgres with a fresh database per test, and the whole system once per run."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from xdist.scheduler import LoadScopeScheduling

from deploy.local.bootstrap import jars_folder, java_command
from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres
from shared.migrate import migrate
from tests.databases import Databases, make_log_ins_cheap, run_in, url_of

hypothesis.settings.register_profile(
    "busy machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy machine")
ROOT = Path(__file__).parent.parent
START_SECONDS = 240
"""For a machine that has other work."""
NEAR_MIDNIGHT_SECONDS = 60
"""Longer than the tests that count what is of today."""
PORTS_PER_INSTALLATION = 8
SITES = """
[[site]]
slug = "haihau"
name = "Trang thông tin điện tử huyện Hải Hậu"
origins = ["http://localhost:8080"]
timezone = "Asia/Ho_Chi_Minh"
sections = [
    { slug = "tin-tuc", name = "Tin tức" },
    { slug = "thong-bao", name = "Thông báo" },
    { slug = "van-hoa", name = "Văn hóa" },
]
agency = "Ủy ban nhân dân huyện Hải Hậu"
own_addresses = ["198.51.100.77", "2001:db8:e77::/48"]
spam_referrers = ["rac.example"]
count_headless_browsers = true

[[site]]
slug = "giao-thuy"
name = "Giao Thủy"
origins = ["https://giaothuy.example"]
timezone = "Asia/Ho_Chi_Minh"
thousands_separator = "."
default_measure = "views"
separate_approver = true
statistics = "token"
sections = [{ slug = "tin-tuc", name = "Tin tức" }]
"""
TRUSTED_PROXIES = "127.2.0.0/16 2001:db8:f::/48"
"""Loopback addresses that the proxies of tests connect from; other clients of the gateway are strangers."""
STATISTICS_TOKENS = "giao-thuy a-token-of-giao-thuy"
PERSON = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"


WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
"""Number of this process among those that run the tests."""
PORTS_PER_WORKER = 3_000
"""All below 32,768, where Linux begins to take ports for outgoing connections."""
WITH_SYSTEM = (
    "tests/deploy/test_local_stack.py",
    "tests/e2e/",
    "tests/ingest/auth/test_tokens.py",
    "tests/ingest/collector/test_tracker.py",
    "tests/ops/test_dashboards_on_real_prometheus.py",
    "tests/ops/test_docs_commands.py",
    "tests/ops/test_docs_migrating.py",
    "tests/ops/test_doctor.py",
)
"""Tests of the `system` fixture without browsers."""


WITH_BROKER_ALONE = (
    "tests/deploy/test_recover.py",
    "tests/ingest/collector/test_partitions_command.py",
    "tests/restore/",
    "tests/shared/kafka/test_consumer_watch.py",
    "tests/shared/kafka/test_producer.py",
    "tests/shared/kafka/test_topic_config.py",
    "tests/shared/test_topic_check.py",
    "tests/shared/test_topic_watch.py",
    "tests/stats/counting/test_log_check.py",
    "tests/stats/counting/test_log_span.py",
)
SHARED = {
    "system": WITH_SYSTEM,
    "system of the browsers": ("tests/browser/",),
    "cluster": (
        "tests/chaos/test_log_changes.py",
        "tests/chaos/test_offsets_in_kafka.py",
        "tests/chaos/test_topic_mismatch.py",
    ),
    "secured": ("tests/security/",),
    "broker_alone": WITH_BROKER_ALONE,
}
"""Fixture that takes long to start → the files of which one worker runs all, so that it starts once."""
LONG_FIRST = (
    "system",
    "system of the browsers",
    "cluster",
    "secured",
    "tests/chaos/test_chaos.py",
    "broker_alone",
    "tests/upgrade/test_upgrade.py",
    "tests/ingest/api/test_route_rights.py",
    "tests/chaos/test_verify.py",
    "tests/deploy/test_command_line.py",
    "tests/stats/counter_api/test_endpoints.py",
    "tests/ops/test_docs_site.py",
    "tests/ops/test_alerts.py",
)
"""What runs for more than half a minute begins first: at the end, workers finish at the same time."""


class FileScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each worker whole files, which share fixtures; those that share what starts slowly to one worker."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # it would begin with the files of many tests, which are the short ones

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def scope_of(nodeid: str) -> str:
    """Return what is given to one worker as a whole: a file, or the files that share a fixture."""
    path = nodeid.split("::", maxsplit=1)[0]
    return next((name for name, paths in SHARED.items() if path.startswith(paths)), path)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the longest scopes first for several workers; the order within each stays."""
    if hasattr(config, "workerinput"):
        ranks = {name: number for number, name in enumerate(LONG_FIRST)}
        items.sort(key=lambda item: ranks.get(scope_of(item.nodeid), len(ranks)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileScheduling:
    """Schedule the tests of several workers."""
    return FileScheduling(config, log)


def free_ports(count: int) -> int:
    """Return the first of `count` consecutive free ports, which no other worker chooses."""
    first = 20_000 + WORKER % 4 * PORTS_PER_WORKER
    for base in range(first + os.getpid() % (PORTS_PER_WORKER // 2), first + PORTS_PER_WORKER - count, count):
        probes = [socket.socket() for _ in range(count)]
        try:
            for number, probe in enumerate(probes):
                probe.bind(("127.0.0.1", base + number))
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()
        return base
    raise AssertionError("no free ports")


def wait_for(condition: Callable[[], Any], seconds: float = 60, what: str = "it") -> Any:
    """Poll until the condition is true, and return its value."""
    deadline = time.monotonic() + seconds
    while True:
        seen = condition()
        if seen:
            return seen
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s; last value: {seen!r}"
        time.sleep(0.05)


@pytest.fixture(autouse=True)
def one_day() -> None:
    """Wait while a midnight is near, so that what a test counts today is counted on one day, and in one week."""
    for zone in ("Asia/Ho_Chi_Minh", "UTC"):
        now = datetime.now(ZoneInfo(zone))
        seconds = 86_400 - (now.hour * 3_600 + now.minute * 60 + now.second)
        if seconds <= NEAR_MIDNIGHT_SECONDS:
            time.sleep(seconds)


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("postgres", numbered=False)
    server = Postgres(folder, free_ports(1))
    server.prepare()
    account = {**server.as_account(), "cwd": "/"}
    # A database for each test is made in half the time. Without fsync only a crash of the machine loses data.
    command = [*server.command(), "-c", "fsync=off", "-c", "full_page_writes=off"]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, **account)
    try:
        wait_for(server.is_ready, what="Postgres")
        asyncio.run(make_log_ins_cheap(server.url))
        yield server.url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


@pytest.fixture(scope="session")
def template(postgres_url: str) -> str:
    """A template database with all migrations."""

    async def make() -> None:
        await run_in(postgres_url, "CREATE DATABASE template_presstally")
        await migrate(url_of(postgres_url, "template_presstally"))

    asyncio.run(make())
    return "template_presstally"


@pytest.fixture(scope="session")
def databases(postgres_url: str, template: str) -> Databases:
    """Databases of the server."""
    return Databases(postgres_url, template)


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[str]:
    """The URL of a database with all migrations, as good as a fresh one."""
    url = await databases.take()
    yield url
    await databases.give_back(url)


@pytest.fixture(scope="session")
def broker_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The bootstrap address of a Kafka without topics, for tests that need nothing else of the system."""
    java = java_command()
    assert java is not None, "Kafka needs Java"
    folder = tmp_path_factory.mktemp("kafka")
    ports = free_ports(2)
    server = Kafka(folder, jars_folder(), java, ports, ports + 1)
    server.prepare()
    with (folder / "kafka.log").open("wb") as log:
        process = subprocess.Popen(server.command(), env=server.environment(), stdout=log, stderr=log)
    try:
        wait_for(server.is_ready, 60, "Kafka")
        yield server.bootstrap
    finally:
        process.kill()
        process.wait(20)


@pytest.fixture
async def broker_without_topics(broker_alone: str) -> str:
    """The same, after the topics of other tests were deleted.

    A request to delete topics raises nothing where the broker refuses it or is too slow: what is left is deleted again,
    also what a request of a former test has created meanwhile.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=broker_alone)
    await admin.start()
    try:
        async with asyncio.timeout(20):
            while names := [name for name in await admin.list_topics() if not name.startswith("__")]:
                await admin.delete_topics(names)
                await asyncio.sleep(0.05)  # Kafka has no event for it
    finally:
        await admin.close()
    return broker_alone


@dataclass
class Answer:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes
    pairs: list[tuple[str, str]] = field(default_factory=list)
    """The headers, those that are sent several times included."""

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class System:
    """The whole system, running: real Kafka, Postgres, gateway and services."""

    home: Path
    base_port: int
    environment: dict[str, str]
    process: subprocess.Popen[bytes]
    people: int = field(default=0)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.base_port}"

    def state(self) -> dict[str, Any]:
        return dict(json.loads((self.home / "stack.json").read_text()))

    @property
    def database_url(self) -> str:
        return Postgres(self.home / "postgres", self.base_port + 6).url

    @property
    def kafka(self) -> str:
        return f"127.0.0.1:{self.base_port + 4}"

    def port(self, service: str) -> int:
        return self.base_port + {"ingest": 1, "stats": 2, "render": 3, "articles": 7}[service]

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Send a request and return its response, a redirect too, and one that came before the body was sent."""
        url = urllib.parse.urlsplit(path if path.startswith("http") else self.url + path)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(url.netloc, timeout=30)
        with contextlib.closing(connection):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                target = url._replace(scheme="", netloc="").geturl()
                connection.request(method, target, body, {"user-agent": PERSON, **named})
            response = connection.getresponse()
            return Answer(response.status, lower(response.headers), response.read(), response.headers.items())

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, None, **headers)

    def post_events(self, events: Any, **headers: str) -> Answer:
        body = events if isinstance(events, bytes) else json.dumps(events).encode()
        return self.request("POST", "/e", body, **{"content_type": "application/json", **headers})

    def counter(self, site: str = "haihau", **query: str) -> dict[str, Any]:
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        return dict(self.get(f"/stats/{site}/counter?{asked}").json())

    def another_person(self) -> str:
        """Return a new user agent, which makes another visitor."""
        self.people += 1
        return f"{PERSON} person/{self.people}"

    def sample_path(self) -> str:
        """Return the current path of the sample article."""
        wanted = urllib.parse.quote("Hải Hậu mở lại thư viện")
        (sample,) = self.get(f"/api/articles?site=haihau&q={wanted}").json()["articles"]
        return f"/{sample['slug']}-{sample['number']}.html"

    def run_import(self, file: Path, *arguments: str, site: str = "haihau") -> subprocess.CompletedProcess[str]:
        place = ["--site", site, "--section", "tin-tuc"]
        command = [sys.executable, "-m", "services.ingest", "import", str(file), *place, *arguments]
        environment = {**self.environment, "DATABASE_URL": self.database_url, "KAFKA_BOOTSTRAP": self.kafka}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    def all_ready(self) -> bool:
        return all(
            answers(f"http://127.0.0.1:{self.port(name)}/readyz") for name in ("ingest", "articles", "stats", "render")
        )


def lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (http.client.HTTPException, OSError):  # a probe of a free port may connect to itself
        return False


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system, as `make run` starts it, on its own ports."""
    home = tmp_path_factory.mktemp("home")
    sites = home / "sites.toml"
    sites.write_text(SITES)
    port = free_ports(PORTS_PER_INSTALLATION)
    ours = {"PRESSTALLY_HOME": str(home), "PRESSTALLY_PORT": str(port), "PRESSTALLY_SITES": str(sites)}
    ours |= {"PRESSTALLY_HUB_NETWORKS": "127.0.0.0/8", "PRESSTALLY_PARTITIONS": "12"}
    ours |= {"PRESSTALLY_STATISTICS_TOKENS": STATISTICS_TOKENS, "PRESSTALLY_TRUSTED_PROXIES": TRUSTED_PROXIES}
    environment = {**os.environ, **ours, "PRESSTALLY_PUBLIC_URL": f"http://localhost:{port}"}
    with (home / "run.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.local"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    started = System(home, port, environment, process)
    try:
        wait_for(lambda: is_ready(started), START_SECONDS, "the system")
        yield started
    finally:
        process.terminate()
        process.wait(60)


def is_ready(system: System) -> bool:
    assert system.process.poll() is None, (system.home / "run.log").read_text()
    return (system.home / "stack.json").exists() and bool(system.state()["ready"])


@pytest.fixture
def wait() -> Callable[..., Any]:
    """Wait until a condition is true."""
    return wait_for


@pytest.fixture
def new_id() -> Callable[[], str]:
    """Create event IDs."""
    return lambda: str(uuid.uuid4())


@pytest.fixture(name="free_ports")
def free_ports_fixture() -> Callable[[int], int]:
    """Find consecutive free ports."""
    return free_ports
