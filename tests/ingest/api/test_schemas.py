"""Response bodies of the editor API, and their OpenAPI documentation."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.ingest.api.schemas import (
    SCHEMAS,
    ArticleResponse,
    MediaList,
    Revision,
    article_response,
    article_with_etag,
    json_response,
    response_docs,
)
from services.ingest.articles.workflow import StoredArticle
from services.ingest.content.errors import FieldError

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
URL = "https://haihau.example"


def test_article_response_of_a_draft_has_no_url_and_its_steps(new_article: Any) -> None:
    """A draft was never public: it has no live version and no URL, and the transitions of its state."""
    found = article_response(StoredArticle(new_article(), None), URL, NOW, [FieldError("body", "removed a script")])
    assert (found.live_version, found.live_state, found.url, found.problem) == (None, None, None, None)
    assert "submit" in found.steps
    assert found.warnings[0] == FieldError("body", "removed a script")


@pytest.mark.parametrize(
    ("fields", "is_open"),
    [
        ({"state": "published", "first_published_at": NOW}, True),
        ({"state": "published", "first_published_at": NOW + timedelta(seconds=1)}, False),
        ({"state": "unpublished", "first_published_at": NOW}, False),
    ],
)
def test_article_response_has_the_url_of_the_live_version(
    new_article: Any, fields: dict[str, Any], is_open: bool
) -> None:
    """The URL is that of the published version, not of the working one, and is there only while it is public."""
    live = new_article(version=2, slug="tua-cu", **fields)
    found = article_response(StoredArticle(new_article(version=3, slug="tua-moi"), live), URL, NOW)
    assert found.url == (f"{URL}/tua-cu-1.html" if is_open else None)
    assert (found.version, found.live_version, found.live_state) == (3, 2, fields["state"])


def test_article_with_etag_has_the_version(new_article: Any) -> None:
    """The ETag of an article is its version, to be sent back as If-Match; responses are never cached."""
    response = article_with_etag(article_response(StoredArticle(new_article(version=7), None), URL, NOW), 201, x="y")
    assert (response.status_code, response.headers["etag"], response.headers["x"]) == (201, '"7"', "y")
    assert response.headers["cache-control"] == "no-store"
    assert json.loads(response.body)["version"] == 7


def test_json_response_of_empty_list_is_a_complete_page() -> None:
    """A page without entries has its list and a null cursor."""
    assert json.loads(json_response(MediaList([], None)).body) == {"media": [], "next": None}


def test_revision_on_the_wire_has_its_contract_names() -> None:
    """`is_public_change` is `is_told` on the wire."""
    revision = Revision(1, "publish", "published", "An", "", NOW, is_public_change=True)
    assert json.loads(msgspec.json.encode(revision))["is_told"] is True
    assert "is_told" in SCHEMAS["Revision"]["properties"]


def test_response_docs_list_result_and_problems() -> None:
    """Each route documents its result, its own problems and the common ones; an article has its ETag."""
    docs = response_docs(200, ArticleResponse, problems=(404,))
    assert set(docs) == {200, 404, 400, 401, 408, 413, 422, 429, 503}
    assert docs[200]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/ArticleResponse"}
    assert "ETag" in docs[200]["headers"]
    assert docs[404]["content"]["application/problem+json"]["schema"] == {
        "$ref": "#/components/schemas/ProblemDocument"
    }
    assert "headers" not in response_docs(200, MediaList)[200]
    assert (
        len(response_docs(200, ArticleResponse, MediaList)[200]["content"]["application/json"]["schema"]["anyOf"]) == 2
    )
