"""`make verify-compose`: run docker-compose.yml for real, in a project of its own, and look at what came of it.

It starts everything with three counters, inspects each container, counts a view through the gateway, stops all of it
and starts it again, and sees that the numbers are still there. What this machine cannot do is told and skipped.
Services named as arguments are left out. PRESSTALLY_COMPOSE_OVERRIDE names a second file, for what this machine needs.
"""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.compose.init import ROOT, filled

PROJECT = "presstally-verify"
UP_SECONDS = 600
COUNT_SECONDS = 30.0
SCRAPE_SECONDS = 60.0
ONE_SHOTS = ("migrate", "topics")
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"


class Wrong(Exception):  # noqa: N818 - it names a state
    """Something is not as docker-compose.yml promises; the message says what."""


class Project:
    """One run of the whole system under Docker Compose, on a free port."""

    def __init__(self, folder: Path, without: list[str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        text, _ = filled((ROOT / ".env.example").read_text(encoding="utf-8"))
        self._env = folder / "env"
        self._env.write_text(text + f"PRESSTALLY_PORT={self.port}\n", encoding="utf-8")
        self._without = without
        overrides = os.environ.get("PRESSTALLY_COMPOSE_OVERRIDE")
        self._files = ["-f", str(ROOT / "docker-compose.yml"), *(["-f", overrides] if overrides else [])]

    def compose(self, *arguments: str) -> str:
        """Run a compose command and return what it printed."""
        command = ["docker", "compose", "-p", PROJECT, "--env-file", str(self._env), *self._files, *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Wrong(f"docker compose {' '.join(arguments)}: {done.stderr.strip()[-1500:]}")
        return done.stdout

    def up(self) -> None:
        """Start all and wait until all is healthy."""
        left_out = {*self._without, *ONE_SHOTS}  # those start because others depend on them
        services = [name for name in self.compose("config", "--services").split() if name not in left_out]
        self.compose("up", "-d", "--wait", "--wait-timeout", str(UP_SECONDS), "--scale", "stats=3", *services)

    def last_words(self) -> str:
        """Return the last lines of each container, for a failure's message."""
        try:
            return self.compose("logs", "--no-color", "--tail", "15")
        except Wrong as wrong:
            return str(wrong)

    def containers(self) -> list[dict[str, Any]]:
        """Return what Docker knows of each container."""
        ids = self.compose("ps", "-aq").split()
        done = subprocess.run(["docker", "inspect", *ids], capture_output=True, text=True, check=True)
        return list(json.loads(done.stdout))

    def get(self, path: str, body: bytes | None = None) -> bytes:
        """Ask the gateway."""
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, body, {"User-Agent": BROWSER, "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - loopback, our own
            return bytes(response.read())

    def total(self) -> int:
        """Return the sample site's views."""
        return int(json.loads(self.get("/stats/haihau/counter?measure=views"))["total"])


def _step(text: str, act: Callable[[], object]) -> None:
    print(f"presstally: {text} ...", end="", flush=True)
    begun = time.monotonic()
    act()
    print(f" {time.monotonic() - begun:.1f} s", flush=True)


def _contained(project: Project) -> None:
    """Check each container against what docker-compose.yml promises."""
    containers = project.containers()
    services = [one["Config"]["Labels"]["com.docker.compose.service"] for one in containers]
    if services.count("stats") != 3:
        raise Wrong(f"three counters were asked for, {services.count('stats')} run")
    for one, service in zip(containers, services, strict=True):
        host = one["HostConfig"]
        faults = {
            "runs as root": one["Config"]["User"].split(":")[0] in ("", "0", "root"),
            "can write its root": not host["ReadonlyRootfs"],
            "has capabilities": (host["CapAdd"] or [])
            not in ([], ["CAP_NET_BIND_SERVICE"] if service == "gateway" else []),
            "keeps capabilities": host["CapDrop"] != ["ALL"],
            "may gain privileges": "no-new-privileges:true" not in (host["SecurityOpt"] or []),
            "has no memory limit": not host["Memory"],
            "has no log limit": "max-size" not in host["LogConfig"]["Config"],
            "is published": service != "gateway" and any((one["NetworkSettings"]["Ports"] or {}).values()),
        }
        if service in ONE_SHOTS:
            faults["did not end well"] = one["State"]["Status"] != "exited" or one["State"]["ExitCode"] != 0
        else:
            faults["is not healthy"] = one["State"].get("Health", {}).get("Status") != "healthy"
        for fault, is_so in faults.items():
            if is_so:
                raise Wrong(f"{service} {fault}")


def _scraped(project: Project) -> None:
    """Check that Prometheus finds every replica by its service's name."""
    ask = ["exec", "-T", "prometheus", "wget", "-q", "-O", "-", "http://127.0.0.1:9090/api/v1/query?query=up"]
    deadline = time.monotonic() + SCRAPE_SECONDS
    while True:
        samples = json.loads(project.compose(*ask))["data"]["result"]
        up = sorted(sample["metric"]["job"] for sample in samples if sample["value"][1] == "1")
        if up == ["ingest", "prometheus", "render", "stats", "stats", "stats"]:
            return
        if time.monotonic() > deadline:
            raise Wrong(f"Prometheus finds {up}")
        time.sleep(1)


def _count(project: Project, expected: int) -> None:
    event = {"id": str(uuid.uuid4()), "site": "haihau", "kind": "view", "path": f"/{secrets.token_hex(4)}"}
    project.get("/e", json.dumps(event).encode())
    _wait_for_total(project, expected)


def _wait_for_total(project: Project, expected: int) -> None:
    deadline = time.monotonic() + COUNT_SECONDS
    while (total := project.total()) != expected:
        if time.monotonic() > deadline:
            raise Wrong(f"the counter says {total}, and {expected} were counted")
        time.sleep(0.5)


def _again(project: Project) -> None:
    project.compose("down")  # the volumes stay
    project.up()
    _wait_for_total(project, 1)
    _count(project, 2)


def missing() -> str | None:
    """Say what this machine lacks, or None."""
    if shutil.which("docker") is None:
        return "there is no docker command"
    for command, lack in (
        (["docker", "info"], "no Docker engine answers"),
        (["docker", "compose", "version"], "no Compose"),
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"{lack}: {(done.stderr or done.stdout).strip().splitlines()[-1]}"
    return None


def main(without: list[str]) -> int:
    """Verify; services named in `without` are not started (there is no image of them here)."""
    lack = missing()
    if lack:
        print(f"presstally: skipped: {lack}. Only the text was checked, by tests/deploy/test_compose.py")
        return 0
    for name in without:
        print(f"presstally: skipped: {name}, as asked for")
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder), without)
        try:
            _step("building the image", lambda: project.compose("build", "migrate"))
            _step("starting everything, three counters", project.up)
            _step("looking at each container", lambda: _contained(project))
            _step("counting a view through the gateway", lambda: _count(project, 1))
            if "prometheus" not in without:
                _step("finding every replica in Prometheus", lambda: _scraped(project))
            _step("stopping all, starting again, counting another", lambda: _again(project))
        except Wrong as wrong:
            print(f"\npresstally: {wrong}\n{project.last_words()}", file=sys.stderr)
            return 1
        finally:
            _step("removing it with its volumes", lambda: project.compose("down", "-v", "--remove-orphans"))
    print("presstally: docker-compose.yml does what it says")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
