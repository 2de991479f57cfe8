"""Reading an article aloud in real Chromium, with voices of the test: headless browsers have none."""

import json
from collections.abc import Iterator, Sequence

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from services.render.pages import html
from services.render.pages.page_data import RelatedArticles
from shared.articles import BulletList, Cell, Embed, Figure, Heading, Item, Paragraph, Quote, Table
from tests.browser.layout_measures import OBSERVE_SHIFTS, measure
from tests.browser.sample_portal import SITE, Media, Served, article, serving

LONG = "Ông Trần Nam, Chủ tịch UBND TP. Nam Định, nói rằng con số 1.234.567 đồng là chính xác, " * 6
VOICES = """
window.said = [];
const voices = VOICES.map((lang) => ({ lang, name: lang, default: false, localService: true }));
class Utterance { constructor(text) { this.text = text; } }
const synthesis = Object.assign(new EventTarget(), {
  speaking: null,
  getVoices: () => (window.ready ? voices : []),
  speak(one) { said.push([one.text, one.lang]); this.speaking = one; },
  cancel() { const one = this.speaking; this.speaking = null; one?.onerror?.({ error: "canceled" }); },
  finish() { const one = this.speaking; this.speaking = null; one?.onend?.(); },
});
Object.defineProperty(window, "speechSynthesis", { value: synthesis });
window.SpeechSynthesisUtterance = Utterance;
window.ready = !LATE;
if (LATE) setTimeout(() => { window.ready = true; synthesis.dispatchEvent(new Event("voiceschanged")); }, 400);
"""


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    media = Media({})
    body = [
        Paragraph("Câu một. Câu <em>hai</em>!"),
        Heading("Mục lớn"),
        BulletList([Item("mục cha", [Item("mục con")])]),
        Table([[Cell("ô bảng")]], "Tên bảng"),
        Figure("Chú thích ảnh.", media.image(1)),
        Quote(["Lời người khác."], cite="Ông Nam"),
        Embed("youtube", "abc", "Tên video"),
        Paragraph(LONG),
    ]
    documents = {
        "/vi": html.render_article(article(19_000, media, body=body), RelatedArticles(), SITE, SITE.url),
        "/en": html.render_article(article(18_999, media, language="en"), RelatedArticles(), SITE, SITE.url),
    }
    with serving(documents, media) as served:
        yield served


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 390, "height": 800})
    yield context
    context.close()


def opened(context: BrowserContext, url: str, voices: Sequence[str], *, late: bool = False) -> Page:
    page = context.new_page()
    script = VOICES.replace("VOICES", json.dumps(voices), 1).replace("LATE", json.dumps(late))
    page.add_init_script(OBSERVE_SHIFTS + script)
    page.goto(url, wait_until="networkidle")
    return page


def everything_said(page: Page) -> list[str]:
    """Let the voice finish, and return all that it said."""
    for _ in range(100):
        if not page.evaluate("!!speechSynthesis.speaking"):
            break
        page.evaluate("speechSynthesis.finish()")
    said: list[list[str]] = page.evaluate("said")
    assert {lang for _, lang in said} == {"vi-VN"}
    return [text for text, _ in said]


def test_article_is_read_without_tables_and_captions(context: BrowserContext, served: Served) -> None:
    """Title, lead and text are read in order, long ones in parts; tables, captions, videos and dates are not."""
    page = opened(context, f"{served.url}/vi", ["en-US", "vi-VN"])
    page.get_by_role("button", name="Nghe bài").click()
    said = everything_said(page)
    text = " ".join(said)
    places = [
        text.index(one)
        for one in (
            "Muối Bạch Long",
            "Sau nhiều ngày",
            "Câu một. Câu hai!",
            "Mục lớn",
            "mục cha",
            "mục con",
            "Lời người khác.",
            "Ông Nam",
            "Ông Trần Nam",
        )
    ]
    assert places == sorted(places)
    assert all(len(one) <= 200 for one in said)
    assert "".join(LONG.split()) in "".join(text.split())
    assert text.count("1.234.567") == 6
    assert text.count("mục con") == 1
    for noise in ("ô bảng", "Tên bảng", "Chú thích", "Tên video", "2026", "Trang chủ"):
        assert noise not in text, noise
    assert page.get_by_role("button", name="Nghe bài").is_visible()
    assert page.locator(".spoken").count() == 0


def test_reading_pauses_and_stops(context: BrowserContext, served: Served) -> None:
    """A pause is continued from its sentence, a stop from the beginning, and leaving the page ends the voice."""
    page = opened(context, f"{served.url}/vi", ["vi_VN"])
    page.get_by_role("button", name="Nghe bài").click()
    page.evaluate("speechSynthesis.finish()")
    assert page.locator("article .spoken").count() == 1
    page.get_by_role("button", name="Tạm dừng").click()
    assert page.evaluate("speechSynthesis.speaking") is None
    page.get_by_role("button", name="Nghe tiếp").click()
    said = [text for text, _ in page.evaluate("said")]
    assert said[1] == said[2] != said[0]
    page.get_by_role("button", name="Dừng", exact=True).click()
    assert page.evaluate("speechSynthesis.speaking") is None
    assert page.evaluate("document.activeElement.textContent") == "Nghe bài"
    page.get_by_role("button", name="Nghe bài").click()
    assert page.evaluate("said.at(-1)[0]") == said[0]
    page.evaluate("dispatchEvent(new Event('pagehide'))")
    assert page.evaluate("speechSynthesis.speaking") is None


@pytest.mark.parametrize(
    ("path", "voices", "is_offered"),
    [("/vi", ["en-US", "fr-FR"], False), ("/vi", [], False), ("/en", ["vi-VN"], False), ("/en", ["en-GB"], True)],
)
def test_listening_is_offered_in_the_language_of_the_article(
    context: BrowserContext, served: Served, path: str, voices: list[str], is_offered: bool
) -> None:
    """Without a voice for the article's own language there is no button."""
    page = opened(context, served.url + path, voices)
    assert page.get_by_role("button", name="Nghe bài").is_visible() == is_offered


def test_late_voices_shift_nothing(context: BrowserContext, served: Served) -> None:
    """The button appears when the browser has loaded its voices, in a place that was kept."""
    page = opened(context, f"{served.url}/vi", ["vi-VN"], late=True)
    page.get_by_role("button", name="Nghe bài").wait_for()
    assert measure(page).shift <= 0.01


def test_share_links_need_no_script_of_others(browser: Browser, served: Served) -> None:
    """Zalo, Facebook and e-mail are plain links without scripts, and copying the link copies the canonical URL."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{served.url}/vi")
    names = page.locator(".acts a").all_text_contents()
    assert names == ["Zalo", "Facebook", "Gửi qua thư", "Lưu về máy"]
    assert not page.locator(".acts button").first.is_visible()
    context.close()
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{served.url}/vi")
    page.get_by_role("button", name="Chép liên kết").click()
    page.get_by_role("button", name="Đã chép").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("link[rel=canonical]").get_attribute("href")
    context.close()
