"""A service's process: its arguments, its stop, and its readiness without stores."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

ROOT = Path(__file__).parent.parent.parent
NOBODY = "127.0.0.1:1"


def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("KAFKA_BOOTSTRAP", "DATABASE_URL")}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=ROOT, env={**kept, **environment}, capture_output=True, text=True, check=False)


@pytest.fixture
def start(system: Any, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    started = []

    def start(*arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        stores = {"DATABASE_URL": system.database_url, "KAFKA_BOOTSTRAP": system.kafka}
        settings = {**stores, "PRESSTALLY_SPOOL": str(tmp_path / "spool"), **environment}
        with (tmp_path / "log").open("ab") as log:
            command = [sys.executable, "-m", *arguments]
            process = subprocess.Popen(
                command, cwd=ROOT, env={**system.environment, **settings}, stdout=log, stderr=log
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


def test_invalid_settings_are_all_named_at_start() -> None:
    """A service with invalid settings lists all of them and exits with 1."""
    done = call("services.stats", PRESSTALLY_HTTP_PORT="x")
    assert done.returncode == 1
    for name in ("KAFKA_BOOTSTRAP", "DATABASE_URL", "PRESSTALLY_HTTP_PORT"):
        assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_unknown_role_is_rejected() -> None:
    """An unknown role is an error that lists the known ones."""
    done = call("services.stats", "counter", "nobody")
    assert done.returncode == 2
    assert "unknown role 'nobody'; choose from counter, widget" in done.stderr


def test_stop_with_open_live_streams_is_graceful(start: Any, free_ports: Any, wait: Any) -> None:
    """On SIGTERM a process with an open live stream ends it and exits with 0 within 10 seconds."""
    port = free_ports(1)
    process = start("services.stats", "widget", PRESSTALLY_HTTP_PORT=str(port))
    wait(lambda: status(f"http://127.0.0.1:{port}/readyz") == 200)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats/haihau/live", timeout=10) as stream:
        lines = [stream.readline() for _ in range(4)]
        assert re.fullmatch(rb"retry: \d{4}\n", lines[0])
        assert lines[3].startswith(b'data: {"site":"haihau"')
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        stream.read()  # the stream has ended


def test_process_without_stores_is_alive_and_not_ready(start: Any, free_ports: Any, wait: Any) -> None:
    """While Kafka and Postgres are unavailable a service is alive, not ready, and stops in time."""
    port = free_ports(1)
    nowhere = f"postgresql://nobody:x@{NOBODY}/x"
    process = start("services.ingest", PRESSTALLY_HTTP_PORT=str(port), KAFKA_BOOTSTRAP=NOBODY, DATABASE_URL=nowhere)
    wait(lambda: status(f"http://127.0.0.1:{port}/livez") == 200)
    assert status(f"http://127.0.0.1:{port}/readyz") == 503
    assert status(f"http://127.0.0.1:{port}/e") == 503
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0, "it measures its own time, and says so if that was too long"


@pytest.mark.parametrize("topic", ["counter-adjustments", "pages-live", "articles"])
async def test_invalid_messages_go_to_the_dead_letters(system: Any, topic: str) -> None:
    """On each topic, an invalid message goes to the dead letters with its reason and source."""
    rubbish = f"rubbish {uuid.uuid4()}".encode()
    producer = AIOKafkaProducer(bootstrap_servers=system.kafka)
    await producer.start()
    placed = await producer.send_and_wait(topic, rubbish, key=b"rubbish")
    await producer.stop()
    consumer = AIOKafkaConsumer(f"{topic}.dlq", bootstrap_servers=system.kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(20):
            async for letter in consumer:
                if letter.value == rubbish:
                    break
    finally:
        await consumer.stop()
    headers = {name: value.decode() for name, value in letter.headers}
    assert (headers["topic"], headers["offset"]) == (topic, str(placed.offset))
    assert headers["reason"].startswith("DecodeError")
