"""The table and the picture of the benchmarks' main results are those of the results that were kept."""

from xml.etree import ElementTree as ET

import pytest

from deploy.local.bootstrap import ROOT
from tests.bench.summary import FIGURES, PAGE, PICTURE, Result, picture, table, written


def test_summary_of_the_kept_results_is_what_the_docs_show() -> None:
    """Table and picture are written together with new results: `make bench` does."""
    for path, text in written(ROOT).items():
        assert (ROOT / path).read_text(encoding="utf-8") == text, f"make bench ARGS=summary writes {path}"
    assert {*written(ROOT)} == {PAGE, PICTURE}


@pytest.mark.parametrize(("name", "value", "reached"), [("counter", 0.6, True), ("busy_p99", 1_200.0, False)])
def test_summary_shows_each_result_with_its_goal(name: str, value: float, reached: bool) -> None:
    """A goal is a least or a most; the bar of one that is reached is as long as the goal's line at least."""
    results = {name: Result(value, "2026-11-30")}
    assert FIGURES[name].text in table(results)
    assert ("at most" in table(results)) == FIGURES[name].is_limit
    drawn = ET.fromstring(picture(results))
    bar = [int(one.get("width", "0")) for one in drawn.iter("{http://www.w3.org/2000/svg}rect")][1]
    assert (bar >= 260) == reached
