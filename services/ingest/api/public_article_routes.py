"""`/api/articles`: list and read articles, export them as ninjs and schema.org, and read publication status."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import asyncpg
import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from services.ingest.api.dependencies import (
    ApiContext,
    ApiContextDep,
    ArticleId,
    OptionalCaller,
    article_not_found,
    load_article,
)
from services.ingest.api.pagination import Cursor, Filter, Limit, decode_cursor, encode_cursor
from services.ingest.api.schemas import (
    ArticleList,
    ArticleResponse,
    ArticleRow,
    FullArticleList,
    FullPublicArticleList,
    PublicArticleList,
    PublicArticleRow,
    article_response,
    article_with_etag,
    as_row,
    json_response,
    response_docs,
    without_source,
)
from services.ingest.articles import syndication
from services.ingest.articles.publication_status import PublicationStatus
from services.ingest.articles.store import read_article, stored_article
from services.ingest.auth.callers import Caller
from services.ingest.content.block_models import Instant
from services.ingest.content.errors import FieldError, InvalidContentError
from services.ingest.queries import SQL
from shared.articles import Article, State, is_public
from shared.http.problems import Problem
from shared.postgres import Connection
from shared.text import fold_diacritics

router = APIRouter()
WAIT_SECONDS_MAX = 30.0
_WAIT = re.compile(r"^(\d{1,5}(?:\.\d{1,3})?)(ms|s)?$", re.ASCII)

VersionNumber = Annotated[int, Query(ge=1, le=2**31 - 1)]


class Filters(BaseModel):
    """Filters of the list; an omitted one does not filter."""

    model_config = ConfigDict(extra="forbid")

    site: Filter = None
    state: State | None = None
    section: Filter = None
    tag: Filter = None
    author: Filter = None
    q: Annotated[
        str | None,
        Query(max_length=255, description="words of the title, with or without diacritics"),
    ] = None
    source_system: Filter = None
    external_id: Filter = None
    modified_since: Instant | None = None
    full: Annotated[bool, Query(description="whole articles instead of rows without their bodies")] = False
    cursor: Cursor = None
    limit: Limit = 20


@router.get(
    "/articles",
    tags=["Read"],
    summary="List articles, newest first",
    responses=response_docs(
        200, ArticleList, FullArticleList, PublicArticleList, FullPublicArticleList, problems=(403, 404)
    ),
)
async def list_articles(
    context: ApiContextDep, token: OptionalCaller, filters: Annotated[Filters, Query()]
) -> Response:
    """Without a token: public articles. With one (scope read): all articles, in their working versions."""
    wanted = [filters.section, filters.tag, filters.author, filters.q]
    if any(value is not None and "\0" in value for value in [*wanted, filters.source_system, filters.external_id]):
        raise InvalidContentError([FieldError("query", "must not contain a NUL character")])
    start, limit, now = decode_cursor(filters.cursor), filters.limit, datetime.now(UTC)
    if filters.q is not None:
        wanted[3] = title_query(filters.q)
    if token is None:
        sites = list(context.sites) if filters.site is None else [context.site(filters.site).slug]
        key = (tuple(sites), start, limit, *wanted, filters.full)
        content = await context.public_lists.read(key, lambda: _public_list(context, filters, sites, start, wanted))
        return Response(content, headers={"cache-control": "no-store"}, media_type="application/json")
    rows = await _fetch_list(
        context.pool,
        "list_articles",
        context.visible_sites(token, filters.site),
        start,
        limit,
        filters.state,
        *wanted,
        filters.source_system,
        filters.external_id,
        filters.modified_since,
        filters.full,
        token.places_with("read"),
    )
    found = [stored_article(row) for row in rows]
    heads = [
        article_response(stored, context.site_url(stored.head.site), now)
        for stored in found
        if stored.head.site in context.sites
    ]
    following = encode_cursor(rows, limit, found[-1].head.number if found else 0)
    if filters.full:
        return json_response(FullArticleList(heads, following))
    return json_response(ArticleList([as_row(ArticleRow, head) for head in heads], following))


async def _fetch_list(pool: asyncpg.Pool, name: str, *values: Any) -> list[asyncpg.Record]:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(SQL["plan_each_list"])
        return list(await connection.fetch(SQL[name], *values))


async def _public_list(
    context: ApiContext, filters: Filters, sites: list[str], start: int, wanted: list[str | None]
) -> bytes:
    rows = await _fetch_list(context.pool, "list_published", sites, start, filters.limit, *wanted, filters.full)
    lives = [msgspec.json.decode(row["live"], type=Article) for row in rows]
    last, now = lives[-1].number if lives else 0, datetime.now(UTC)
    public = [without_source(live) for live in lives if is_public(live, now)]
    following = encode_cursor(rows, filters.limit, last)
    if filters.full:
        return msgspec.json.encode(FullPublicArticleList(public, following))
    return msgspec.json.encode(PublicArticleList([as_row(PublicArticleRow, live) for live in public], following))


def title_query(text: str) -> str:
    """Return a tsquery of the words of a text without diacritics; the last one may be the beginning of a word."""
    words = re.findall(r"[^\W_]+", fold_diacritics(text))
    return " & ".join(f"'{word}'" for word in words) + (":*" if words and not text[-1].isspace() else "")


async def _read_public(connection: Connection, article_id: str) -> Article:
    stored = await read_article(connection, article_id)
    live = stored.live if stored is not None else None
    if live is not None and live.state == "killed":
        raise Problem(410, "This article was withdrawn.")
    if live is None or not is_public(live, datetime.now(UTC)):
        raise Problem(404, f"Public article {article_id!r} not found.")
    return without_source(live)


async def _read_visible(context: ApiContext, token: Caller | None, article_id: str) -> Article:
    async with context.pool.acquire() as connection:
        if token is None:
            return await _read_public(connection, article_id)
        return (await load_article(connection, article_id, token, "read")).head


_READ_PROBLEMS = (403, 404, 410)


@router.get(
    "/articles/{article_id}.ninjs",
    summary="Read an article as ninjs 3.1",
    responses=response_docs(200, problems=_READ_PROBLEMS),
    tags=["Exchange"],
)
async def get_ninjs(context: ApiContextDep, token: OptionalCaller, article_id: ArticleId) -> Response:
    """For news agencies. Without a token: the published version; with one: the working version."""
    article = await _read_visible(context, token, article_id)
    return json_response(syndication.ninjs(article, context.site(article.site), context.site_url(article.site)))


@router.get(
    "/articles/{article_id}.jsonld",
    summary="Read an article as schema.org NewsArticle",
    responses=response_docs(200, problems=_READ_PROBLEMS, media="application/ld+json"),
    tags=["Exchange"],
)
async def get_jsonld(context: ApiContextDep, token: OptionalCaller, article_id: ArticleId) -> Response:
    """For search engines. Without a token: the published version; with one: the working version."""
    article = await _read_visible(context, token, article_id)
    found = syndication.jsonld(article, context.site(article.site), context.site_url(article.site))
    return Response(msgspec.json.encode(found), media_type="application/ld+json")


@router.get(
    "/articles/{article_id}",
    tags=["Read"],
    summary="Read an article",
    responses=response_docs(200, ArticleResponse, Article, problems=_READ_PROBLEMS),
)
async def get_article(
    context: ApiContextDep,
    token: OptionalCaller,
    article_id: ArticleId,
    copy: Annotated[
        Literal["head", "live"], Query(description="with a token: the working version or the published one")
    ] = "head",
) -> Response:
    """Without a token: the published version. With one (scope read): the working version, with an ETag."""
    async with context.pool.acquire() as connection:
        if token is None:
            return json_response(await _read_public(connection, article_id))
        stored = await load_article(connection, article_id, token, "read")
    if copy == "live":
        if stored.live is None:
            raise Problem(404, "This article was never public.")
        return json_response(stored.live)
    return article_with_etag(article_response(stored, context.site_url(stored.head.site), datetime.now(UTC)))


@router.get(
    "/articles/{article_id}/publication",
    tags=["Read"],
    summary="Read the publication status",
    responses=response_docs(200, PublicationStatus, problems=(403, 404)),
)
async def get_publication(
    context: ApiContextDep,
    token: OptionalCaller,
    article_id: ArticleId,
    version: VersionNumber | None = None,
    wait: Annotated[
        str, Query(description="how long to wait for a final status: 10s, 500ms; at most 30s", max_length=12)
    ] = "0s",
) -> Response:
    """Return what the portal serves: queued → rendering → live, or failed with its reason, or withdrawn."""
    found = _WAIT.match(wait)
    if found is None:
        raise InvalidContentError([FieldError("wait", "must be a duration such as 10s or 500ms")])
    seconds = float(found[1]) / (1000 if found[2] == "ms" else 1)
    if seconds > WAIT_SECONDS_MAX:
        message = f"must be at most {WAIT_SECONDS_MAX:g} s (got {seconds:g} s)"
        raise InvalidContentError([FieldError("wait", message, int(WAIT_SECONDS_MAX), int(seconds))])
    row = await context.publications.read(article_id)
    if row is None or (token is None and row["published_version"] is None):
        raise article_not_found(article_id)
    if token is not None and not token.allows("read", row["site"], row["section"]):
        raise article_not_found(article_id)
    status = await context.publications.wait(article_id, version, seconds)
    assert status is not None, "articles are never deleted"
    if token is None:  # without a token, nothing about unpublished versions
        status.head_version = row["published_version"]
        hidden = {"not_published": "this version is not published", "failed": "the portal could not show this version"}
        status.reason = hidden.get(status.status)
    return json_response(status)
