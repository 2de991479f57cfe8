"""One table and one picture of the benchmarks' main results: `docs/benchmarks.json`, and what is made of it.

Each benchmark keeps its medians there; the others stay as they were measured last.
"""

import json
from collections.abc import Mapping
from concurrent.futures import Executor
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import NamedTuple

from deploy.local.bootstrap import ROOT
from tests.bench.infrastructure import Infrastructure
from tests.bench.options import Options

RESULTS = Path("docs/benchmarks.json")
PAGE = Path("docs/benchmarks.md")
PICTURE = Path("docs/images/benchmarks.svg")
BEGIN, END = "<!-- summary: written by `make bench` -->", "<!-- end of summary -->"
ROW_PIXELS, BAR_PIXELS, TEXT_PIXELS = 30, 260, 420
FONT = 'font-family="sans-serif" font-size="13"'


class Figure(NamedTuple):
    """A main result."""

    text: str
    unit: str
    goal: float
    is_limit: bool = False
    """Whether the goal is a most, and not a least."""


FIGURES = {
    "collector": Figure("Collector, one event a request: of a minimal application", "×", 0.45),
    "system": Figure("Whole system on the same processors: single events counted", "/s", 12_000),
    "calm": Figure("Whole system at 50 views a second: of one processor", "%", 8, is_limit=True),
    "counter": Figure("Counter of a full topic: of a consumer that only reads", "×", 0.55),
    "counter_api": Figure("Counter from memory: of a minimal application", "×", 0.9),
    "quiet_p50": Figure("View to number on the page after a quiet second, median", "ms", 150, is_limit=True),
    "busy_p99": Figure("View to number on the page at 500 views a second, 99 %", "ms", 1_000, is_limit=True),
    "page": Figure("Portal page of 23 KB from memory: of a minimal application", "×", 0.7),
    "page_gzip": Figure("The same, compressed", "×", 0.7),
    "hugo": Figure("Static export: of Hugo, by processor seconds", "×", 0.6),
    "pelican": Figure("Static export: of Pelican, by processor seconds", "×", 1.0),
    "hugo_pages": Figure("Static export of what Hugo makes, too: of Hugo, by processor seconds", "×", 0.6),
    "pelican_pages": Figure("Static export of what Pelican makes, too: of Pelican, by processor seconds", "×", 1.0),
}


class Result(NamedTuple):
    """What was measured, and on which day."""

    value: float
    day: str


def keep(**measured: float) -> None:
    """Keep results: FIGURES says what they are. Table and picture are written at the end."""
    assert measured.keys() <= FIGURES.keys()
    today = datetime.now(UTC).date().isoformat()
    kept = _read(ROOT) | {name: Result(float(f"{value:.3g}"), today) for name, value in measured.items()}
    in_order = {name: list(kept[name]) for name in FIGURES if name in kept}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(values)}" for name, values in in_order.items())
    (ROOT / RESULTS).write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def summary(infrastructure: Infrastructure, options: Options, pool: Executor) -> None:
    """Write the table and the picture of what was measured last; it measures nothing itself."""
    for path, text in written(ROOT).items():
        (ROOT / path).write_text(text, encoding="utf-8")
        print(f"  {path}")


def written(root: Path) -> dict[Path, str]:
    """Return the page with the table, and the picture, of the results in a checkout."""
    results = _read(root)
    before, _, rest = (root / PAGE).read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    return {PAGE: f"{before}{BEGIN}\n\n{table(results)}\n{END}{after}", PICTURE: picture(results)}


def _read(root: Path) -> dict[str, Result]:
    path = root / RESULTS
    return {name: Result(*values) for name, values in json.loads(path.read_text()).items()} if path.exists() else {}


def table(results: Mapping[str, Result]) -> str:
    """Return the table of the results in Markdown."""
    lines = ["| what | measured | goal | on |", "| --- | --- | --- | --- |"]
    for name, result in results.items():
        figure = FIGURES[name]
        goal = f"{'at most' if figure.is_limit else 'at least'} {_number(figure.goal, figure.unit)}"
        lines.append(f"| {figure.text} | {_number(result.value, figure.unit)} | {goal} | {result.day} |")
    return "\n".join(lines) + "\n"


def _number(value: float, unit: str) -> str:
    number = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return number + ("" if unit in ("×", "/s") else " ") + ("" if unit == "×" else unit)


def picture(results: Mapping[str, Result]) -> str:
    """Return the results as bars: how much of each goal is reached, as SVG."""
    rows, width = [], TEXT_PIXELS + 2 * BAR_PIXELS
    for number, (name, result) in enumerate(results.items()):
        figure, middle = FIGURES[name], ROW_PIXELS * number + 34
        share = figure.goal / result.value if figure.is_limit else result.value / figure.goal
        bar, color = round(BAR_PIXELS * min(share, 1.5)), "#2e7d4f" if share >= 1 else "#c77700"
        rows += [
            f'<text x="{TEXT_PIXELS - 10}" y="{middle + 4}" text-anchor="end">{escape(figure.text)}</text>',
            f'<rect x="{TEXT_PIXELS}" y="{middle - 9}" width="{bar}" height="18" fill="{color}"/>',
            f'<text x="{TEXT_PIXELS + bar + 6}" y="{middle + 4}">{_number(result.value, figure.unit)}</text>',
        ]
    height = ROW_PIXELS * len(results) + 30
    goal = TEXT_PIXELS + BAR_PIXELS
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {FONT}>',
            "<title>Benchmarks: how much of each goal is reached</title>",
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
            *rows,
            f'<path d="M{goal} 18V{height - 8}" stroke="#333" stroke-dasharray="4 3"/>',
            f'<text x="{goal}" y="13" text-anchor="middle">goal</text>',
            "</svg>\n",
        ]
    )
