"""The pictures of the dashboards: they draw the queried data, and the committed ones show the current panels."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from deploy.grafana.__main__ import files
from tools.dashboard_images.drawing import Drawn, Series, drawing, shown

ROOT = Path(__file__).parent.parent.parent
BOARDS = {name: json.loads(text) for name, text in files().items()}
SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return [one.text or "" for one in ET.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("name", BOARDS)
def test_committed_picture_shows_every_panel(name: str) -> None:
    """Each panel of the dashboard is in its committed picture; if not, run `make pictures-dashboards`."""
    picture = (ROOT / "docs/images" / f"dashboard-{Path(name).stem}.svg").read_text(encoding="utf-8")
    drawn = texts(picture)
    for panel in BOARDS[name]["panels"]:
        assert panel["title"] in drawn
    assert len(ET.fromstring(picture).findall(f".//{SVG}polyline")) > 5
    assert "127.0.0.1" not in picture


def test_lines_bars_and_numbers_are_drawn() -> None:
    """A line of two points spans its panel, a number has its unit and colour, and a panel without data has none."""
    board = BOARDS["overview.json"]
    line = next(panel for panel in board["panels"] if panel["type"] == "timeseries")
    number = next(panel for panel in board["panels"] if panel["title"] == "Targets down")
    drawn = Drawn({line["id"]: [Series("a & b", [(0, 1), (10, 2)])], number["id"]: [Series("", [(0, 3), (5, 2)])]})
    svg = drawing(board, drawn)
    (points,) = [one.get("points") for one in ET.fromstring(svg).iter(f"{SVG}polyline")]
    (x1, y1), (x2, y2) = ([float(part) for part in point.split(",")] for point in (points or "").split())
    assert x1 < x2
    assert y1 > y2
    assert "a & b" in texts(svg)
    assert "2" in texts(svg)
    assert "–" in texts(svg)


def test_numbers_are_shown_with_units() -> None:
    """Shares, seconds, bytes and counts have readable units."""
    texts_shown = [
        shown(0.999, "percentunit"),
        shown(0.25, "s"),
        shown(3, "s"),
        shown(2.5e6, "bytes"),
        shown(1_234, "short"),
    ]
    assert texts_shown == ["99.9 %", "250 ms", "3 s", "2.5 MB", "1.23 k"]
