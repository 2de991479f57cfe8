"""docs/upgrade.md: every process is replaced, one after the other, under load."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.soak.assertions import check
from tests.soak.editor_load import EditorLoad
from tests.soak.load import Load
from tests.soak.measurements import Probe
from tests.soak.system import RunningSystem

SEED = 20_261_125
SERVICES = ("ingest", "stats", "render")
TWO_OF_EACH = {f"{service}-{number}": f"services.{service}" for service in SERVICES for number in (1, 2)}
UPSTREAMS = {"COLLECTOR": "ingest", "ARTICLES": "ingest", "STATS": "stats", "RENDER": "render"}
LEAD_SECONDS = 2.0


@pytest.mark.long
@pytest.mark.timeout(600)  # a minute on a quiet machine
async def test_rolling_upgrade_under_load_loses_no_event_and_no_request(tmp_path: Path) -> None:
    """With two replicas of each service, replacing all six under load costs no event and no request."""
    tmp_path.chmod(0o755)
    system = RunningSystem(tmp_path, TWO_OF_EACH, UPSTREAMS)
    try:
        await system.start()
        tokens = {}
        for scope in ("events", "admin"):
            done = await system.command("services.ingest", "token", "create", "--name", scope, "--scope", scope)
            tokens[scope] = done.stdout.strip()
        load = Load(system.gateway_port, tokens["events"], SEED)
        editors = EditorLoad(system.gateway_port, tokens["admin"], load.results, load.live)
        probe = Probe(system.gateway_port, time.monotonic())
        working = [asyncio.create_task(one.run()) for one in (load, editors, probe)]
        await asyncio.sleep(LEAD_SECONDS)
        codes = {name: await system.replace(name) for name in TWO_OF_EACH}
        await asyncio.sleep(LEAD_SECONDS)
        for one in (load, editors, probe):
            one.stop()
        await asyncio.wait_for(asyncio.gather(*working), 60)
        found = await check(system, load.results, probe, editors, [])
    finally:
        await system.stop()
    assert set(codes.values()) == {0}, codes
    assert found.wrong == []
    assert found.ledger["counted", ""] > 1_000
    assert len(editors.articles) > 2
