"""Dashboards and rules as files: the committed files match the code, and each panel has its description."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.grafana.__main__ import FOLDER, files
from deploy.prometheus import slo

ROOT = Path(__file__).parent.parent.parent
RULES = ROOT / "deploy/prometheus/rules"
BOARDS = {name: json.loads(text) for name, text in files().items()}
PANELS = [(name, panel) for name, board in BOARDS.items() for panel in board["panels"] if panel["type"] != "row"]


def alerts() -> list[dict[str, Any]]:
    groups = [group for file in sorted(RULES.glob("*.yml")) for group in yaml.safe_load(file.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def test_committed_dashboards_match_the_code() -> None:
    """`make dashboards` would change nothing."""
    assert {file.name: file.read_text(encoding="utf-8") for file in FOLDER.glob("*.json")} == files()
    assert slo.FILE.read_text(encoding="utf-8") == slo.text()


@pytest.mark.parametrize(("name", "panel"), PANELS, ids=[f"{name}: {panel['title']}" for name, panel in PANELS])
def test_each_panel_has_description_unit_and_source(name: str, panel: dict[str, Any]) -> None:
    """A panel has a title, a description, a unit, the chosen data source, and rates over Grafana's own interval."""
    assert panel["title"]
    assert panel["description"].endswith((".", "..."))
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"]["uid"] == "${datasource}"
    assert panel["targets"]
    for target in panel["targets"]:
        assert target["datasource"]["uid"] == "${datasource}"
        for window in re.findall(r"\[([^\]]+)\]", target["expr"]):
            assert window == "$__rate_interval", target["expr"]


@pytest.mark.parametrize("name", BOARDS)
def test_dashboards_have_fixed_uid_and_no_overlap(name: str) -> None:
    """A dashboard has a fixed uid, is not editable, has its variables, and its panels do not overlap."""
    board = BOARDS[name]
    assert board["uid"].startswith("presstally-")
    assert board["editable"] is False
    assert [variable["name"] for variable in board["templating"]["list"]] == ["datasource", "site"]
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))


def test_provisioning_matches_compose_mounts() -> None:
    """The data source's uid is fixed, and dashboards are read from where compose mounts them, and cannot be changed."""
    folder = ROOT / "deploy/grafana/provisioning"
    (source,) = yaml.safe_load((folder / "datasources/prometheus.yaml").read_text())["datasources"]
    assert (source["uid"], source["url"]) == ("presstally-prometheus", "http://prometheus:9090")
    (provider,) = yaml.safe_load((folder / "dashboards/presstally.yaml").read_text())["providers"]
    assert provider["allowUiUpdates"] is False
    compose = (ROOT / "docker-compose.yml").read_text()
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in compose


def test_every_alert_has_its_runbook() -> None:
    """Each alert has a severity, a sentence and a runbook that exists, and there is no other runbook."""
    named = set()
    for alert in alerts():
        assert alert["labels"]["severity"] in {"page", "ticket", "warning"}
        assert alert["annotations"]["summary"].endswith(".")
        assert alert["annotations"]["runbook_url"] == slo.RUNBOOK_URL.replace("ALERT", alert["alert"])
        named.add(alert["alert"])
    runbooks = {file.stem: file.read_text(encoding="utf-8") for file in (ROOT / "docs/runbooks").glob("*.md")}
    assert set(runbooks) == named
    for name, text in runbooks.items():
        assert text.startswith(f"# {name}\n"), name
        for part in ("\n## Meaning\n", "\n## Diagnosis\n", "\n## Mitigation\n"):
            assert part in text, name


def test_promtool_accepts_the_configuration(tmp_path: Path) -> None:
    """Promtool accepts the shipped configuration with its rules."""
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    assert config["rule_files"] == ["/etc/prometheus/rules/*.yml"]
    config["rule_files"] = [str(RULES / "*.yml")]
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    done = subprocess.run(["promtool", "check", "config", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
