"""Limits of articles, requirements for publication, and warnings."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.ingest.content.errors import InvalidContentError
from services.ingest.content.validation import CELLS_MAX, check_limits, editor_warnings, publishing_errors
from shared.articles import (
    IMAGE_WIDTHS,
    IMAGES_MAX,
    TEXT_CHARACTERS_MAX,
    Article,
    Cell,
    Figure,
    Image,
    Paragraph,
    Rendition,
    Table,
)
from shared.http.problems import Problem
from shared.sites import Site

NewArticle = Callable[..., Article]
WHEN = datetime(2026, 11, 24, tzinfo=UTC)


def errors_of(article: Article, site: Site) -> list[tuple[str, str, int | None, int | None]]:
    with pytest.raises(InvalidContentError) as raised:
        check_limits(article, site)
    return [(one.field, one.message, one.limit, one.size) for one in raised.value.errors]


def test_check_limits_valid_article_passes(new_article: NewArticle, site: Site) -> None:
    """An article at its limits is accepted."""
    text = "x" * TEXT_CHARACTERS_MAX
    check_limits(new_article(body=[Paragraph(text), Paragraph(f"<em>{text}</em>")]), site)


def test_check_limits_reports_all_errors_with_limit_and_size(new_article: NewArticle, site: Site) -> None:
    """Unknown sections, long texts, many cells and wrong times are reported together, by field."""
    body = [
        Paragraph("ok"),
        Paragraph("x" * (TEXT_CHARACTERS_MAX + 1)),
        Table([[Cell("")] * 100 for _ in range(CELLS_MAX // 100)] + [[Cell("")]]),
    ]
    times = {"publish_at": WHEN, "unpublish_at": WHEN, "embargo_until": WHEN - timedelta(days=1)}
    article = new_article(section="khong", also_in=["tin-tuc", "co"], body=body, **times)
    found = errors_of(article, site)
    assert [one[0] for one in found] == ["section", "also_in", "body.1", "body.2", "unpublish_at"]
    assert "sections of haihau: tin-tuc, thong-bao" in found[0][1]
    size = TEXT_CHARACTERS_MAX + 1
    assert found[2][1:] == (f"must have at most {TEXT_CHARACTERS_MAX:,} characters (got {size:,})", size - 1, size)
    assert found[3][2:] == (CELLS_MAX, CELLS_MAX + 1)
    assert found[4][1] == "must be after publish_at"


def test_check_limits_too_many_images_are_reported(new_article: NewArticle, site: Site) -> None:
    """All images of an article count, the lead image too."""
    figure = Figure("c", Image("/media/a.jpg", "a"))
    article = new_article(body=[figure] * IMAGES_MAX, lead_image=figure)
    assert ("body", IMAGES_MAX, IMAGES_MAX + 1) in [(one[0], one[2], one[3]) for one in errors_of(article, site)]


def test_check_limits_photo_story_of_150_photos_fits(new_article: NewArticle, site: Site) -> None:
    """A story of many photos is within the limits with all renditions."""
    name = "/media/" + "0" * 40
    copies = [Rendition(f"{name}-{width}.webp", width, width) for width in IMAGE_WIDTHS for _ in range(2)]
    figure = Figure(
        "Bà con đã đông đủ từ sáng sớm." * 3, Image(name, "Cổng chợ", 1600, 1067, "0" * 64, copies), "Ảnh: Nam"
    )
    check_limits(new_article(body=[figure] * 150, lead_image=figure), site)


def test_check_limits_article_larger_than_a_message_is_413(new_article: NewArticle, site: Site) -> None:
    """An article that Kafka would not accept is a 413 with limit and size."""
    with pytest.raises(Problem) as raised:
        check_limits(new_article(body=[Paragraph("ạ" * 9_000)] * 40), site)
    assert raised.value.status == 413
    assert raised.value.extensions["size"] > raised.value.extensions["limit"] == 524_288


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, []),
        ({"body": []}, ["body"]),
        ({"body": [], "lead_image": Figure("c", Image("/a.jpg", "a"))}, []),
        ({"section": "khong"}, ["section"]),
        ({"body": [Paragraph("x"), Figure(" ")]}, ["body.1.caption"]),
        ({"lead_image": Figure("c", Image("/a.jpg", " "))}, ["lead_image.image.alt"]),
    ],
)
def test_publishing_errors_names_missing_fields(
    new_article: NewArticle, site: Site, fields: dict[str, Any], expected: list[str]
) -> None:
    """A body or lead image, a known section, captions and text alternatives are required."""
    assert [error.field for error in publishing_errors(new_article(**fields), site)] == expected


def test_editor_warnings_long_title_and_external_images(new_article: NewArticle, site: Site) -> None:
    """A title that search engines truncate and images on other hosts are warnings, not errors."""
    assert editor_warnings(new_article(), site) == []
    body = [Figure("c", Image("https://a.vn/a.jpg", "a")), Figure("c", Image("/media/a.jpg", "a"))]
    title, images = editor_warnings(new_article(title="T" * 111, body=body), site)
    assert (title.field, title.limit, title.size) == ("title", 110, 111)
    assert images.message.startswith("1 image(s) on other hosts")
