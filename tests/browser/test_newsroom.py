"""The newsroom in real Chromium on the real system: a day's work without scripts, accessible on any screen."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.conftest import ROOT

AXE = (Path(__file__).parent / "vendor/axe.min.js").read_text(encoding="utf-8")
PASSWORD = "bốn từ không liên quan"
PICTURES = os.environ.get("PRESSTALLY_TEST_PICTURES")
"""A folder for pictures of every page; without it none are taken."""
WIDTHS = (320, 768, 1280, 1920)
UNBROKEN = "Nghiêng" * 12
"""A word that no line is as wide as on a phone, such as an address in a title."""
CUT = """() => [...document.querySelectorAll("main :is(a, td, ul, ol, li, p, h1, h2, label)")].filter((one) =>
  one.checkVisibility() && !one.closest(".unseen") && one.clientWidth > 1 && one.scrollWidth > one.clientWidth + 2 &&
  getComputedStyle(one).overflowX === "visible").map((one) => `${one.tagName} ${one.textContent.trim()}`)"""
"""Elements whose content is wider than they are."""


def invited(system: Any, email: str, name: str, *words: str) -> str:
    """Create a person, and return the link of the invitation."""
    stores = {"DATABASE_URL": system.database_url, "KAFKA_BOOTSTRAP": system.kafka}
    command = [sys.executable, "-m", "services.ingest", "person", "create", *words, "--email", email, "--name", name]
    done = subprocess.run(
        command, cwd=ROOT, env={**system.environment, **stores}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def logged_in(system: Any, browser: Browser, email: str, name: str, *words: str, **options: Any) -> BrowserContext:
    """Return the browser of a new person, who has accepted the invitation and logged in, without scripts."""
    link = invited(system, email, name, *words)
    context = browser.new_context(java_script_enabled=False, locale="vi-VN", **options)
    context.set_default_timeout(60_000)  # a publication is waited for 30 seconds
    page = context.new_page()
    page.goto(link)
    page.get_by_label("Liên kết trong thư").fill(link)
    page.get_by_role("button", name="Tiếp tục").click()
    page.get_by_label("Mật khẩu mới").fill(PASSWORD)
    page.get_by_label("Nhập lại").fill(PASSWORD)
    page.get_by_role("button", name="Đặt mật khẩu").click()
    page.get_by_role("link", name="Đăng nhập", exact=True).click()
    page.get_by_label("Thư điện tử").fill(email)
    page.get_by_label("Mật khẩu").fill(PASSWORD)
    page.get_by_role("button", name="Đăng nhập").click()
    page.wait_for_url(f"{system.url}/ban-bien-tap/")
    return context  # a page that is closed while it loads may never report that it is closed; its context closes it


@pytest.fixture(scope="module")
def editor(system: Any, browser: Browser) -> Iterator[BrowserContext]:
    """The browser of an administrator."""
    context = logged_in(system, browser, "minh@haihau.example", "Phạm Minh", "--admin")
    yield context
    context.close()


@pytest.fixture(scope="module")
def writer(system: Any, browser: Browser) -> Iterator[BrowserContext]:
    """The browser of somebody who writes in one section."""
    context = logged_in(system, browser, "lan@haihau.example", "Trần Lan", "--grant", "write:haihau:tin-tuc")
    yield context
    context.close()


def opened(system: Any, context: BrowserContext, path: str) -> Page:
    page = context.new_page()
    page.goto(f"{system.url}/ban-bien-tap/{path}")
    return page


def write(page: Page, title: str) -> str:
    """Write and save a draft; return its ID."""
    page.get_by_role("textbox", name="Tựa đề", exact=True).fill(title)
    page.get_by_label("Sapo").fill("Sáng 4/3, chợ phiên Cồn mở lại sau tám tháng tu sửa, bà con đến từ rất sớm.")
    text = "Từ **sáng sớm**, bà con đã đông đủ.\n\n## Chợ mới\n\n- Hai dãy nhà\n- Một bãi xe\n\n> Chợ đẹp quá!"
    page.get_by_label("Nội dung", exact=True).fill(text)
    section = page.get_by_label("Chuyên mục")
    if not section.input_value():
        section.select_option("tin-tuc")
    page.get_by_label("Thẻ").fill("chợ phiên, Hải Hậu")
    page.get_by_role("button", name="Lưu", exact=True).click()
    return page.url.partition("?")[0].rpartition("/")[2]


def test_article_goes_from_draft_to_the_portal_and_back_without_scripts(
    system: Any, writer: BrowserContext, editor: BrowserContext
) -> None:
    """Written, sent for approval, returned, sent again, approved and published, corrected in two clicks, taken down."""
    page = opened(system, writer, "bai-viet/moi?site=haihau")
    article = write(page, "Chợ phiên Cồn mở lại")
    page.get_by_role("button", name="Gửi duyệt").click()
    review = opened(system, editor, "?site=haihau&tab=waiting")
    review.get_by_role("link", name="Chợ phiên Cồn mở lại").click()
    review.get_by_label("Trả lại, vì").fill("Thiếu nguồn ảnh")
    review.get_by_role("button", name="Trả lại tác giả").click()
    page.goto(f"{system.url}/ban-bien-tap/?tab=returned")
    assert "Thiếu nguồn ảnh" in page.inner_text("main")
    page.get_by_role("link", name="Chợ phiên Cồn mở lại").click()
    page.get_by_label("Tên nguồn").fill("Báo Nam Định")
    page.get_by_role("button", name="Gửi duyệt").click()
    review.goto(f"{system.url}/ban-bien-tap/bai-viet/{article}/duyet")
    review.get_by_role("button", name="Duyệt và đăng").click()
    for _ in range(10):
        if review.get_by_text("Bài đã lên trang").count():
            break
        review.reload()
    public = review.locator("main .notice a").get_attribute("href")
    assert public
    assert "Chợ phiên Cồn mở lại" in system.get(public).text
    review.goto(f"{system.url}/ban-bien-tap/bai-viet/{article}")
    review.get_by_role("textbox", name="Tựa đề", exact=True).fill("Chợ phiên Cồn mở lại sau tu sửa")
    review.get_by_role("button", name="Sửa trang đang đăng").click()
    for _ in range(10):
        if "sau tu sửa" in system.get(public).text:
            break
        review.reload()
    assert "Chợ phiên Cồn mở lại sau tu sửa" in system.get(public).text
    review.goto(f"{system.url}/ban-bien-tap/bai-viet/{article}/buoc/unpublish")
    review.get_by_label("Lý do").fill("đăng nhầm")
    review.get_by_role("button", name="Gỡ xuống").click()
    assert "Đã gỡ" in review.inner_text("main")


PAGES = {
    "desk": "?site=haihau&tab=all",
    "calendar": "?site=haihau&tab=scheduled",
    "live": "?site=haihau&tab=live",
    "write": "bai-viet/{draft}",
    "new": "bai-viet/moi?site=haihau",
    "review": "bai-viet/{waiting}/duyet",
    "history": "bai-viet/{draft}/lich-su",
    "comparison": "bai-viet/{draft}/so-sanh?from=1&to=2",
    "step": "bai-viet/{draft}/buoc/discard",
    "account": "toi",
    "people": "nguoi?site=haihau",
    "audit": "nguoi/nhat-ky?site=haihau",
    "front": "trang-nhat?site=haihau",
    "sections": "chuyen-muc?site=haihau",
    "section": "chuyen-muc/tin-tuc?site=haihau",
    "banner": "banner/moi?site=haihau",
    "static page": "trang/moi?site=haihau&mau=organization-vi",
    "pictures": "anh-va-tep?site=haihau",
    "documents": "anh-va-tep?site=haihau&kind=files",
    "missing": "bai-viet/khong-co",
}


@pytest.fixture(scope="module")
def ids(system: Any, editor: BrowserContext, writer: BrowserContext) -> dict[str, str]:
    """Articles for the pages: a draft with two versions, one that waits, and one that is live with a hostile title."""
    page = opened(system, writer, "bai-viet/moi?site=haihau")
    draft = write(page, "Xã Hải Bắc khánh thành cầu mới qua sông Múc")
    page.get_by_label("Sapo").fill("Cây cầu dài 42 m nối hai thôn, thay cho cầu gỗ cũ.")
    page.get_by_role("button", name="Lưu", exact=True).click()
    page.goto(f"{system.url}/ban-bien-tap/bai-viet/moi?site=haihau")
    waiting = write(page, "Lịch cúp điện tuần này ở thị trấn Cồn")
    page.get_by_role("button", name="Gửi duyệt").click()
    other = opened(system, editor, "bai-viet/moi?site=haihau")
    live = write(other, f"Giá muối nhích lên đầu vụ {UNBROKEN}")
    other.get_by_role("button", name="Đăng", exact=True).click()
    return {"draft": draft, "waiting": waiting, "live": live}


@pytest.mark.parametrize("name", PAGES)
def test_page_is_accessible_on_every_screen(
    system: Any, browser: Browser, editor: BrowserContext, ids: dict[str, str], name: str
) -> None:
    """Axe finds nothing, light or dark, and nothing is wider than its place; scripts report no errors."""
    state = editor.storage_state()
    for width in WIDTHS if PICTURES else (320, 1280):
        for scheme in ("light", "dark") if PICTURES else (("light",) if width == 320 else ("dark",)):
            context = browser.new_context(
                viewport={"width": width, "height": 900}, storage_state=state, color_scheme=scheme, locale="vi-VN"
            )
            page, errors = context.new_page(), []
            page.on("pageerror", lambda error, errors=errors: errors.append(str(error)))
            page.on(
                "console",
                lambda one, errors=errors: errors.append(one.text) if "Content Security Policy" in one.text else None,
            )
            page.goto(f"{system.url}/ban-bien-tap/{PAGES[name].format(**ids)}")
            page.wait_for_load_state("networkidle")
            if PICTURES:
                page.screenshot(path=f"{PICTURES}/{name}-{width}-{scheme}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
            assert page.evaluate(CUT) == [], (name, width)
            page.evaluate(AXE)
            found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            problems = [(one["id"], [node["html"][:160] for node in one["nodes"]][:3]) for one in found["violations"]]
            assert problems == [], (name, width, scheme)
            assert errors == []
            context.close()
