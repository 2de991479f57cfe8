"""A portal in English, and articles in two languages."""

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

from services.render.pages.theme_check import render_every_kind
from services.render.pages.translations import WORDS, result_count
from shared.articles import Correction, Figure, Image, Paragraph, Source

VIETNAMESE_LETTER = re.compile("[ăâđêôơưàáảãạằắẳẵặầấẩẫậèéẻẽẹềếểễệìíỉĩịòóỏõọồốổỗộờớởỡợùúủũụừứửữựỳýỷỹỵ]", re.IGNORECASE)
VIETNAMESE, ENGLISH = WORDS["vi"], WORDS["en"]
READ_ALOUD = ("alt", "title", "aria-label", "placeholder", "content", "data-done")


class Texts(HTMLParser):
    """All text of a page, visible or announced."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.texts += [value for name, value in attrs if name in READ_ALOUD and value]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def leftovers(page: str) -> list[str]:
    words = {word for word in VIETNAMESE.values() if not word.isascii()} | {"Trang", "Theo", "In trang"}
    said = [text.strip() for text in Texts(page).texts if text.strip()]
    return [
        text
        for text in said
        if VIETNAMESE_LETTER.search(text) or any(re.search(rf"\b{word}\b", text) for word in words)
    ]


async def test_nothing_vietnamese_is_left_on_an_english_portal(english: Any) -> None:
    """Every page, feed and error of an English site is English, dates and numbers included."""
    at = datetime(2026, 1, 5, 3, 30, tzinfo=UTC)
    given = {
        "language": "en",
        "section": "news",
        "lead": "The lead.",
        "body": [Paragraph("A paragraph.")],
        "tags": ["fishing"],
        "source": Source("Coast Daily"),
        "lead_image": Figure("Boats", Image("/media/a.jpg", "Boats at sea", 1600, 1067), "A. Photographer"),
        "corrections": [Correction("A number was wrong.", at)],
    }
    for number in (1, 2, 3):
        when = at - timedelta(minutes=9 - number)
        await english.add(
            number, title=f"Boats return, part {number}", published_at=when, first_published_at=when, **given
        )
    await english.add(4, state="killed", title="Gone", language="en", section="news")
    places = [
        "/",
        "/bai-so-2-2.html",
        "/news/",
        "/culture/",
        "/tag/fishing/",
        "/luu-tru/",
        "/luu-tru/2026/01/",
        "/so-do-site",
    ]
    places += [
        "/tim-kiem",
        "/tim-kiem?q=boats",
        "/tim-kiem?q=boots",
        "/tim-kiem?q=qqzz",
        "/missing",
        "/bai-so-4-4.html",
    ]
    for place in places:
        page = (await english.get(place)).text
        assert '<html lang="en">' in page
        assert leftovers(page) == [], place
    article = (await english.get("/bai-so-2-2.html")).text
    assert ">Sunday, 4 January 2026 22:23</time>" in article  # the same instant is Monday in Vietnam
    assert "Source: Coast Daily" in article
    assert "January 2026" in (await english.get("/luu-tru/")).text
    assert ">3 results<" in (await english.get("/tim-kiem?q=boats")).text
    assert ">1 result<" in (await english.get("/tim-kiem?q=%22part+1%22")).text
    for place in ("/rss.xml", "/atom.xml", "/news/rss.xml"):
        assert not VIETNAMESE_LETTER.search((await english.get(place)).text)
    assert "<language>en</language>" in (await english.get("/rss.xml")).text


def test_both_languages_have_the_same_words(english: Any) -> None:
    """No word is the same in both, no English one is Vietnamese, and every kind of page renders with them."""
    assert ENGLISH.keys() == VIETNAMESE.keys()
    assert {word for word in ENGLISH.values() if word in VIETNAMESE.values()} == set()
    assert [word for word in ENGLISH.values() if VIETNAMESE_LETTER.search(word)] == []
    pages = render_every_kind(english.site, "https://haihau.example")
    assert len(pages) > 15
    counts = result_count(english.site, 1), result_count(english.site, 1234, more=True)
    assert counts == ("1 result", "1,234+ results")


async def test_translations_name_each_other_while_both_are_public(portal: Any) -> None:
    """Both pages have hreflang links to each other, and neither has once one of them is withdrawn or embargoed."""
    alternate = re.compile(r'<link rel="alternate" hreflang="(\w+)" href="([^"]+)">')
    await portal.add(5)
    await portal.add(6, language="en", title="Number five", translation_of="a-5")
    both = [("vi", "https://haihau.example/bai-so-5-5.html"), ("en", "https://haihau.example/bai-so-6-6.html")]
    for address in ("/bai-so-5-5.html", "/bai-so-6-6.html"):
        assert sorted(alternate.findall((await portal.get(address)).text)) == sorted(both), address
    first = (await portal.get("/bai-so-5-5.html")).text
    assert 'Tiếng Anh: <a href="/bai-so-6-6.html" hreflang="en" lang="en">Number five</a>' in first
    await portal.change(6, state="unpublished")
    assert "hreflang" not in (await portal.get("/bai-so-5-5.html")).text
    await portal.change(6, state="published", embargo_until=datetime.now(UTC) + timedelta(hours=1))
    assert "Number five" not in (await portal.get("/bai-so-5-5.html")).text
    await portal.change(6, embargo_until=None)
    assert "hreflang" in (await portal.get("/bai-so-5-5.html")).text
    await portal.change(5, state="killed")
    assert "hreflang" not in (await portal.get("/bai-so-6-6.html")).text
