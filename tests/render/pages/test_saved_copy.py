"""Copies of articles: which pictures they have, and that texts stay texts in them."""

import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec.structs import replace

from services.render.pages import saved_copy
from services.render.pages.html import render_saved
from services.render.pages.saved_copy import complete, picture_paths, saved_image
from shared.articles import Article, Figure, Image, Paragraph, Related, Rendition
from tests.render.conftest import SITE, URL

ARTICLE = Article(
    id="a-1",
    number=1,
    site="haihau",
    version=1,
    state="published",
    title="Bài",
    slug="x",
    section="tin-tuc",
    language="vi",
    lead_image=Figure("", Image(f"/media/{'b' * 32}.jpg", '<b>" onerror="x', 10, 10)),
    body=[],
    modified_at=datetime(2026, 11, 29, tzinfo=UTC),
    first_published_at=datetime(2026, 11, 29, tzinfo=UTC),
)


@pytest.mark.parametrize(("count", "widest"), [(1, 1280), (13, 960), (41, 640)])
def test_saved_image_is_narrower_in_articles_with_many(count: int, widest: int) -> None:
    """The more pictures an article has, the narrower each is in its copy, so that a photo story stays a small file."""
    kinds = ("image/avif", "image/jpeg", "image/webp")
    image = Image(
        "/media/x.jpg", "", renditions=[Rendition(f"{k}{w}", w, w, k) for k in kinds for w in (640, 960, 1280, 1600)]
    )
    assert saved_image(image, count) == f"image/webp{widest}"
    assert saved_image(Image("/media/x.jpg", ""), count) == "/media/x.jpg"


def test_saved_copy_of_a_changed_article_says_once_when_its_text_changed() -> None:
    """The line "Cập nhật" is there, and is not repeated."""
    changed = replace(ARTICLE, published_at=ARTICLE.modified_at, text_updated_at=datetime(2026, 11, 30, tzinfo=UTC))
    assert render_saved(changed, {}, SITE, URL).body.decode().count("Cập nhật") == 1


def test_saved_copy_names_the_language_of_each_part() -> None:
    """An English article is in English, and what the site says around it in the language of the site."""
    text = render_saved(replace(ARTICLE, language="en"), {}, SITE, URL).body.decode()
    for wanted in ('<html lang="vi">', '<article lang="en">', '<footer class="origin" lang="vi">'):
        assert wanted in text, wanted


def test_complete_changes_links_and_no_text_about_links() -> None:
    """A paragraph that quotes an attribute is left as it is; a link of the site's own becomes absolute."""
    told = 'Viết href="/tin-tuc/" hay <a href="/tin-tuc/">liên kết</a> và <a title="x > y" href="/y">y</a>.'
    page = render_saved(replace(ARTICLE, body=[Paragraph(told)]), {}, SITE, URL)
    text = complete(page, {}, URL, URL).body.decode()
    assert 'Viết href="/tin-tuc/" hay' in text
    assert f'<a href="{URL}/tin-tuc/">liên kết</a> và <a title="x > y" href="{URL}/y">y</a>' in text


def test_complete_puts_no_markup_of_texts_in() -> None:
    """A description with quotes and tags stays text, with its picture and without it."""
    page = render_saved(ARTICLE, {}, SITE, URL)
    (emblem, path) = picture_paths(page)
    for pictures in ({emblem: b"<svg/>", path: b"x"}, {}):
        text = complete(page, pictures, URL, URL).body.decode()
        assert "<b>" not in text
        assert "onerror=" not in re.sub(r'alt="[^"]*"', "", text).replace("&#34; onerror=", "")
    assert saved_copy.saved_path(ARTICLE) == "/ban-luu/x-1.html"


def test_card_of_a_related_article_is_in_the_copy_with_its_picture() -> None:
    """A card inside the text is complete in the copy while its article is public, and leaves no trace otherwise."""
    picture = f"/media/{'c' * 32}.jpg"
    other = msgspec.structs.replace(
        ARTICLE, id="a-2", number=2, slug="kia", title="Bài kia", lead_image=Figure("", Image(picture, "Chợ", 10, 10))
    )
    one = msgspec.structs.replace(ARTICLE, body=[Related("a-2", 2)])
    page = render_saved(one, {"a-2": other}, SITE, URL)
    assert picture in picture_paths(page)
    text = complete(page, {picture: b"x"}, URL, URL).body.decode()
    assert f'<a href="{URL}/kia-2.html">Bài kia</a>' in text
    assert picture not in text
    without = render_saved(one, {}, SITE, URL).body.decode()
    assert "Bài kia" not in without
    assert 'class="inside"' not in without


def test_copy_says_once_when_its_text_was_changed() -> None:
    """The time of the last change is on the copy, once."""
    published = ARTICLE.modified_at
    one = msgspec.structs.replace(
        ARTICLE, published_at=published, date_precision="exact", text_updated_at=published + timedelta(hours=2)
    )
    assert render_saved(one, {}, SITE, URL).body.decode().count('class="date updated"') == 1
