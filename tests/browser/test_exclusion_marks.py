"""Marks of excluded visitors on the chart in real Chromium, after an exclusion, its reversal, and without one."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from playwright.sync_api import Browser, Page

from services.stats.local_calendar import day_start
from shared.sites import Site
from tests.browser.test_statistics_page import violations

SITE = Site(slug="haihau", name="H", origins=["http://localhost:8080"], timezone="Asia/Ho_Chi_Minh")
DAY_SECONDS, HOUR_SECONDS = 86_400, 3_600
PAGE_AGE_SECONDS = 70
"""A page that took long to read is shown for up to a minute, and an open one is refreshed every 5 seconds."""
RECORD_MARKS = """
const write = CanvasRenderingContext2D.prototype.fillText;
window.marks = [];
CanvasRenderingContext2D.prototype.fillText = function (text, x, ...rest) {
  if (text === "†") window.marks.push(x);
  return write.call(this, text, x, ...rest);
};
"""
"""Remembers where the chart writes the mark: a canvas has no elements."""
DISTANCE = "row => Math.abs((window.marks.at(-1) ?? Infinity) - plot.valToPos(row, 'x', true))"
"""Of the last mark from a row of the table, in pixels of the canvas."""


@pytest.fixture
def exclude(system: Any) -> Iterator[Callable[..., None]]:
    """Put an exclusion of an hour of yesterday into the shown numbers, or its reversal; it is gone after the test."""

    async def put(*, is_excluded: bool | None) -> None:
        begin = day_start(time.time_ns() // 1_000_000, SITE.zone) - DAY_SECONDS + 10 * HOUR_SECONDS
        connection = await asyncpg.connect(system.database_url)
        try:
            await connection.execute("DELETE FROM stats.applied_exclusions WHERE adjustment = 'of a browser'")
            await connection.execute("DELETE FROM stats.adjustments WHERE id = 'of a browser'")
            if is_excluded is None:
                return
            await connection.execute(
                "INSERT INTO stats.adjustments (id, site, article, measure, amount, who, why, created_at,"
                " excluded_agent, excluded_from, excluded_to)"
                " VALUES ('of a browser', 'haihau', '', 'visitors', 0, 'An', 'a fleet', now(), 1, $1, $2)",
                begin,
                begin + HOUR_SECONDS,
            )
            await connection.execute(
                "INSERT INTO stats.applied_exclusions (generation, adjustment, is_excluded, visitors)"
                " SELECT generation, 'of a browser', $1, 40000 FROM stats.generations WHERE state = 'current'",
                is_excluded,
            )
        finally:
            await connection.close()

    def run(*, is_excluded: bool | None) -> None:
        with ThreadPoolExecutor(1) as another:  # this thread has Playwright's loop
            another.submit(lambda: asyncio.run(put(is_excluded=is_excluded))).result()

    yield run
    run(is_excluded=None)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that remembers the marks of its charts; errors of the console fail the test."""
    context, errors = browser.new_context(viewport={"width": 1280, "height": 900}), []
    context.add_init_script(RECORD_MARKS)
    opened = context.new_page()
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield opened
    context.close()
    assert not errors


def test_chart_marks_the_day_of_an_exclusion_and_of_its_reversal(
    system: Any, page: Page, exclude: Callable[..., None], wait: Callable[..., Any], tmp_path: Path
) -> None:
    """The mark is drawn at its day, above a sentence, follows a reversal without a reload, and goes."""

    def is_drawn() -> bool:
        return bool(page.evaluate(DISTANCE, 5) < 8)

    marked = page.locator("#series tr[data-marked]")
    exclude(is_excluded=True)
    page.goto(f"{system.url}/stats/haihau?period=7d&lang=en")
    page.locator("#chart canvas").wait_for()
    wait(lambda: marked.count() == 1, PAGE_AGE_SECONDS, "the marked row")
    assert page.locator("#series tbody tr").all_inner_texts().index(marked.inner_text()) == 5
    wait(is_drawn, what="the mark")
    assert "10:00 to 11:00: 40,000 visitors turned out to be programs." in page.locator("#exclusions").inner_text()
    assert "a fleet" not in page.locator("body").inner_text()
    assert violations(page) == []
    page.screenshot(path=tmp_path / "excluded.png", full_page=True)
    exclude(is_excluded=False)
    page.get_by_text("and put back later").wait_for(timeout=PAGE_AGE_SECONDS * 1_000)
    wait(is_drawn, what="the mark")
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360  # also before the chart has noticed
    page.emulate_media(color_scheme="dark")
    wait(lambda: page.evaluate("plot.width") < 360 and is_drawn(), what="the mark on a phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert violations(page) == []
    page.screenshot(path=tmp_path / "reversed.png", full_page=True)
    exclude(is_excluded=None)
    wait(lambda: marked.count() == 0, PAGE_AGE_SECONDS, "the page without the mark")
    page.evaluate("window.marks.length = 0; draw()")
    page.locator("#chart canvas").wait_for()
    assert page.evaluate("window.marks") == []
