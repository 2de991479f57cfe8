"""How a panel and a dashboard are written as Grafana's JSON."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24
I = "$__rate_interval"  # noqa: E741 - it stands in every query
GOOD, WARN, BAD = "green", "orange", "red"
SERVICES = 'job=~"ingest|stats|render"'
SITE = 'site=~"$site"'
Kind = Literal["timeseries", "stat", "bargauge", "table"]


@dataclass(frozen=True)
class Panel:
    """One panel. `queries` maps a legend to PromQL; `unit` is Grafana's name of it."""

    title: str
    description: str
    unit: str
    queries: dict[str, str]
    kind: Kind = "timeseries"
    width: int = 8
    height: int = 8
    stacked: bool = False
    steps: Sequence[tuple[float | None, str]] = ((None, "green"),)
    max_ratio: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Dashboard:
    """One dashboard: rows of panels under their headings."""

    uid: str
    title: str
    description: str
    rows: dict[str, list[Panel]]


def stat(
    title: str, description: str, unit: str, query: str, *steps: tuple[float | None, str], width: int = 4
) -> Panel:
    """Return a panel that shows one number."""
    return Panel(title, description, unit, {"": query}, "stat", width, 4, steps=steps or ((None, "text"),))


def quantiles(metric: str, selector: str = "") -> dict[str, str]:
    """Return the median and the slow ends of a histogram over all replicas."""
    buckets = f"sum by (le) (rate({metric}_bucket{{{selector}}}[$__rate_interval]))"
    return {f"p{int(q * 100)}": f"histogram_quantile({q}, {buckets})" for q in (0.5, 0.95, 0.99)}


def or_zero(query: str) -> str:
    """Show 0 where a counter has no series yet, for nothing of the kind ever happened."""
    return f"({query}) or vector(0)"


def resources(job: str) -> list[Panel]:
    """Return what a service's processes use."""
    one = f'job="{job}"'
    return [
        Panel(
            "Processor",
            "Cores that each process uses. One process can use a little more than one: the event loop is one thread.",
            "short",
            {"{{instance}}": f"rate(process_cpu_seconds_total{{{one}}}[{I}])"},
            width=6,
        ),
        Panel(
            "Memory",
            "Resident memory of each process. A container is killed at its limit.",
            "bytes",
            {"{{instance}}": f"process_resident_memory_bytes{{{one}}}"},
            width=6,
        ),
        Panel(
            "Event loop lag",
            "How much later than asked for tasks wake: 99 of 100 are below. Above 250 ms everything feels slow.",
            "s",
            {
                "{{instance}}": "histogram_quantile(0.99, sum by (instance, le) "
                f"(rate(presstally_event_loop_lag_seconds_bucket{{{one}}}[{I}])))"
            },
            width=6,
        ),
        Panel(
            "Postgres connections",
            "Connections in use, and the most that the pools may open. In use at the bound, requests wait.",
            "short",
            {
                "{{state}}": f'sum by (state) (presstally_db_pool_connections{{{one},state=~"used|max"}})',
            },
            width=6,
        ),
    ]


def _panel(panel: Panel, number: int, x: int, y: int) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "min": 0,
        "thresholds": {
            "mode": "absolute",
            "steps": [{"value": value, "color": color} for value, color in panel.steps],
        },
    }
    if panel.max_ratio is not None:
        defaults["max"] = panel.max_ratio
    options: dict[str, Any] = {}
    if panel.kind == "timeseries":
        defaults["custom"] = {
            "lineWidth": 1,
            "fillOpacity": 25 if panel.stacked else 8,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
        }
        options = {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    elif panel.kind in ("stat", "bargauge"):
        options = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
        options |= (
            {"colorMode": "value", "graphMode": "area"} if panel.kind == "stat" else {"orientation": "horizontal"}
        )
    targets = [
        {
            "refId": chr(ord("A") + place),
            "datasource": SOURCE,
            "expr": query,
            "legendFormat": legend or "__auto",
            **({"instant": True, "range": False, "format": "table"} if panel.kind == "table" else {}),
        }
        for place, (legend, query) in enumerate(panel.queries.items())
    ]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": targets,
        **panel.extra,
    }


def _layout(board: Dashboard) -> list[dict[str, Any]]:
    placed: list[dict[str, Any]] = []
    number = y = 0
    for heading, panels in board.rows.items():
        number += 1
        place = {"x": 0, "y": y, "w": WIDTH, "h": 1}
        placed.append(
            {"id": number, "type": "row", "title": heading, "collapsed": False, "gridPos": place, "panels": []}
        )
        y += 1
        x = tallest = 0
        for panel in panels:
            if x + panel.width > WIDTH:
                x, y, tallest = 0, y + tallest, 0
            number += 1
            placed.append(_panel(panel, number, x, y))
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest
    return placed


def _variable(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,  # when the time range changes
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def to_json(board: Dashboard) -> dict[str, Any]:
    """Return the dashboard as Grafana reads it."""
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1}
    variables = [source, _variable("site", "Site", "label_values(presstally_site_counter, site)")]
    starts = {
        "name": "Starts",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": "blue",
        "expr": 'changes(process_start_time_seconds{job=~"ingest|stats|render"}[$__rate_interval]) > 0',
        "titleFormat": "{{job}} started",
    }
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.description,
        "tags": ["presstally"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "timezone": "browser",
        "refresh": "10s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": variables},
        "annotations": {"list": [starts]},
        "links": [
            {"type": "dashboards", "title": "Presstally", "tags": ["presstally"], "asDropdown": False, "keepTime": True}
        ],
        "panels": _layout(board),
    }
