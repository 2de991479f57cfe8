"""Staff take their browser out of the numbers of people, in real Chromium."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.test_statistics_page import AXE
from tests.e2e.test_own_traffic import OWN, link_of


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a browser without cookies; errors of the console fail the test."""
    context, errors = browser.new_context(viewport={"width": 390, "height": 800}), []
    opened = context.new_page()
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield opened
    context.close()
    assert not errors


def violations(page: Page) -> list[str]:
    page.evaluate(AXE.read_text(encoding="utf-8"))
    return [one["id"] for one in page.evaluate("axe.run()")["violations"]]


def test_browser_of_staff_is_own_traffic_until_it_joins_again(
    system: Any, page: Page, sample: dict[str, str], tmp_path: Path
) -> None:
    """A press of the button marks the views of the portal's pages, and another one counts them again."""
    path = next(iter(sample.values()))

    def class_of_view() -> str | None:
        with page.expect_response(lambda response: response.url == f"{system.url}/e") as seen:
            page.goto(system.url + path)
        return seen.value.header_value("x-presstally")

    assert class_of_view() is None
    page.goto(link_of(system))
    assert violations(page) == []
    page.screenshot(path=tmp_path / "asks.png")
    page.get_by_role("button", name="Không tính trình duyệt này").click()
    page.get_by_role("button", name="Tính lại trình duyệt này").wait_for()
    assert page.url == f"{system.url}/e/own-traffic"
    assert "truy cập nội bộ" in page.locator("#state").inner_text()
    assert violations(page) == []
    assert page.evaluate("document.cookie") == ""
    page.screenshot(path=tmp_path / "is-own.png")
    assert class_of_view() == OWN
    page.goto(f"{system.url}/e/own-traffic?lang=en")
    page.get_by_role("button", name="Count this browser again").click()
    page.get_by_text("Trình duyệt này đang được tính").wait_for()
    assert class_of_view() is None
