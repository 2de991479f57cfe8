"""`make init`: write `.env` with generated secrets and free networks; create the folders of imports, exports and sites.

Existing values stay; no secret is printed. `make init ARGS=--small` adds the limits of a small server.
"""

import argparse
import base64
import ipaddress
import os
import secrets
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


class NoNetworkError(Exception):
    """No network is free; the message says what to set."""


NETWORKS = {"PRESSTALLY_FRONT_NETWORK": "172.31.250.0/24", "PRESSTALLY_EDGE_NETWORK": "172.31.251.0/24"}
"""Defaults of docker-compose.yml. They are fixed ranges, so another installation on the machine may have them."""
CANDIDATES = ipaddress.IPv4Network("172.31.0.0/16")

SMALL = "COMPOSE_FILE=docker-compose.yml:deploy/compose/small.yml"
"""With it in .env, every `docker compose` command reads both files."""


def _password() -> str:
    return secrets.token_urlsafe(32)


def _cluster_id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


SECRETS: Mapping[str, Callable[[], str]] = {
    "POSTGRES_PASSWORD": _password,
    "GRAFANA_PASSWORD": _password,
    "KAFKA_CLUSTER_ID": _cluster_id,
}


SHARED_FOLDERS = {"import": 0o755, "export": 0o1777, "sites": 0o755}
"""Mounted into the containers of the services. Their account has no other name here, so all may write exports."""


def fill_secrets(text: str) -> tuple[str, list[str]]:
    """Return the file's text with each empty or missing secret generated, and the names of those secrets."""
    lines = text.splitlines()
    generated = []
    for name, generate in SECRETS.items():
        index = next((number for number, line in enumerate(lines) if line.split("=", 1)[0].strip() == name), None)
        if index is None:
            lines.append(f"{name}={generate()}")
        elif lines[index].split("=", 1)[1].strip(" \"'") == "":
            lines[index] = f"{name}={generate()}"
        else:
            continue
        generated.append(name)
    return "\n".join(lines) + "\n", generated


def add_small(text: str) -> str:
    """Return the file's text with the limits of a small server, unless it names its Compose files already."""
    names = {line.split("=", 1)[0].strip() for line in text.splitlines()}
    return text if "COMPOSE_FILE" in names else f"{text}{SMALL}\n"


def choose_networks(text: str, routes: Sequence[ipaddress.IPv4Network]) -> dict[str, str]:
    """Return the networks that must be written, because this machine has routes into the default ones.

    Args:
        text: The file, whose own networks stay.
        routes: Of this machine; Docker's networks are among them.

    Raises:
        NoNetworkError: every candidate is in use.
    """
    own = {line.split("=", 1)[0].strip() for line in text.splitlines() if "=" in line}
    chosen: dict[str, str] = {}
    for name, default in NETWORKS.items():
        taken = [*routes, *(ipaddress.IPv4Network(one) for one in chosen.values())]
        if name in own or not _overlaps(ipaddress.IPv4Network(default), taken):
            continue
        others = [ipaddress.IPv4Network(one) for other, one in NETWORKS.items() if other != name]
        free = (one for one in CANDIDATES.subnets(new_prefix=24) if not _overlaps(one, [*taken, *others]))
        found = next(free, None)
        if found is None:
            raise NoNetworkError(f"every network in {CANDIDATES} is in use here; set {' and '.join(NETWORKS)} in .env")
        chosen[name] = str(found)
    return chosen


def _overlaps(network: ipaddress.IPv4Network, others: Sequence[ipaddress.IPv4Network]) -> bool:
    return any(network.overlaps(other) for other in others)


def read_routes(table: Path = Path("/proc/net/route")) -> list[ipaddress.IPv4Network]:
    """Return the networks that this machine has routes to, without the default route."""
    found = []
    for line in table.read_text(encoding="ascii").splitlines()[1:] if table.exists() else []:
        fields = line.split()
        address, mask = (int.from_bytes(bytes.fromhex(fields[place])[::-1], "big") for place in (1, 7))
        if mask:
            found.append(ipaddress.IPv4Network((address, mask.bit_count())))
    return found


def copy_sample_site(sites: Path) -> None:
    """Put the sample into the folder of the sites' configuration if it has no file, readable by the containers."""
    if not any(sites.glob("*.toml")):
        (sites / "00-haihau.toml").write_bytes((ROOT / "sites.toml").read_bytes())
        (sites / "00-haihau.toml").chmod(0o644)


def main(folder: Path, *, is_small: bool = False) -> int:
    """Write `.env` in the folder, readable only by its owner, and create the folders that containers share.

    Args:
        folder: Of docker-compose.yml.
        is_small: For a small server.
    """
    file = folder / ".env"
    before = file.read_text(encoding="utf-8") if file.exists() else (ROOT / ".env.example").read_text(encoding="utf-8")
    after, generated = fill_secrets(before)
    try:
        networks = choose_networks(after, read_routes()) if not file.exists() else {}
    except NoNetworkError as error:
        print(f"presstally: {error}", file=sys.stderr)
        return 1
    after += "".join(f"{name}={network}\n" for name, network in networks.items())
    after = add_small(after) if is_small else after
    unfinished = folder / ".env.unfinished"
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as output:
        output.write(after)
    unfinished.replace(file)
    for name, network in networks.items():
        print(f"presstally: {NETWORKS[name]} is in use on this machine; {name}={network}")
    for name, mode in SHARED_FOLDERS.items():
        shared = folder / name
        if not shared.exists():
            shared.mkdir()
            shared.chmod(mode)
    copy_sample_site(folder / "sites")
    print(f"presstally: {file}: " + (f"generated {', '.join(generated)}" if generated else "all secrets exist; kept"))
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make init", description="Write .env for Docker Compose.")
    parser.add_argument("--small", action="store_true", help="for a server with 2 GB: deploy/compose/small.yml")
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT, help=argparse.SUPPRESS)
    given = parser.parse_args()
    sys.exit(main(given.folder, is_small=given.small))
