"""`<access-counter>` in real Chromium, on the real system, while events flow."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.settled import settled_counter

WIDTHS = [360, 1280]
PAGE = "<!doctype html><html lang='{lang}'><meta charset=utf-8>{head}<body>{body}"
SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => list.getEntries().forEach((entry) => shifts.push(entry.value)))
  .observe({ type: "layout-shift", buffered: true });
"""
RENDERED = """(host) => Object.fromEntries([...host.querySelectorAll("[data-counter]")]
  .map((field) => [field.dataset.counter, field.textContent]))"""


@contextmanager
def a_page(browser: Browser, html: str, url: str, **context: Any) -> Iterator[Page]:
    """Show the given HTML as if the URL served it."""
    own: BrowserContext = browser.new_context(**context)
    page = own.new_page()
    page.add_init_script(SHIFTS)
    page.route("**/test-page", lambda route: route.fulfill(body=html, content_type="text/html; charset=utf-8"))
    page.goto(f"{url}/test-page")
    yield page
    own.close()


def html(system: Any, body: str, lang: str = "vi", head: str = "") -> str:
    script = f'<script type="module" src="{system.url}/stats/widget.js"></script>'
    return PAGE.format(lang=lang, head=script + head, body=body)


def views(system: Any, new_id: Callable[[], str], number: int, article: str | None = None) -> None:
    """Send views of one new visitor."""
    more = {"article": article} if article else {}
    events = [{"id": new_id(), "site": "giao-thuy", "kind": "view", "path": "/", **more} for _ in range(number)]
    assert system.post_events(events, user_agent=system.another_person()).status == 202


def number(page: Page, name: str = "total") -> int:
    text = page.locator(f"access-counter [data-counter={name}]").inner_text()
    return int(re.sub(r"\D", "", text) or -1)


@pytest.mark.parametrize("width", WIDTHS)
def test_numbers_change_while_events_flow(
    system: Any, browser: Browser, new_id: Callable[[], str], wait: Callable[..., Any], width: int
) -> None:
    """On phone and desktop the open page follows the events, more than once, without a layout shift."""
    piece = system.get("/stats/giao-thuy/counter.html").text
    tag = f'<access-counter site="giao-thuy" separator=".">{piece}</access-counter>'
    code = html(system, f"<p>before</p>{tag}<p>after</p>")
    with a_page(browser, code, system.url, viewport={"width": width, "height": 700}) as page:
        wait(lambda: number(page) == settled_counter(system, "giao-thuy")["total"])
        seen: list[int] = [number(page)]
        ended = threading.Event()
        sent = 0

        def flow() -> None:
            nonlocal sent
            while sent < 1_000 or (len(seen) < 4 and sent < 20_000):
                views(system, new_id, 25)
                sent += 25
                time.sleep(0.1)
            ended.set()

        sender = threading.Thread(target=flow)
        start = seen[0]
        sender.start()
        while not ended.is_set():
            page.wait_for_timeout(50)
            if number(page) != seen[-1]:
                seen.append(number(page))
        sender.join()
        wait(lambda: number(page) == start + sent, what="all views on the page")
        assert len(seen) >= 4, seen
        assert seen == sorted(seen)
        assert re.fullmatch(r"\d{1,3}(\.\d{3})*", page.locator("[data-counter=total]").inner_text())
        assert sum(page.evaluate("shifts")) == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_article_attribute_shows_views_of_article(
    system: Any, browser: Browser, new_id: Callable[[], str], wait: Callable[..., Any]
) -> None:
    """With the attribute `article` the element shows that article's views, and follows them."""
    article = new_id()
    code = html(system, f'<access-counter site="giao-thuy" article="{article}"></access-counter>')
    with a_page(browser, code, system.url) as page:
        wait(lambda: number(page) == 0)
        assert page.locator("access-counter").inner_text().split() == ["Lượt", "xem", "0"]
        views(system, new_id, 3, article)
        wait(lambda: number(page) == 3)


def test_fallback_is_shown_until_newer_numbers_arrive(system: Any, browser: Browser, wait: Callable[..., Any]) -> None:
    """Server-side included content is shown without scripts, and its numbers stay until newer ones arrive."""
    piece = system.get("/stats/giao-thuy/counter.html").text.replace(">0<", ">7<")
    tag = f'<access-counter site="giao-thuy">{piece}</access-counter>'
    with a_page(browser, html(system, tag), system.url, java_script_enabled=False) as page:
        assert "Thống kê truy cập" in page.locator("access-counter").inner_text()
        assert page.locator("access-counter [data-counter]").count() == 4
    broken = html(system, tag.replace('site="giao-thuy"', 'site="giao-thuy" base="http://localhost:1"'))
    shown = re.findall(r'data-counter="(\w+)">([\d,.]+)<', piece)
    with a_page(browser, broken, system.url) as page:
        page.wait_for_timeout(500)
        rendered = page.locator("access-counter").evaluate(RENDERED)
        assert rendered == dict(shown)


def test_portal_counter_without_scripts_is_an_image(system: Any, browser: Browser) -> None:
    """On a portal page without scripts an image shows the current numbers, and a link leads to them as text."""
    context = browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 700})
    page = context.new_page()
    page.goto(system.url)
    image = page.locator("access-counter img")
    assert image.evaluate("(image) => image.complete && image.naturalWidth > 50 && image.clientHeight === 80")
    page.locator("access-counter a").click()
    assert "Đang online" in page.locator("body").inner_text()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_widget_inherits_style_of_the_page(
    system: Any, browser: Browser, wait: Callable[..., Any], scheme: str
) -> None:
    """Font and colours are the page's, light or dark, and each part can be styled from outside."""
    head = """<style>
      body { font: 21px monospace; color: rgb(1, 2, 3); background: white }
      @media (prefers-color-scheme: dark) { body { color: rgb(250, 251, 252); background: black } }
      access-counter::part(value) { font-weight: 300; text-decoration: underline }
    </style>"""
    code = html(system, '<access-counter site="giao-thuy"></access-counter>', head=head)
    with a_page(browser, code, system.url, color_scheme=scheme) as page:
        wait(lambda: number(page) >= 0)
        style = page.evaluate("""() => {
          const field = document.querySelector("[data-counter=total]"), style = getComputedStyle(field);
          const part = getComputedStyle(field.assignedSlot.parentElement);
          return [style.fontFamily, style.fontSize, style.color, part.fontWeight, part.textDecorationLine];
        }""")
        colour = "rgb(1, 2, 3)" if scheme == "light" else "rgb(250, 251, 252)"
        assert style == ["monospace", "21px", colour, "300", "underline"]


def test_widget_is_accessible_to_screen_readers(system: Any, browser: Browser, wait: Callable[..., Any]) -> None:
    """Screen readers get names with the numbers, changes are not announced, and nothing is animated."""
    code = html(system, '<access-counter site="giao-thuy"></access-counter>', lang="en")
    with a_page(browser, code, system.url, reduced_motion="reduce") as page:
        wait(lambda: number(page) >= 0)
        tree = page.locator("access-counter").aria_snapshot()
        for word in ("Visitor statistics", "Online", "Today", "This week", "All time"):
            assert word in tree
        assert tree.count("definition") == 4
        live = "[aria-live], [role=status], [role=alert], [role=log], output"
        assert page.locator(live).count() == 0
        assert page.evaluate("document.getAnimations().length") == 0


def test_hidden_tab_closes_its_stream(system: Any, browser: Browser, wait: Callable[..., Any]) -> None:
    """While the tab is hidden the stream is closed, and it opens again when the tab is visible."""
    code = html(system, '<access-counter site="giao-thuy"></access-counter>')
    hide = """(hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    state = "document.querySelector('access-counter').events.readyState"
    with a_page(browser, code, system.url) as page:
        wait(lambda: page.evaluate(state) == 1)
        page.evaluate(hide, True)
        assert page.evaluate(state) == 2
        page.evaluate(hide, False)
        wait(lambda: page.evaluate(state) == 1)


def test_rejected_stream_falls_back_to_polling(
    system: Any, browser: Browser, new_id: Callable[[], str], wait: Callable[..., Any]
) -> None:
    """When the stream is rejected, the numbers are polled."""
    code = html(system, '<access-counter site="giao-thuy"></access-counter>')
    context = browser.new_context()
    page = context.new_page()
    page.route("**/live", lambda route: route.fulfill(status=429, body=""))
    page.route("**/test-page", lambda route: route.fulfill(body=code, content_type="text/html; charset=utf-8"))
    page.goto(f"{system.url}/test-page")
    wait(lambda: number(page) >= 0)
    before = number(page)
    views(system, new_id, 2)
    wait(lambda: number(page) == before + 2)
    context.close()


def test_changed_attributes_update_the_widget(system: Any, browser: Browser, wait: Callable[..., Any]) -> None:
    """Site, language and numbers can change on an open page; an unsupported language falls back to English."""
    code = html(system, '<access-counter site="haihau" show="online total" lang="fr"></access-counter>')
    with a_page(browser, code, system.url) as page:
        wait(lambda: number(page) >= 0)
        assert page.locator("access-counter [data-counter]").count() == 2
        assert "All time" in page.locator("access-counter").inner_text()
        page.locator("access-counter").evaluate("(tag) => { tag.lang = 'vi'; tag.setAttribute('show', 'total week'); }")
        assert page.locator("access-counter").inner_text().split("\n")[:2] == ["Thống kê truy cập", "Tất cả"]
        page.locator("access-counter").evaluate("(tag) => tag.setAttribute('site', 'giao-thuy')")
        wait(lambda: number(page) == system.counter("giao-thuy")["total"])
