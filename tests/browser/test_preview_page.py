"""Previews in real Chromium: one banner above a frame, and a printed page as wide as paper."""

from datetime import UTC, datetime

from playwright.sync_api import Browser

from services.render.pages.html import render_article
from services.render.pages.page_data import RelatedArticles
from services.render.pages.preview import PreviewInfo, View, preview_frame, preview_page
from tests.browser.sample_portal import SITE, Media, article, serving


def info(view: View) -> PreviewInfo:
    return PreviewInfo(3, follows=True, expires_at=datetime(2026, 12, 7, tzinfo=UTC), view=view)


def test_preview_has_one_banner_and_paper_has_margins(browser: Browser) -> None:
    """The frame of a phone has nothing but the page; the print view has a margin; no view is wider than the screen."""
    media = Media({})
    made = render_article(article(19_000, media), RelatedArticles(), SITE, SITE.url)
    documents = {
        "/p": preview_frame(info("dien-thoai"), SITE),
        "/p?xem=trang": preview_page(made, info("trang"), SITE),
        "/p?xem=in": preview_page(made, info("in"), SITE),
    }
    with serving(documents, media) as served:
        page = browser.new_page(viewport={"width": 1280, "height": 900}, bypass_csp=True)  # of pages without frames
        page.goto(f"{served.url}/p", wait_until="networkidle")
        banner = page.locator(".preview-banner").bounding_box()
        assert banner is not None
        assert (banner["x"], banner["y"], banner["width"]) == (0, 0, 1280)
        framed = page.frame_locator("iframe")
        assert framed.locator("h1").is_visible()
        assert not framed.locator(".preview-banner").is_visible()
        page.goto(f"{served.url}/p?xem=trang")
        assert page.locator(".preview-banner").is_visible()
        for width, margin in ((360, 14), (1280, 200)):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(f"{served.url}/p?xem=in")
            box = page.locator("h1").bounding_box()
            assert box is not None
            assert box["x"] >= margin
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.close()
