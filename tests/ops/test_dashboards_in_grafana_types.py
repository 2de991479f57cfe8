"""Dashboards against Grafana's own packages: TypeScript checks them as its types, its formatter knows their units."""

import copy
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.grafana.__main__ import files
from tests.npm import install_locked

LOCKED = Path(__file__).parent / "grafana"
BOARDS = {name: json.loads(text) for name, text in files().items()}
PANEL_TYPES = {
    "timeseries": "timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen",
    "stat": "stat/panelcfg/x/StatPanelCfg_types.gen",
    "bargauge": "bargauge/panelcfg/x/BarGaugePanelCfg_types.gen",
}
WITH_FIELD_CONFIG = {"timeseries"}
"""The other types have no settings of their own for a field."""
COMPILER_OPTIONS = {
    "noEmit": True,
    "strict": True,
    "skipLibCheck": True,
    "module": "esnext",
    "moduleResolution": "bundler",
    "target": "es2022",
}
HEAD = """import type { Dashboard, DataQuery } from "@grafana/schema";
// JSON has the values of enumerations, not their names.
type Plain<T> = T extends string ? `${T}` : T extends number ? (`${T}` extends `${infer N extends number}` ? N : T)
  : T extends (infer U)[] ? Plain<U>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
// The fields of Prometheus' queries; @grafana/schema has the common ones only.
interface Query extends DataQuery { expr: string; legendFormat: string; exemplar?: boolean }
"""


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in board["panels"]:
        yield from (panel, *panel.get("panels", []))


def as_typescript(board: dict[str, Any]) -> str:
    """Return a program that has the dashboard, and each panel's options and settings of fields, as typed literals."""
    board = copy.deepcopy(board)
    lines = [HEAD]
    lines += [
        f'import type * as {name} from "@grafana/schema/dist/esm/raw/composable/{path}";'
        for name, path in PANEL_TYPES.items()
    ]
    for panel in panels(board):
        kind = panel["type"]
        if kind == "row":
            continue
        at = f"{kind}_{panel['id']}"
        lines.append(f"export const targets_{at}: Query[] = {json.dumps(panel.pop('targets'))};")
        lines.append(f"export const options_{at}: Plain<{kind}.Options> = {json.dumps(panel.pop('options'))};")
        custom = panel["fieldConfig"]["defaults"].pop("custom", {})
        custom_type = f"Plain<{kind}.FieldConfig>" if kind in WITH_FIELD_CONFIG else "Record<string, never>"
        lines.append(f"export const custom_{at}: {custom_type} = {json.dumps(custom)};")
    for annotation in board["annotations"]["list"]:
        if annotation["datasource"]["type"] == "prometheus":
            for key in ("expr", "titleFormat"):  # of the data source: Prometheus' annotations have them, too
                del annotation[key]
    lines.append(f"export const board: Plain<Dashboard> = {json.dumps(board)};")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def packages() -> Path:
    return install_locked(LOCKED)


def type_errors(packages: Path, folder: Path, boards: dict[str, dict[str, Any]]) -> str:
    (folder / "node_modules").symlink_to(packages)
    programs = []
    for name, board in boards.items():
        program = folder / f"{Path(name).stem}.ts"
        program.write_text(as_typescript(board), encoding="utf-8")
        programs.append(program.name)
    (folder / "tsconfig.json").write_text(
        json.dumps({"compilerOptions": COMPILER_OPTIONS, "files": programs}), encoding="utf-8"
    )
    command = ["node", str(packages / "typescript/bin/tsc"), "-p", "."]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_dashboards_have_the_types_of_grafana(packages: Path, tmp_path: Path) -> None:
    """Each board, each panel's options and settings of fields are what @grafana/schema declares, without other keys."""
    assert type_errors(packages, tmp_path, BOARDS) == ""


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("options", "legend", "displayMode"), "lst"),
        (("options", "tooltip", "sorted"), "desc"),
        (("fieldConfig", "defaults", "custom", "showPoints"), "sometimes"),
        (("fieldConfig", "defaults", "custom", "lineWdth"), 2),
        (("fieldConfig", "defaults", "unitt"), "s"),
        (("gridPos", "width"), 12),
    ],
)
def test_wrong_value_in_a_panel_is_a_type_error(
    packages: Path, tmp_path: Path, path: tuple[str, ...], value: object
) -> None:
    """A misspelt key or an unknown value of a panel does not pass."""
    board = copy.deepcopy(BOARDS["overview.json"])
    place: Any = next(panel for panel in panels(board) if panel["type"] == "timeseries")
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    found = type_errors(packages, tmp_path, {"overview.json": board})
    assert found.count("error TS") == 1
    assert f"'\"{value}\"'" in found or path[-1] in found


def test_units_are_known_to_grafana(packages: Path) -> None:
    """Grafana's formatter knows each unit; it shows one that it does not know as it is written."""
    units = {
        panel["fieldConfig"]["defaults"]["unit"]
        for board in BOARDS.values()
        for panel in panels(board)
        if panel["type"] != "row"
    }
    command = ["node", str(LOCKED / "units.cjs"), str(packages), *sorted(units), "secondz"]
    shown = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert [unit for unit, text in shown.items() if text is None] == ["secondz"]
    assert (shown["s"], shown["percentunit"], shown["bytes"]) == ("250 ms", "25%", "0.250 B")
