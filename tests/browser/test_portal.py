"""The portal's pages in real Chromium: no third-party requests, nothing blocked, accessible, and working buttons."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from shared.articles import (
    Article,
    Author,
    BulletList,
    Cell,
    Correction,
    Embed,
    Figure,
    Heading,
    Item,
    Paragraph,
    Quote,
    Source,
    Table,
    article_path,
)

pytestmark = pytest.mark.timeout(300)  # the first test that uses the sample publishes it
BODY = [
    Paragraph('Đoạn <em>một</em> có <a href="https://elsewhere.example/">liên kết</a>.'),
    Heading("Mục"),
    Quote(["Lời người khác."], cite="Ông Nam"),
    BulletList([Item("một", [Item("một rưỡi")]), Item("hai")]),
    Table([[Cell("Xã", header=True), Cell("Số hộ", header=True)], [Cell("Hải Anh"), Cell("1.204")]]),
    Figure("Ảnh đã mất"),
    Embed("youtube", "abc", "Video"),
]


async def publish(kafka: str, articles: list[Article]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    for article in articles:
        await producer.send_and_wait("articles", msgspec.json.encode(article), key=article.id.encode())
    await producer.stop()


@pytest.fixture(scope="module")
def paths(system: Any) -> dict[str, str]:
    """Publish three articles with all kinds of blocks; return {name: path} of typical pages."""
    now = datetime.now(UTC)
    articles = [
        Article(
            id=f"browser-{number}",
            number=number,
            site="haihau",
            version=1,
            state="published",
            title=f"Chợ phiên Cồn mở lại lần {number - 900_000}",
            slug="cho-phien-con",
            section="tin-tuc",
            language="vi",
            body=BODY,
            kicker="Đời sống",
            lead="Phần dẫn.",
            tags=["chợ phiên"],
            source=Source("Báo Nam Định"),
            authors=[Author("Trần Nam", "Phóng viên")],
            corrections=[Correction("Số hộ đã được sửa.", now)],
            modified_at=now,
            first_published_at=now,
            published_at=now + timedelta(seconds=number - 900_000),
        )
        for number in range(900_001, 900_004)
    ]
    sending = threading.Thread(target=lambda: asyncio.run(publish(system.kafka, articles)))
    sending.start()
    sending.join(30)
    deadline = time.monotonic() + 20
    while any(system.get(article_path(article)).status != 200 for article in articles):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return {
        "article": article_path(articles[1]),
        "home": "/",
        "section": "/tin-tuc/",
        "tag": "/tag/cho-phien/",
        "months": "/luu-tru/",
        "corrections": "/luu-tru/dinh-chinh/",
        "month": f"/luu-tru/{now + timedelta(hours=7):%Y/%m}/",
        "search": "/tim-kiem?q=cho+phien",
        "no results": "/tim-kiem?q=qqzzxx",
        "site map": "/so-do-site",
        "not found": "/khong-co",
    }


@pytest.fixture
def context(browser: Browser, system: Any) -> Iterator[BrowserContext]:
    context = browser.new_context(user_agent=system.another_person())
    yield context
    context.close()


def test_portal_pages_pass_axe(
    system: Any, browser: Browser, context: BrowserContext, paths: dict[str, str], sample: dict[str, str]
) -> None:
    """Axe finds nothing on any kind of page: light and dark, in high contrast, and with the largest text."""
    axe = Axe()
    preferences = ({}, {"contrast": "high"}, {"size": "larger"})
    pages = {**paths, **sample}
    for scheme in ("light", "dark"):
        page = context.new_page()
        page.emulate_media(color_scheme=scheme)
        for look in preferences:
            page.add_init_script(f"localStorage.setItem('presstally-look', {json.dumps(json.dumps(look))})")
            for name, path in pages.items():
                if "size" in look and name not in ("article", "home", "search"):
                    continue
                page.goto(system.url + path)
                found = axe.run(page)
                assert found.violations_count == 0, f"{name} {scheme} {look}: {found.generate_report()}"
        page.close()


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_portal_pages_fit_every_screen(system: Any, browser: Browser, paths: dict[str, str], width: int) -> None:
    """On a phone, a tablet and a desktop nothing is wider than the screen, with the largest text too."""
    context = browser.new_context(viewport={"width": width, "height": 800}, user_agent=system.another_person())
    page = context.new_page()
    for look in ({}, {"size": "larger"}):
        page.add_init_script(f"localStorage.setItem('presstally-look', {json.dumps(json.dumps(look))})")
        for name, path in paths.items():
            page.goto(system.url + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, look)
    context.close()


def test_portal_pages_respect_their_policy(system: Any, context: BrowserContext, paths: dict[str, str]) -> None:
    """No page requests another host, sets a cookie, or violates its own policy."""
    page = context.new_page()
    blocked: list[str] = []
    requested: list[str] = []
    page.on(
        "console", lambda message: blocked.append(message.text) if "Content Security Policy" in message.text else None
    )
    page.on("pageerror", lambda error: blocked.append(str(error)))
    page.on("request", lambda request: requested.append(request.url))
    for path in paths.values():
        page.goto(system.url + path)
    assert not blocked
    assert all(url.startswith((system.url, "data:")) for url in requested), requested
    assert context.cookies() == []


def preferences_of(page: Page) -> tuple[str, str]:
    return tuple(
        page.evaluate(
            "[getComputedStyle(document.documentElement).fontSize, document.documentElement.dataset.contrast || '']"
        )
    )


def test_text_size_and_contrast_are_stored(system: Any, context: BrowserContext, paths: dict[str, str]) -> None:
    """The buttons change text size and contrast, and the next page has them before anything is painted."""
    page = context.new_page()
    page.goto(system.url + paths["article"])
    before = preferences_of(page)
    page.get_by_role("button", name="Chữ to hơn").click()
    page.get_by_role("button", name="Tương phản cao").click()
    after = preferences_of(page)
    assert float(after[0][:-2]) > float(before[0][:-2])
    assert after[1] == "high"
    page.goto(system.url + "/tin-tuc/")
    assert preferences_of(page) == after
    assert page.get_by_role("button", name="Tương phản cao").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Chữ nhỏ hơn").click()
    page.get_by_role("button", name="Tương phản cao").click()
    assert preferences_of(page) == before


def test_keyboard_reaches_content_and_search(system: Any, context: BrowserContext, paths: dict[str, str]) -> None:
    """The first Tab leads to the skip link, which leads to the content; a search works by keyboard alone."""
    page = context.new_page()
    page.goto(system.url + paths["article"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.locator("#find").focus()
    page.keyboard.type("cho phien")
    page.keyboard.press("Enter")
    page.wait_for_url("**/tim-kiem?q=cho+phien")
    assert page.locator("mark").count() > 0


def test_printed_article_omits_navigation(system: Any, context: BrowserContext, paths: dict[str, str]) -> None:
    """The print has title, text, source and URL, but neither menu nor buttons."""
    page = context.new_page()
    page.goto(system.url + paths["article"])
    page.emulate_media(media="print")
    for seen in ("h1", "article", ".source", ".print-only"):
        assert page.locator(seen).first.is_visible(), seen
    for hidden in (".menu", ".find", ".foot", ".acts", ".tags"):
        assert not page.locator(hidden).first.is_visible(), hidden
    assert page.locator(".print-only").inner_text().endswith(f" · {system.url}{paths['article']}")


def test_saved_article_opens_offline(
    system: Any, browser: Browser, context: BrowserContext, paths: dict[str, str], tmp_path: Path
) -> None:
    """What "Save" downloads has the article's name, and shows it with its table and address without a network."""
    page = context.new_page()
    page.goto(system.url + paths["article"])
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Lưu về máy").click()
    file = tmp_path / downloading.value.suggested_filename
    downloading.value.save_as(file)
    assert file.name == "cho-phien-con.html"
    offline = browser.new_context(offline=True, java_script_enabled=False)
    saved = offline.new_page()
    saved.goto(file.as_uri())
    assert "1.204" in saved.locator("table").inner_text()
    assert saved.locator(".origin").get_by_role("link", name=system.url + paths["article"]).is_visible()
    assert saved.locator(".qr svg").is_visible()
    offline.close()


def test_portal_page_paints_fast_without_layout_shift(
    system: Any, context: BrowserContext, paths: dict[str, str]
) -> None:
    """The layout does not shift, and the largest element is painted within 2.5 s, the limit for state portals."""
    page = context.new_page()
    page.add_init_script(
        "window.shift = 0; window.largest = 0;"
        "new PerformanceObserver((list) => list.getEntries().forEach((one) => { shift += one.value }))"
        ".observe({type: 'layout-shift', buffered: true});"
        "new PerformanceObserver((list) => list.getEntries().forEach((one) => { largest = one.startTime }))"
        ".observe({type: 'largest-contentful-paint', buffered: true});"
    )
    for name in ("article", "home"):
        page.goto(system.url + paths[name])
        time.sleep(1)
        assert page.evaluate("shift") < 0.1, name
        assert 0 < page.evaluate("largest") < 2500, name
