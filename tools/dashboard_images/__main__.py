"""`make pictures-dashboards`: run the system under load for two minutes, query Prometheus, and draw each dashboard."""

import asyncio
import json
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from deploy.grafana.__main__ import FOLDER
from tests.conftest import ROOT, free_ports, wait_for
from tests.ops.prometheus import Prometheus, running_prometheus
from tests.soak.editor_load import EditorLoad
from tests.soak.load import Load
from tests.soak.measurements import Probe
from tests.soak.system import RunningSystem
from tools.dashboard_images.drawing import Drawn, Series, drawing

SECONDS = 120
STEP_SECONDS = 3
INTERVALS = {"$__rate_interval": "15s", "$__interval": "5s", "$site": ".*"}
SERVICES = ("ingest", "stats", "render")
UPSTREAMS = {"COLLECTOR": "ingest", "ARTICLES": "ingest", "STATS": "stats", "RENDER": "render"}


def ask(prometheus: Prometheus, board: dict[str, Any], begun: float, until: float) -> Drawn:
    """Query the data of each panel over the time of the load."""
    drawn = Drawn()
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            query = target["expr"]
            for name, value in INTERVALS.items():
                query = query.replace(name, value)
            span = {"start": f"{begun}", "end": f"{until}", "step": f"{STEP_SECONDS}"}
            for one in prometheus.ask("query_range", query=query, **span)["result"]:
                points = [(float(at), float(value)) for at, value in one["values"]]
                drawn.series.setdefault(panel["id"], []).append(Series(legend(target, one["metric"]), points))
    return drawn


def legend(target: dict[str, Any], labels: dict[str, str]) -> str:
    """Return a series' name by the target's pattern, as Grafana does, with local addresses replaced by the job."""
    pattern = target.get("legendFormat", "__auto")
    if pattern == "__auto":
        return ", ".join(value for name, value in labels.items() if name != "__name__")
    text = re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), pattern)
    return re.sub(r"127\.0\.0\.1:\d+", labels.get("job", "one"), text)


async def load(system: RunningSystem) -> tuple[float, float]:
    """Run visitors and editors for a while; return the start and the end of the steady load."""
    tokens = {}
    for scope in ("events", "admin"):
        done = await system.command("services.ingest", "token", "create", "--name", scope, "--scope", scope)
        tokens[scope] = done.stdout.strip()
    visitors = Load(system.gateway_port, tokens["events"], 7)
    editors = EditorLoad(system.gateway_port, tokens["admin"], visitors.results, visitors.live)
    probe = Probe(system.gateway_port, time.monotonic())
    working = [asyncio.create_task(one.run()) for one in (visitors, editors, probe)]
    begun = time.time()
    await asyncio.sleep(SECONDS)
    until = time.time()
    for one in (visitors, editors, probe):
        one.stop()
    await asyncio.gather(*working)
    return begun + 15, until


async def main() -> int:
    with tempfile.TemporaryDirectory(prefix="presstally-pictures-") as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "system").mkdir(mode=0o755)
        system = RunningSystem(Path(folder) / "system", {name: f"services.{name}" for name in SERVICES}, UPSTREAMS)
        try:
            await system.start()
            targets = {name: [f"127.0.0.1:{system.ports[name]}"] for name in SERVICES}
            with running_prometheus(Path(folder), free_ports(1), targets, wait_for) as prometheus:
                begun, until = await load(system)
                for file in sorted(FOLDER.glob("*.json")):
                    board = json.loads(file.read_text())
                    picture = ROOT / "docs/images" / f"dashboard-{file.stem}.svg"
                    picture.write_text(drawing(board, ask(prometheus, board, begun, until)), encoding="utf-8")
                    print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size // 1024} KB")
        finally:
            await system.stop()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
