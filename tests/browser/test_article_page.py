"""The article page in real Chromium, on the real system."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright

from tests.browser.chromium import CHROMIUM, FLAGS
from tests.settled import settled_counter

Wait = Callable[..., Any]


@pytest.fixture
def own_browser(system: Any, playwright: Playwright) -> Iterator[Browser]:
    """A browser with one user agent throughout: events sent while a page closes ignore a context's user agent."""
    agent = f"--user-agent={system.another_person()}"
    chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, agent])
    yield chromium
    chromium.close()


@pytest.fixture
def article_url(system: Any) -> str:
    return str(system.url + system.sample_path())


def numbers(page: Page) -> dict[str, int]:
    return {
        field.get_attribute("data-counter") or "": int(field.inner_text().replace(",", ""))
        for field in page.locator("access-counter [data-counter]").all()
    }


def shows(page: Page, **wanted: int) -> None:
    """Wait until the page's counter shows these numbers."""
    for name, number in wanted.items():
        text = f"{number:,}"
        page.locator(f'access-counter [data-counter="{name}"]', has_text=re.compile(f"^{text}$")).wait_for(
            timeout=60_000
        )


def test_own_view_shows_in_the_counter(system: Any, browser: Browser, article_url: str) -> None:
    """Opening the article counts the view, and the counter on the open page shows it."""
    before = settled_counter(system)
    context = browser.new_context(user_agent=system.another_person())
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.goto(article_url)
    shows(page, today=before["today"] + 1, total=before["total"] + 1)
    assert 1 <= numbers(page)["online"] <= before["online"] + 1  # visitors of other tests leave
    assert numbers(page)["week"] == before["week"] + 1
    assert not errors
    assert all(url.startswith((system.url, "data:")) for url in requested), requested
    context.close()


def test_view_of_another_visitor_shows_in_open_page(
    system: Any, browser: Browser, article_url: str, new_id: Callable[[], str]
) -> None:
    """While the page is open, another visitor's view changes its numbers without a reload."""
    context = browser.new_context(user_agent=system.another_person())
    page = context.new_page()
    page.goto(article_url)
    before = settled_counter(system)
    event = {"id": new_id(), "site": "haihau", "kind": "view", "path": "/"}
    assert system.post_events(event, user_agent=system.another_person()).status == 202
    shows(page, total=before["total"] + 1)
    assert 1 <= numbers(page)["online"] <= before["online"] + 1
    context.close()


def test_leaving_decreases_online_number(system: Any, own_browser: Browser, editors: Any, wait: Wait) -> None:
    """Closing the page removes the visitor from the online number; the view stays counted."""
    article = editors.create("Người đọc rời trang")
    editors.publish(article["id"])
    assert editors.publication(article["id"])["status"] == "live"

    def numbers_of(name: str) -> int:
        return int(system.get(f"/stats/haihau/articles/{article['id']}/counter").json()[name])

    page = own_browser.new_page()
    page.goto(f"{system.url}/{article['slug']}-{article['number']}.html")
    wait(lambda: numbers_of("online") == 1)
    page.goto("about:blank")
    wait(lambda: numbers_of("online") == 0)
    assert numbers_of("total") == 1


def test_visitor_without_scripts_is_counted(system: Any, browser: Browser, article_url: str, wait: Wait) -> None:
    """Without scripts the page is complete, its counter block has its labels, and the pixel counts the view."""
    before = settled_counter(system)["total"]
    context = browser.new_context(user_agent=system.another_person(), java_script_enabled=False)
    page = context.new_page()
    page.goto(article_url)
    assert "Thống kê truy cập" in page.locator("access-counter").inner_text()
    wait(lambda: system.counter()["total"] == before + 1)
    context.close()


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_article_page_fits_every_screen(browser: Browser, article_url: str, width: int) -> None:
    """On a phone, a tablet and a desktop nothing is wider than the screen."""
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    page.goto(article_url)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
