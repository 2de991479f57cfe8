"""The page of the live version in Chromium, with a small server behind it: the text is written as on the write page."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page

from tests.browser.newsroom_page import NewsroomPage, article
from tests.browser.newsroom_steps import editor_pages, write

BODY: list[dict[str, Any]] = [
    {"type": "heading", "html": "Chợ", "level": 2},
    {"type": "paragraph", "html": "Đoạn <strong>đậm</strong> xong"},
]


@pytest.fixture
def newsroom() -> Iterator[NewsroomPage]:
    page = NewsroomPage(article(BODY), form="live")
    yield page
    page.close()


@pytest.fixture
def page(browser: Browser, newsroom: NewsroomPage) -> Iterator[Page]:
    """The page of the live version."""
    context = browser.new_context()
    with editor_pages(context, newsroom.url) as open_page:
        yield open_page()
        context.close()


def test_live_text_is_written_without_markdown_and_sent_as_blocks(page: Page, newsroom: NewsroomPage) -> None:
    """The editor has the live text; what was not touched is sent as it is, and a double click sends once."""
    assert page.locator(".editor-text strong").inner_text() == "đậm"
    assert page.locator("textarea[name=body]").is_hidden()
    assert newsroom.autosaves == newsroom.presences == []
    write(page, " đã sửa")
    page.evaluate("for (const _ of [1, 2]) document.querySelector('button[value=save]').click()")
    page.wait_for_url("**saved=1")
    (sent,) = newsroom.posts
    assert json.loads(sent["body"]) == [BODY[0], {"type": "paragraph", "html": "Đoạn <strong>đậm</strong> xong đã sửa"}]
    assert sent["body_format"] == "blocks"


def test_live_page_without_what_readers_need_is_not_sent(page: Page, newsroom: NewsroomPage) -> None:
    """An empty title is named at its field, nothing is sent, and the page asks before it is left."""
    write(page, " mới")
    page.get_by_label("Tiêu đề").fill("")
    page.get_by_role("button", name="Lưu", exact=True).click()
    assert page.locator(".notice").is_visible()
    assert page.evaluate("document.activeElement.name") == "title"
    assert newsroom.posts == []
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", answer)
    page.goto("about:blank")
    assert asked == ["beforeunload"]
