"""The newsroom's scripts in Chromium on the real system: photos, checks, publication, comments, front page."""

import re
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Locator, Page

from tests.browser.newsroom_people import Editor, editor
from tests.browser.test_newsroom import AXE
from tests.e2e.conftest import Editors

EDITOR = ".editor-text"
IN_CAPTION = """() => {
  const { anchorNode: node } = getSelection();
  return (node.closest ? node : node.parentElement).closest("figcaption") !== null;
}"""
READ = "async (id) => (await fetch(`/api/articles/${id}`)).json()"
UPLOADS_MAX = 2
"""That run at once."""
SECONDS_MAX = 60
Opener = Callable[..., Page]


@pytest.fixture(scope="module")
def people(system: Any, browser: Browser) -> dict[str, Editor]:
    """Somebody who publishes, and somebody who writes."""
    editors, place = Editors(system), f"{uuid.uuid4().hex}.example"
    return {
        "publish": editor(browser, editors, f"hoa@{place}", "Vũ Hòa", "publish:haihau"),
        "write": editor(browser, editors, f"mai@{place}", "Đỗ Mai", "write:haihau:tin-tuc"),
    }


@pytest.fixture
def open_page(people: dict[str, Editor]) -> Iterator[Opener]:
    """Open a page with its scripts; their errors, violations of the policy and missing pages fail the test."""
    pages, missing = [], list[str]()

    def opened(person: str, path: str) -> Page:
        page = people[person].open(path)
        pages.append(page)
        page.set_viewport_size({"width": 1280, "height": 900})
        page.on("response", lambda one: missing.append(one.url) if one.status == 404 else None)
        return page

    yield opened
    for page in pages:
        page.close()
    assert missing == people["publish"].faults == people["write"].faults == []


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS_MAX
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def photos(folder: Path, count: int) -> list[str]:
    """Make photos that no library has."""
    files = []
    for number in range(count):
        picture = Image.linear_gradient("L").resize((900, 600)).convert("RGB")
        ImageDraw.Draw(picture).text((40, 40), f"{uuid.uuid4()} {number}", fill="white")
        files.append(str(folder / f"le-hoi-{number}.jpg"))
        picture.save(files[-1], quality=80)
    return files


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def written(page: Page, title: str, *lines: str) -> None:
    """Write an article into the empty page."""
    page.wait_for_selector(f"{EDITOR}[contenteditable=true]")
    page.locator("textarea[name=title]").fill(title)
    page.locator("textarea[name=lead]").fill("Sáng 4/3, làng mở hội.")
    if not page.locator("select[name=section]").input_value():
        page.locator("select[name=section]").select_option("tin-tuc")
    page.locator(EDITOR).click()
    for line in lines:
        page.keyboard.type(line)
        page.keyboard.press("Enter")


def saved(page: Page) -> str:
    """Save a new article, and return its ID."""
    press(page, "Lưu")
    page.wait_for_url(re.compile(r"/bai-viet/[0-9a-f-]{36}"))
    page.wait_for_selector(f"{EDITOR}[contenteditable=true]")
    return page.url.partition("?")[0].rpartition("/")[2]


def published(page: Page, button: str) -> str:
    """Publish by a button; return the address that the page shows once it is public."""
    with page.expect_navigation(url=re.compile(r"publication=\d+"), wait_until="commit"):
        press(page, button)
    assert page.locator(".publication").inner_text()
    link = page.locator(".publication a")
    link.wait_for()
    assert "publication" not in page.url
    return str(link.get_attribute("href"))


def test_photo_story_is_written_checked_and_followed_to_its_address(
    system: Any, open_page: Opener, tmp_path: Path
) -> None:
    """Seven photos go up two at a time; what is missing is named and found; the page shows the way to the address."""
    page = open_page("publish", "bai-viet/moi?site=haihau")
    written(page, "Lễ hội làng Kiên Trung", "Từ sáng sớm, bà con đã đông đủ.")
    with page.expect_file_chooser() as chooser:
        press(page, "Ảnh")
    chooser.value.set_files(photos(tmp_path, 7))
    running = []

    def all_are_shown() -> bool:
        running.append(page.locator(".pending-note.uploading").count())
        return page.locator(f"{EDITOR} figure img").count() == 7

    until(all_are_shown)
    assert 0 < max(running) <= UPLOADS_MAX
    saved(page)
    page.evaluate("window.isSame = true")
    page.locator(f"{EDITOR} > p").first.click()
    page.keyboard.press("End")
    page.keyboard.type(" Trống hội vang xa.")
    press(page, "Lưu")
    until(lambda: "lưu bản 2" in page.inner_text(".state-text"))
    assert page.evaluate("window.isSame"), "a save stays in the page"
    assert "bản 2" in page.inner_text("#state")

    press(page, "Đăng")
    assert "7 ảnh chưa có chú thích" in page.inner_text(".editor-panel.notice")
    assert page.evaluate(IN_CAPTION)
    for number, figure in enumerate(page.locator(f"{EDITOR} figure").all()):
        if number:
            figure.locator("figcaption").click()
        page.keyboard.type(f"Rước kiệu, ảnh {number}")
        figure.locator(".alt input").fill(f"Đoàn rước kiệu {number}")
    until(lambda: page.locator(".checklist .blocking").count() == 0)
    address = published(page, "Đăng")
    assert "Trống hội vang xa." in system.get(address).text
    assert "Đang đăng" in page.inner_text("#state")
    page.locator("textarea[name=title]").fill("Lễ hội làng Kiên Trung đông vui")
    address = published(page, "Sửa trang đang đăng")
    assert "Lễ hội làng Kiên Trung đông vui" in system.get(address).text


def test_checks_lead_to_their_places(open_page: Opener) -> None:
    """Each line of the list that is not done leads to its field; the list has the state of the text; axe is content."""
    page = open_page("write", "bai-viet/moi?site=haihau")
    written(page, "", "Xem thêm")
    for name, focused in (("Chưa có tựa đề", "title"), ("Chưa có sapo", "lead")):
        if name == "Chưa có sapo":
            page.locator("textarea[name=lead]").fill("")
        page.locator(".checklist").get_by_role("button", name=name).click()
        assert page.evaluate("document.activeElement.name") == focused
    page.locator("textarea[name=authors]").fill("")
    page.locator(".checklist").get_by_role("button", name="Chưa ghi tác giả").click()
    assert page.evaluate("document.activeElement.name") == "authors"
    page.locator(".checklist").get_by_role("button", name="Bài chưa có ảnh").click()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Ảnh"
    page.locator("textarea[name=title]").fill("Có tựa")
    until(lambda: "Có tựa đề" in page.inner_text(".checklist .done >> nth=0"))
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [one["id"] for one in found["violations"]] == []


def test_new_article_is_named_incomplete_and_offered_on_another_computer(
    system: Any, people: dict[str, Editor], open_page: Opener
) -> None:
    """A save without a section says so in the page's language; the text is offered wherever its writer goes on."""
    title = f"Bài viết dở {uuid.uuid4().hex[:8]}"
    page = open_page("publish", "bai-viet/moi?site=haihau")
    page.locator("select[name=section]").select_option("")
    page.locator("textarea[name=title]").fill(title)
    press(page, "Lưu")
    assert "Chưa lưu được, còn thiếu: Chưa chọn chuyên mục" in " ".join(page.inner_text(".editor-panel.notice").split())
    assert page.evaluate("document.activeElement.name") == "section"
    until(lambda: "đã lưu tạm" in page.inner_text(".state-text"))
    context = people["publish"].context
    assert context.browser is not None
    elsewhere = context.browser.new_context(locale="vi-VN", storage_state=context.storage_state())
    other = elsewhere.new_page()
    other.goto(f"{system.url}/ban-bien-tap/bai-viet/moi?site=haihau")
    other.locator(".editor-panel.notice", has_text=title).get_by_role("button", name="Mở lại").click()
    until(lambda: other.locator("textarea[name=title]").input_value() == title)
    other.locator("select[name=section]").select_option("tin-tuc")
    assert saved(other)
    other.goto(f"{system.url}/ban-bien-tap/bai-viet/moi?site=haihau")
    other.wait_for_selector(f"{EDITOR}[contenteditable=true]")
    other.locator("select[name=section]").select_option("tin-tuc")
    other.wait_for_timeout(3_000)
    assert title not in other.inner_text("main")
    assert "lưu tạm" not in other.inner_text(".state-text"), "nothing was written"
    elsewhere.close()


def test_library_pictures_are_searched_and_inserted(system: Any, open_page: Opener, tmp_path: Path) -> None:
    """Pictures that were uploaded before are found by their texts, and come with them."""
    page = open_page("write", "anh-va-tep?site=haihau")
    words = f"Hội thi {uuid.uuid4().hex[:8]}"
    page.locator("input[type=file]").set_input_files(photos(tmp_path, 1))
    page.locator(".upload button").click()
    page.locator(".pictures a").first.click()
    page.locator("textarea[name=caption]").fill(words)
    page.locator("button[value=describe]").click()
    page.goto(f"{system.url}/ban-bien-tap/bai-viet/moi?site=haihau")
    written(page, "Hội thi nấu cơm", "Mười đội dự thi.")
    press(page, "Ảnh trong kho")
    page.get_by_label("Tìm theo tên").fill(words)
    until(lambda: page.locator(".library li").count() == 1)
    press(page, "Chèn")
    assert "ít nhất một ảnh" in page.inner_text("dialog .problem")
    page.locator(".library input").check()
    press(page, "Chèn")
    assert page.locator(f"{EDITOR} figcaption").inner_text() == words
    until(lambda: page.locator(f"{EDITOR} figure img").evaluate("one => one.naturalWidth") > 0)


def test_related_article_is_found_by_title_or_address_and_stays_a_card(system: Any, open_page: Opener) -> None:
    """The dialog finds drafts too, by words or by a pasted address; the card keeps its title after the page is left."""
    page = open_page("write", "bai-viet/moi?site=haihau")
    title = f"Lễ hội {uuid.uuid4().hex[:8]}"
    written(page, title, "Một đoạn.")
    other = saved(page)
    known = page.evaluate(READ, other)
    page.goto(f"{system.url}/ban-bien-tap/bai-viet/moi?site=haihau")
    written(page, "Sau lễ hội", "Một đoạn.")
    for typed in (title, f"{system.url}/{known['slug']}-{known['number']}.html"):
        press(page, "Bài liên quan")
        page.get_by_label("Tìm theo tựa đề").fill(typed)
        until(lambda: page.locator("dialog .articles li").count() == 1)
        assert "chưa đăng" in page.inner_text("dialog .articles li")
        page.locator("dialog .articles input").check()
        press(page, "Chèn")
    cards = page.locator(f"{EDITOR} .related")
    until(lambda: cards.count() == 2 and title in cards.last.inner_text())
    article = saved(page)
    body = page.evaluate(READ, article)["body"]
    card = {"type": "related", "article": other, "number": known["number"]}
    assert [one for one in body if one["type"] == "related"] == [card, card]
    page.reload()
    until(lambda: cards.count() == 2 and title in cards.first.inner_text())


def test_picture_for_lists_is_uploaded_chosen_and_seen_by_the_reviewer(
    system: Any, open_page: Opener, tmp_path: Path
) -> None:
    """The picture of lists is taken from the computer or the library, has its words, and is shown in the review."""
    page = open_page("publish", "bai-viet/moi?site=haihau")
    written(page, f"Ảnh đại diện {uuid.uuid4().hex[:8]}", "Một đoạn.")
    lead = page.locator(".lead-picture")
    with page.expect_file_chooser() as chooser:
        lead.get_by_role("button", name="Chọn ảnh từ máy…").click()
    chooser.value.set_files(photos(tmp_path, 1))
    until(lambda: lead.locator("img").count() == 1 and lead.locator("img").evaluate("one => one.naturalWidth"))
    page.locator(".checklist").get_by_role("button", name="Ảnh đại diện chưa có").click()
    page.keyboard.type('Cổng làng "mới" {2026}')
    lead.get_by_label("Mô tả ảnh").fill("Cổng làng")
    lead.get_by_label("Nguồn ảnh").fill("Lan [ảnh]")
    article = saved(page)
    assert lead.get_by_label("Chú thích ảnh").input_value() == 'Cổng làng "mới" {2026}'
    until(lambda: lead.locator("img").count() == 1)
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [one["id"] for one in found["violations"]] == []
    first = lead.locator("img").get_attribute("src")
    lead.get_by_role("button", name="Chọn ảnh trong kho…").click()
    page.locator(".library input").nth(1).check()
    press(page, "Chèn")
    until(lambda: lead.locator("img").get_attribute("src") != first)
    lead.get_by_role("button", name="Bỏ ảnh này").click()
    assert lead.locator("img").count() == 0
    page.reload()  # the unsaved text comes back, without the picture
    until(lambda: lead.get_by_role("button", name="Chọn ảnh trong kho…").is_visible())
    until(lambda: lead.locator("img").count() == 0)
    press(page, "Dùng bản đã lưu")
    until(lambda: lead.locator("img").count() == 1)
    page.goto(f"{system.url}/ban-bien-tap/bai-viet/{article}/duyet")
    page.get_by_text("Chuyên mục, thẻ").click()
    shown = page.locator("img.compared")
    until(lambda: shown.count() == 1 and shown.evaluate("one => one.naturalWidth") > 0)


def test_comments_of_two_people_stay_with_their_paragraphs(system: Any, open_page: Opener) -> None:
    """One comments on a paragraph, the other sees it there, also after the text has moved, and resolves it."""
    page = open_page("write", "bai-viet/moi?site=haihau")
    written(page, "Cầu mới qua sông Múc", "Cây cầu dài 42 m.", "Thay cho cầu gỗ cũ.")
    article = saved(page)
    other = open_page("publish", f"bai-viet/{article}")
    other.locator(f"{EDITOR} > p", has_text="Thay cho").click()
    press(other, "Nhận xét đoạn này")
    other.locator("dialog textarea").fill("Cầu gỗ có từ năm nào?")
    press(other, "Gửi nhận xét")
    assert "Cầu gỗ có từ năm nào?" in other.locator(".thread").inner_text()
    page.locator(f"{EDITOR} > p").first.click()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.keyboard.type("Xe tải đi được.")
    until(lambda: "lưu tạm" in page.inner_text(".state-text"))
    page.reload()
    until(lambda: page.locator(".thread").count() == 1)
    before = page.locator(".thread").evaluate("one => one.previousElementSibling.textContent")
    assert before == "Thay cho cầu gỗ cũ."
    page.locator(f"{EDITOR} > p").nth(1).click()
    press(page, "Nhận xét đoạn này")
    assert "chưa lưu" in page.inner_text(".editor-panel.notice")
    press(page, "Đã xong")
    until(lambda: page.locator(".thread details").count() == 1)
    page.locator(f"{EDITOR} > p").nth(1).click()
    page.keyboard.type("!")
    press(page, "Lưu")
    until(lambda: "lưu bản 2" in page.inner_text(".state-text"))
    other.goto(f"{system.url}/ban-bien-tap/bai-viet/{article}/duyet")
    assert "Đỗ Mai đã đánh dấu xong" in other.locator("#block-2").inner_text()
    press(other, "Xóa nhận xét")
    assert other.locator("#block-2 .comment").count() == 0


def titles(slots: Locator) -> list[str]:
    return [one.evaluate("one => one.selectedOptions[0].textContent") for one in slots.locator("select").all()]


@pytest.fixture
def stories(open_page: Opener) -> list[str]:
    """Two live articles, by title."""
    page = open_page("publish", "bai-viet/moi?site=haihau")
    made = []
    for _ in range(2):
        made.append(f"Tin {uuid.uuid4().hex[:10]}")
        page.goto(page.url.partition("/bai-viet/")[0] + "/bai-viet/moi?site=haihau")
        written(page, made[-1], "Một đoạn.")
        published(page, "Đăng")
    return made


def dragged_by_touch(page: Page, handle: Locator, place: Locator) -> None:
    """Drag something to the upper edge of a place with a finger."""
    handle.scroll_into_view_if_needed()
    begin, end = handle.bounding_box(), place.bounding_box()
    assert begin
    assert end
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    scrolled = page.evaluate("scrollY")
    x, at, to = begin["x"] + 8, begin["y"] + 8, end["y"] + 2
    steps = [("touchStart", at), *(("touchMove", at + (to - at) * step / 8) for step in range(1, 9))]
    for kind, y in steps:
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert page.evaluate("scrollY") == scrolled, "a finger on the handle drags, and does not scroll"
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": False})
    session.detach()


def test_front_page_is_ordered_by_drag_keys_and_buttons(open_page: Opener, stories: list[str]) -> None:
    """A slot is dragged by mouse and finger, moved by keys and buttons; nothing is public before it is saved."""
    page = open_page("publish", "trang-nhat?site=haihau")
    slots = page.locator("ol.slots > li")
    for number, title in enumerate(stories):
        slots.nth(number).locator("select").select_option(label=title)
        assert slots.nth(number).locator("input[name=until]").input_value(), "an end is proposed"
    press(page, "Lưu lên trang nhất")
    slots = page.locator("ol.slots > li")
    assert titles(slots)[:2] == stories
    page.evaluate("window.isSame = true")
    handle, third = slots.nth(0).locator(".handle").bounding_box(), slots.nth(2).bounding_box()
    assert handle
    assert third
    page.mouse.move(handle["x"] + 8, handle["y"] + 8)
    page.mouse.down()
    page.mouse.move(handle["x"] + 8, third["y"] + 2, steps=6)
    page.mouse.up()
    assert titles(slots)[:2] == stories[::-1]
    assert "vị trí 2" in page.inner_text(".unsaved")
    for wanted in (stories, stories[::-1]):
        dragged_by_touch(page, slots.nth(1).locator(".handle"), slots.nth(0))
        assert titles(slots)[:2] == wanted
    slots.nth(1).locator(".handle").focus()
    page.keyboard.press("ArrowUp")
    assert titles(slots)[:2] == stories
    page.keyboard.press("End")
    assert titles(slots)[-1] == stories[0]
    page.keyboard.press("Home")
    slots.nth(0).locator("button[value^=down]").click()
    assert titles(slots)[:2] == stories[::-1]
    assert page.evaluate("window.isSame")
    press(page, "Lưu lên trang nhất")
    assert titles(page.locator("ol.slots > li"))[:2] == stories[::-1]
    for number in range(2):
        page.locator("ol.slots > li").nth(number).locator("select").select_option("")
    press(page, "Lưu lên trang nhất")


def test_article_opens_on_a_phone_without_a_wider_page(open_page: Opener) -> None:
    """The write page of a phone is as wide as its screen, with its tools in one row that scrolls."""
    page = open_page("write", "bai-viet/moi?site=haihau")
    page.set_viewport_size({"width": 375, "height": 740})
    written(page, "Tin ngắn trên điện thoại", "Một đoạn.")
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    box = page.locator(".tools").first.bounding_box()
    assert box
    assert box["height"] < 60
