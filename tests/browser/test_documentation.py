"""The documentation pages in real Chromium under their own policy: complete, without an error or a foreign request."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page


@pytest.fixture
def open_page(system: Any, browser: Browser) -> Iterator[Callable[[str], Page]]:
    """Open a page; console errors, violations of the policy and third-party requests fail the test."""
    errors: list[str] = []
    context = browser.new_context()

    def open_it(path: str) -> Page:
        page = context.new_page()
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "request",
            lambda request: None if request.url.startswith((system.url, "data:")) else errors.append(request.url),
        )
        page.add_init_script("addEventListener('securitypolicyviolation', e => console.error(e.blockedURI))")
        answer = page.goto(system.url + path)
        assert answer is not None
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        return page

    yield open_it
    context.close()
    assert not errors


def test_interface_can_be_read_and_tried_under_its_policy(open_page: Callable[[str], Page]) -> None:
    """Every operation is listed, opens with its fields, and can be tried: nothing needs an inline script or style."""
    page = open_page("/api/docs")
    page.wait_for_selector(".opblock")
    assert page.locator(".opblock").count() >= 25
    operation = page.locator("#operations-Read-list_articles_articles_get")
    operation.locator("button.opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    operation.locator(".live-responses-table .response-col_status", has_text=re.compile("^200")).wait_for()
    assert '"articles"' in operation.locator(".live-responses-table").inner_text()


def test_messages_can_be_read_under_their_policy(open_page: Callable[[str], Page]) -> None:
    """The AsyncAPI page has its own style, and a table for each topic."""
    page = open_page("/asyncapi")
    assert page.locator("table").count() >= 4
    assert page.evaluate("getComputedStyle(document.querySelector('table')).borderCollapse") == "collapse"
