"""What tests do on the write page of the newsroom, and what they look at."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.conftest import Editors

EDITOR = ".editor-text"
LAST = f"{EDITOR} > p:last-child"
PASTE = """([html, text]) => {
  const data = new DataTransfer();
  if (html) data.setData("text/html", html);
  data.setData("text/plain", text);
  const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
  document.querySelector(".editor-text").dispatchEvent(event);
}"""
CARET = """(selector) => {
  const element = document.querySelector(selector);
  document.querySelector(".editor-text").focus();
  getSelection().selectAllChildren(element);
  getSelection().collapseToEnd();
}"""
LINES = "[...document.querySelectorAll('.editor-text > p')].map((line) => line.textContent)"


Opener = Callable[[], Page]


@contextmanager
def editor_pages(context: BrowserContext, url: str) -> Iterator[Opener]:
    """Open pages with the editor; errors of their script and violations of their policy fail the test at the end."""
    faults: list[str] = []

    def open_it() -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if "Content Security" in message.text else None)
        page.goto(url)
        page.wait_for_selector(".ProseMirror[contenteditable=true]")
        page.wait_for_load_state("networkidle")
        return page

    yield open_it
    assert not faults


def draft(editors: Editors, title: str, *lines: str) -> str:
    """Create a draft of some paragraphs; return its ID."""
    body = "".join(f"<p>{line}</p>" for line in lines or ("Đoạn 1", "Đoạn 2", "Đoạn 3"))
    return str(editors.create(title, body=body)["id"])


def stored(editors: Editors, article: str) -> dict[str, Any]:
    return dict(editors.call("GET", f"/articles/{article}", scope="read").json())


def write(page: Page, text: str, place: str = LAST) -> None:
    page.evaluate(CARET, place)
    page.keyboard.type(text)


def save(page: Page) -> None:
    page.get_by_role("button", name="Lưu", exact=True).click()


def saved(page: Page, version: int) -> None:
    """Wait until the page, or the one after it, says that a version is saved."""
    said = re.compile(f"lưu bản {version}|^Đã lưu\\.")
    expect(page.locator(".state-text, main > .notice").filter(has_text=said).first).to_be_visible()
