"""Vietnamese typed into the write page, by keys as UniKey sends them and by compositions, in Chromium and Firefox."""

import json
import time
import unicodedata
from collections.abc import Iterator
from typing import Any, Protocol

import pytest

from tests.browser.chromium import Chromium, Tab
from tests.browser.firefox import Firefox
from tests.browser.newsroom_page import NewsroomPage, article
from tests.browser.vietnamese import BACKSPACE, SENTENCES, keys, parts, shown

LETTERS = [
    *("aàảãáạăằẳẵắặâầẩẫấậbcdđeèẻẽéẹêềểễếệghiìỉĩíịklmnoòỏõóọôồổỗốộơờởỡớợpqrstuùủũúụưừửữứựvxyỳỷỹýỵ"),
    *("AÀẢÃÁẠĂẰẲẴẮẶÂẦẨẪẤẬBCDĐEÈẺẼÉẸÊỀỂỄẾỆGHIÌỈĨÍỊKLMNOÒỎÕÓỌÔỒỔỖỐỘƠỜỞỠỚỢPQSTUÙỦŨÚỤƯỪỬỮỨỰVXYỲỶỸÝỴ"),
]
CELL = {"html": "A", "header": False, "colspan": 1, "rowspan": 1}
IMAGE = {"url": "/media/a.jpg", "alt": "A", "width": 64, "height": 40, "media": "a" * 64, "renditions": [], "crops": []}
BODY: list[dict[str, Any]] = [
    {"type": "paragraph", "html": "A"},
    {"type": "heading", "html": "A", "level": 2},
    {
        "type": "list",
        "items": [{"html": "A", "items": [{"html": "A", "items": [], "ordered": False}], "ordered": False}],
    },
    {"type": "quote", "paragraphs": ["A"], "cite": "A"},
    {"type": "figure", "caption": "A", "credit": "A", "image": {**IMAGE, "focus": None, "bytes": None}},
    {"type": "table", "rows": [[CELL, CELL]], "caption": ""},
    {"type": "paragraph", "html": "A"},
]
BODY[2]["ordered"] = False
EDITOR = ".editor-text"
PLACES = {
    "paragraph": f"{EDITOR} > p",
    "heading": f"{EDITOR} > h2",
    "list": f"{EDITOR} > ul > li > p",
    "list in a list": f"{EDITOR} ul ul p",
    "quotation": f"{EDITOR} blockquote p",
    "author of a quotation": f"{EDITOR} footer",
    "caption": f"{EDITOR} figcaption",
    "credit": f"{EDITOR} .credit",
    "cell": f"{EDITOR} td p",
    "alt": f"{EDITOR} .alt input",
    "title": "input[name=title]",
    "lead": "textarea[name=lead]",
}
TO_PLACE = """
const element = document.querySelector(arguments[0]);
if ("value" in element) {
  element.focus();
  element.setSelectionRange(element.value.length, element.value.length);
} else {
  document.querySelector(".editor-text").focus();
  getSelection().selectAllChildren(element);
  getSelection().collapseToEnd();
}
"""
READ = """
const element = document.querySelector(arguments[0]);
return "value" in element ? element.value : element.textContent;
"""
LINES = "return [...document.querySelectorAll('.editor-text > p')].map((line) => line.textContent)"
READY = "return document.querySelector('.editor-text')?.isContentEditable ?? false"


class Typist(Protocol):
    """Somebody at a browser, with one way of typing."""

    def open(self, url: str) -> None: ...

    def js(self, script: str, *arguments: Any) -> Any: ...

    def write(self, text: str) -> None: ...

    def enter(self) -> None: ...

    def backspace(self) -> None: ...

    def control(self, key: str) -> None: ...


Message = tuple[str, dict[str, Any]]
Action = tuple[str, Any, Any]


class ChromiumKeys:
    """UniKey in Chromium: real keys."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab

    def open(self, url: str) -> None:
        self.tab.go(url)

    def js(self, script: str, *arguments: Any) -> Any:
        given = json.dumps(arguments)
        return self.tab.js(f"(function() {{ {script} }}).apply(null, {given})")

    def key(self, key: str, code: str, number: int, text: str = "", modifiers: int = 0) -> list[Message]:
        event: dict[str, Any] = {"key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": modifiers}
        typed = {"text": text, "unmodifiedText": text} if text else {}
        down = {"type": "keyDown" if text else "rawKeyDown", **event, **typed}
        return [("dispatchKeyEvent", down), ("dispatchKeyEvent", {"type": "keyUp", **event})]

    def keys(self, text: str) -> list[Message]:
        sent: list[Message] = []
        for one in keys(text):
            if one == BACKSPACE:
                sent += self.key("Backspace", "Backspace", 8)
            elif one.isascii() and one.isalnum():
                code = f"Key{one.upper()}" if one.isalpha() else f"Digit{one}"
                sent += self.key(one, code, ord(one.upper()), one)
            else:
                sent += self.key(one, "", 231, one)
        return sent

    def write(self, text: str) -> None:
        self.tab.input(self.keys(text))

    def enter(self) -> None:
        self.tab.input(self.key("Enter", "Enter", 13, "\r"))

    def backspace(self) -> None:
        self.tab.input(self.key("Backspace", "Backspace", 8))

    def control(self, key: str) -> None:
        self.tab.input(self.key(key, f"Key{key.upper()}", ord(key.upper()), modifiers=2))


class ChromiumCompositions(ChromiumKeys):
    """An input method in Chromium: words are composed and committed."""

    def composition(self, text: str) -> Message:
        return "imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)}

    def compose(self, text: str) -> None:
        self.tab.input([self.composition(text)])

    def commit(self, text: str) -> None:
        self.tab.input([("insertText", {"text": text})])

    def write(self, text: str) -> None:
        sent: list[Message] = []
        for part in parts(text):
            if part.isalpha():
                sent += [self.composition(now) for now in shown(part)]
                sent.append(("insertText", {"text": part}))
            else:
                sent += self.keys(part)
        self.tab.input(sent)


class FirefoxKeys:
    """UniKey in Firefox: real keys."""

    def __init__(self, firefox: Firefox) -> None:
        self.firefox = firefox
        self.open, self.js = firefox.open, firefox.js

    def keys(self, text: str) -> list[Action]:
        return [("key", one, None) for one in keys(text)]

    def write(self, text: str) -> None:
        self.firefox.input(self.keys(text))

    def enter(self) -> None:
        self.firefox.input([("key", "\n", None)])

    def backspace(self) -> None:
        self.firefox.input([("key", BACKSPACE, None)])

    def control(self, key: str) -> None:
        self.firefox.input([("control", key, None)])


class FirefoxCompositions(FirefoxKeys):
    """An input method in Firefox: words are composed and committed."""

    def write(self, text: str) -> None:
        actions: list[Action] = []
        for part in parts(text):
            actions += [("compose", shown(part), part)] if part.isalpha() else self.keys(part)
        self.firefox.input(actions)


@pytest.fixture(scope="module")
def chromium_tab() -> Iterator[Tab]:
    browser = Chromium("Mozilla/5.0 (X11; Linux x86_64) Chrome/150.0")
    tab = browser.open("about:blank")
    yield tab
    browser.close()


@pytest.fixture(scope="module")
def firefox() -> Iterator[Firefox]:
    firefox = Firefox()
    yield firefox
    firefox.close()


@pytest.fixture(params=[ChromiumKeys, ChromiumCompositions, FirefoxKeys, FirefoxCompositions])
def typist(request: pytest.FixtureRequest) -> Typist:
    kind = request.param
    is_chromium = issubclass(kind, ChromiumKeys)
    typist: Typist = kind(request.getfixturevalue("chromium_tab" if is_chromium else "firefox"))
    return typist


@pytest.fixture
def newsroom() -> Iterator[NewsroomPage]:
    page = NewsroomPage(article(BODY))
    yield page
    page.close()


def open_page(typist: Typist, newsroom: NewsroomPage) -> None:
    typist.open(newsroom.url)
    until(lambda: typist.js(READY))


def until(condition: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def agrees(found: Any, wanted: Any) -> None:
    """Wait until the page shows what was typed: Firefox gives keys to the process of the page, which takes its time."""
    deadline = time.monotonic() + 60
    while found() != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found() == wanted


def read(typist: Typist, place: str) -> str:
    return unicodedata.normalize("NFC", typist.js(READ, PLACES[place]))


def test_sentences_have_every_vietnamese_letter() -> None:
    """The corpus has at least 40 sentences, and all letters with all tones, small and capital."""
    assert len(SENTENCES) >= 40
    assert set("".join(LETTERS)) <= set("".join(SENTENCES))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("sentences", [SENTENCES[-12::2], pytest.param(SENTENCES, marks=pytest.mark.long)], ids=len)
def test_sentences_are_typed_without_a_wrong_character(
    typist: Typist, newsroom: NewsroomPage, sentences: list[str]
) -> None:
    """Every sentence, with Enter after each, is in the text as it was meant: a few with most letters, or the corpus."""
    open_page(typist, newsroom)
    typist.js(TO_PLACE, f"{EDITOR} > p:last-child")
    typist.backspace()
    for sentence in sentences:
        typist.write(sentence)
        typist.enter()
    agrees(lambda: typist.js(LINES), ["A", *sentences, ""])


@pytest.mark.timeout(300)
def test_every_place_takes_vietnamese_text(typist: Typist, newsroom: NewsroomPage) -> None:
    """Headings, lists, quotations, captions, cells and the fields around the body take what is typed, and keep it."""
    open_page(typist, newsroom)
    for number, place in enumerate(PLACES):
        typist.js(TO_PLACE, PLACES[place])
        typist.write(" " + SENTENCES[number])
        agrees(lambda place=place: len(read(typist, place)), len(SENTENCES[number]) + 2)
    wanted = {place: f"A {SENTENCES[number]}" for number, place in enumerate(PLACES)}
    agrees(lambda: {place: read(typist, place) for place in PLACES}, wanted)
    assert not newsroom.posts


@pytest.mark.timeout(300)
def test_formatting_and_undo_between_words_lose_nothing(typist: Typist, newsroom: NewsroomPage) -> None:
    """Bold in the middle of a sentence, the first word of an emptied paragraph, and words after an undo are right."""
    open_page(typist, newsroom)
    typist.js(TO_PLACE, f"{EDITOR} > p:last-child")
    typist.backspace()
    typist.write("Đại biểu ")
    typist.control("b")
    typist.write("ngoằn ngoèo")
    typist.control("b")
    typist.write(" thế ạ")
    last = f"{EDITOR} > p:last-child"
    agrees(lambda: typist.js(READ, last), "Đại biểu ngoằn ngoèo thế ạ")
    assert typist.js(f"return document.querySelector('{last} strong').textContent") == "ngoằn ngoèo"
    typist.enter()
    typist.write("Ở")
    typist.backspace()
    typist.write("Ấp Đông")
    agrees(lambda: typist.js(READ, last), "Ấp Đông")
    typist.enter()
    time.sleep(0.6)  # undo takes back what was typed within half a second at once
    typist.write("Thuở")
    agrees(lambda: typist.js(READ, last), "Thuở")
    while shown := typist.js(READ, last):  # on a slow machine some letters were typed later, and take another step
        typist.control("z")
        until(lambda shown=shown: typist.js(READ, last) != shown)  # type: ignore[misc]
    agrees(lambda: typist.js(READ, last), "")
    typist.write("khuỷu tay")
    agrees(lambda: typist.js(READ, last), "khuỷu tay")


def test_enter_in_a_list_makes_items(typist: Typist, newsroom: NewsroomPage) -> None:
    """Enter makes the next item, Enter in an empty one leaves the list, both with Vietnamese words around."""
    open_page(typist, newsroom)
    typist.js(TO_PLACE, f"{EDITOR} ul ul p")
    for text in ("Ưỡn", "Ngoèo"):
        typist.enter()
        typist.write(text)
    for _ in range(3):
        typist.enter()
    typist.write("Hết rồi ạ")
    items = "return [...document.querySelectorAll('.editor-text li > p')].map((line) => line.textContent)"
    agrees(lambda: typist.js(items), ["A", "A", "Ưỡn", "Ngoèo"])
    until(lambda: "Hết rồi ạ" in typist.js(LINES))


COUNT_MUTATIONS = """
window.mutations = [];
new MutationObserver((all) => window.mutations.push(...all.map((one) => one.target.nodeName + ":" + one.type)))
  .observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
"""


@pytest.mark.parametrize("slot_seconds", [0.0, 2.0], ids=["a page that has started", "a page that starts"])
def test_nothing_acts_within_a_composition(chromium_tab: Tab, newsroom: NewsroomPage, slot_seconds: float) -> None:
    """While a word is composed for longer than autosave waits, no rule and no script changes anything in the page."""
    newsroom.slot_seconds = slot_seconds
    typist = ChromiumCompositions(chromium_tab)
    open_page(typist, newsroom)
    typist.js(TO_PLACE, f"{EDITOR} > p:last-child")
    typist.backspace()
    typist.write("- Ư")  # a rule has made a list
    typist.backspace()
    typist.backspace()
    typist.compose("- ")
    typist.compose("- ngoằn")
    until(lambda: "- ngoằn" in typist.js(f"return document.querySelector('{EDITOR}').textContent"))
    time.sleep(0.5)
    typist.js(COUNT_MUTATIONS)
    time.sleep(3)
    assert typist.js("return window.mutations") == []
    typist.commit("- ngoằn")
    until(lambda: typist.js("return document.querySelector('.comments') !== null"))
    assert "- ngoằn" in typist.js(f"return document.querySelector('{EDITOR}').textContent")


def test_enter_while_composing_submits_nothing(chromium_tab: Tab, newsroom: NewsroomPage) -> None:
    """Enter that ends a composition in the title, the alt text or the body submits nothing and splits nothing."""
    typist = ChromiumCompositions(chromium_tab)
    for place in ("title", "alt", "paragraph"):
        open_page(typist, newsroom)
        typist.js(TO_PLACE, PLACES[place])
        lines = len(typist.js(LINES))
        typist.write(" ")
        typist.compose("thuở")
        typist.tab.input(typist.key("Enter", "Enter", 229))
        typist.commit("thuở")
        agrees(lambda place=place: read(typist, place), "A thuở")
        assert len(typist.js(LINES)) == lines
    assert not newsroom.posts
    typist.js(TO_PLACE, PLACES["title"])
    typist.enter()
    time.sleep(0.3)
    assert not newsroom.posts, "Enter in a field goes on to the next one"


def test_words_typed_before_unsaved_text_arrives_stay_with_it(chromium_tab: Tab, newsroom: NewsroomPage) -> None:
    """The unsaved text of another computer comes late, in the middle of a word: both texts and the caret remain."""
    newsroom.slot_seconds = 1.5
    unsaved = [{**BODY[0], "html": "Từ máy khác"}, *BODY[1:]]
    sent = {"tab": "t-9", "sequence": 7, "base_version": 1, "fields": {"title": "B", "lead": "A", "body": unsaved}}
    newsroom.stored = {**sent, "saved_at": "2026-11-29T08:00:00Z", "head_version": 1, "head_state": "draft"}
    typist = ChromiumCompositions(chromium_tab)
    open_page(typist, newsroom)
    typist.js(TO_PLACE, f"{EDITOR} > p:last-child")
    typist.write(" ngoằn")
    typist.compose(" ngoèo")
    time.sleep(3)
    assert read(typist, "title") == "A"
    assert not newsroom.autosaves
    typist.commit(" ngoèo")
    agrees(lambda: read(typist, "title"), "B")
    typist.write(" khúc khuỷu")
    agrees(lambda: typist.js(LINES), ["Từ máy khác", "A ngoằn ngoèo khúc khuỷu"])
    until(lambda: newsroom.autosaves)
    assert newsroom.autosaves[-1]["fields"]["title"] == "B"
