"""Pictures of an article, one at a time, in real Chromium: by keyboard, by touch, and without scripts."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from services.render.pages import html
from services.render.pages.page_data import RelatedArticles
from shared.articles import Figure, Paragraph
from tests.browser.sample_portal import SITE, Media, Served, article, serving

COUNT = 12
SHOWN = "dialog.gallery figure"


@pytest.fixture(scope="module")
def stories() -> Iterator[Served]:
    media = Media({})
    figures = [Figure(f"Chú thích {n}.", media.image(n), f"Ảnh: Người {n}") for n in range(1, COUNT)]
    between = [block for figure in figures for block in (Paragraph("Đoạn văn. " * 12), figure)]
    story = article(19_000, media, kind="photo", body=between)
    one = article(18_999, media)
    none = article(18_998, None)
    long = article(18_997, media, body=[Figure("Chú thích rất dài. " * 120, media.image(1)), *between])
    documents = {
        path: html.render_article(made, RelatedArticles(), SITE, SITE.url)
        for path, made in (("/story", story), ("/one", one), ("/none", none), ("/long", long))
    }
    with serving(documents, media) as served:
        yield served


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    yield context
    context.close()


def opened(context: BrowserContext, stories: Served, path: str = "/story") -> Page:
    page = context.new_page()
    page.goto(stories.url + path)
    page.wait_for_function("document.querySelector('a.zoom[aria-haspopup]')")
    return page


def count(page: Page) -> str:
    return page.locator(f"{SHOWN} .position").inner_text().split("\n")[-1].strip()


def test_gallery_works_by_keyboard(context: BrowserContext, stories: Served) -> None:
    """Enter opens it at that picture; arrows, Home and End move, no further than the ends; Escape returns the focus."""
    page = opened(context, stories)
    third = page.locator("a.zoom").nth(2)
    third.focus()
    page.keyboard.press("Enter")
    assert "3 / 12" in count(page)
    assert "Chú thích 2. Ảnh: Người 2" in page.locator(f"{SHOWN} figcaption").inner_text()
    assert page.locator(f"{SHOWN} img").get_attribute("alt") == "Mô tả ảnh"
    for key, wanted in {
        "ArrowRight": "4 / 12",
        "ArrowLeft": "3 / 12",
        "End": "12 / 12",
        "Home": "1 / 12",
    }.items():
        page.keyboard.press(key)
        assert wanted in count(page), key
    page.keyboard.press("ArrowLeft")
    assert "1 / 12" in count(page)
    for _ in range(8):  # the focus stays inside
        page.keyboard.press("Tab")
        assert page.evaluate(
            "!document.hasFocus() || document.activeElement === document.body || "
            "!!document.activeElement.closest('dialog')"
        )
    page.keyboard.press("Escape")
    assert not page.locator("dialog.gallery").is_visible()
    assert third.evaluate("(link) => link === document.activeElement")


def test_gallery_keeps_the_place_of_the_page_and_scrolls_long_captions_by_keyboard(
    context: BrowserContext, stories: Served
) -> None:
    """A wheel over the gallery does not move the page behind it; the keys of a long caption move the caption."""
    page = opened(context, stories, "/long")
    page.locator("a.zoom").nth(1).click()
    before = page.evaluate("scrollY")
    page.mouse.move(600, 400)
    page.mouse.wheel(0, 600)
    caption = page.locator(f"{SHOWN} figcaption")
    page.keyboard.press("End")
    assert "13 / 13" in count(page)
    assert caption.get_attribute("tabindex") is None
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    caption.focus()
    page.keyboard.press("PageDown")
    page.wait_for_timeout(300)
    assert caption.evaluate("(one) => one.scrollTop > 0")
    assert page.evaluate("scrollY") == before


def test_gallery_buttons_keep_the_focus_at_the_ends(context: BrowserContext, stories: Served) -> None:
    """The button that leads to the last picture is still focused there, and is announced as unavailable."""
    page = opened(context, stories)
    page.locator("a.zoom").nth(10).click()
    forth = page.get_by_role("button", name="Ảnh sau")
    forth.focus()
    for wanted in ("12 / 12", "12 / 12"):
        page.keyboard.press("Enter")
        assert wanted in count(page)
    assert forth.evaluate("(button) => button === document.activeElement")
    assert forth.get_attribute("aria-disabled") == "true"
    page.get_by_role("button", name="Đóng").click()
    assert not page.locator("dialog.gallery").is_visible()


def test_gallery_picture_fits_every_screen(browser: Browser, stories: Served) -> None:
    """On a phone, turned and upright, and with large text, picture, caption and buttons are on the screen."""
    for width, height in ((360, 640), (640, 360), (1920, 1080)):
        context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
        page = opened(context, stories)
        page.locator("a.zoom").first.click()
        page.locator(f"{SHOWN} img").evaluate("(one) => one.decode()")
        for part in (f"{SHOWN} img", f"{SHOWN} figcaption", "dialog.gallery button"):
            for one in page.locator(part).all():
                box = one.bounding_box()
                assert box, part
                assert min(box["width"], box["height"]) > 20, (part, box)
                assert min(box["x"], box["y"]) >= 0, (part, box)
                assert box["x"] + box["width"] <= width, (part, box)
                assert box["y"] + box["height"] <= height, (part, box)
        assert page.locator("dialog.gallery").evaluate("(one) => getComputedStyle(one).animationName") == "none"
        context.close()


def test_gallery_follows_a_swipe(browser: Browser, stories: Served) -> None:
    """A finger that moves to the left shows the next picture, to the right the one before; scrolling shows none."""
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    page = opened(context, stories)
    page.locator("a.zoom").first.tap()
    touch = context.new_cdp_session(page)
    for (x, y), (to_x, to_y), wanted in (
        ((300, 400), (60, 410), "2 / 12"),
        ((300, 400), (60, 410), "3 / 12"),
        ((60, 400), (300, 390), "2 / 12"),
        ((200, 600), (150, 200), "2 / 12"),
    ):
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
        for part in (0.3, 0.6, 1.0):
            at = {"x": x + (to_x - x) * part, "y": y + (to_y - y) * part}
            touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [at]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.wait_for_timeout(100)
        assert wanted in count(page), (x, to_x, wanted)
    context.close()


def test_gallery_passes_axe_in_forced_colours(context: BrowserContext, stories: Served) -> None:
    """Axe finds nothing in the open gallery, and in forced colours its buttons have a border."""
    page = opened(context, stories)
    page.locator("a.zoom").first.click()
    found = Axe().run(page, context="dialog.gallery")
    assert found.violations_count == 0, found.generate_report()
    page.emulate_media(forced_colors="active")
    for button in page.locator("dialog.gallery button").all():
        border = button.evaluate("(one) => getComputedStyle(one).borderTopWidth + getComputedStyle(one).borderTopStyle")
        assert border == "1pxsolid"


def test_pictures_without_scripts_are_a_list_of_figures(browser: Browser, stories: Served) -> None:
    """Without scripts all pictures are there with captions, no button shows, and a picture leads to itself."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(stories.url + "/story")
    assert page.locator("article figure figcaption").count() == COUNT
    assert not page.locator("dialog.gallery, .listen").first.is_visible()
    page.locator("a.zoom").nth(1).click()
    assert page.url.startswith(f"{stories.url}/media/")
    context.close()


def test_single_picture_has_no_steps(context: BrowserContext, stories: Served) -> None:
    """The gallery of one picture has no buttons to others, and an article without pictures has no gallery."""
    page = opened(context, stories, "/one")
    page.locator("a.zoom").click()
    assert page.locator("dialog.gallery button:visible").count() == 1
    page.goto(stories.url + "/none")
    assert page.locator("dialog").count() == 0
