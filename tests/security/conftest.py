"""The whole system over TLS, each service with its own user in Kafka and its own login in Postgres."""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import trustme

from shared.kafka.config import KafkaConfig, tls_context
from tests.conftest import PERSON, ROOT, SITES, Answer, answers, free_ports, lower, wait_for
from tests.databases import url_of
from tests.security.infrastructure import SecureKafka, SecurePostgres

SERVICES = ("ingest", "stats", "render")
STATISTICS_TOKEN = f"statistics-token-{secrets.token_hex(8)}"


@dataclass
class Infrastructure:
    """Kafka and Postgres, with the users and logins of the services."""

    folder: Path
    authority: trustme.CA
    kafka: SecureKafka
    postgres: SecurePostgres
    logins: dict[str, str] = field(default_factory=dict)
    """{service: password of its login in Postgres}."""
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def start(self, name: str) -> None:
        part: Any = {"kafka": self.kafka, "postgres": self.postgres}[name]
        account = {**self.postgres.as_account(), "cwd": "/"} if name == "postgres" else {"env": part.environment()}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(part.command(), stdout=log, stderr=log, **account)
        wait_for(part.is_ready, 90, name)

    def stop(self, name: str) -> None:
        process = self.running.pop(name)
        process.send_signal(signal.SIGINT if name == "postgres" else signal.SIGKILL)
        process.wait(20)

    def access(self, user: str, **other: Any) -> KafkaConfig:
        """Return a Kafka user's connection settings; `other` overrides single ones."""
        usual = {"protocol": "SASL_SSL", "username": user, "password": self.kafka.passwords.get(user, "")}
        return KafkaConfig(**{"bootstrap": self.kafka.bootstrap, "tls": self.tls(), **usual, **other})

    def tls(self, certificate: Path | None = None, key: Path | None = None) -> Any:
        return tls_context(self.ca, certificate, key, None)

    def url(self, login: str, database: str = "presstally") -> str:
        """Return the database URL for a service's login."""
        query = f"sslmode=verify-full&sslrootcert={self.ca}"
        owner = url_of(self.postgres.url, database).replace("127.0.0.1", "localhost")
        if login == "owner":
            return f"{owner}?{query}"
        place = owner.split("@")[1]
        return f"postgresql://{login}_login:{self.logins[login]}@{place}?{query}"

    def environment(self, account: str, **other: str) -> dict[str, str]:
        """Return the environment of a service or of the operator; passwords and URLs are in files."""
        password, url = self.folder / f"{account}.kafka", self.folder / f"{account}.url"
        password.write_text(self.kafka.passwords[f"presstally-{account}"] + "\n")
        url.write_text(self.url("owner" if account == "operator" else account) + "\n")
        settings = {
            "KAFKA_BOOTSTRAP": self.kafka.bootstrap,
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-256" if account == "stats" else "SCRAM-SHA-512",
            "KAFKA_SASL_USERNAME": f"presstally-{account}",
            "KAFKA_SASL_PASSWORD_FILE": str(password),
            "KAFKA_CA_FILE": str(self.ca),
            "DATABASE_URL_FILE": str(url),
            "PRESSTALLY_SITES": str(self.folder / "sites.toml"),
            "PRESSTALLY_MEDIA": str(self.folder / "media"),
            "PRESSTALLY_SPOOL": str(self.folder / "spool"),
            "PRESSTALLY_PARTITIONS": "3",
            "PRESSTALLY_STATISTICS_TOKENS": f"giao-thuy {STATISTICS_TOKEN}",
            "PRESSTALLY_LOG_LEVEL": "debug",
            "PYTHONUNBUFFERED": "1",
        }
        if account == "render":  # the third kind of authentication: a certificate instead of a password
            del settings["KAFKA_SASL_MECHANISM"], settings["KAFKA_SASL_USERNAME"], settings["KAFKA_SASL_PASSWORD_FILE"]
            settings |= {
                "KAFKA_BOOTSTRAP": self.kafka.mtls_bootstrap,
                "KAFKA_SECURITY_PROTOCOL": "SSL",
                "KAFKA_CERTIFICATE_FILE": str(self.folder / "render.pem"),
                "KAFKA_KEY_FILE": str(self.folder / "render.key"),
            }
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("KAFKA_", "DATABASE_"))}
        return {**kept, **settings, **other}

    def run(self, account: str, module: str, *arguments: str, **other: str) -> subprocess.CompletedProcess[str]:
        """Run a command under an account, and record its output."""
        command = [sys.executable, "-m", module, *arguments]
        environment = self.environment(account, **other)
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        with (self.folder / "written.log").open("a") as written:
            written.write(f"{module} {arguments[:1]}\n{done.stdout}{done.stderr}")
        return done


@dataclass
class Secured:
    """The three services, running."""

    infrastructure: Infrastructure
    ports: Mapping[str, int]
    processes: Mapping[str, subprocess.Popen[bytes]]
    # Used by `tests.e2e.conftest.Editors`.
    environment: dict[str, str] = field(default_factory=dict)
    people: int = 0

    @property
    def database_url(self) -> str:
        return self.infrastructure.url("ingest")

    @property
    def kafka(self) -> str:
        return self.infrastructure.kafka.bootstrap

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        owner = "ingest" if path.startswith(("/e", "/api")) else "stats" if path.startswith("/stats") else "render"
        return self.ask(owner, method, path, body, **headers)

    def ask(
        self, service: str, method: str, path: str, body: bytes | None = None, *, kept: bool = True, **headers: str
    ) -> Answer:
        """Send a request to a service; the response is recorded, unless it contains the caller's own secret."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://127.0.0.1:{self.ports[service]}{path}"
        request = urllib.request.Request(url, body, {"user-agent": PERSON, **named}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                answer = Answer(response.status, lower(response.headers), response.read())
        except urllib.error.HTTPError as error:
            answer = Answer(error.code, lower(error.headers), error.read())
        if kept:
            with (self.infrastructure.folder / "written.log").open("ab") as written:
                written.write(json.dumps(answer.headers).encode() + answer.body)
        return answer


@pytest.fixture(scope="session")
def infrastructure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Infrastructure]:
    """Kafka and Postgres with topics, ACLs, schemas and logins, created as the documentation describes."""
    folder = tmp_path_factory.mktemp("secure")
    authority = trustme.CA()
    ports = free_ports(4)
    kafka = SecureKafka(folder / "kafka", ports, authority)
    created = Infrastructure(folder, authority, kafka, SecurePostgres(folder / "postgres", ports + 3, authority))
    authority.cert_pem.write_to_path(str(created.ca))
    of_render = authority.issue_cert("render.example", common_name="presstally-render")
    of_render.private_key_pem.write_to_path(str(folder / "render.key"))
    (folder / "render.pem").write_bytes(b"".join(one.bytes() for one in of_render.cert_chain_pems))
    (folder / "sites.toml").write_text(SITES)
    kafka.prepare()
    created.postgres.prepare()
    try:
        for name in ("kafka", "postgres"):
            created.start(name)
        migrated = created.run("operator", "shared.migrate")
        assert migrated.returncode == 0, migrated.stderr
        asyncio.run(create_logins(created))
        admin = {"KAFKA_SASL_USERNAME": "admin", "KAFKA_SASL_PASSWORD_FILE": str(folder / "admin.kafka")}
        (folder / "admin.kafka").write_text(kafka.passwords["admin"])
        allowed = created.run("operator", "shared.acls", "--create", **admin)
        assert allowed.returncode == 0, allowed.stderr
        topics = created.run("operator", "shared.topics")
        assert topics.returncode == 0, topics.stderr
        yield created
    finally:
        for name in list(created.running):
            created.stop(name)


async def create_logins(infrastructure: Infrastructure) -> None:
    """Create a login for each service, which can assume only that service's role."""
    owner = await asyncpg.connect(infrastructure.url("owner"))
    for service in SERVICES:
        infrastructure.logins[service] = f"database-password-of-{service}-{secrets.token_hex(8)}"
        await owner.execute(f"CREATE ROLE {service}_login LOGIN NOINHERIT PASSWORD '{infrastructure.logins[service]}'")
        await owner.execute(f"GRANT presstally_{service} TO {service}_login")
    await owner.close()


@contextmanager
def running(infrastructure: Infrastructure, services: tuple[str, ...] = SERVICES, **other: str) -> Iterator[Secured]:
    first = free_ports(len(services))
    ports = {service: first + number for number, service in enumerate(services)}
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for service, port in ports.items():
            environment = infrastructure.environment(service, PRESSTALLY_HTTP_PORT=str(port), **other)
            with (infrastructure.folder / f"{service}.log").open("ab") as log:
                command = [sys.executable, "-m", f"services.{service}"]
                processes[service] = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        yield Secured(infrastructure, ports, processes, infrastructure.environment("ingest"))
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait(20)


@pytest.fixture(scope="session")
def secured(infrastructure: Infrastructure) -> Iterator[Secured]:
    """All three services, ready."""
    with running(infrastructure) as started:
        for service, port in started.ports.items():
            log = (infrastructure.folder / f"{service}.log").read_text
            try:
                wait_for(lambda port=port: answers(f"http://127.0.0.1:{port}/readyz"), 90, service)
            except AssertionError:
                raise AssertionError(log()[-4000:]) from None
        yield started
