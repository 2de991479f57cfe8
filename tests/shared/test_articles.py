"""The article on Kafka: when it is public, its path, its images, and messages of older versions."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from shared.articles import Article, Figure, Image, Paragraph, article_path, images_of, is_public

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
SECOND = timedelta(seconds=1)
REQUIRED: dict[str, Any] = {
    "id": "a-1",
    "number": 7,
    "site": "haihau",
    "version": 1,
    "state": "published",
    "title": "Tựa",
    "slug": "tua",
    "section": "tin-tuc",
    "language": "vi",
    "body": [{"type": "paragraph", "html": "x"}],
    "modified_at": "2026-11-24T03:00:00Z",
    "first_published_at": "2026-11-24T03:00:00Z",
}


def article(**fields: Any) -> Article:
    return msgspec.structs.replace(msgspec.json.decode(json.dumps(REQUIRED), type=Article), **fields)


@pytest.mark.parametrize("state", ["draft", "in_review", "approved", "scheduled", "unpublished", "archived", "killed"])
def test_is_public_in_another_state_is_false(state: Any) -> None:
    """Only a published article is public."""
    assert is_public(article(), NOW)
    assert not is_public(article(state=state), NOW)


@pytest.mark.parametrize(
    ("fields", "public"),
    [
        ({"first_published_at": NOW}, True),
        ({"first_published_at": NOW + SECOND}, False),
        ({"first_published_at": None}, True),
        ({"embargo_until": NOW}, True),
        ({"embargo_until": NOW + SECOND}, False),
        ({"unpublish_at": NOW}, False),
        ({"unpublish_at": NOW + SECOND}, True),
        ({"publish_at": NOW + SECOND}, True),
        ({"embargo_until": NOW, "unpublish_at": NOW}, False),
    ],
)
def test_is_public_at_its_limits_begins_inclusive_and_ends_exclusive(fields: dict[str, Any], public: bool) -> None:
    """It is public from the instant of its first publication and its embargo, and no longer at its expiry."""
    assert is_public(article(**fields), NOW) is public


def test_article_path_has_slug_and_number() -> None:
    """The path is the slug and the public number, and never has the id."""
    assert article_path(article(slug="cho-con", number=12)) == "/cho-con-12.html"


def test_images_of_article_come_in_order_of_the_page() -> None:
    """The lead image is the first, then those of the body; captions without an image have none."""
    one, two, three = (Image(f"/media/{number}.jpg", "") for number in range(3))
    body = [Figure("b", two), Paragraph("x"), Figure("lost"), Figure("c", three)]
    assert images_of(article(lead_image=Figure("a", one), body=body)) == [one, two, three]
    assert images_of(article(lead_image=Figure("a"), body=body)) == [two, three]
    assert images_of(article()) == []


def test_article_of_an_older_producer_decodes_with_defaults() -> None:
    """A message with the first fields only decodes: later ones have defaults, and unknown ones are ignored."""
    old = msgspec.json.decode(json.dumps({**REQUIRED, "dropped_later": 1}), type=Article)
    assert (old.date_precision, old.priority, old.allow_print, old.published_at) == ("exact", 5, True, None)
    assert old.body == [Paragraph("x")]


@pytest.mark.parametrize(
    "changed",
    [
        {"number": 0},
        {"version": 0},
        {"state": "gone"},
        {"title": ""},
        {"title": "x" * 256},
        {"slug": "Tựa"},
        {"section": "a/b"},
        {"lead": "x" * 1_001},
        {"priority": 10},
        {"body": [{"type": "script", "html": "x"}]},
        {"body": [{"type": "heading", "html": "x", "level": 1}]},
        {"body": [{"type": "embed", "provider": "elsewhere", "id": "1"}]},
        {"tags": ["x"] * 21},
        {"old_urls": ["/"]},
    ],
)
def test_article_beyond_a_limit_is_invalid(changed: dict[str, Any]) -> None:
    """A value that the contract does not allow is an error when the message is decoded."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(json.dumps({**REQUIRED, **changed}), type=Article)
