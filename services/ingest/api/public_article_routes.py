"""`/api/articles/{id}`: read articles, export them as ninjs and schema.org, and read publication status."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.article_responses import article_response
from services.ingest.api.dependencies import (
    ApiContext,
    ApiContextDep,
    ArticleId,
    IfNoneMatch,
    OptionalCaller,
    article_not_found,
    load_article,
    load_stored,
)
from services.ingest.api.representations import representation
from services.ingest.api.schemas import (
    ArticleResponse,
    json_response,
    response_docs,
    without_source,
)
from services.ingest.articles import syndication
from services.ingest.articles.publication_status import PublicationStatus
from services.ingest.articles.related_blocks import public_targets
from services.ingest.articles.store import read_article
from services.ingest.auth.callers import Caller
from services.ingest.content.errors import invalid
from shared.articles import Article, is_public
from shared.http.problems import Problem
from shared.postgres import Connection

router = APIRouter()
WAIT_SECONDS_MAX = 30.0
_WAIT = re.compile(r"^(\d{1,5}(?:\.\d{1,3})?)(ms|s)?$", re.ASCII)

VersionNumber = Annotated[int, Query(ge=1, le=2**31 - 1)]


async def _read_public(connection: Connection, article_id: str) -> Article:
    stored = await read_article(connection, article_id)
    live = stored.live if stored is not None else None
    if live is not None and live.state == "killed":
        raise Problem(410, "This article was withdrawn.")
    if live is None or not is_public(live, datetime.now(UTC)):
        raise Problem(404, f"Public article {article_id!r} not found.")
    return without_source(live)


async def _read_visible(
    context: ApiContext, caller: Caller | None, article_id: str
) -> tuple[Article, Mapping[str, Article]]:
    """Return an article, and the public ones of those that its body shows."""
    async with context.pool.acquire() as connection:
        if caller is None:
            public = await _read_public(connection, article_id)
            article = context.site(public.site).resolved(public)
        else:
            article = (await load_article(context, connection, article_id, caller, "read")).head
        return article, await public_targets(connection, article, datetime.now(UTC))


_READ_PROBLEMS = (403, 404, 410)


@router.get(
    "/articles/{article_id}.ninjs",
    summary="Read an article as ninjs 3.1",
    responses=response_docs(200, problems=_READ_PROBLEMS),
    tags=["Exchange"],
)
async def get_ninjs(context: ApiContextDep, caller: OptionalCaller, article_id: ArticleId) -> Response:
    """For news agencies. Without a token: the published version; with one: the working version."""
    article, targets = await _read_visible(context, caller, article_id)
    site, url = context.site(article.site), context.site_url(article.site)
    return json_response(syndication.ninjs(article, site, url, targets))


@router.get(
    "/articles/{article_id}.jsonld",
    summary="Read an article as schema.org NewsArticle",
    responses=response_docs(200, problems=_READ_PROBLEMS, media="application/ld+json"),
    tags=["Exchange"],
)
async def get_jsonld(context: ApiContextDep, caller: OptionalCaller, article_id: ArticleId) -> Response:
    """For search engines. Without a token: the published version; with one: the working version."""
    article, targets = await _read_visible(context, caller, article_id)
    found = syndication.jsonld(article, context.site(article.site), context.site_url(article.site), targets)
    return Response(msgspec.json.encode(found), media_type="application/ld+json")


@router.get(
    "/articles/{article_id}",
    tags=["Read"],
    summary="Read an article",
    responses=response_docs(200, ArticleResponse, Article, problems=_READ_PROBLEMS, not_modified=True),
)
async def get_article(
    *,
    request: Request,
    context: ApiContextDep,
    caller: OptionalCaller,
    article_id: ArticleId,
    copy: Annotated[
        Literal["head", "live", "scheduled"],
        Query(description="with a token: the working version, the published one or the scheduled one"),
    ] = "head",
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Without a token: the published version. With one (scope read): the working version. If-Match takes the ETag."""
    async with context.pool.acquire() as connection:
        if caller is None:
            public = await _read_public(connection, article_id)
            return representation(request, context.site(public.site).resolved(public))
        stored = context.resolved(await load_stored(connection, article_id, caller, "read"))
    if copy != "head":
        found = stored.live if copy == "live" else stored.scheduled
        if found is None:
            reason = "was never public" if copy == "live" else "has no scheduled version"
            raise Problem(404, f"This article {reason}.")
        return representation(request, found)
    shown = article_response(stored, caller, context.site(stored.head.site), datetime.now(UTC))
    return representation(request, shown)


@router.get(
    "/articles/{article_id}/publication",
    tags=["Read"],
    summary="Read the publication status",
    responses=response_docs(200, PublicationStatus, problems=(403, 404)),
)
async def get_publication(
    context: ApiContextDep,
    caller: OptionalCaller,
    article_id: ArticleId,
    version: VersionNumber | None = None,
    wait: Annotated[
        str, Query(description="how long to wait for a final status: 10s, 500ms; at most 30s", max_length=12)
    ] = "0s",
) -> Response:
    """Return what the portal serves: queued → rendering → live, or failed with its reason, or withdrawn."""
    found = _WAIT.match(wait)
    if found is None:
        raise invalid("wait", "not_a_duration")
    seconds = float(found[1]) / (1000 if found[2] == "ms" else 1)
    if seconds > WAIT_SECONDS_MAX:
        raise invalid("wait", "too_long_wait", limit=int(WAIT_SECONDS_MAX), size=math.ceil(seconds))
    row = await context.publications.read(article_id)
    if row is None or (caller is None and row["published_version"] is None):
        raise article_not_found(article_id)
    if caller is not None and not caller.allows("read", row["site"], row["section"]):
        raise article_not_found(article_id)
    status = await context.publications.wait(article_id, version, seconds)
    assert status is not None, "articles are never deleted"
    if caller is None:  # without a token, nothing about unpublished versions
        status.head_version = row["published_version"]
        hidden = {"not_published": "this version is not published", "failed": "the portal could not show this version"}
        status.reason = hidden.get(status.status)
    return json_response(status)
