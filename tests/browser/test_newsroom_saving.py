"""Saving on the write page while somebody types on: answers that are late, lost or refused, in Chromium."""

import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, FilePayload, Page, Route, expect

from tests.browser.newsroom_page import NewsroomPage, article
from tests.browser.newsroom_steps import LINES, Opener, save, saved, write

BODY = [{"type": "paragraph", "html": f"Đoạn {number}"} for number in range(1, 4)]


@pytest.fixture
def newsroom() -> Iterator[NewsroomPage]:
    page = NewsroomPage(article(BODY))
    yield page
    page.close()


def lines(newsroom: NewsroomPage) -> list[str]:
    """Return the paragraphs of the saved version."""
    assert newsroom.article is not None
    return [block["html"] for block in newsroom.article["body"]]


def hold_form(page: Page) -> list[Route]:
    """Keep the next form that is sent, until somebody lets it go on."""
    held: list[Route] = []

    def handle(route: Route) -> None:
        if held or route.request.method != "POST":
            route.fallback()
        else:
            held.append(route)

    page.route("**/ban-bien-tap/bai-viet/**", handle)
    return held


def until(page: Page, condition: Callable[[], object]) -> None:
    """Wait for something of the server; meanwhile the page's requests are handled."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)


def wait_for_form(page: Page, held: list[Route]) -> Route:
    until(page, lambda: held)
    return held[0]


def test_text_typed_before_a_log_in_is_saved_with_the_rest(open_page: Opener, newsroom: NewsroomPage) -> None:
    """The session ends while a save is on its way and somebody types on: after the log-in all of it is saved."""
    page = open_page()
    newsroom.is_logged_in = False
    held = hold_form(page)
    write(page, " một")
    save(page)
    route = wait_for_form(page, held)
    write(page, " hai")
    route.continue_()
    page.fill("dialog.log-in input[name=password]", "mật khẩu")
    page.click("dialog.log-in button[type=submit]")
    saved(page, 2)
    assert page.evaluate(LINES)[-1] == "Đoạn 3 một hai"
    assert lines(newsroom)[-1] == "Đoạn 3 một hai"


def test_save_without_an_answer_makes_no_conflict_with_itself(open_page: Opener, newsroom: NewsroomPage) -> None:
    """The server has saved, its answer is lost, and somebody types on: the next save asks for no choice."""
    page = open_page()
    held = hold_form(page)
    write(page, " một")
    save(page)
    route = wait_for_form(page, held)
    route.fetch(max_redirects=0)
    route.abort()
    expect(page.locator(".state-text")).to_contain_text("Không lưu được")
    write(page, " hai")
    save(page)
    saved(page, 3)
    assert page.locator(".conflicts").count() == 0
    assert page.evaluate(LINES) == lines(newsroom) == ["Đoạn 1", "Đoạn 2", "Đoạn 3 một hai"]


def test_text_typed_during_a_save_is_kept_while_the_server_forgets(open_page: Opener, newsroom: NewsroomPage) -> None:
    """What was typed before the answer is stored, also if the request to forget the unsaved text never ends."""
    page = open_page()
    held = hold_form(page)
    page.route("**/autosave?*", lambda _: None)  # the server dies after the save
    write(page, " một")
    expect(page.locator(".state-text")).to_contain_text("đã lưu tạm")
    save(page)
    route = wait_for_form(page, held)
    write(page, " hai")
    route.continue_()
    expected = "Đoạn 3 một hai"
    until(page, lambda: newsroom.autosaves[-1]["fields"]["body"][-1]["html"] == expected)
    assert newsroom.autosaves[-1]["base_version"] == 2
    page.reload()
    expect(page.locator(".editor-text > p").last).to_have_text(expected)
    assert page.locator(".conflicts").count() == 0


def test_pictures_go_on_after_a_moment_without_network(
    context: BrowserContext, open_page: Opener, newsroom: NewsroomPage
) -> None:
    """The network is gone while pictures are uploaded: none has failed, and all are there once it is back."""
    newsroom.upload_seconds = 0.2
    page = open_page()
    files = [FilePayload(name=f"{number}.jpg", mimeType="image/jpeg", buffer=b"%d" % number) for number in range(6)]
    context.set_offline(True)
    page.locator(".editor > input[type=file]").set_input_files(files)
    expect(page.locator(".editor-text figure")).to_have_count(6)
    page.wait_for_timeout(500)
    assert page.get_by_role("button", name="Thử lại").count() == 0
    context.set_offline(False)
    expect(page.locator(".editor-text figure img[src^='/media/']")).to_have_count(6)
    assert sorted(newsroom.uploads) == [b"%d" % number for number in range(6)]
