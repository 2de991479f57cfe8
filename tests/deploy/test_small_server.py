"""The limits of a small server, and the systemd unit: read without a Docker engine, checked by systemd itself."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.compose.init_env import SMALL, add_small
from deploy.local import kafka, postgres
from deploy.local.bootstrap import jars_folder, java_command
from deploy.local.kafka import HEAP, JAVA_FLAGS, PROPERTIES
from services.render.settings import RenderSettings
from services.stats.settings import StatsSettings
from shared.settings import Settings

ROOT = Path(__file__).parent.parent.parent
FILE = ROOT / "deploy/compose/small.yml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
BASE: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
UNIT = ROOT / "deploy/systemd/presstally.service"
JOBS = {"migrate", "topics"}
OPTIONAL = {"prometheus", "grafana"}
BYTES_MAX = 1_600_000_000
KAFKA_OF_THE_LOCAL_COPY = {
    "num.network.threads",
    "num.io.threads",
    "background.threads",
    "num.recovery.threads.per.data.dir",
    "group.coordinator.threads",
    "queued.max.request.bytes",
    "socket.request.max.bytes",
    "log.cleaner.dedupe.buffer.size",
    "log.cleaner.io.buffer.size",
    "metadata.max.idle.interval.ms",
    "offsets.topic.num.partitions",
    "transaction.state.log.num.partitions",
}
"""Settings that bound memory or idle work; both installations have them."""


def limit_bytes(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([mg])", text).groups()  # type: ignore[union-attr]
    return int(number) * 1024 ** {"m": 2, "g": 3}[unit]


def test_limits_of_the_small_server_fit_into_2_gb() -> None:
    """Every container has a limit, none is larger than before, and those that always run add up to 1.6 GB at most."""
    assert set(SERVICES) == set(BASE)
    running = set(SERVICES) - JOBS - OPTIONAL
    assert sum(limit_bytes(SERVICES[name]["mem_limit"]) for name in running) <= BYTES_MAX
    for name, service in SERVICES.items():
        before = re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", BASE[name]["mem_limit"])
        assert limit_bytes(service["mem_limit"]) <= limit_bytes(before), name


def test_small_server_changes_memory_and_nothing_of_the_hardening() -> None:
    """The file has no word about accounts, capabilities, ports, networks or volumes: those are docker-compose.yml's."""
    allowed = {"mem_limit", "environment", "profiles", "command", "shm_size", "healthcheck"}
    for name, service in SERVICES.items():
        assert set(service) <= allowed, name
        assert ("profiles" in service) == (name in OPTIONAL), name
    assert {name for name, service in SERVICES.items() if "command" in service} == {"postgres"}
    assert set(SERVICES["kafka"]["healthcheck"]) == {"test"}


def test_kafka_of_the_small_server_is_that_of_the_local_copy() -> None:
    """Heap, flags and bounds are the measured ones, under the names that the image reads."""
    environment = SERVICES["kafka"]["environment"]
    assert environment["KAFKA_HEAP_OPTS"] == f"${{KAFKA_HEAP_OPTS:-{' '.join(HEAP)}}}"
    assert environment["KAFKA_JVM_PERFORMANCE_OPTS"].split() == list(JAVA_FLAGS)
    local = dict(line.split("=", 1) for line in PROPERTIES.splitlines())
    for name in KAFKA_OF_THE_LOCAL_COPY:
        assert environment[f"KAFKA_{name.replace('.', '_').upper()}"] == local[name], name
    others = {"KAFKA_HEAP_OPTS", "KAFKA_JVM_PERFORMANCE_OPTS", "MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_"}
    assert len(environment) == len(KAFKA_OF_THE_LOCAL_COPY) + len(others)


def test_kafka_image_accepts_the_settings_of_the_small_server(tmp_path: Path) -> None:
    """The image's program turns the variables of both files into properties, and Kafka formats its storage by them."""
    given = BASE["kafka"]["environment"] | SERVICES["kafka"]["environment"]
    given |= {"CLUSTER_ID": "5L6g3nShT-eMCtK--X86sw", "KAFKA_LOG_DIRS": str(tmp_path / "data")}
    for folder in ("default", "mounted", "final"):
        (tmp_path / folder).mkdir()
    for file in ("server.properties", "log4j2.yaml", "tools-log4j2.yaml"):
        (tmp_path / "default" / file).touch()
    java = java_command()
    assert java is not None, "Kafka needs Java"
    folders = [f"--{name}-configs-dir={tmp_path / name}" for name in ("default", "mounted", "final")]
    command = [java, "-cp", f"{jars_folder()}/*", "kafka.docker.KafkaDockerWrapper", "setup", *folders]
    done = subprocess.run(command, env={**os.environ, **given}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    written = (tmp_path / "final/server.properties").read_text(encoding="utf-8").splitlines()
    properties = dict(line.split("=", 1) for line in written if line)
    local = dict(line.split("=", 1) for line in PROPERTIES.splitlines())
    assert {name: properties.get(name) for name in KAFKA_OF_THE_LOCAL_COPY} == {
        name: local[name] for name in KAFKA_OF_THE_LOCAL_COPY
    }


def test_postgres_of_the_small_server_is_that_of_the_local_copy() -> None:
    """What bounds memory is the same; the socket, the address and the number of connections are Compose's own."""
    program, *flags = SERVICES["postgres"]["command"]
    assert program == "postgres"
    given = dict(flag.removeprefix("-c").split("=", 1) for flag in flags)
    own = {"listen_addresses", "unix_socket_directories", "max_connections"}
    for name, value in postgres.SETTINGS.items():
        if name not in own:
            assert given[name] == value, name
    assert int(given["max_connections"]) >= 60  # four services have at most 46 connections


def test_settings_of_the_small_server_exist_and_are_below_their_defaults() -> None:
    """A setting under a name that nobody reads would bound nothing."""
    for service, settings in (("stats", StatsSettings), ("render", RenderSettings)):
        for name, value in SERVICES[service]["environment"].items():
            if name.startswith("PRESSTALLY_"):
                field = settings.model_fields[name.removeprefix("PRESSTALLY_").lower()]
                assert int(value) < field.default
    assert issubclass(StatsSettings, Settings)


def test_heap_of_the_local_kafka_can_be_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """KAFKA_HEAP_OPTS replaces the heap and no other flag; empty is the default."""
    server = kafka.Kafka(tmp_path, tmp_path, "java", 1, 2)
    monkeypatch.delenv("KAFKA_HEAP_OPTS", raising=False)
    assert set(HEAP) <= set(server.command())
    monkeypatch.setenv("KAFKA_HEAP_OPTS", "")
    assert set(HEAP) <= set(server.command())
    monkeypatch.setenv("KAFKA_HEAP_OPTS", " -Xms1g  -Xmx1g ")
    command = server.command()
    assert {"-Xms1g", "-Xmx1g", *JAVA_FLAGS} <= set(command)
    assert not set(HEAP) & set(command)


@pytest.mark.parametrize(
    ("before", "added"),
    [
        ("A=1\n", True),
        ("", True),
        ("# COMPOSE_FILE is not set\n", True),
        ("COMPOSE_FILE=docker-compose.yml:mine.yml\n", False),
        (f"{SMALL}\n", False),
        ("COMPOSE_FILE = docker-compose.yml\n", False),
    ],
)
def test_init_adds_the_small_file_unless_compose_files_are_named(before: str, added: bool) -> None:
    """An operator's own choice of files stays, and a second run adds nothing."""
    after = add_small(before)
    assert after == (before + SMALL + "\n" if added else before)
    assert add_small(after) == after


def test_make_init_small_names_files_that_exist(tmp_path: Path) -> None:
    """The command writes the line once, beside the secrets, and the files that it names are there."""
    command = [sys.executable, "deploy/compose/init_env.py", "--small", str(tmp_path)]
    for _ in range(2):
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    lines = (tmp_path / ".env").read_text(encoding="utf-8").splitlines()
    assert lines.count(SMALL) == 1
    for file in SMALL.split("=", 1)[1].split(":"):
        assert (ROOT / file).exists()
    assert "$(ARGS)" in (ROOT / "Makefile").read_text(encoding="utf-8").split("\ninit:")[1].split("\n\n")[0]


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    assert program is not None, "this needs systemd-analyze (Debian: apt install systemd)"
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def unit_in(folder: Path, text: str) -> str:
    file = folder / UNIT.name
    file.write_text(text.replace("/opt/presstally", str(ROOT)), encoding="utf-8")
    return str(file)


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """`systemd-analyze verify` says nothing: each key is known, and the program is there."""
    text = UNIT.read_text(encoding="utf-8")
    done = analyze("verify", unit_in(tmp_path, text))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("ProtectClock=", "ProtectClok="),
        ("KillMode=mixed", "KillMode=some"),
        ("MemoryMax=1500M", "MemoryMax=lots"),
        ("presstally run", "presstaly run"),
        ("SystemCallFilter=@system-service", "SystemCallFilter=@sistem-service"),
    ],
)
def test_systemd_reports_a_faulty_unit(tmp_path: Path, right: str, wrong: str) -> None:
    """The check above really reads the unit."""
    text = UNIT.read_text(encoding="utf-8")
    assert text.count(right) == 1
    done = analyze("verify", unit_in(tmp_path, text.replace(right, wrong)))
    assert done.stderr != ""


def test_unit_is_confined(tmp_path: Path) -> None:
    """By systemd's own measure, from 0 to 10, the service is exposed little."""
    done = analyze("security", "--offline=true", "--threshold=20", unit_in(tmp_path, UNIT.read_text(encoding="utf-8")))
    assert done.returncode == 0, done.stdout
