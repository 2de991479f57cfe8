"""The front page of portals of every size in real Chromium: no holes, no overflow, no layout shift, and few bytes."""

import re
from collections.abc import Iterator, Sequence

import pytest
from playwright.sync_api import Browser, Page

from services.render.pages import front_page, html
from services.render.pages.document import Document
from services.render.pages.page_data import ListInfo, ListPage, RelatedArticles
from shared.articles import Article, Figure
from shared.front_page import home_size
from shared.site_structure import MenuItem, PageLink, SiteStructure, StructureIndex, StructureSection
from shared.sites import with_structure
from tests.browser.layout_measures import OBSERVE_SHIFTS, measure
from tests.browser.sample_portal import NOW, SECTIONS, SITE, UNBROKEN, Media, Served, article, serving

WIDTHS = (320, 375, 700, 768, 1024, 1280, 1920)
HOLE_PIXELS_MAX = 216
"""An empty area as wide as a column, where lines are 24 pixels high. It was 1,584 before the page was composed."""
SHIFT_MAX = 0.05
SHIFT_IN_PIECES_MAX = 0.01
"""It was 0.12 while the masthead, the menu, the latest column and an article's column hung on what came after them."""
MASTHEAD_PIXELS_MAX = {320: 160, 375: 160, 700: 120, 768: 120, 1024: 165, 1280: 160, 1920: 160}
BYTES_MAX = 42_000
KINDS = {3: "photo", 5: "video", 7: "notice"}
LINKS = {f"p{number}": PageLink(f"trang-{number}", f"Giới thiệu {number}") for number in range(5)}


def composed(articles: Sequence[Article]) -> Document:
    """Return the front page of a portal that has just these articles, the newest first."""
    sections = [StructureSection(slug=one.slug, name=one.name, version=1) for one in SECTIONS]
    structure = SiteStructure(site=SITE.slug, version=1, modified_at=NOW, sections=sections)
    site = with_structure(SITE, StructureIndex(structure, LINKS if len(articles) > 30 else {}))
    above = front_page.above_sections([], [], articles[: home_size(0)[0]])
    unseen = [one for one in articles if one.id not in above.ids]
    by_section = [(one, [a for a in unseen if a.section == one.slug][:10]) for one in SECTIONS]
    media = [one for one in articles if one.kind in ("photo", "video") and one.lead_image]
    below = front_page.BelowTheFold(
        [(section, listed) for section, listed in by_section if listed],
        media[: front_page.MEDIA_MAX],
        [one for one in articles if one.kind == "notice"][: front_page.NOTICES_MAX],
    )
    return html.render_home(front_page.compose(above, below), site, SITE.url)


def portal_of(count: int, media: Media, pictures_every: int, **fields: object) -> list[Article]:
    """Return `count` articles, of which each so many has a picture; 0: none has."""

    def made(place: int) -> Article:
        has_picture = pictures_every and (place * 7 + place // 12) % pictures_every == 0
        kind = KINDS.get(place % 11, "article") if count > 30 else "article"
        return article(20_000 - place, media if has_picture else None, **{"kind": kind, **fields})

    return [made(place) for place in range(count)]


def with_menus_below() -> Document:
    """Return a page of a site whose twelve sections each have entries below them, and further sections a second row."""
    below = [MenuItem(kind="url", target="/a", label=label) for label in ("Lịch", "Thường trực Hội đồng nhân dân " * 2)]
    items = [MenuItem(kind="url", target="/b", label=one.name, items=below) for one in (*SECTIONS, *SECTIONS[:6])]
    structure = SiteStructure(site=SITE.slug, version=1, modified_at=NOW, menus={"main": items})
    return html.render_error(with_structure(SITE, StructureIndex(structure)), SITE.url, 404)


@pytest.fixture(scope="module")
def portals() -> Iterator[Served]:
    media = Media({})
    documents = {
        "/0": composed([]),
        "/1": composed(portal_of(1, media, 1)),
        "/3": composed(portal_of(3, media, 1)),
        "/7": composed(portal_of(7, media, 2)),
        "/30": composed(portal_of(30, media, 2)),
        "/345": composed(portal_of(345, media, 4)),
        "/10000": composed(portal_of(10_000, media, 4)),
        "/3-without-pictures": composed(portal_of(3, media, 0)),
        "/345-without-pictures": composed(portal_of(345, media, 0)),
        "/345-unbroken-titles": composed(portal_of(345, media, 4, title=UNBROKEN)),
    }
    one = article(19_000, media, title=UNBROKEN)
    small = article(18_999, media, lead_image=Figure("Ảnh nhỏ", media.image(7, 300, 200)))
    related = RelatedArticles(one, one, [one] * 5)
    documents["/article"] = html.render_article(one, related, SITE, SITE.url)
    documents["/small"] = html.render_article(small, related, SITE, SITE.url)
    documents["/small-lead"] = composed([small, *portal_of(30, media, 2)])
    of = ListInfo("/muc-1/", "Thời sự", "section", SECTIONS[0])
    documents["/list"] = html.render_list(of, ListPage([one] * 20, 1, has_more=True), SITE, SITE.url)
    documents["/menus"] = with_menus_below()
    documents["/error"] = html.render_error(SITE, SITE.url, 404)
    with serving(documents, media) as served:
        yield served


def opened(browser: Browser, url: str, width: int) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.add_init_script(OBSERVE_SHIFTS)
    page.goto(url)
    page.locator("[data-fetch][hidden]").wait_for(state="detached")
    return page


@pytest.mark.parametrize("width", WIDTHS)
def test_front_page_of_any_size_has_no_holes_overflow_or_shift(portals: Served, browser: Browser, width: int) -> None:
    """With 0 to 345 articles, without pictures and with unbroken titles it fills the screen, and does not move."""
    names = [path for path in portals.documents if path[1].isdigit() or path == "/small-lead"]
    names.remove("/10000")  # it has the bytes of /345
    for name in (*names, "/list", "/article"):
        page = opened(browser, portals.url + name, width)
        found = measure(page)
        page.close()
        assert found.overflow <= 0, (name, found)
        assert found.shift <= SHIFT_MAX, (name, found)
        assert found.masthead <= MASTHEAD_PIXELS_MAX[width], (name, found)
        if name in names:
            assert found.hole <= HOLE_PIXELS_MAX, (name, found)


@pytest.mark.parametrize("width", [961, 1000, 1023])
def test_twelve_sections_between_tablets_and_desks_are_behind_a_button(
    portals: Served, browser: Browser, width: int
) -> None:
    """The masthead has no second row of sections: a button opens them, also in a page that arrives in pieces."""
    portals.piece_bytes = 700
    try:
        page = opened(browser, f"{portals.url}/345-without-pictures", width)
    finally:
        portals.piece_bytes = 0
    found = measure(page)
    assert (found.overflow <= 0, found.masthead <= 120, found.shift <= SHIFT_IN_PIECES_MAX) == (True,) * 3, found
    assert not page.locator(".menu").is_visible()
    page.locator(".sections-phone summary").click()
    assert page.locator(".sections-phone nav a").first.is_visible()
    page.close()


def test_page_that_arrives_in_pieces_does_not_move(portals: Served, browser: Browser) -> None:
    """What was painted stays where it is while the rest of the masthead, of a list or of a column arrives."""
    portals.piece_bytes = 700
    try:
        for name, width in (("/3", 700), ("/345-without-pictures", 1024), ("/article", 1280)):
            page = opened(browser, portals.url + name, width)
            found = measure(page)
            page.close()
            assert found.shift <= SHIFT_IN_PIECES_MAX, (name, found)
    finally:
        portals.piece_bytes = 0


def test_front_page_has_few_bytes_however_many_articles_there_are(portals: Served) -> None:
    """10,000 articles make the page no larger than 345 do, and a page of twelve sections has at most 42 kB."""
    sizes = {name: len(document.body) for name, document in portals.documents.items()}
    assert portals.documents["/10000"].body == portals.documents["/345"].body
    assert sizes["/345"] <= BYTES_MAX


def test_most_read_keeps_its_place_and_leaves_no_hole_without_readers(portals: Served, browser: Browser) -> None:
    """Its five lines come where they were kept free; if nothing was read, the box is gone."""
    page = opened(browser, f"{portals.url}/345", 1280)
    box = page.locator(".band .most-read")
    assert box.locator("li a").count() == 5
    before = box.bounding_box()
    page.set_viewport_size({"width": 375, "height": 800})
    on_phone = box.locator("li").first.bounding_box()
    assert on_phone is not None
    assert on_phone["width"] > 250
    page.close()
    counted, portals.most_read = portals.most_read, '<ol class="presstally-top">\n</ol>'
    try:
        page = opened(browser, f"{portals.url}/345", 1280)
        assert page.locator(".most-read").count() == 0
        assert before is not None
        assert page.locator(".band > *").count() == 2
        page.close()
    finally:
        portals.most_read = counted


def test_phone_menu_closes_with_escape_and_a_click_beside_it(portals: Served, browser: Browser) -> None:
    """Escape gives the focus back to the menu's button; without a menu that is open nothing happens."""
    page = opened(browser, f"{portals.url}/345", 375)
    summary = page.locator(".sections-phone summary")
    summary.click()
    assert page.locator(".sections-phone nav").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator(".sections-phone nav").is_visible()
    assert page.evaluate("document.activeElement.localName") == "summary"
    page.keyboard.press("Escape")
    summary.click()
    page.mouse.click(10, 600)
    assert not page.locator(".sections-phone nav").is_visible()
    page.close()


@pytest.mark.parametrize("width", [1024, 1280])
def test_entries_below_a_menu_stay_on_the_screen(portals: Served, browser: Browser, width: int) -> None:
    """What opens below each entry is on the screen and makes it no wider; the rows of a long menu begin together."""
    page = opened(browser, f"{portals.url}/menus", width)
    entries = page.locator(".menu > ul > li").all()
    rows: dict[float, float] = {}
    for entry in entries:
        entry.locator("> a").focus()
        below, link = entry.locator("> ul").bounding_box(), entry.locator("> a").bounding_box()
        assert below
        assert link
        assert below["x"] >= 0, entry.inner_text()
        assert below["x"] + below["width"] <= width, entry.inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        rows[link["y"]] = min(link["x"], rows.get(link["y"], link["x"]))
    page.close()
    assert len(rows) > 1
    assert len(set(rows.values())) == 1


@pytest.mark.parametrize("width", [360, 768])
def test_masthead_of_twice_as_large_text_stays_on_the_screen(portals: Served, browser: Browser, width: int) -> None:
    """Readers who double the size of text alone get more rows: no wider page, and no name with a letter a line."""
    page = browser.new_page(viewport={"width": width, "height": 800}, bypass_csp=True)
    page.goto(f"{portals.url}/error")
    page.add_style_tag(content="html { font-size: 200% !important }")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    name = page.locator(".masthead .name").bounding_box()
    assert name
    assert name["width"] > 150
    page.close()


def test_printed_front_page_has_no_dark_ground_and_divides_no_story(portals: Served, browser: Browser) -> None:
    """On paper the strip of photo and video stories is black on white, and each story is on one page."""
    page = opened(browser, f"{portals.url}/345", 1280)
    page.emulate_media(media="print")
    strip = page.locator(".media")
    style = strip.evaluate("(one) => [getComputedStyle(one).backgroundColor, getComputedStyle(one).color]")
    assert style == ["rgba(0, 0, 0, 0)", "rgb(0, 0, 0)"]
    of_parts = "(one) => [getComputedStyle(one).display, getComputedStyle(one).webkitLineClamp]"
    assert (
        page.locator(".of-section.large").first.evaluate(of_parts)[0] == "block"
    )  # keeps its title and its text together
    assert page.locator(".most-read a").first.evaluate(of_parts)[1] == "none"
    for part in (".card", ".band > .aside", ".of-section > .first"):
        assert page.locator(part).first.evaluate("(one) => getComputedStyle(one).breakInside") == "avoid"
    page.close()


def test_small_photos_are_not_enlarged(portals: Served, browser: Browser) -> None:
    """A photo of 300 pixels is 300 pixels wide, in an article and as the lead story."""
    for name, selector in (("/small", "figure img"), ("/small-lead", ".lead-story img")):
        page = opened(browser, portals.url + name, 1280)
        box = page.locator(selector).first.bounding_box()
        assert box is not None
        assert box["width"] <= 300, (name, box)
        page.close()


def test_links_after_a_short_article_stand_below_it_and_not_below_the_side(portals: Served, browser: Browser) -> None:
    """However high the side column is, the older and the newer article follow the text."""
    page = opened(browser, f"{portals.url}/article", 1280)
    side, article, turn = (page.locator(one).bounding_box() for one in (".side", "article", ".turn"))
    page.close()
    assert side is not None
    assert article is not None
    assert turn is not None
    assert side["height"] > article["height"]
    assert turn["y"] - article["y"] - article["height"] < 50


def test_error_page_is_no_page_of_the_menu(portals: Served) -> None:
    """It marks no entry as the current one, and is not counted as the home page where scripts do not run."""
    text = portals.documents["/error"].body.decode()
    assert "aria-current" not in text
    assert "/p.gif" not in text
    assert re.search(r'<a href="/" aria-current="page">', portals.documents["/345"].body.decode())
