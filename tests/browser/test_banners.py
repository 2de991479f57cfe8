"""Banners in real Chromium: they keep their place, and where there is no picture their words are the link."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from services.render.pages import html
from services.render.pages.page_data import HomePage, RelatedArticles
from shared.articles import Paragraph, Related
from shared.banners import PLACES, Banner, Banners
from shared.site_structure import SiteStructure, StructureIndex
from shared.sites import with_structure
from tests.browser.layout_measures import OBSERVE_SHIFTS, measure
from tests.browser.sample_portal import NOW, SITE, Media, Served, article, serving
from tests.browser.test_newsroom import AXE

SHIFT_MAX = 0.02
LINE_PIXELS_MAX = 90
"""Height of a banner whose picture failed: its words, and not a hole as high as the picture."""


@pytest.fixture(scope="module")
def portal() -> Iterator[Served]:
    media = Media({})
    shapes = ((1600, 300), (600, 600), (800, 260))
    items = [
        Banner(id=f"{place}{n}", place=place, image=media.image(90 + n, *shape), url="https://cong.example/")
        for place in PLACES
        for n, shape in enumerate(shapes)
    ]
    structure = SiteStructure(site=SITE.slug, version=1, modified_at=NOW, banners=Banners(items=items))
    site = with_structure(SITE, StructureIndex(structure))
    other = article(2, media)
    one = article(1, media, body=[Paragraph("Một."), Related(other.id, 2), Paragraph("Hai.")])
    related = RelatedArticles(similar=[one] * 5, inside={other.id: other})
    documents = {
        "/home": html.render_home(HomePage(one, [one] * 12, []), site, SITE.url),
        "/article": html.render_article(one, related, site, SITE.url),
    }
    with serving(documents, media) as served:
        yield served


@pytest.mark.parametrize("width", [320, 768, 1280])
def test_banners_keep_their_place_and_stay_in_the_page(portal: Served, browser: Browser, width: int) -> None:
    """Neither their pictures nor the page move, on phones, tablets and screens; each names the other site."""
    for name in ("/home", "/article"):
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.add_init_script(OBSERVE_SHIFTS)
        page.goto(portal.url + name, wait_until="networkidle")
        page.locator(".banners.at-foot").scroll_into_view_if_needed()
        page.wait_for_load_state("networkidle")
        found = measure(page)
        assert (found.overflow <= 0, found.shift <= SHIFT_MAX) == (True, True), (name, found)
        assert page.locator(".banners figcaption", has_text="cong.example").count() == 6
        page.evaluate(AXE)
        parts = {"include": [[".banners"]] if name == "/home" else [[".banners"], [".inside"]]}
        violations = page.evaluate("(parts) => axe.run(parts, {resultTypes: ['violations']})", parts)["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in violations] == []
        page.close()


def test_failed_picture_of_a_banner_leaves_its_words_and_no_hole(portal: Served, browser: Browser) -> None:
    """The link has a name, can be clicked, and is some lines high."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.route("**/media/**", lambda route: route.abort())
    page.goto(f"{portal.url}/home", wait_until="networkidle")
    links = page.locator(".banners.at-top a")
    assert links.count() == 3
    for link in links.all():
        box = link.bounding_box()
        assert box is not None
        assert 10 < box["height"] <= LINE_PIXELS_MAX
    assert page.get_by_role("link", name="Mô tả ảnh").first.is_visible()
    page.close()


def test_forced_colours_show_words_and_paper_shows_nothing(portal: Served, browser: Browser) -> None:
    """A picture whose colours are forced is no longer readable; a link on paper leads nowhere."""
    page = browser.new_page()
    page.emulate_media(forced_colors="active")
    page.goto(f"{portal.url}/home")
    assert not page.locator(".banners.at-top img").first.is_visible()
    assert page.locator(".banners.at-top .banner-words").first.is_visible()
    page.emulate_media(media="print", forced_colors="none")
    assert not page.locator(".banners").first.is_visible()
    page.close()
