"""The statistics page in real Chromium, on the real system, with scripts, without them, and for screen readers."""

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

AXE = Path(__file__).parent / "vendor/axe.min.js"
PERIODS = ("24h", "7d", "30d", "365d")


@pytest.fixture
def open_page(system: Any, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open the page in its own context; console errors and third-party requests fail the test."""
    contexts, errors = [], []

    def open_it(path: str = "/stats/haihau", *, width: int = 1280, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "request",
            lambda request: None if request.url.startswith((system.url, "data:")) else errors.append(request.url),
        )
        page.goto(system.url + path)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not errors


@pytest.fixture(scope="module", autouse=True)
def some_traffic(system: Any) -> None:
    """A few views, a bot and a duplicate, so that no part of the page is empty."""
    event = {"id": new_id(), "site": "haihau", "kind": "view", "path": "/", "referrer": "https://zalo.me/"}
    for _ in range(2):
        system.post_events(event, user_agent=system.another_person())
    system.post_events({**event, "id": new_id()}, user_agent="Googlebot/2.1 (+http://www.google.com/bot.html)")
    deadline = time.monotonic() + 30
    while "zalo.me" not in system.get("/stats/haihau?period=24h").text:
        assert time.monotonic() < deadline, "the view is not on the page"
        time.sleep(0.2)


def new_id() -> str:
    return str(uuid.uuid4())


def violations(page: Page) -> list[str]:
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")
    assert len(found["passes"]) > 20
    return [f"{one['id']}: {[node['html'][:120] for node in one['nodes']]}" for one in found["violations"]]


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_statistics_page_passes_axe(open_page: Callable[..., Page], period: str, scheme: str) -> None:
    """Axe reports no violation in both languages, light and dark, for every period."""
    language = "vi" if scheme == "light" else "en"
    page = open_page(f"/stats/haihau?period={period}&lang={language}", color_scheme=scheme)
    page.locator("#chart canvas").wait_for()
    assert violations(page) == []
    assert page.locator("html").get_attribute("lang") == language


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_statistics_page_fits_every_screen(
    open_page: Callable[..., Page], wait: Callable[..., Any], width: int
) -> None:
    """On a phone, a tablet and a desktop nothing is wider than the screen, and the chart fills its container."""
    page = open_page(width=width)
    page.locator("#chart canvas").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    chart = page.locator("#chart").bounding_box()
    canvas = page.locator("#chart .uplot").bounding_box()
    assert chart
    assert canvas
    assert abs(chart["width"] - canvas["width"]) < 4
    page.set_viewport_size({"width": 360, "height": 800})
    wait(lambda: page.evaluate("document.documentElement.scrollWidth") <= 360, what="the smaller page")


@pytest.mark.parametrize(("period", "rows"), [("24h", 24), ("7d", 7), ("30d", 30), ("365d", 53)])
def test_statistics_page_without_scripts_is_complete(open_page: Callable[..., Page], period: str, rows: int) -> None:
    """Without scripts the four numbers, the table of the time series and all other parts are present."""
    page = open_page(f"/stats/haihau?period={period}", java_script_enabled=False)
    assert page.locator("#series tbody tr").count() == rows
    assert page.locator("access-counter dd").count() == 4
    assert all(text.replace(",", "").isdigit() for text in page.locator("access-counter dd").all_inner_texts())
    for heading in ("Tổng quan", "Diễn biến", "Đọc nhiều", "Nguồn truy cập", "Người và bot", "Sổ đối chiếu"):
        assert page.get_by_role("heading", name=heading).is_visible()


def test_ledger_on_page_adds_up(open_page: Callable[..., Page]) -> None:
    """The received events are the sum of all outcomes, and the bot is listed with its reason."""
    page = open_page("/stats/haihau?period=24h")
    numbers = [int(text.replace(",", "")) for text in page.locator("#ledger-line dd").all_inner_texts()]
    assert numbers[0] == sum(numbers[1:]) > 0
    assert "robot" in page.locator("#bots-table").inner_text()
    assert "zalo.me" in page.locator("#referrers-table").inner_text()


def test_open_statistics_page_updates_live(
    system: Any, open_page: Callable[..., Page], wait: Callable[..., Any]
) -> None:
    """While the page is open, a new visitor shows in the four numbers without a reload."""
    page = open_page()
    total = page.locator('access-counter [data-counter="total"]')
    total.wait_for()
    before = int(total.inner_text().replace(",", ""))
    event = {"id": new_id(), "site": "haihau", "kind": "view", "path": "/"}
    assert system.post_events(event, user_agent=system.another_person()).status == 202
    wait(lambda: int(total.inner_text().replace(",", "")) > before, 15, "the visitor on the page")


def test_legend_of_the_chart_has_the_newest_numbers(open_page: Callable[..., Page]) -> None:
    """Without a pointer over the chart its legend says what the last row of the table says, and no dashes."""
    page = open_page()
    page.locator("#chart canvas").wait_for()
    last = page.locator("#series tbody tr").last.locator("th, td").all_inner_texts()
    shown = page.locator("#chart .u-legend .u-value").all_inner_texts()
    assert [one.strip() for one in shown] == [one.strip() for one in last[: len(shown)]]


def test_keyboard_reaches_all_controls(open_page: Callable[..., Page]) -> None:
    """Tab goes through skip link, periods, tables and downloads in order; Enter on a period shows it."""
    page = open_page()
    page.locator("#chart canvas").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    seen = []
    for _ in range(80):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.textContent.trim().slice(0, 20)"))
        if seen[-1] == "30 ngày":
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline == "solid"
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**period=30d**")
    assert page.locator(".tabs [aria-current]").inner_text() == "30 ngày"


def test_language_link_keeps_the_period(open_page: Callable[..., Page]) -> None:
    """The link to English shows the same period in English, and back."""
    page = open_page("/stats/haihau?period=30d")
    page.get_by_role("link", name="English").click()
    page.get_by_role("heading", name="Referrers").wait_for()
    assert page.locator(".tabs [aria-current]").inner_text() == "30 days"
    page.get_by_role("link", name="Tiếng Việt").click()
    page.get_by_role("heading", name="Nguồn truy cập").wait_for()


def test_print_shows_the_whole_table(open_page: Callable[..., Page]) -> None:
    """In print no table is cut by its scroll box, and elements for screens only are hidden."""
    page = open_page("/stats/haihau?period=365d")
    page.locator("#chart canvas").wait_for()
    page.emulate_media(media="print")
    box, table = page.locator(".tall").bounding_box(), page.locator("#series").bounding_box()
    assert box
    assert table
    assert box["height"] >= table["height"]
    assert not page.locator(".exports").is_visible()
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_token_in_url_opens_page_and_is_kept_in_links(system: Any, open_page: Callable[..., Page]) -> None:
    """A token in the URL opens a protected site's page, and its links keep the token."""
    token = system.environment["PRESSTALLY_STATISTICS_TOKENS"].split()[1]
    page = open_page(f"/stats/giao-thuy?token={token}")
    page.get_by_role("link", name="30 ngày").click()
    page.locator("#chart canvas").wait_for()
    assert f"token={token}" in page.url
    assert token in (page.get_by_role("link", name="Số liệu theo ngày, CSV").get_attribute("href") or "")


def test_token_form_rejects_wrong_and_accepts_right_token(system: Any, browser: Browser) -> None:
    """Without a token there is a labelled field; a wrong token shows an alert, the right one opens the page."""
    token = system.environment["PRESSTALLY_STATISTICS_TOKENS"].split()[1]
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{system.url}/stats/giao-thuy")
    assert violations(page) == []
    page.get_by_label("Mã xem thống kê").fill("wrong-token-of-16-characters")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    page.get_by_label("Mã xem thống kê").fill(token)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Tổng quan").wait_for()
    context.close()
