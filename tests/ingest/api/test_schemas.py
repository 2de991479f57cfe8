"""Response bodies of the editor API, and their OpenAPI documentation."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from services.ingest.api.article_responses import article_response
from services.ingest.api.schemas import (
    SCHEMAS,
    ArticleResponse,
    MediaList,
    Revision,
    article_with_etag,
    json_response,
    response_docs,
)
from services.ingest.articles.copies import StoredArticle
from services.ingest.auth.callers import Caller
from shared.sites import Site

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
READER = Caller("5f2c81aa", "Lan", frozenset())


def test_article_with_etag_has_the_version(new_article: Any, site: Site) -> None:
    """The ETag of an article is its version, to be sent back as If-Match; responses are never cached."""
    response = article_with_etag(
        article_response(StoredArticle(new_article(version=7), None), READER, site, NOW), 201, x="y"
    )
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
