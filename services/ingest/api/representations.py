"""What a caller reads, with its entity tag, or a 304 instead of it (RFC 9110)."""

import hashlib
import re

from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.request_language import language_headers
from services.ingest.api.schemas import ArticleResponse, json_response, localized
from shared.articles import Article
from shared.http.negotiation import etag_matches

_CODING = re.compile(r'([0-9a-f])-(?:gzip|zstd|br)"')
"""What proxies add to the ETag of a compressed response."""


def representation(request: Request, value: Article | ArticleResponse) -> Response:
    """Return an article that is read, or a 304 if the client has exactly this (If-None-Match).

    What is shown of a version depends on the copy, the caller's rights and language, and the time: the ETag has a
    digest of it besides the version.
    """
    if isinstance(value, ArticleResponse):
        response = json_response(localized(value), headers=language_headers())
    else:
        response = json_response(value)
    tag = f'"{value.version}-{hashlib.sha256(bytes(response.body)).hexdigest()[:8]}"'
    if _is_known(request, tag):
        return _without_body(tag)
    response.headers["etag"] = tag
    return response


def not_modified(request: Request, version: int) -> Response | None:
    """Return a 304 if the client has this version already; for what shows nothing but the version."""
    tag = f'"{version}"'
    return _without_body(tag) if _is_known(request, tag) else None


def _is_known(request: Request, tag: str) -> bool:
    known = request.headers.get("if-none-match")
    return known is not None and etag_matches(tag, _CODING.sub(r'\1"', known))


def _without_body(tag: str) -> Response:
    return Response(status_code=304, headers={"etag": tag, "cache-control": "no-store"})
