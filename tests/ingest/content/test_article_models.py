"""Request models of articles: which fields a client may send."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.ingest.content.article_models import (
    CONTENT_FIELDS,
    EXAMPLE,
    READ_ONLY,
    ArticleIn,
    ArticlePatch,
    ArticleReplacement,
)

MINIMAL: dict[str, Any] = {"site": "haihau", "section": "tin-tuc", "title": "Tựa"}


def errors(model: Any, sent: dict[str, Any]) -> list[str]:
    """Return the names of the invalid fields."""
    with pytest.raises(ValidationError) as invalid:
        model.model_validate(sent)
    return [".".join(map(str, error["loc"])) for error in invalid.value.errors()]


def test_article_in_documented_example_is_valid() -> None:
    """The example of the API's documentation is accepted; a name alone is an author."""
    article = ArticleIn.model_validate({**EXAMPLE, "authors": ["Trần Nam"]})
    assert (article.authors[0].name, article.authors[0].role, article.source) != ("", "", None)
    assert article.language == "vi"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"title": "  "}, "title"),
        ({"title": "x" * 256}, "title"),
        ({"lead": "x" * 1_001}, "lead"),
        ({"slug": "Tựa"}, "slug"),
        ({"slug": "a--b"}, "slug"),
        ({"tags": [""]}, "tags.0"),
        ({"tags": ["x"] * 21}, "tags"),
        ({"language": "tiếng Việt"}, "language"),
        ({"priority": 0}, "priority"),
        ({"published_at": "2026-11-24T10:00:00"}, "published_at"),
        ({"published_at": "1899-12-31T00:00:00Z"}, "published_at"),
        ({"published_at": 2024}, "published_at"),
        ({"unpublish_at": "1700000000"}, "unpublish_at"),
        ({"embargo_until": 1.7e9}, "embargo_until"),
        ({"corrections": [{"text": "Sửa", "at": "2199-12-31T00:00:00Z"}]}, "corrections.0.at"),
        ({"old_urls": ["bai.html"]}, "old_urls.0"),
        ({"body": [{"type": "script"}]}, "body.blocks.0"),
        ({"state": "published"}, "state"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_article_in_invalid_field_is_named(changed: dict[str, Any], field: str) -> None:
    """An invalid or unknown field is an error of that field; nothing is truncated or ignored."""
    assert errors(ArticleIn, {**MINIMAL, **changed}) == [field]


def test_article_in_source_system_without_external_id_is_invalid() -> None:
    """A namespace alone identifies nothing."""
    assert errors(ArticleIn, {**MINIMAL, "source_system": "cms"}) == [""]
    assert ArticleIn.model_validate({**MINIMAL, "source_system": "cms", "external_id": "1"}).external_id == "1"


def test_replacement_ignores_read_only_fields_and_rejects_unknown_ones() -> None:
    """An article may be sent back as it was read: fields that the API adds are ignored, others are errors."""
    read = {"section": "tin-tuc", "title": "Tựa", "version": 3, **dict.fromkeys(READ_ONLY, "x")}
    assert ArticleReplacement.model_validate(read).version == 3
    assert errors(ArticleReplacement, {**read, "colour": "red"}) == ["colour"]
    assert errors(ArticleReplacement, {"section": "tin-tuc"}) == ["title"]


def test_patch_has_all_content_fields_and_requires_none() -> None:
    """Every content field can be changed alone, null removes one, and its limits are those of a new article."""
    assert set(CONTENT_FIELDS) <= set(ArticlePatch.model_fields)
    patch = ArticlePatch.model_validate({"lead": None})
    assert patch.model_fields_set == {"lead"}
    for name, value in (("title", "x" * 256), ("priority", 10), ("slug", "Tựa"), ("tags", ["x" * 61])):
        assert errors(ArticlePatch, {name: value})[0].split(".")[0] == name
    assert errors(ArticlePatch, {"site": "haihau"}) == ["site"]
