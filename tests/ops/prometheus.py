"""A real Prometheus with the shipped configuration, scraping a running system every second."""

import contextlib
import json
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
RULES = ROOT / "deploy/prometheus/rules"
SECONDS = {"$__rate_interval": "15s", "$__interval": "5s", "$site": ".*"}


@dataclass
class Prometheus:
    """The HTTP API of a Prometheus."""

    url: str

    def ask(self, path: str, **query: str) -> Any:
        asked = urllib.parse.urlencode(query)
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{asked}", timeout=10) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{query}: {error.read().decode()}") from None

    def query(self, expression: str) -> list[Any]:
        """Return the samples of an instant query, which may contain Grafana's variables."""
        for name, value in SECONDS.items():
            expression = expression.replace(name, value)
        return list(self.ask("query", query=expression)["result"])

    def value(self, expression: str) -> float:
        (sample,) = self.query(expression)
        return float(sample["value"][1])


def write_targets(folder: Path, targets: dict[str, list[str]]) -> None:
    """Set the targets of each job of a running Prometheus; an empty list is a service without replicas."""
    for job, addresses in targets.items():
        found = [{"targets": addresses}] if addresses else []
        new = folder / f"{job}.new"
        new.write_text(json.dumps(found))
        new.rename(folder / f"{job}.json")


@contextlib.contextmanager
def running_prometheus(
    folder: Path, port: int, targets: dict[str, list[str]], wait: Callable[..., Any], rules: Path = RULES
) -> Iterator[Prometheus]:
    """Run Prometheus; `targets` maps each job of the shipped configuration to host:port, `rules` has the rule files."""
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(rules / "*.yml")]
    targets = {**targets, "prometheus": [f"127.0.0.1:{port}"]}
    jobs = [job["job_name"] for job in config["scrape_configs"]]
    assert set(jobs) == set(targets)
    config["scrape_configs"] = [
        {"job_name": job, "file_sd_configs": [{"files": [f"{job}.json"], "refresh_interval": "1s"}]} for job in jobs
    ]
    write_targets(folder, targets)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    started = Prometheus(f"http://127.0.0.1:{port}")

    def all_seen() -> bool:
        assert process.poll() is None, (folder / "prometheus.log").read_text()
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{started.url}/-/ready", timeout=2):
            # Not `up` at one moment: each scrape has a second, and on a busy machine one process may be late.
            return len(started.query("max_over_time(up[5m]) == 1")) == sum(map(len, targets.values()))
        return False

    try:
        wait(all_seen, 120, "Prometheus with all its targets")
        yield started
    finally:
        process.terminate()
        process.wait(20)


def names_in(text: str) -> set[str]:
    """Return Presstally's metrics that are used in PromQL, without the suffix of a histogram's series."""
    found = re.findall(r"\b(?:presstally|http_server)_[a-z0-9_]+", text)
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in found}


def exposed_by(text: str) -> set[str]:
    """Return Presstally's metrics on a /metrics page."""
    families = re.findall(r"^# TYPE (\S+) \w+$", text, re.MULTILINE)
    return {name for name in families if name.startswith(("presstally_", "http_server_"))}
