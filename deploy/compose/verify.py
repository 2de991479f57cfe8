"""`make verify-compose`: run docker-compose.yml on a real engine, in its own project, and verify the result.

It starts everything, inspects each container, publishes an article and counts its views. While traffic continues it
scales to three counters, restarts the stores and the services, and upgrades to another image; then it stops everything
and starts it again. At the end the counter must show exactly the acknowledged views, and a recount of the log must
agree. What this machine does not support is reported and skipped. Services named as arguments are left out; `--small`
verifies the profile deploy/compose/small.yml; no container may be ended within its limit of memory.
PRESSTALLY_COMPOSE_OVERRIDE names a second Compose file with settings for this machine.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from deploy.compose.init_env import ROOT, choose_networks, copy_sample_site, fill_secrets, read_routes
from deploy.compose.traffic import TrafficGenerator, send_request

PROJECT = "presstally-verify"
UP_SECONDS = 600
COUNT_SECONDS = 30.0
SCRAPE_SECONDS = 60.0
ONE_SHOTS = ("migrate", "topics")
IMAGE = "presstally:verify"
WITH_SITES = ("ingest", "articles", "stats", "render", "migrate", "topics")
"""Never the tag of production: this builds what is in the checkout."""
NEXT_IMAGE = "presstally:verify-next"
SMALL = ROOT / "deploy/compose/small.yml"
TITLE = "Bài của bản kiểm tra"


class VerificationError(Exception):
    """The running system differs from docker-compose.yml; the message describes the difference."""


def mount_sample_site(folder: Path) -> Path:
    """Return an override of docker-compose.yml by which all services have the sample site, and not the operator's."""
    sites = folder / "sites"
    sites.mkdir()
    sites.chmod(0o755)  # the containers have another account
    copy_sample_site(sites)
    volumes = {"volumes": [f"{sites}:/app/sites:ro"]}
    override = folder / "sites.yml"
    override.write_text(json.dumps({"services": dict.fromkeys(WITH_SITES, volumes)}), encoding="utf-8")
    return override


class Project:
    """One run of the whole system under Docker Compose, on a free port."""

    def __init__(self, folder: Path, without: list[str], *, small: bool) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        text, _ = fill_secrets((ROOT / ".env.example").read_text(encoding="utf-8"))
        self.url = f"http://127.0.0.1:{self.port}"
        self._env = folder / "env"
        self._settings = text
        networks = choose_networks(text, read_routes())  # beside an installation that has the default ones
        self.set(PRESSTALLY_PORT=str(self.port), PRESSTALLY_IMAGE=IMAGE, **networks)
        self._without = without
        self.stats = 1
        overrides = os.environ.get("PRESSTALLY_COMPOSE_OVERRIDE")
        self._files = ["-f", str(ROOT / "docker-compose.yml"), "-f", str(mount_sample_site(folder))]
        self._files += ["-f", str(SMALL)] if small else []
        self._files += ["-f", overrides] if overrides else []

    def set(self, **variables: str) -> None:
        """Set variables of `.env`."""
        self._settings += "".join(f"{name}={value}\n" for name, value in variables.items())
        self._env.write_text(self._settings, encoding="utf-8")

    def compose(self, *arguments: str) -> str:
        """Run a Compose command and return its output.

        Raises:
            VerificationError: the command failed.
        """
        command = ["docker", "compose", "-p", PROJECT, "--env-file", str(self._env), *self._files, *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise VerificationError(f"docker compose {' '.join(arguments)}: {done.stderr.strip()[-1500:]}")
        return done.stdout

    def up(self) -> None:
        """Start everything and wait until it is healthy."""
        left_out = {*self._without, *ONE_SHOTS}  # those start because others depend on them
        services = [name for name in self.compose("config", "--services").split() if name not in left_out]
        self.compose(
            "up", "-d", "--wait", "--wait-timeout", str(UP_SECONDS), "--scale", f"stats={self.stats}", *services
        )

    def last_log_lines(self) -> str:
        """Return the last log lines of each container, for an error message."""
        try:
            return self.compose("logs", "--no-color", "--tail", "15")
        except VerificationError as error:
            return str(error)

    def containers(self) -> list[dict[str, Any]]:
        """Return `docker inspect` of each container."""
        ids = self.compose("ps", "-aq").split()
        done = subprocess.run(["docker", "inspect", *ids], capture_output=True, text=True, check=True)
        return list(json.loads(done.stdout))

    def total(self) -> int:
        """Return the sample site's views, or -1 if the counter does not answer."""
        status, answer = send_request(f"{self.url}/stats/haihau/counter?measure=views")
        return int(json.loads(answer)["total"]) if status == 200 else -1


def _step(text: str, act: Callable[[], object]) -> None:
    print(f"presstally: {text} ...", end="", flush=True)
    begun = time.monotonic()
    act()
    print(f" {time.monotonic() - begun:.1f} s", flush=True)


def _check_containers(project: Project) -> None:
    """Check each container's restrictions and state."""
    containers = project.containers()
    services = [one["Config"]["Labels"]["com.docker.compose.service"] for one in containers]
    if services.count("stats") != project.stats:
        raise VerificationError(f"{services.count('stats')} counters are running instead of {project.stats}")
    for one, service in zip(containers, services, strict=True):
        host = one["HostConfig"]
        problems = {
            "runs as root": one["Config"]["User"].split(":")[0] in ("", "0", "root"),
            "can write its root": not host["ReadonlyRootfs"],
            "adds capabilities": (host["CapAdd"] or [])
            not in ([], ["CAP_NET_BIND_SERVICE"] if service == "gateway" else []),
            "keeps capabilities": host["CapDrop"] != ["ALL"],
            "may gain privileges": "no-new-privileges:true" not in (host["SecurityOpt"] or []),
            "has no memory limit": not host["Memory"],
            "was killed for memory": one["State"]["OOMKilled"],
            "ended by itself and was started again": one["RestartCount"] > 0,
            "has no log limit": "max-size" not in host["LogConfig"]["Config"],
            "publishes a port": service != "gateway" and any((one["NetworkSettings"]["Ports"] or {}).values()),
        }
        if service in ONE_SHOTS:
            problems["failed"] = one["State"]["Status"] != "exited" or one["State"]["ExitCode"] != 0
        else:
            problems["is not healthy"] = one["State"].get("Health", {}).get("Status") != "healthy"
        for problem, is_present in problems.items():
            if is_present:
                raise VerificationError(f"{service} {problem}")


def _check_targets(project: Project) -> None:
    """Check that Prometheus finds every replica by its service name."""
    query = ["exec", "-T", "prometheus", "wget", "-q", "-O", "-", "http://127.0.0.1:9090/api/v1/query?query=up"]
    deadline = time.monotonic() + SCRAPE_SECONDS
    while True:
        samples = json.loads(project.compose(*query))["data"]["result"]
        up = sorted(sample["metric"]["job"] for sample in samples if sample["value"][1] == "1")
        if up == ["ingest", "ingest", "prometheus", "render", "stats", "stats", "stats"]:
            return
        if time.monotonic() > deadline:
            raise VerificationError(f"Prometheus finds {up}")
        time.sleep(1)


def _publish(project: Project) -> str:
    """Create an article, publish it, wait until it is live, request its page, and return its URL."""
    make = ["exec", "-T", "articles", "presstally", "-q", "ingest", "token", "create", "--name", "verify"]
    token = project.compose(*make, "--scope", "admin").strip()

    def call(path: str, body: dict[str, Any] | None = None, *, post: bool = True) -> dict[str, Any]:
        sent = json.dumps(body or {}).encode() if post else None
        status, answer = send_request(f"{project.url}/api/articles{path}", sent, Authorization=f"Bearer {token}")
        if status not in (200, 201):
            raise VerificationError(f"/api/articles{path}: {status} {answer.decode()}")
        return dict(json.loads(answer))

    draft = {"site": "haihau", "section": "tin-tuc", "title": TITLE, "body": "<p>Thân bài.</p>"}
    article = call("", draft)
    call(f"/{article['id']}/publish", {"version": article["version"]})
    publication = call(f"/{article['id']}/publication?wait=10s", post=False)
    page = f"{project.url}/{article['slug']}-{article['number']}.html"
    status, answer = send_request(page)
    if publication["status"] != "live" or status != 200 or TITLE not in answer.decode():
        raise VerificationError(f"the article is {publication['status']}, and its page answers {status}")
    return page


def _wait_for_total(project: Project, expected: int) -> None:
    deadline = time.monotonic() + COUNT_SECONDS
    while (total := project.total()) != expected:
        if time.monotonic() > deadline:
            raise VerificationError(f"the counter shows {total} views, but {expected} were acknowledged")
        time.sleep(0.5)


def _under_load(project: Project, page: str, without: list[str]) -> int:
    """Scale, restart and upgrade under traffic; return how many views were acknowledged."""
    with TrafficGenerator(project.url, page) as traffic:
        project.stats = 3
        _step("scaling to three counters", project.up)
        _step("inspecting each container", lambda: _check_containers(project))
        if "prometheus" in project.compose("ps", "--services").split():
            _step("finding every replica in Prometheus", lambda: _check_targets(project))
        for service in ("stats", "ingest", "articles", "render", "postgres", "kafka"):
            _step(f"restarting {service}", partial(project.compose, "restart", service))
        _step("waiting until all is healthy", project.up)
        project.set(PRESSTALLY_IMAGE=NEXT_IMAGE)
        _step("building the next version", lambda: project.compose("build", "--build-arg", "REVISION=next", "migrate"))
        _step("upgrading to it", project.up)
        images = {one["Config"]["Image"] for one in project.containers()}
        if NEXT_IMAGE not in images or IMAGE in images:
            raise VerificationError(f"after the upgrade these images run: {sorted(images)}")
    _step(f"counting {traffic.acknowledged} views", lambda: _wait_for_total(project, traffic.acknowledged))
    print(
        f"presstally: {traffic.acknowledged} views acknowledged, {traffic.retries} retries, "
        f"{traffic.pages} page requests, {traffic.pages_failed} failed"
    )
    return traffic.acknowledged


def _restart(project: Project, expected: int) -> None:
    project.compose("down")  # the volumes stay
    project.up()
    _wait_for_total(project, expected)


def _verify_counts(project: Project) -> None:
    output = project.compose("exec", "-T", "--index", "1", "stats", "presstally", "-q", "stats", "verify")
    if not output.strip().splitlines()[-1].startswith("drift 0"):
        raise VerificationError(f"verify: {output}")


def missing_requirement() -> str | None:
    """Return what this machine lacks to run this, or None."""
    if shutil.which("docker") is None:
        return "no docker command"
    for command, lack in (
        (["docker", "info"], "no Docker engine answers"),
        (["docker", "compose", "version"], "no Compose"),
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"{lack}: {(done.stderr or done.stdout).strip().splitlines()[-1]}"
    return None


def main(arguments: list[str]) -> int:
    """Verify, and return the exit code; services named as arguments are not started (their images may be missing)."""
    small = "--small" in arguments
    without = [name for name in arguments if name != "--small"]
    lack = missing_requirement()
    if lack:
        print(f"presstally: skipped: {lack}; tests/deploy/test_compose.py checks only the file")
        return 0
    for name in without:
        print(f"presstally: skipped: {name}, as requested")
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder), without, small=small)
        try:
            _step("building the image", lambda: project.compose("build", "migrate"))
            _step("starting everything", project.up)
            page = ""

            def publish() -> None:
                nonlocal page
                page = _publish(project)

            _step("publishing an article and requesting its page", publish)
            views = _under_load(project, page, without)
            _step("stopping everything and starting it again", lambda: _restart(project, views))
            _step("recounting the log", lambda: _verify_counts(project))
            _step("inspecting each container", lambda: _check_containers(project))
        except VerificationError as error:
            print(f"\npresstally: {error}\n{project.last_log_lines()}", file=sys.stderr)
            return 1
        finally:
            _step("removing everything, including volumes", lambda: project.compose("down", "-v", "--remove-orphans"))
    print(f"presstally: docker-compose.yml{' with small.yml' if small else ''} verified")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
