"""Dashboards and rules on a real Prometheus that scrapes the real system."""

import asyncio
import itertools
import json
import re
import subprocess
import threading
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from deploy.grafana.__main__ import FOLDER
from tests.e2e.conftest import Editors
from tests.ops.prometheus import ROOT, Prometheus, exposed_by, names_in, running_prometheus

BOARDS = {file.name: json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))}
TARGETS = [
    (f"{name}: {panel['title']}", target["expr"])
    for name, board in BOARDS.items()
    for panel in board["panels"]
    for target in panel.get("targets", [])
]
JOBS = {"ingest": ("ingest", "articles"), "stats": ("stats",), "render": ("render",)}
"""Jobs of Prometheus, with the processes that each scrapes."""
PROCESSES = tuple(process for processes in JOBS.values() for process in processes)


def metrics_pages(system: Any) -> dict[str, str]:
    return {name: system.get(f"http://127.0.0.1:{system.port(name)}/metrics").text for name in PROCESSES}


def view(path: str = "/") -> dict[str, str]:
    return {"id": str(uuid.uuid4()), "site": "haihau", "kind": "view", "path": path}


def load(system: Any, enough: threading.Event) -> None:
    """Publish, read and count a little, including common errors."""
    editors = Editors(system)
    for number in itertools.count():
        if enough.wait(0.1):
            return
        if number % 10 == 0:
            article = editors.create(f"Bài số {number}")
            editors.call("POST", f"/articles/{article['id']}/publish", {"version": 1}, "admin")
        system.post_events([view() for _ in range(20)], user_agent=system.another_person())
        system.post_events([{"site": "haihau"}])
        for path in ("/", "/khong-co", "/stats/haihau/counter"):
            system.get(path)


async def poison(kafka: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await producer.send_and_wait("page-views", b"not an event", partition=0)


@pytest.fixture(scope="module")
def prometheus(system: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    from tests.conftest import free_ports, wait_for

    targets = {job: [f"127.0.0.1:{system.port(name)}" for name in processes] for job, processes in JOBS.items()}
    with running_prometheus(tmp_path_factory.mktemp("prometheus"), free_ports(1), targets, wait_for) as started:
        asyncio.run(poison(system.kafka))
        enough = threading.Event()
        loading = threading.Thread(target=load, args=(system, enough))
        loading.start()
        try:
            yield started
        finally:
            enough.set()
            loading.join()


def test_every_panel_query_returns_data(prometheus: Prometheus, wait: Callable[..., Any]) -> None:
    """Each query of each dashboard returns at least one number from the running system."""
    empty: dict[str, str] = {}

    def none_left() -> bool:
        empty.clear()
        for title, expression in TARGETS:
            numbers = [sample["value"][1] for sample in prometheus.query(expression)]
            if not numbers or all(number == "NaN" for number in numbers):
                empty[f"{title} | {expression}"] = str(numbers)
        return not empty

    try:
        wait(none_left, 120, "data in every panel")
    except AssertionError:
        raise AssertionError("\n".join(empty)) from None


def test_every_rule_is_evaluated_without_unexpected_alerts(
    system: Any, prometheus: Prometheus, wait: Callable[..., Any]
) -> None:
    """Prometheus evaluates each rule without error; in health only the alerts of provoked errors may fire."""
    groups = prometheus.ask("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 50
    assert [rule["name"] for rule in rules if rule["health"] != "ok" or rule.get("lastError")] == []

    def firing() -> set[str]:
        alerts = prometheus.ask("alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    asyncio.run(poison(system.kafka))  # once more: an increase needs a sample before it
    wait(lambda: "DeadLetters" in firing(), 60, "the alert of the provoked errors")
    assert firing() <= {"DeadLetters", "RebalanceStorm", "RenderErrors"}, firing()


def test_exposed_metrics_are_exactly_the_used_ones(system: Any, prometheus: Prometheus) -> None:
    """Each exposed metric is used in a panel or an alert, and each used one is exposed."""
    exposed = set().union(*(exposed_by(page) for page in metrics_pages(system).values()))
    rules = "".join(file.read_text() for file in (ROOT / "deploy/prometheus/rules").glob("*.yml"))
    used = names_in(rules + "".join(json.dumps(board) for board in BOARDS.values()))
    assert exposed - used == set()
    assert used - exposed == set()


def test_metrics_pass_the_linter_of_prometheus(system: Any, prometheus: Prometheus) -> None:
    """`promtool check metrics` has no remark about any process's page; each has one build, with its revision."""
    for name, page in metrics_pages(system).items():
        done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, ""), name
        assert "_created" not in page
        (build,) = re.findall(r"^presstally_build_info\{(.*)\} 1\.0$", page, re.MULTILINE)
        assert re.search(r'revision="([0-9a-f]{7,40}(-dirty)?)"', build), build


def test_random_paths_and_ids_add_no_series(system: Any, prometheus: Prometheus) -> None:
    """Ten thousand random paths, articles and queries leave the number of series as it was."""

    def series() -> int:
        lines = "".join(metrics_pages(system).values()).splitlines()
        return sum(1 for line in lines if line and not line.startswith("#"))

    def visit(path: str) -> None:
        system.post_events([view(f"{path}/{number}") for number in range(100)])
        system.get(f"/{path}")
        system.get(f"/{path}-1.html")
        system.get(f"/stats/haihau/articles/{path}/counter")
        system.get(f"/api/articles/{path}")

    for number in range(5):
        visit(f"warm-{number}")
    before = series()
    for _ in range(100):
        visit(uuid.uuid4().hex)
    assert series() == before


def test_metrics_are_not_public(system: Any) -> None:
    """The gateway has no way to any service's metrics or health."""
    for path in ("/metrics", "/readyz", "/livez"):
        assert system.get(path).status == 404
    with urllib.request.urlopen(f"http://127.0.0.1:{system.port('stats')}/metrics", timeout=5) as response:
        assert b"presstally_build_info" in response.read()
