"""Dashboards as rows of panels, and their JSON by Grafana's own builders (grafana-foundation-sdk)."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, table, timeseries
from grafana_foundation_sdk.builders import stat as stats
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = models.DataSourceRef("prometheus", "${datasource}")
WIDTH = 24
I = "$__rate_interval"  # noqa: E741 - a short name, because every query has it
GOOD, WARN, BAD = "green", "orange", "red"
SERVICES = 'job=~"ingest|stats|render"'
SITE = 'site=~"$site"'
Kind = Literal["timeseries", "stat", "bargauge", "table"]
PanelBuilder = timeseries.Panel | stats.Panel | bargauge.Panel | table.Panel


@dataclass(frozen=True)
class Panel:
    """One panel. `queries` maps legends to PromQL; `unit` is Grafana's name for the unit."""

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
    exemplars: bool = False
    """Show traces beside the lines, where tracing is on."""


@dataclass(frozen=True)
class Dashboard:
    """One dashboard: panels by the heading of their row."""

    uid: str
    title: str
    description: str
    rows: dict[str, list[Panel]]


def stat(
    title: str, description: str, unit: str, query: str, *steps: tuple[float | None, str], width: int = 4
) -> Panel:
    """Return a panel that shows one number."""
    return Panel(title, description, unit, {"": query}, "stat", width, 4, steps=steps or ((None, "text"),))


OF_INTERVAL_VARIABLES = ("auto", "auto_min", "auto_count")


def quantiles(metric: str, selector: str = "") -> dict[str, str]:
    """Return {legend: PromQL} for the median, the 95th and the 99th percentile of a histogram over all replicas."""
    buckets = f"sum by (le) (rate({metric}_bucket{{{selector}}}[$__rate_interval]))"
    return {f"p{int(q * 100)}": f"histogram_quantile({q}, {buckets})" for q in (0.5, 0.95, 0.99)}


def or_zero(query: str) -> str:
    """Return PromQL that is 0 where the query has no series yet."""
    return f"({query}) or vector(0)"


def resources(job: str) -> list[Panel]:
    """Return panels of the resources that a service's processes use."""
    one = f'job="{job}"'
    return [
        Panel(
            "CPU usage",
            "CPU cores used by each process. A process uses little more than one: its event loop is one thread.",
            "short",
            {"{{instance}}": f"rate(process_cpu_seconds_total{{{one}}}[{I}])"},
            width=6,
        ),
        Panel(
            "Memory",
            "Resident memory of each process. A container is killed when it reaches its limit.",
            "bytes",
            {"{{instance}}": f"process_resident_memory_bytes{{{one}}}"},
            width=6,
        ),
        Panel(
            "Event loop lag",
            "99th percentile of how late tasks wake up. Above 250 ms everything becomes slow.",
            "s",
            {
                "{{instance}}": "histogram_quantile(0.99, sum by (instance, le) "
                f"(rate(presstally_event_loop_lag_seconds_bucket{{{one}}}[{I}])))"
            },
            width=6,
        ),
        Panel(
            "Postgres connections",
            "Connections in use, and the pools' maximum. When all are in use, requests wait.",
            "short",
            {
                "{{state}}": f'sum by (state) (presstally_db_pool_connections{{{one},state=~"used|max"}})',
            },
            width=6,
        ),
    ]


def _timeseries(panel: Panel) -> timeseries.Panel:
    stacking = options.StackingMode.NORMAL if panel.stacked else options.StackingMode.NONE
    legend = common.VizLegendOptions().display_mode(options.LegendDisplayMode.LIST)
    return (
        timeseries.Panel()
        .line_width(1)
        .fill_opacity(25 if panel.stacked else 8)
        .show_points(options.VisibilityMode.NEVER)
        .stacking(common.StackingConfig().mode(stacking).group("A"))
        .legend(legend.placement(options.LegendPlacement.BOTTOM).show_legend(True))
        .tooltip(common.VizTooltipOptions().mode(options.TooltipDisplayMode.MULTI).sort(options.SortOrder.DESCENDING))
    )


def _last_value() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False)


def _stat(_: Panel) -> stats.Panel:
    shown = stats.Panel().color_mode(options.BigValueColorMode.VALUE).graph_mode(options.BigValueGraphMode.AREA)
    return shown.reduce_options(_last_value())


def _bargauge(_: Panel) -> bargauge.Panel:
    return bargauge.Panel().orientation(options.VizOrientation.HORIZONTAL).reduce_options(_last_value())


_BUILDERS: dict[Kind, Callable[[Panel], PanelBuilder]] = {
    "timeseries": _timeseries,
    "stat": _stat,
    "bargauge": _bargauge,
    "table": lambda _: table.Panel(),
}


def _panel(panel: Panel, number: int, x: int, y: int) -> PanelBuilder:
    thresholds = [models.Threshold(color=color, value=value) for value, color in panel.steps]
    built = (
        _BUILDERS[panel.kind](panel)
        .id(number)
        .title(panel.title)
        .description(panel.description)
        .datasource(SOURCE)
        .grid_pos(models.GridPos(x=x, y=y, w=panel.width, h=panel.height))
        .unit(panel.unit)
        .min(0)
        .thresholds(dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(thresholds))
    )
    if panel.max_ratio is not None:
        built.max(panel.max_ratio)
    for letter, (legend, expression) in zip("ABCDEF", panel.queries.items(), strict=False):
        query = prometheus.Dataquery().ref_id(letter).datasource(SOURCE).expr(expression)
        query.legend_format(legend or "__auto")
        if panel.exemplars and letter == "A":  # each query would show the same ones
            query.exemplar(True)
        if panel.kind == "table":
            query.instant().format(PromQueryFormat.TABLE)
        built.with_target(query)
    return built


def _add_rows(built: dashboard.Dashboard, rows: dict[str, list[Panel]]) -> None:
    """Place the panels from left to right, each row of panels below the one before."""
    number = y = 0
    for heading, panels in rows.items():
        number += 1
        built.with_row(dashboard.Row(heading).id(number).grid_pos(models.GridPos(x=0, y=y, w=WIDTH, h=1)))
        y += 1
        x = tallest = 0
        for panel in panels:
            if x + panel.width > WIDTH:
                x, y, tallest = 0, y + tallest, 0
            number += 1
            built.with_panel(_panel(panel, number, x, y))
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest


def to_json(described: Dashboard) -> dict[str, Any]:
    """Return the dashboard as Grafana reads it."""
    site = (
        dashboard.QueryVariable("site")
        .label("Site")
        .datasource(SOURCE)
        .query({"query": "label_values(presstally_site_traffic, site)", "refId": "site"})
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(models.VariableOption(text="All", value="$__all"))
    )
    starts = dashboard.AnnotationQuery().name("Starts").datasource(SOURCE).enable(True).icon_color("blue")
    links = dashboard.DashboardLink("Presstally").type(models.DashboardLinkType.DASHBOARDS).tags(["presstally"])
    built = (
        dashboard.Dashboard(described.title)
        .uid(described.uid)
        .description(described.description)
        .tags(["presstally"])
        .version(1)
        .readonly()
        .timezone("browser")
        .refresh("10s")
        .time("now-3h", "now")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(site)
        .annotation(starts.expr(f"changes(process_start_time_seconds{{{SERVICES}}}[{I}]) > 0"))
        .link(links.keep_time(True))
    )
    _add_rows(built, described.rows)
    written: dict[str, Any] = json.loads(json.dumps(built.build(), cls=JSONEncoder))
    written["annotations"]["list"][0]["titleFormat"] = "{{job}} started"  # the builder has no method for it
    for variable in written["templating"]["list"]:
        for key in OF_INTERVAL_VARIABLES:  # the builder writes them into each variable
            del variable[key]
    return written
