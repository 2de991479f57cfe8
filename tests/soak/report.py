"""The report of a soak: Markdown and one picture. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from statistics import quantiles

from tests.soak.assertions import Findings
from tests.soak.load import LoadResults
from tests.soak.measurements import MEGABYTE, ProcessRun

WIDTH, LEFT, RIGHT = 760, 56, 132
PANEL, GAP, TOP = 210, 64, 30
COLORS = ("#2563a8", "#b4452c", "#3b7d4f", "#7a4fa0", "#a0781e", "#19808a", "#8a3a5e", "#556270", "#a85a9a", "#5c7a1e")
Point = tuple[float, float]


@dataclass
class SoakResult:
    """Everything that the report contains."""

    seed: int
    minutes: float
    command: str
    machine: str
    version: str
    when: str
    results: LoadResults
    found: Findings
    runs: list[ProcessRun]
    """All runs of all processes."""
    longest: list[ProcessRun]
    """The longest run of each process."""
    delays: list[Point]
    faults: list[tuple[float, float, str]]
    """[(seconds since the start, seconds until the process was ready again, name)]"""
    restarts: Counter[str]
    publications: list[float]
    steps: int
    messages: int


def quantile(values: Sequence[float], share: float) -> float:
    """Return a quantile; the value itself if there is only one, 0 if there is none."""
    if len(values) < 2:
        return values[0] if values else 0.0
    return quantiles(values, n=1000, method="inclusive")[round(share * 1000) - 1]


def calm(soak: SoakResult) -> list[float]:
    """Return the delays of views that were sent without a fault at the time or within ten seconds before."""
    return [
        delay
        for at, delay in soak.delays
        if not any(begun - 2 <= at <= begun + lasted + 10 for begun, lasted, _ in soak.faults)
    ]


def page(soak: SoakResult, picture: str) -> str:
    """Return the report as Markdown; `picture` is the drawing's path relative to the page."""
    found, results = soak.found, soak.results
    verdict = "all assertions passed." if not found.wrong else f"{len(found.wrong)} assertions failed."
    rows = [
        ("events acknowledged with 202", f"{results.events:,}"),
        ("pixels without a response, counted or not", f"{results.unanswered_pixels}"),
        ("records in the log", f"{found.records:,}"),
        *[(f"ledger: {outcome} {reason}".rstrip(), f"{events:,}") for (outcome, reason), events in _sorted(found)],
        ("`verify`", found.verify),
        ("transitions by editors (publish, change, withdraw)", f"{soak.steps:,}"),
        (
            "transition to page, median / slowest",
            f"{quantile(soak.publications, 0.5):.2f} s / {max(soak.publications):.1f} s",
        ),
        ("messages on live streams", f"{soak.messages:,}"),
        ("view to live stream without faults, median / 99 %", _median_and(calm(soak))),
        ("view to live stream, all, median / slowest", _median_and([delay for _, delay in soak.delays], slowest=True)),
        ("requests that failed without a fault", f"{found.stray_failures}"),
    ]
    lines = [
        "# Soak",
        "",
        f"{soak.minutes:g} minutes of mixed load through the gateway, with kills (-9) and freezes: {verdict}",
        "",
        f"Created by `{soak.command}` on {soak.when}, version {soak.version}, {soak.machine};",
        "the load generator ran on the same machine. The command writes this page.",
        "At the end every counter is compared with what was acknowledged, before and after a rebuild, and `verify`",
        "recounts every stored kind with the reference model.",
        "",
        f"![Memory of each process, and the delay from a view to the live counter]({picture})",
        "",
        "| measurement | value |",
        "| --- | --- |",
        *[f"| {name} | {value} |" for name, value in rows],
        "",
        *_failures(found),
        "## Processes",
        "",
        "Private memory (RssAnon, with children) of the longest run, without its first third. Growth is the median of",
        "all half-minutes: a counter that takes over partitions needs more memory from then on, which is a step.",
        "Kafka fills its heap.",
        "",
        "| process | killed | longest run | at first | at last | growth per minute |",
        "| --- | --- | --- | --- | --- | --- |",
        *[_process_row(run, soak.restarts[run.name]) for run in soak.longest],
        "",
        "## Faults",
        "",
        "| at | fault | ready again after | longest delay of views |",
        "| --- | --- | --- | --- |",
        *[_fault_row(soak, *fault) for fault in soak.faults],
        "",
        "## Requests",
        "",
        "| kind | sent | no response or 5xx, all during faults |"
        if not found.stray_failures
        else "| kind | sent | failed |",
        "| --- | --- | --- |",
        *_requests(results),
    ]
    return "\n".join(lines) + "\n"


def _sorted(found: Findings) -> list[tuple[tuple[str, str], int]]:
    return sorted(found.ledger.items())


def _median_and(values: list[float], *, slowest: bool = False) -> str:
    high = (max(values) if values else 0.0) if slowest else quantile(values, 0.99)
    return f"{quantile(values, 0.5):.2f} s / {high:.2f} s ({len(values)} times)"


def _failures(found: Findings) -> list[str]:
    return ["## Failed assertions", "", *[f"- {sentence}" for sentence in found.wrong], ""] if found.wrong else []


def _process_row(run: ProcessRun, killed: int) -> str:
    warm = run.warm or [(0.0, 0)]
    growth = f"{run.minute_mb:+.2f} MB" if run.is_conclusive else f"({run.minute_mb:+.2f} MB: too short)"
    lasted = (run.samples[-1][0] - run.samples[0][0]) / 60 if run.samples else 0.0
    begin, end = warm[0][1] / MEGABYTE, warm[-1][1] / MEGABYTE
    return f"| {run.name} | {killed} | {lasted:.1f} min | {begin:.0f} MB | {end:.0f} MB | {growth} |"


def _fault_row(soak: SoakResult, begun: float, lasted: float, name: str) -> str:
    late = [delay for at, delay in soak.delays if begun - 3 <= at <= begun + lasted + 5]
    return f"| {begun / 60:.1f} min | {name} | {lasted:.1f} s | {max(late, default=0):.1f} s |"


def _requests(results: LoadResults) -> list[str]:
    failed = Counter(kind for _, kind, _ in results.failures)
    return [f"| {kind} | {count:,} | {failed[kind]} |" for kind, count in results.requests.items()]


def drawing(soak: SoakResult) -> str:
    """Return the picture as SVG: memory of each process above, delays below, faults as vertical lines."""
    seconds = max(soak.minutes * 60, *(at for run in soak.runs for at, _ in run.samples), 1.0)
    runs = [(run.name, [(at, size / MEGABYTE) for at, size in run.samples]) for run in soak.runs]
    names = list(dict.fromkeys(name for name, _ in runs))
    colors = {name: COLORS[number % len(COLORS)] for number, name in enumerate(names)}
    highest = max((value for _, points in runs for _, value in points), default=1.0) * 1.1
    slowest = max((delay for _, delay in soak.delays), default=1.0) * 1.1
    below = TOP + PANEL + GAP
    height = below + PANEL + 40
    font = 'font-family="sans-serif" font-size="11" fill="#333"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {font}>',
        "<title>Memory of each process, and the delay from a view to the live counter</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        *_axes(TOP, "private memory, MB", highest, seconds),
        *_axes(below, "view to live stream, s", slowest, seconds),
    ]
    for begun, _, name in soak.faults:
        x = _x(begun, seconds)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{below + PANEL}" stroke="#c9c9c9" stroke-dasharray="2 3">'
            f"<title>{escape(name)}</title></line>"
        )
    parts += [_line(points, TOP, highest, seconds, colors[name]) for name, points in runs if len(points) > 1]
    parts += [
        f'<text x="{WIDTH - RIGHT + 10}" y="{TOP + 12 + number * 15}" fill="{colors[name]}">{escape(name)}</text>'
        for number, name in enumerate(names)
    ]
    for at, delay in soak.delays:
        y = below + PANEL - delay / slowest * PANEL
        parts.append(f'<circle cx="{_x(at, seconds):.1f}" cy="{y:.1f}" r="1.3" fill="{COLORS[0]}"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _x(at: float, seconds: float) -> float:
    return LEFT + at / seconds * (WIDTH - LEFT - RIGHT)


def _axes(top: float, title: str, highest: float, seconds: float) -> list[str]:
    base, right = top + PANEL, WIDTH - RIGHT
    parts = [f'<text x="{LEFT}" y="{top - 10}" font-weight="bold">{title}</text>']
    for quarter in range(5):
        y = base - quarter / 4 * PANEL
        value = highest * quarter / 4
        label = f"{value:.0f}" if highest > 8 else f"{value:.1f}"
        parts += [
            f'<line x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e6e6e6"/>',
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>',
        ]
        x = _x(seconds * quarter / 4, seconds)
        parts.append(f'<text x="{x:.1f}" y="{base + 16}" text-anchor="middle">{seconds * quarter / 240:.1f} min</text>')
    return parts


def _line(points: Sequence[Point], top: float, highest: float, seconds: float, color: str) -> str:
    step = max(1, len(points) // 300)
    path = " ".join(
        f"{_x(at, seconds):.1f},{top + PANEL - value / highest * PANEL:.1f}" for at, value in points[::step]
    )
    return f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.4"/>'
