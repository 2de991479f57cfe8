"""A dashboard as one SVG: the committed JSON's panels in their places, with data from Prometheus. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from math import isfinite
from typing import Any

COLUMN, ROW, MARGIN = 46, 26, 8
COLORS = ("#2f6db3", "#c2562d", "#3d8a54", "#7d55a8", "#a58121", "#1b8791", "#9a3f6b", "#5d6b7b")
NAMED = {"green": "#3d8a54", "orange": "#c97a1e", "red": "#b93a32", "text": "#1f2933"}
Points = Sequence[tuple[float, float]]


@dataclass
class Series:
    """One line of a panel: its legend, and (time, value)."""

    legend: str
    points: Points


@dataclass
class Drawn:
    """The series of each panel, by the panel's ID."""

    series: dict[int, list[Series]] = field(default_factory=dict)


def drawing(board: dict[str, Any], drawn: Drawn) -> str:
    """Return the dashboard as SVG."""
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    width, height = 24 * COLUMN + 2 * MARGIN, bottom * ROW + 2 * MARGIN + 30
    font = 'font-family="sans-serif" font-size="11" fill="#1f2933"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {font}>',
        f'<rect width="{width}" height="{height}" fill="#f4f5f7"/>',
        f'<text x="{MARGIN + 4}" y="24" font-size="17" font-weight="bold">{escape(board["title"])}</text>',
    ]
    for panel in board["panels"]:
        at = panel["gridPos"]
        x, y = MARGIN + at["x"] * COLUMN, 34 + at["y"] * ROW
        if panel["type"] == "row":
            parts.append(
                f'<text x="{x + 4}" y="{y + 18}" font-size="13" font-weight="bold">{escape(panel["title"])}</text>'
            )
            continue
        w, h = at["w"] * COLUMN - 6, at["h"] * ROW - 6
        parts.append(f'<g transform="translate({x} {y})"><title>{escape(panel["description"])}</title>')
        parts.append(f'<rect width="{w}" height="{h}" rx="3" fill="#fff" stroke="#dde1e6"/>')
        parts.append(f'<text x="8" y="17" font-weight="bold">{escape(panel["title"])}</text>')
        series = drawn.series.get(panel["id"], [])
        if panel["type"] == "timeseries":
            parts += _lines(panel, series, w, h)
        elif panel["type"] == "stat":
            parts.append(_number(panel, series, w, h))
        else:
            parts += _bars(panel, series, w)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def shown(value: float, unit: str) -> str:
    """Return a number with its unit; `unit` is Grafana's name for it."""
    if not isfinite(value):
        return "–"
    if unit in {"percentunit", "percent"}:
        return f"{value * (100 if unit == 'percentunit' else 1):.3g} %"
    if unit == "s":
        return f"{value * 1000:.3g} ms" if 0 < abs(value) < 1 else f"{value:.3g} s"
    for bound, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= bound:
            return f"{value / bound:.3g} {letter}{'B' if unit in {'bytes', 'decbytes'} else ''}"
    return f"{value:.3g}"


def _newest(series: Series) -> float:
    return next((value for _, value in reversed(series.points) if isfinite(value)), float("nan"))


def _unit(panel: dict[str, Any]) -> str:
    return str(panel["fieldConfig"]["defaults"]["unit"])


def _number(panel: dict[str, Any], series: Sequence[Series], w: float, h: float) -> str:
    value = _newest(series[0]) if series else float("nan")
    color = "text"
    for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]:
        if step["value"] is None or value >= step["value"]:
            color = step["color"]
    text = escape(shown(value, _unit(panel)))
    fill = NAMED.get(color, color)
    return f'<text x="{w / 2}" y="{h / 2 + 20}" font-size="25" text-anchor="middle" fill="{fill}">{text}</text>'


def _bars(panel: dict[str, Any], series: Sequence[Series], w: float) -> list[str]:
    most = max((_newest(one) for one in series), default=1.0) or 1.0
    parts = []
    for number, one in enumerate(series[:8]):
        y, value = 32 + number * 20, _newest(one)
        long = (w - 190) * max(0.0, value) / most if isfinite(value) else 0
        parts.append(f'<text x="8" y="{y + 10}">{escape(one.legend[:22])}</text>')
        parts.append(f'<rect x="130" y="{y}" width="{long:.1f}" height="13" fill="{COLORS[0]}"/>')
        parts.append(f'<text x="{136 + long:.1f}" y="{y + 10}">{escape(shown(value, _unit(panel)))}</text>')
    return parts


def _lines(panel: dict[str, Any], series: Sequence[Series], w: float, h: float) -> list[str]:
    top, base, left, right = 28.0, h - 34.0, 52.0, w - 8.0
    stacked = panel["fieldConfig"]["defaults"]["custom"]["stacking"]["mode"] == "normal"
    lines = [[(at, value) for at, value in one.points if isfinite(value)] for one in series]
    if stacked:
        below: dict[float, float] = {}
        for number, points in enumerate(lines):
            lines[number] = [(at, value + below.get(at, 0.0)) for at, value in points]
            below |= dict(lines[number])
    highest = max((value for points in lines for _, value in points), default=0.0) * 1.1 or 1.0
    times = [at for points in lines for at, _ in points] or [0.0, 1.0]
    first, span = min(times), max(max(times) - min(times), 1.0)
    parts = []
    for third in range(4):
        y, value = base - (base - top) * third / 3, highest * third / 3
        parts.append(f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#eceef1"/>')
        parts.append(
            f'<text x="{left - 5}" y="{y + 4:.1f}" text-anchor="end">{escape(shown(value, _unit(panel)))}</text>'
        )
    for number, points in enumerate(lines):
        path = " ".join(
            f"{left + (at - first) / span * (right - left):.1f},{base - value / highest * (base - top):.1f}"
            for at, value in points
        )
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{COLORS[number % len(COLORS)]}" stroke-width="1.5"/>'
        )
    x = left
    for number, one in enumerate(series):
        long = 18 + 6.2 * len(one.legend)
        if x + long > right:
            parts.append(f'<text x="{x}" y="{h - 11}">…</text>')
            break
        parts.append(f'<rect x="{x}" y="{h - 19}" width="9" height="9" fill="{COLORS[number % len(COLORS)]}"/>')
        parts.append(f'<text x="{x + 13}" y="{h - 11}">{escape(one.legend)}</text>')
        x += long
    return parts
