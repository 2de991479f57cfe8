"""Faults in the real system make the shipped alerts fire on a real Prometheus, and the alerts end afterwards."""

import asyncio
import contextlib
import json
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.chaos.polling import wait_until
from tests.conftest import PERSON, free_ports, wait_for
from tests.ops.prometheus import RULES, Prometheus, running_prometheus, write_targets
from tests.soak.client import NO_RESPONSE, Client
from tests.soak.system import DATABASE, RunningSystem

SERVICES = ("ingest", "stats", "render")
ROLES = {name: f"services.{name}" for name in SERVICES}
UPSTREAMS = {"COLLECTOR": "ingest", "ARTICLES": "ingest", "STATS": "stats", "RENDER": "render"}
SECONDS_OF = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
DURATION = r"(\d+)([smhdw])"
FLOOD_REQUESTS = 130
FLOOD_EVENTS = 100
READERS = 40
FIRES_SECONDS = 60.0
LAGS_SECONDS = 150.0
"""ConsumerLagHigh fires for records that have waited for 60 s: that is a threshold, which is not scaled."""
ENDS_SECONDS = 120.0
TAMPER = """UPDATE stats.ledger SET events = events + {by} WHERE (generation, site, day, outcome, reason, partition) =
    (SELECT generation, site, day, outcome, reason, partition FROM stats.ledger ORDER BY 1, 2, 3, 4, 5, 6 LIMIT 1)"""
PROVOKED = {
    *("ProducerQueueHigh", "SpoolInUse", "SpoolFilling", "CollectorErrorSLO", "OutboxStuck", "CountsInconsistent"),
    *("PortalServingStale", "TargetDown", "ServiceMissing", "ConsumerLagHigh", "CountFreshnessSLO"),
}
"""Others may fire, too, because a busy machine is slow within windows of seconds."""


def minutes_as_seconds(rules: str) -> str:
    """Return rules scaled to a sixtieth of the time: each `for`, range and `offset`.

    So `for: 5m` is 5s and `[1h]` is [60s]. Nothing else changes: no expression, threshold, label or name.
    """

    def faster(found: re.Match[str]) -> str:
        number, unit = int(found[2]), SECONDS_OF[found[3]]
        return f"{found[1]}{max(1, number * unit // 60)}s{found[4]}"

    for before, after in ((r"\bfor: ", r"\b"), (r"\[", r"\]"), (r"\boffset ", r"\b")):
        rules = re.sub(f"({before}){DURATION}({after})", faster, rules)
    return rules


def test_scaled_rules_differ_only_in_durations() -> None:
    """The scaled rules equal the shipped ones except for their durations, which are a sixtieth."""
    assert minutes_as_seconds("rate(a:ratio_rate5m[15m]) > 60 offset 1w\nfor: 2m\nfor: 30s") == (
        "rate(a:ratio_rate5m[15s]) > 60 offset 10080s\nfor: 2s\nfor: 1s"
    )
    for file in RULES.glob("*.yml"):
        shipped, scaled = file.read_text(), minutes_as_seconds(file.read_text())
        spots = rf"(?<=\bfor: ){DURATION}|(?<=\[){DURATION}(?=\])|(?<=\boffset ){DURATION}"
        assert re.sub(spots, "_", scaled) == re.sub(spots, "_", shipped)
        assert all(
            re.fullmatch(r"\d+s", rule["for"])
            for group in yaml.safe_load(scaled)["groups"]
            for rule in group["rules"]
            if "for" in rule
        )


@dataclass
class Alerts:
    """The alerts of a Prometheus."""

    prometheus: Prometheus

    def firing(self) -> list[dict[str, str]]:
        return [one["labels"] for one in self.prometheus.ask("alerts")["alerts"] if one["state"] == "firing"]

    def has(self, **labels: str) -> bool:
        return any(labels.items() <= alert.items() for alert in self.firing())

    async def fires(self, alert: str, seconds: float = FIRES_SECONDS, **labels: str) -> None:
        await self._wait(lambda: self.has(alertname=alert, **labels), seconds, f"{alert} fires")

    async def ends(self, alert: str, seconds: float = ENDS_SECONDS, **labels: str) -> None:
        await self._wait(lambda: not self.has(alertname=alert, **labels), seconds, f"{alert} ends")

    def provoked(self) -> list[dict[str, str]]:
        """Return the provoked alerts that fire, except tickets about windows of days of an error budget."""
        tickets = {"alertname": {"CollectorErrorSLO", "CountFreshnessSLO"}, "severity": {"ticket"}}
        return [
            one
            for one in self.firing()
            if one["alertname"] in PROVOKED and not all(one[name] in values for name, values in tickets.items())
        ]

    async def _wait(self, look: Any, seconds: float, what: str) -> None:
        try:
            await wait_until(look, seconds, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; firing: {self.firing()}") from None


@contextlib.contextmanager
def frozen(system: RunningSystem, name: str) -> Iterator[None]:
    """Suspend a process: its connections stay open but do not respond."""
    pid = system.pid(name)
    assert pid is not None
    parent = psutil.Process(pid)
    parent.suspend()  # first, so that it starts no more children
    tree = [parent, *parent.children(recursive=True)]
    for process in tree:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        yield
    finally:
        for process in reversed(tree):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


def views(count: int) -> bytes:
    path = "/" + "a" * 200
    events = [{"id": str(uuid.uuid4()), "site": "haihau", "kind": "view", "path": path} for _ in range(count)]
    return json.dumps(events).encode()


async def send(client: Client, count: int, agent: str = PERSON) -> None:
    with contextlib.suppress(*NO_RESPONSE):
        await client.request("POST", "/e", views(count), content_type="application/json", user_agent=agent)


async def send_views(system: RunningSystem) -> None:
    """Send a few views of one visitor, so on one partition, until cancelled."""
    with contextlib.closing(Client(system.ports["ingest"])) as client:
        while True:
            await send(client, 2)
            await asyncio.sleep(1)


async def request_pages(system: RunningSystem) -> None:
    """Request the home page until cancelled."""
    with contextlib.closing(Client(system.gateway_port)) as client:
        while True:
            with contextlib.suppress(*NO_RESPONSE):
                await client.request("GET", "/", user_agent=PERSON)
            await asyncio.sleep(0.25)


async def send_views_to_all_partitions(system: RunningSystem) -> None:
    """Send views of many visitors, so on all partitions."""
    with contextlib.closing(Client(system.ports["ingest"])) as client:
        await asyncio.gather(*(send(client, 1, f"{PERSON} person/{number}") for number in range(READERS)))


async def flood(system: RunningSystem) -> None:
    """Send more events at once than a collector may queue, until cancelled."""
    with contextlib.closing(Client(system.ports["ingest"])) as client:
        while True:
            await asyncio.gather(*(send(client, FLOOD_EVENTS) for _ in range(FLOOD_REQUESTS)))
            await asyncio.sleep(0.5)


@contextlib.asynccontextmanager
async def meanwhile(work: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        assert not task.done(), task.exception()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def edit(system: RunningSystem, token: str, path: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
    body = json.dumps(fields).encode() if fields else b""
    with contextlib.closing(Client(system.gateway_port)) as client:
        reply = await client.request(
            "POST", f"/api{path}", body, authorization=f"Bearer {token}", content_type="application/json"
        )
    assert not reply.is_server_error, reply
    return dict(json.loads(reply.body))


async def freeze_kafka(system: RunningSystem, alerts: Alerts, article: str, token: str) -> None:
    """Freeze Kafka while events arrive, an editor publishes, and a row of the ledger is changed by hand."""
    await system.cluster.admin(DATABASE, TAMPER.format(by=7))
    with frozen(system, "kafka"):
        await edit(system, token, f"/articles/{article}/publish", {"version": 1})
        async with meanwhile(flood(system)):
            await alerts.fires("ProducerQueueHigh")
            await alerts.fires("SpoolInUse")
            await alerts.fires("SpoolFilling")
            await alerts.fires("CollectorErrorSLO", severity="page")
        await alerts.fires("OutboxStuck")
        await alerts.fires("CountsInconsistent", check="ledger")
    await system.cluster.admin(DATABASE, TAMPER.format(by=-7))
    for alert in ("ProducerQueueHigh", "SpoolInUse", "SpoolFilling", "OutboxStuck"):
        await alerts.ends(alert)


async def freeze_postgres(system: RunningSystem, alerts: Alerts, folder: Path) -> None:
    """Freeze Postgres while events arrive; then kill a service, and remove its target."""
    with frozen(system, "postgres"):
        await send_views_to_all_partitions(system)
        await alerts.fires("PortalServingStale")
        system.down.add("render")
        await system.cluster.kill(system.parts["render"])
        await alerts.fires("TargetDown", job="render")
        write_targets(folder, {"render": []})
        await alerts.fires("ServiceMissing", job="render")
        await alerts.ends("TargetDown")
        await alerts.fires("ConsumerLagHigh", LAGS_SECONDS)
    await alerts.fires("CountFreshnessSLO", severity="page")
    system.cluster.spawn(system.parts["render"])
    await system.wait_until_ready("render")
    write_targets(folder, {"render": [f"127.0.0.1:{system.ports['render']}"]})
    for alert in ("PortalServingStale", "ServiceMissing", "ConsumerLagHigh"):
        await alerts.ends(alert)


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_faults_fire_alerts_that_end_after_recovery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kafka frozen, ledger changed, Postgres frozen, service killed: each main alert fires, and ends."""
    monkeypatch.setenv("PRESSTALLY_SPOOL_BYTES_MAX", str(8 * 1024**2))
    monkeypatch.setenv("PRESSTALLY_PUBLISH_DEADLINE_SECONDS", "14")
    rules, folder = tmp_path / "rules", tmp_path / "prometheus"
    rules.mkdir()
    folder.mkdir()
    for file in RULES.glob("*.yml"):
        (rules / file.name).write_text(minutes_as_seconds(file.read_text()))
    system = RunningSystem(tmp_path, ROLES, UPSTREAMS)
    try:
        await system.start()
        done = await system.command("services.ingest", "token", "create", "--name", "Minh", "--scope", "admin")
        token = done.stdout.strip()
        fields = {"site": "haihau", "section": "tin-tuc", "title": "Chợ phiên", "body": "<p>Thân bài.</p>"}
        article = (await edit(system, token, "/articles", fields))["id"]
        targets = {name: [f"127.0.0.1:{system.ports[name]}"] for name in SERVICES}
        with running_prometheus(folder, free_ports(1), targets, wait_for, rules) as prometheus:
            alerts = Alerts(prometheus)
            async with meanwhile(send_views(system)), meanwhile(request_pages(system)):
                counted = "sum(presstally_events_processed_total) > 5"
                await wait_until(lambda: prometheus.query(counted), FIRES_SECONDS, "the first counts")
                assert alerts.provoked() == []
                await freeze_kafka(system, alerts, article, token)
                await freeze_postgres(system, alerts, folder)
                adds_up = 'presstally_reconciliation_difference_events{check="ledger"} == 0'
                await wait_until(lambda: prometheus.query(adds_up), ENDS_SECONDS, "a ledger that adds up")
                await wait_until(lambda: not alerts.provoked(), ENDS_SECONDS, "the end of all alerts")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{system.last_log_lines()}") from error
    finally:
        await system.stop()
