"""No secret is written to logs or responses: at the start, in both flows, failures, commands, errors and metrics."""

import asyncio
import base64
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.conftest import ROOT
from tests.e2e.conftest import Editors
from tests.security.conftest import SERVICES, STATISTICS_TOKEN, Infrastructure, Secured, running

WRONG_KAFKA = "a-wrong-password-of-kafka-5c1e"
WRONG_DATABASE = "a-wrong-password-of-the-database-9d2f"
KEY_PASSWORD = "a-password-of-a-key-77aa"
BAD_TOKEN = "pt_abcdefgh_a-token-that-nobody-made-31b7"
COMMANDS = (
    ("services.ingest", "--help"),
    ("services.ingest", "token", "list"),
    ("services.stats", "--help"),
    ("services.stats", "adjust", "--no-such-argument"),
    ("services.stats", "dlq", "list"),
    ("services.stats", "verify"),
    ("services.render", "rebuild"),
    ("shared.acls", "--help"),
)


def forms(secret: bytes) -> Iterator[bytes]:
    """Yield a secret in each form in which it might be written: plain, quoted, hexadecimal, base64, and as repr()."""
    yield secret
    yield urllib.parse.quote(secret).encode()
    yield secret.hex().encode()
    yield base64.b64encode(secret).rstrip(b"=")
    yield base64.urlsafe_b64encode(secret).rstrip(b"=")
    yield repr(secret)[2:-1].encode()


def written(folder: Path) -> dict[str, bytes]:
    """Return {file name: everything that services and commands wrote}."""
    found = {file.name: file.read_bytes() for file in folder.glob("*.log")}
    return {name: text for name, text in found.items() if name not in ("kafka.log", "postgres.log")}


def leaks(texts: dict[str, bytes], secrets: Iterable[bytes]) -> list[str]:
    """Return which secret occurs in which file."""
    return [
        f"{form[:12]!r}… in {name}"
        for name, text in texts.items()
        for secret in secrets
        for form in set(forms(secret))
        if form in text
    ]


async def stored_secrets(infrastructure: Infrastructure) -> list[bytes]:
    """Return the salts of the days and the secret of the partitions."""
    owner = await asyncpg.connect(infrastructure.url("owner"))
    try:
        columns = await owner.fetch(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = 'ingest' AND data_type = 'bytea' AND column_name IN ('salt', 'secret', 'value')"
        )
        rows = [await owner.fetch(f"SELECT {column} FROM ingest.{table}") for table, column in columns]
        return [row[0] for table in rows for row in table if row[0] and len(row[0]) >= 16]
    finally:
        await owner.close()


def ask_everything(secured: Secured) -> None:
    """Request every kind of response: pages, metrics, health, and each error."""
    bad = {"authorization": f"Bearer {BAD_TOKEN}"}
    for service in SERVICES:
        for path in ("/metrics", "/readyz", "/livez", "/nowhere"):
            secured.ask(service, "GET", path)
    for path in ("/api/articles", "/api/openapi.json", "/api/docs", "/api/nothing", "/asyncapi"):
        secured.ask("ingest", "GET", path, **bad)
    secured.ask("ingest", "POST", "/e/batch", b"[]", **bad)
    secured.ask("ingest", "POST", "/api/articles", b"{", **bad)
    secured.ask("ingest", "POST", "/e", b"{", content_type="application/json")
    for token in ("", STATISTICS_TOKEN, BAD_TOKEN):  # only a client with the token gets links that contain it
        for path in ("/stats/giao-thuy", "/stats/giao-thuy/top"):
            secured.ask("stats", "GET", f"{path}?token={token}", kept=token != STATISTICS_TOKEN)


def starts_wrongly(infrastructure: Infrastructure, seconds: float, **other: str) -> None:
    """Run all services with wrong settings for a while, and request their health and metrics."""
    with running(infrastructure, **other) as wrong:
        deadline = time.monotonic() + seconds
        for service in SERVICES:
            while time.monotonic() < deadline and wrong.processes[service].poll() is None:
                try:
                    wrong.ask(service, "GET", "/readyz")
                    wrong.ask(service, "GET", "/metrics")
                except OSError:
                    time.sleep(0.2)
                else:
                    break
        time.sleep(max(0.0, deadline - time.monotonic()))


@pytest.mark.timeout(600)  # it starts two dozen processes, one after the other
def test_no_secret_is_written(secured: Secured, infrastructure: Infrastructure, wait: Callable[..., Any]) -> None:
    """Whatever is requested, rejected or broken, no password, token, key or salt is written."""
    editors = Editors(secured)
    editors.publish(editors.create("Bài có bí mật")["id"])
    ask_everything(secured)
    for command in COMMANDS:
        infrastructure.run("operator", *command)
    password, url = infrastructure.folder / "wrong.kafka", infrastructure.folder / "wrong.url"
    password.write_text(WRONG_KAFKA)
    url.write_text(infrastructure.url("ingest").replace(infrastructure.logins["ingest"], WRONG_DATABASE))
    sasl = {"KAFKA_SASL_USERNAME": "presstally-stats", "KAFKA_SASL_PASSWORD_FILE": str(password)}
    sasl |= {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_BOOTSTRAP": infrastructure.kafka.bootstrap}
    for account in ("services.stats", "services.render"):
        infrastructure.run("operator", account, "rebuild", **sasl)
    infrastructure.run("operator", "shared.migrate", DATABASE_URL_FILE=str(url))
    starts_wrongly(infrastructure, 5, **sasl)
    starts_wrongly(infrastructure, 5, DATABASE_URL_FILE=str(url))
    unusable = {"DATABASE_URL_FILE": "/nowhere", "DATABASE_URL": url.read_text().replace("postgresql", "mysql")}
    unusable |= {"KAFKA_SASL_PASSWORD": WRONG_KAFKA, "KAFKA_KEY_PASSWORD": KEY_PASSWORD, "PRESSTALLY_HTTP_PORT": "x"}
    infrastructure.run("operator", "services.stats", KAFKA_SECURITY_PROTOCOL="PLAINTEXT", **unusable)
    for name in ("kafka", "postgres"):
        infrastructure.stop(name)
        ask_everything(secured)
        infrastructure.run(
            "operator", *(("services.stats", "verify") if name == "kafka" else ("services.ingest", "token", "list"))
        )
        infrastructure.start(name)
    for service in SERVICES:
        wait(lambda service=service: secured.ask(service, "GET", "/readyz").status == 200, 90, service)
    ask_everything(secured)

    secrets = [one.encode() for one in infrastructure.kafka.passwords.values()]
    secrets += [one.encode() for one in infrastructure.logins.values()]
    secrets += [infrastructure.postgres.url.split(":")[2].split("@")[0].encode(), STATISTICS_TOKEN.encode()]
    secrets += [one.encode() for one in (WRONG_KAFKA, WRONG_DATABASE, KEY_PASSWORD, BAD_TOKEN)]
    secrets += [token.encode() for token in editors._tokens.values()]
    secrets += asyncio.run(stored_secrets(infrastructure))
    texts = written(infrastructure.folder)
    assert leaks(texts, secrets) == []
    # The searched texts are the intended ones, and a secret in them would have been found.
    assert len(secrets) > 18
    everything = b"".join(texts.values())
    for message in (b"refuses user 'presstally-stats'", b"password authentication failed", b"cannot be reached"):
        assert message in everything, message
    for secret in secrets:
        for form in forms(secret):
            assert leaks({"planted": b"x" + form + b"y"}, [secret])


def test_command_line_and_environment_have_no_secret(infrastructure: Infrastructure) -> None:
    """What `ps` shows of a service has no secret, because secrets are read from files."""
    with running(infrastructure, ("stats",)) as started:
        pid = started.processes["stats"].pid
        shown = subprocess.run(
            [sys.executable, "-c", f"print(open('/proc/{pid}/cmdline').read(), open('/proc/{pid}/environ').read())"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
    assert b"services.stats" in shown
    assert (
        leaks(
            {"ps": shown},
            [one.encode() for one in (*infrastructure.kafka.passwords.values(), *infrastructure.logins.values())],
        )
        == []
    )
