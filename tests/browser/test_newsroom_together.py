"""Two people, two tabs and impatient clicks at one article: real Chromium with scripts, on the real system."""

import os
import re
import signal
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.newsroom_people import Editor, editor
from tests.browser.newsroom_steps import LINES, draft, save, saved, stored, write
from tests.e2e.conftest import Editors


@pytest.fixture(scope="module")
def clerk(browser: Browser, editors: Editors) -> Editor:
    return editor(browser, editors, "thu.chung@haihau.example", "Vũ Thị Thu", "write:haihau")


@pytest.fixture(scope="module")
def colleague(browser: Browser, editors: Editors) -> Editor:
    return editor(browser, editors, "nam.chung@haihau.example", "Trần Nam", "publish:haihau")


def test_two_editors_see_each_other_and_lose_nothing(editors: Editors, clerk: Editor, colleague: Editor) -> None:
    """Each sees the other within ten seconds; who saves second has both texts, of one paragraph side by side."""
    article = draft(editors, "Hai người cùng sửa")
    one, other = clerk.open(f"bai-viet/{article}"), colleague.open(f"bai-viet/{article}")
    for page, name in ((one, "Trần Nam"), (other, "Vũ Thị Thu")):
        expect(page.locator(".presence")).to_contain_text(name, timeout=60_000)
    write(one, " của Thu", ".editor-text > p:first-child")
    write(other, " của Nam")
    save(one)
    saved(one, 2)
    save(other)
    saved(other, 3)
    expected = ["Đoạn 1 của Thu", "Đoạn 2", "Đoạn 3 của Nam"]
    assert other.evaluate(LINES) == expected
    assert [block["html"] for block in stored(editors, article)["body"]] == expected
    write(one, " – sửa lần hai")
    write(other, " – sửa lần ba")
    save(other)
    saved(other, 4)
    save(one)
    expect(one.locator(".conflicts .sides")).to_have_count(1)
    panel = one.inner_text(".conflicts")
    assert "Đoạn 3 – sửa lần hai" in panel
    assert "Đoạn 3 của Nam – sửa lần ba" in panel
    assert one.evaluate(LINES)[-2:] == ["Đoạn 3 – sửa lần hai", "Đoạn 3 của Nam – sửa lần ba"]
    assert stored(editors, article)["version"] == 4
    one.get_by_role("button", name="Giữ cả hai").click()
    save(one)
    saved(one, 5)
    assert [block["html"] for block in stored(editors, article)["body"]][-2:] == one.evaluate(LINES)[-2:]
    one.close()
    other.close()
    assert clerk.faults == colleague.faults == []


def test_double_click_and_the_way_back_make_one_article(editors: Editors, clerk: Editor) -> None:
    """A new article that is saved by a double click is one; the way back leads before its form, not to it."""
    title = f"Bài bấm đúp {time.time_ns()}"
    page = clerk.open("bai-viet/moi")
    desk = page.url.replace("bai-viet/moi", "")
    page.goto(desk)
    page.goto(f"{desk}bai-viet/moi")
    page.get_by_role("textbox", name="Tựa đề", exact=True).fill(title)
    page.get_by_label("Chuyên mục").select_option("tin-tuc")
    page.click(".editor-text")
    page.keyboard.type("Một đoạn.")
    page.get_by_role("button", name="Lưu", exact=True).dblclick()
    page.wait_for_url(re.compile(r"/bai-viet/[0-9a-f-]{36}"))
    page.wait_for_selector(".ProseMirror[contenteditable=true]")
    article = page.url.partition("?")[0].rpartition("/")[2]
    page.go_back()
    assert page.url == desk
    found = editors.call("GET", f"/articles?site=haihau&q={quote(title)}&fields=short", scope="read").json()
    assert [one["id"] for one in found["articles"]] == [article]
    page.close()


def test_two_tabs_of_one_person_lose_nothing(editors: Editors, clerk: Editor) -> None:
    """The second tab shows what is not saved in the first; both save, and the article has what was written in both."""
    article = draft(editors, "Hai thẻ", "Đoạn 1", "Đoạn 2", "Đoạn 3", "Đoạn 4", "Đoạn 5")
    first = clerk.open(f"bai-viet/{article}")
    write(first, " từ thẻ một", ".editor-text > p:first-child")
    expect(first.locator(".state-text")).to_contain_text("đã lưu tạm")
    second = clerk.open(f"bai-viet/{article}")
    expect(second.locator(".editor-text > p").first).to_have_text("Đoạn 1 từ thẻ một")
    write(second, " từ thẻ hai")
    save(second)
    saved(second, 2)
    write(first, " sau đó", ".editor-text > p:nth-child(3)")
    save(first)
    saved(first, 3)
    lines = ["Đoạn 1 từ thẻ một", "Đoạn 2", "Đoạn 3 sau đó", "Đoạn 4", "Đoạn 5 từ thẻ hai"]
    assert [block["html"] for block in stored(editors, article)["body"]] == lines
    assert first.evaluate(LINES) == lines
    first.close()
    second.close()


def test_writing_goes_on_while_postgres_is_frozen(system: Any, editors: Editors, colleague: Editor) -> None:
    """The text is kept here, and the page says why it is not published; afterwards it is published."""
    article = draft(editors, "Bài viết khi Postgres ngừng")
    page = colleague.open(f"bai-viet/{article}")
    pid = system.state()["parts"]["postgres"]
    frozen = [pid, *(int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    for one in frozen:
        os.kill(one, signal.SIGSTOP)
    try:
        write(page, " viết tiếp")
        page.get_by_role("button", name="Đăng", exact=True).click()
        expect(page.locator(".state-text")).to_contain_text(re.compile("Không lưu được|giữ trên máy này"))
        assert page.evaluate(LINES)[-1] == "Đoạn 3 viết tiếp"
    finally:
        for one in frozen:
            os.kill(one, signal.SIGCONT)
    deadline = time.monotonic() + 60
    while stored(editors, article)["state"] != "published":
        assert time.monotonic() < deadline
        publish = page.get_by_role("button", name="Đăng", exact=True)
        if publish.is_visible():  # the first request may have waited, and has published
            publish.click()
        page.wait_for_timeout(1_000)
    assert editors.publication(article)["status"] == "live"
    assert stored(editors, article)["body"][-1]["html"] == "Đoạn 3 viết tiếp"
    page.close()


def test_text_of_a_page_that_is_reloaded_at_once_comes_back(editors: Editors, clerk: Editor) -> None:
    """What neither the server nor the database of the browser has yet is there after a reload, until it is saved."""
    article = draft(editors, "Tải lại ngay")
    page = clerk.open(f"bai-viet/{article}")
    page.evaluate("() => { window.fetch = () => new Promise(() => {}) }")
    page.evaluate("() => { IDBObjectStore.prototype.put = function () { return this.get([]) } }")
    write(page, " vừa gõ")
    page.reload()
    expect(page.locator(".editor-text > p").last).to_have_text("Đoạn 3 vừa gõ")
    save(page)
    saved(page, 2)
    page.wait_for_function("Object.keys(localStorage).every((key) => !key.startsWith('presstally-newsroom-left'))")
    assert stored(editors, article)["body"][-1]["html"] == "Đoạn 3 vừa gõ"
    page.close()
