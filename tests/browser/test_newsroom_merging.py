"""The write page takes in what another has saved while words are composed and pictures are uploaded."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.newsroom_page import NewsroomPage, article
from tests.browser.newsroom_people import photo
from tests.browser.newsroom_steps import CARET, EDITOR, LAST, LINES, editor_pages

BODY = [{"type": "paragraph", "html": f"Đoạn {number}"} for number in range(1, 4)]


class SlowNewsroom(NewsroomPage):
    """A server that answers forms and uploads when the test lets it."""

    def __post_init__(self) -> None:
        self.forms, self.pictures = threading.Event(), threading.Event()
        self.has_form, self.has_read = threading.Event(), threading.Event()
        super().__post_init__()

    def respond(self, method: str, path: str, body: bytes, headers: Any) -> tuple[int, str, bytes, dict[str, str]]:
        """Wait where the test says so."""
        is_api = path.startswith("/api/")
        if method == "POST" and not is_api:
            self.has_form.set()
            self.forms.wait(60)
        if method == "POST" and path.startswith("/api/media"):
            self.pictures.wait(60)
        answer = super().respond(method, path, body, headers)
        if method == "GET" and self.posts and not is_api:
            self.has_read.set()
        return answer


@pytest.fixture
def newsroom() -> Iterator[SlowNewsroom]:
    page = SlowNewsroom(article(BODY))
    yield page
    page.forms.set()
    page.pictures.set()
    page.close()


@pytest.fixture
def page(browser: Browser, newsroom: SlowNewsroom) -> Iterator[Page]:
    context = browser.new_context()
    with editor_pages(context, newsroom.url) as open_page:
        yield open_page()
    context.close()


def test_merge_that_comes_within_a_word_waits_for_its_end(page: Page, newsroom: SlowNewsroom) -> None:
    """Who types on after saving keeps the word that is composed and the focus when another's version is taken in."""
    newsroom.save(lead="Sapo của Nam")
    lead = page.locator("textarea[name=lead]")
    lead.press("End")
    page.keyboard.press("Control+s")
    assert newsroom.has_form.wait(60)
    devtools = page.context.new_cdp_session(page)
    page.keyboard.type(" ")
    for text in ("n", "ng", "ngo", "ngoă"):
        devtools.send("Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)})
    newsroom.forms.set()
    assert newsroom.has_read.wait(60)
    time.sleep(0.5)  # time for a page that would not wait
    devtools.send("Input.insertText", {"text": "ngoằn"})
    expect(page.locator(".conflicts")).to_be_visible()
    page.keyboard.type(" ngoèo")
    expect(lead).to_have_value("A ngoằn ngoèo")


def test_pictures_that_are_uploaded_stay_when_another_has_saved(page: Page, newsroom: SlowNewsroom) -> None:
    """A merge while pictures are on their way, one with a caption, leaves their uploads with their figures."""
    page.evaluate(CARET, LAST)
    page.keyboard.press("Enter")
    files: Any = [{"name": "anh.jpg", "mimeType": "image/jpeg", "buffer": photo(number)} for number in range(3)]
    page.set_input_files(".editor input[type=file][multiple]", files)
    expect(page.locator(f"{EDITOR} figure.pending")).to_have_count(3)
    page.evaluate(CARET, f"{EDITOR} figure:nth-of-type(2) figcaption")
    page.keyboard.type("Chợ phiên")
    newsroom.save(body=[{"type": "paragraph", "html": "Nam thêm"}, *BODY])
    newsroom.forms.set()
    page.keyboard.press("Control+s")
    expect(page.locator(f"{EDITOR} > p").first).to_have_text("Nam thêm")
    newsroom.pictures.set()
    expect(page.locator(f"{EDITOR} figure img")).to_have_count(3, timeout=60_000)
    assert page.locator(f"{EDITOR} figcaption").all_inner_texts()[1] == "Chợ phiên"
    assert len(newsroom.uploads) == 3
    assert page.evaluate(LINES)[:4] == ["Nam thêm", "Đoạn 1", "Đoạn 2", "Đoạn 3"]
