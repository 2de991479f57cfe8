"""Static pages in Chromium: written with the editor, kept, merged and published, and as Markdown without scripts."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, expect

from tests.browser.newsroom_page import NewsroomPage, article
from tests.browser.newsroom_people import Editor, editor, photo
from tests.browser.newsroom_steps import CARET, EDITOR, LAST, LINES, PASTE, Opener, write
from tests.e2e.conftest import Editors

AXE = (Path(__file__).parent / "vendor/axe.min.js").read_text(encoding="utf-8")
BODY: list[dict[str, Any]] = [{"type": "paragraph", "html": f"Đoạn {number}"} for number in (1, 2, 3)]
WORD_LIST = (
    "<html><body><!--StartFragment--><p class=MsoListParagraph style='mso-list:l0 level1 lfo1'>"
    "<![if !supportLists]><span style='mso-list:Ignore'>1.</span><![endif]><b>Tiếp dân</b> thứ Năm</p>"
    "<p class=MsoListParagraph style='mso-list:l0 level1 lfo1'><![if !supportLists]><span style='mso-list:Ignore'>2."
    "</span><![endif]>Giải quyết đơn thư</p><!--EndFragment--></body></html>"
)
IS_FORGOTTEN = """() => new Promise((resolve) => {
  const request = indexedDB.open("presstally-newsroom", 1);
  request.onsuccess = () => {
    const count = request.result.transaction("texts").objectStore("texts").count();
    count.onsuccess = () => (request.result.close(), resolve(count.result === 0));
  };
})"""


@pytest.fixture
def newsroom() -> Iterator[NewsroomPage]:
    page = NewsroomPage(article(BODY), form="page")
    yield page
    page.close()


def state(page: Page, text: str) -> None:
    """Wait until the line below the editor says something."""
    expect(page.locator(".state-text")).to_contain_text(text)


def save(page: Page) -> None:
    page.click("button[value=save]")


def test_unsaved_page_comes_back_from_this_browser(open_page: Opener, newsroom: NewsroomPage) -> None:
    """What was typed is there again after the tab was closed; a button shows the saved text; a save forgets it."""
    page = open_page()
    write(page, " chưa lưu")
    state(page, "máy này giữ bản")
    page.close()
    page = open_page()
    expect(page.locator(LAST)).to_have_text("Đoạn 3 chưa lưu")
    page.get_by_role("button", name="Dùng bản đã lưu").click()
    expect(page.locator(LAST)).to_have_text("Đoạn 3")
    page.get_by_role("button", name="Dùng bản của tôi").click()
    save(page)
    state(page, "đã lưu lúc")
    assert newsroom.article is not None
    assert newsroom.article["body"][-1] == {"type": "paragraph", "html": "Đoạn 3 chưa lưu"}
    page.close()
    page = open_page()
    expect(page.locator(LAST)).to_have_text("Đoạn 3 chưa lưu")
    assert page.locator(".notice").count() == 0
    assert newsroom.autosaves == []


def test_unsaved_text_meets_the_newer_version_block_by_block(open_page: Opener, newsroom: NewsroomPage) -> None:
    """A text that was begun from an older version has the changes of both, without a question."""
    page = open_page()
    write(page, " của tôi")
    state(page, "máy này giữ bản")
    page.close()
    newsroom.save(title="Tựa của Nam", body=[{"type": "paragraph", "html": "Nam thêm"}, *BODY])
    page = open_page()
    expect(page.locator(LAST)).to_have_text("Đoạn 3 của tôi")
    assert page.evaluate(LINES) == ["Nam thêm", "Đoạn 1", "Đoạn 2", "Đoạn 3 của tôi"]
    assert page.input_value("input[name=title]") == "Tựa của Nam"
    assert page.locator(".conflicts").count() == 0


def test_page_that_another_saves_right_after_the_own_save_is_taken_in(
    open_page: Opener, newsroom: NewsroomPage
) -> None:
    """The next save starts from the newer text, and removes nothing of it."""
    page, added = open_page(), {"type": "paragraph", "html": "Nam thêm"}
    write(page, " của tôi")
    newsroom.after_saves.append(lambda: newsroom.save(body=[added, *(newsroom.article or {})["body"]]))
    save(page)
    expect(page.locator(f"{EDITOR} > p").first).to_have_text("Nam thêm")
    write(page, " nữa")
    save(page)
    state(page, "đã lưu lúc")
    assert [form["version"] for form in newsroom.posts] == ["1", "3"]
    assert newsroom.article is not None
    lines = ["Nam thêm", "Đoạn 1", "Đoạn 2", "Đoạn 3 của tôi nữa"]
    assert [one["html"] for one in newsroom.article["body"]] == page.evaluate(LINES) == lines


def test_page_shows_who_else_has_it_open_and_that_it_was_saved(open_page: Opener, newsroom: NewsroomPage) -> None:
    """Another person is named, and a save of theirs before the own one."""
    newsroom.others.append({"who": "Trần Nam", "since": "2026-11-24T03:00:00Z", "is_writing": True, "is_you": False})
    page = open_page()
    expect(page.locator(".presence")).to_contain_text("Cũng đang mở trang này: Trần Nam")
    newsroom.save(title="Tựa của Nam")
    expect(page.locator(".newer")).to_contain_text("Nam vừa lưu trang này", timeout=60_000)
    save(page)
    state(page, "đã lưu lúc")
    assert page.input_value("input[name=title]") == "Tựa của Nam"


def test_page_that_two_have_changed_is_merged_or_shown_side_by_side(open_page: Opener, newsroom: NewsroomPage) -> None:
    """Other paragraphs are taken in and saved; of the same one both texts are shown, and a choice is waited for."""
    page = open_page()
    write(page, " của tôi")
    newsroom.save(body=[{"type": "paragraph", "html": "Nam thêm"}, *BODY])
    save(page)
    state(page, "đã lưu lúc")
    assert page.evaluate(LINES) == ["Nam thêm", "Đoạn 1", "Đoạn 2", "Đoạn 3 của tôi"]
    assert [form["version"] for form in newsroom.posts] == ["1", "2"]
    write(page, " lần hai")
    newsroom.save(body=[{"type": "paragraph", "html": "Đoạn của Nam"}])
    save(page)
    panel = page.locator(".conflicts")
    expect(panel).to_be_visible()
    assert len(newsroom.posts) == 3
    panel.get_by_role("button", name="Giữ của tôi").click()
    assert page.evaluate(LINES)[-1] == "Đoạn 3 của tôi lần hai"
    save(page)
    expect(panel).to_have_count(0)
    state(page, "đã lưu lúc")
    assert len(newsroom.posts) == 4


def test_changed_page_asks_before_it_is_left(open_page: Opener) -> None:
    """The browser asks while something is not saved, and does not when the text is the saved one again."""
    page = open_page()
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", answer)
    write(page, "!")
    with page.expect_event("dialog"):
        page.evaluate("location.assign('about:blank')")
    expect(page.locator(LAST)).to_have_text("Đoạn 3!")
    page.keyboard.press("Backspace")
    page.goto("about:blank")
    assert asked == ["beforeunload"]


def test_ended_session_of_a_page_is_renewed_over_the_text(open_page: Opener, newsroom: NewsroomPage) -> None:
    """A save after the session has ended asks for the log-in, and is sent after it with all that was typed."""
    page = open_page()
    write(page, " còn nguyên")
    newsroom.is_logged_in = False
    page.keyboard.press("Control+s")
    page.fill("dialog input[name=password]", "mật khẩu")
    page.click("dialog button[type=submit]")
    state(page, "đã lưu lúc")
    assert json.loads(newsroom.posts[-1]["body"])[-1]["html"] == "Đoạn 3 còn nguyên"


def test_new_page_that_was_not_saved_is_offered(context: BrowserContext) -> None:
    """The form of a new page offers the text that was never saved, and forgets it by a button."""
    server = NewsroomPage(None, form="page")

    def opened() -> Page:
        page = context.new_page()
        page.goto(server.url)
        page.wait_for_selector(".ProseMirror[contenteditable=true]")
        return page

    page = opened()
    page.fill("input[name=title]", "Giới thiệu")
    write(page, "Thành lập năm 1963.")
    state(page, "máy này giữ bản")
    page.close()
    page = opened()
    expect(page.locator(".notice")).to_contain_text("“Giới thiệu”")
    page.get_by_role("button", name="Mở lại").click()
    expect(page.locator(EDITOR)).to_contain_text("Thành lập năm 1963.")
    page.close()
    page = opened()
    page.get_by_role("button", name="Bỏ trang đó").click()
    page.wait_for_function(IS_FORGOTTEN)
    page.close()
    page = opened()
    page.wait_for_load_state("networkidle")
    assert page.locator(".notice").count() == 0
    server.close()


def test_page_without_a_title_or_description_of_a_picture_is_not_sent(
    open_page: Opener, newsroom: NewsroomPage
) -> None:
    """An empty title, and for the public a picture without caption and description, are named and led to."""
    assert newsroom.article is not None
    figure = {"type": "figure", "caption": "", "credit": None, "image": {"url": "/media/1.jpg", "alt": ""}}
    newsroom.article["body"] = [*BODY, figure]
    page = open_page()
    page.fill("input[name=title]", "")
    save(page)
    expect(page.locator(".notice")).to_contain_text("Chưa có tựa đề")
    assert page.evaluate("document.activeElement.name") == "title"
    page.fill("input[name=title]", "Giới thiệu")
    page.evaluate("document.querySelector('button[value=submit]').value = 'publish'")
    page.click("button[value=publish]")
    expect(page.locator(".notice")).to_contain_text("1 ảnh chưa có chú thích")
    expect(page.locator(".notice")).to_contain_text("1 ảnh chưa có mô tả")
    assert newsroom.posts == []


@pytest.fixture(scope="module")
def clerk(browser: Browser, editors: Editors) -> Editor:
    """Somebody who writes the static pages of a site."""
    return editor(browser, editors, "hoa.trang@haihau.example", "Đỗ Thị Hoa", "publish:haihau")


def write_page(page: Page, folder: Path) -> None:
    """Write a page with bold words, a list from Word, a table and a picture."""
    page.get_by_role("textbox", name="Tựa đề").fill("Giới thiệu huyện Hải Hậu")
    page.click(EDITOR)
    page.keyboard.type("Huyện Hải Hậu ")
    page.keyboard.press("Control+b")
    page.keyboard.type("thành lập năm 1888")
    page.keyboard.press("Control+b")
    page.keyboard.type(".")
    page.keyboard.press("Enter")
    page.evaluate(PASTE, [WORD_LIST, "1. Tiếp dân thứ Năm"])
    page.evaluate(CARET, LAST)
    page.get_by_role("button", name="Bảng", exact=True).click()
    page.fill("dialog input[name=rows]", "2")
    page.fill("dialog input[name=columns]", "2")
    page.click("dialog button[type=submit]")
    page.keyboard.type("Xã")
    page.keyboard.press("Tab")
    page.keyboard.type("Điện thoại")
    page.evaluate(CARET, LAST)
    file = folder / "tru-so.jpg"
    file.write_bytes(photo(8))
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Ảnh", exact=True).click()
    chooser.value.set_files(file)
    figure = page.locator(f"{EDITOR} figure")
    expect(figure.locator("img")).to_have_count(1)
    figure.get_by_label("Mô tả ảnh").fill("Nhà ba tầng")
    figure.locator(".caption").click()
    page.keyboard.type("Trụ sở ủy ban")


def violations(page: Page) -> Any:
    page.evaluate(AXE)
    return page.evaluate("axe.run().then((result) => result.violations.map((one) => one.id + ' ' + one.help))")


def test_page_is_written_with_the_editor_and_shown_to_visitors(
    clerk: Editor, editors: Editors, wait: Callable[..., Any], browser: Browser, tmp_path: Path
) -> None:
    """Bold words, a pasted list, a table and a picture are public as written; without scripts they are Markdown."""
    page = clerk.open("trang/moi?site=haihau")
    assert page.locator("textarea[name=body]").is_hidden()
    write_page(page, tmp_path)
    assert violations(page) == []
    page.get_by_role("button", name="Lưu", exact=True).click()
    page.wait_for_url("**/trang/*done=saved")
    made = page.url.partition("?")[0].rpartition("/")[2]
    assert [one["type"] for one in _body(editors, made)] == ["paragraph", "list", "table", "figure"]
    with page.expect_popup() as popup:
        page.get_by_role("button", name="Xem trước").click()
    expect(popup.value.locator(".preview-banner")).to_contain_text("bản đang soạn của trang")
    expect(popup.value.get_by_text("Trụ sở ủy ban")).to_be_visible()
    popup.value.close()
    page.get_by_role("button", name="Lưu và đăng").click()
    page.wait_for_url("**/trang/*done=published")
    public = editors.call("GET", f"/pages/{made}", scope="read").json()["url"]
    path = public.removeprefix(editors.system.url)
    shown = wait(lambda: (found := editors.system.get(path)).status == 200 and found.text, 40, "the page is public")
    for part in ("<strong>thành lập năm 1888</strong>", "<strong>Tiếp dân</strong> thứ Năm", "Trụ sở ủy ban", "<table"):
        assert part in shown
    before = _body(editors, made)
    plain = browser.new_context(java_script_enabled=False, storage_state=clerk.context.storage_state(), locale="vi-VN")
    form = plain.new_page()
    form.goto(f"{editors.system.url}/ban-bien-tap/trang/{made}")
    text = form.locator("textarea[name=body]").input_value()
    assert "Huyện Hải Hậu **thành lập năm 1888**." in text
    form.locator("textarea[name=body]").fill(f"{text}\n\nThêm một đoạn.")
    form.get_by_role("button", name="Lưu", exact=True).click()
    expect(form.locator("main > .notice")).to_contain_text("Đã lưu")
    assert _body(editors, made) == [*before, {"type": "paragraph", "html": "Thêm một đoạn."}]
    plain.close()
    page.reload()
    page.wait_for_selector(".ProseMirror[contenteditable=true]")
    page.get_by_role("button", name="Gỡ xuống").click()
    page.get_by_role("button", name="Gỡ xuống").click()
    page.wait_for_url("**/trang/*done=withdrawn")
    page.get_by_role("button", name="Xóa", exact=True).click()
    page.get_by_role("button", name="Xóa", exact=True).click()
    page.wait_for_url("**/trang?*done=deleted")
    assert clerk.faults == []
    page.close()


def _body(editors: Editors, page: str) -> list[dict[str, Any]]:
    return list(editors.call("GET", f"/pages/{page}", scope="read").json()["body"])
