"""The day of a clerk in the newsroom: real Chromium with scripts, the real system, and what readers see of it."""

import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.newsroom_people import Editor, decision, editor, photo
from tests.e2e.conftest import Editors

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
TITLE = f"Lễ đón nhận Bằng công nhận nông thôn mới, {time.time_ns() % 10**6}"
"""A title that no other run has used."""
LEAD = "Sáng 27/11, huyện Hải Hậu tổ chức lễ đón nhận Bằng công nhận đạt chuẩn nông thôn mới nâng cao."
TEXT = ".editor-text"


@pytest.fixture(scope="module")
def clerk(browser: Browser, editors: Editors) -> Editor:
    """Somebody who writes on the whole site."""
    return editor(browser, editors, "thu.ngay@haihau.example", "Vũ Thị Thu", "write:haihau")


@pytest.fixture(scope="module")
def chief(browser: Browser, editors: Editors) -> Editor:
    """Somebody who approves and publishes."""
    return editor(browser, editors, "truong.ngay@haihau.example", "Ngô Văn Trường", "publish:haihau")


def button(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def write_story(page: Page, folder: Path) -> str:
    """Write a story with seven photos and a decision, and save it; return its ID."""
    page.get_by_role("textbox", name="Tựa đề", exact=True).fill(TITLE)
    page.get_by_label("Sapo").fill(LEAD)
    page.get_by_label("Chuyên mục").select_option("tin-tuc")
    page.click(TEXT)
    page.keyboard.type("Từ sáng sớm, bà con các xã đã về dự rất đông.\n")
    files = []
    for number in range(7):
        files.append(folder / f"le-{number}.jpg")
        files[-1].write_bytes(photo(number))
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Ảnh", exact=True).click()
    chooser.value.set_files(files)
    expect(page.locator(f"{TEXT} figure img")).to_have_count(7)
    for number in range(7):
        figure = page.locator(f"{TEXT} figure").nth(number)
        figure.get_by_label("Mô tả ảnh").fill(f"Bà con dự lễ, ảnh {number + 1}")
        figure.locator("figcaption, .caption").first.click()
        page.keyboard.type(f"Quang cảnh buổi lễ ({number + 1})")
    page.click(f"{TEXT} > p:last-child")
    page.keyboard.press("Control+End")
    page.keyboard.type("Toàn văn quyết định ở tệp kèm theo.\n")
    (folder / "quyet-dinh.pdf").write_bytes(decision("Quyet dinh 1234/QD-UBND"))
    page.get_by_role("button", name="Tệp đính kèm").click()
    page.locator("dialog input[type=file]").set_input_files(folder / "quyet-dinh.pdf")
    page.locator("dialog").get_by_label("Tên hiển thị").fill("Quyết định 1234/QĐ-UBND")
    page.locator("dialog button[type=submit]").click()
    expect(page.locator("dialog")).to_have_count(0)
    button(page, "Lưu")
    page.wait_for_url(re.compile(r"/bai-viet/[0-9a-f-]{36}"))
    page.wait_for_selector(".ProseMirror[contenteditable=true]")
    return page.url.partition("?")[0].rpartition("/")[2]


class Readers:
    """What readers get from the gateway."""

    def __init__(self, system: Any, wait: Callable[..., Any]) -> None:
        self.system = system
        self.wait = wait

    def path(self, url: str) -> str:
        return url.removeprefix(self.system.url)

    def text(self, url: str) -> str:
        """Return a page; "" if there is none."""
        answer = self.system.get(self.path(url))
        return str(answer.text) if answer.status == 200 else ""

    def first_in_section(self) -> str:
        """Return the title that is first in the section."""
        found = re.search(r"<h[23][^>]*>\s*<a[^>]*>([^<]+)", self.text("/tin-tuc/").partition("<main")[2])
        return found[1].strip() if found else ""

    def until(self, what: str, condition: Callable[[], Any]) -> Any:
        return self.wait(condition, 60, what)


def whole_minute(seconds: float) -> datetime:
    """Return the first whole minute that is at least some seconds ahead."""
    at = datetime.now(ZONE) + timedelta(seconds=seconds)
    return at.replace(second=0, microsecond=0) + timedelta(minutes=1)


def schedule(chief: Editor, title: str) -> datetime:
    """Write, approve and schedule an article as its chief; return its time."""
    page = chief.open("bai-viet/moi")
    page.get_by_role("textbox", name="Tựa đề", exact=True).fill(title)
    page.get_by_label("Sapo").fill("Điện lực thông báo lịch cắt điện.")
    page.get_by_label("Chuyên mục").select_option("thong-bao")
    page.click(TEXT)
    page.keyboard.type("Từ 7 giờ đến 11 giờ.")
    button(page, "Gửi duyệt")
    page.wait_for_url("**/bai-viet/*?*done=submit")
    article = page.url.partition("?")[0].rpartition("/")[2]
    page.goto(f"{chief.system.url}/ban-bien-tap/bai-viet/{article}/duyet")
    button(page, "Duyệt")
    page.wait_for_url("**done=approve")
    page.get_by_role("link", name="Hẹn giờ").click()
    at = whole_minute(20)
    page.get_by_label("Đăng lúc").fill(f"{at:%Y-%m-%dT%H:%M}")
    button(page, "Hẹn giờ")
    page.wait_for_url("**done=schedule")
    page.goto(f"{chief.system.url}/ban-bien-tap/?tab=scheduled")
    expect(page.locator(".week")).to_contain_text(f"{at:%H:%M} {title}")
    page.close()
    return at


def public_address(page: Page) -> str:
    """Wait until the page says that the public address serves the version, and return the address."""
    link = page.locator("main .notice a").first
    expect(link).to_be_visible()
    return str(link.get_attribute("href"))


def approve_as_read(chief: Editor, page: Page, article: str) -> str:
    """Approve and publish what was read; an edit in between is refused and shown. Return the public address."""
    review = chief.open("?tab=waiting")
    review.get_by_role("link", name=TITLE).click()
    expect(review.locator("main")).to_contain_text("Từ sáng sớm")
    page.get_by_label("Sapo").fill(f"{LEAD} Buổi lễ kết thúc lúc 10 giờ.")
    button(page, "Lưu")
    expect(page.locator("#state")).not_to_contain_text("Chờ duyệt")
    button(review, "Duyệt và đăng")
    expect(review.locator(".warning")).to_contain_text("Có người đã sửa bài sau khi bạn mở")
    expect(review.locator("main")).to_contain_text("Buổi lễ kết thúc lúc 10 giờ")
    button(page, "Gửi duyệt")
    page.wait_for_url("**done=submit")
    review.goto(f"{chief.system.url}/ban-bien-tap/bai-viet/{article}/duyet")
    button(review, "Duyệt và đăng")
    url = public_address(review)
    review.close()
    return url


def correct_typo(chief: Editor, system: Any) -> None:
    """Mend the typo of a live page: from the desk in three clicks, the first of them opens the article."""
    page = chief.open("?tab=live")
    chief.clicks = 0
    page.get_by_role("link", name=TITLE).click()
    page.wait_for_selector(".ProseMirror[contenteditable=true]")
    page.locator(f"{TEXT} > p", has_text="về dự rất đông").click()
    page.keyboard.press("End")
    page.keyboard.press("Backspace")
    page.keyboard.type(", từ mờ sáng.")
    button(page, "Sửa trang đang đăng")
    public_address(page)
    assert chief.clicks <= 3
    page.close()


def test_day_of_a_clerk(system: Any, clerk: Editor, chief: Editor, wait: Callable[..., Any], tmp_path: Path) -> None:
    """A story is approved as read, corrected, pinned, taken down and restored; a notice appears at its time."""
    readers, notice = Readers(system, wait), f"Lịch cắt điện {time.time_ns()}"
    page = clerk.open("bai-viet/moi")
    article = write_story(page, tmp_path)
    assert TITLE not in readers.text("/tin-tuc/")
    at = schedule(chief, notice)
    before = readers.text("/thong-bao/")
    assert datetime.now(ZONE) >= at or notice not in before
    button(page, "Gửi duyệt")
    page.wait_for_url("**done=submit")
    url = approve_as_read(chief, page, article)
    public = readers.text(url)
    assert public.count("Quang cảnh buổi lễ (") >= 7
    assert len(set(re.findall(r'alt="Bà con dự lễ, ảnh (\d)"', public))) == 7
    assert "Buổi lễ kết thúc lúc 10 giờ" in public
    (file,) = set(re.findall(r'href="([^"]*/tep/[^"]+)"', public))
    answer = system.get(readers.path(file))
    assert answer.body == (tmp_path / "quyet-dinh.pdf").read_bytes()
    assert answer.headers["content-disposition"].startswith("attachment")
    correct_typo(chief, system)
    readers.until("the correction", lambda: "rất đông, từ mờ sáng." in readers.text(url))
    pin(chief, article, at + timedelta(days=1))
    newer = readers.until("the pin", lambda: readers.first_in_section() == TITLE)
    assert newer
    time.sleep(max(0.0, (at - datetime.now(ZONE)).total_seconds()))  # a quick day is over before its minute comes
    readers.until("the scheduled notice", lambda: notice in readers.text("/thong-bao/"))
    assert datetime.now(ZONE) >= at
    withdraw_and_restore(chief, article, readers, url)
    assert clerk.faults == chief.faults == []


def pin(chief: Editor, article: str, until: datetime) -> None:
    """Pin the live article, by the page of its settings."""
    page = chief.open(f"bai-viet/{article}")
    page.get_by_role("link", name=re.compile("Ghim, hẹn gỡ")).click()
    page.get_by_label("Ghim đến").fill(f"{until:%Y-%m-%dT%H:%M}")
    button(page, "Lưu lên trang")
    public_address(page)
    page.close()


def withdraw_and_restore(chief: Editor, article: str, readers: Readers, url: str) -> None:
    """Take the article down, restore its first approved version, and publish that."""
    page = chief.open(f"bai-viet/{article}")
    page.get_by_role("link", name="Gỡ xuống").click()
    expect(page.locator("main")).to_contain_text("không có trang này")
    page.get_by_label("Lý do").fill("đăng nhầm ảnh")
    button(page, "Gỡ xuống")
    page.wait_for_url("**done=unpublish")
    readers.until("the withdrawal", lambda: readers.system.get(readers.path(url)).status == 404)
    assert TITLE not in readers.text("/tin-tuc/")
    page.goto(f"{chief.system.url}/ban-bien-tap/bai-viet/{article}/lich-su")
    first = page.locator("table.revisions tbody tr").last
    first.get_by_role("radio", name="Từ bản").check()
    button(page, "So sánh")
    expect(page.locator("main")).to_contain_text("từ mờ sáng")
    page.get_by_role("button", name="Khôi phục bản 1 ").click()
    page.wait_for_url("**done=restored")
    page.wait_for_selector(".ProseMirror[contenteditable=true]")
    button(page, "Đăng")
    assert readers.path(public_address(page)) == readers.path(url)
    public = readers.until("the restored version", lambda: readers.text(url))
    assert "rất đông." in public
    assert "từ mờ sáng" not in public
    page.close()
