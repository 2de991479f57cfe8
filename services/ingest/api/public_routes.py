"""`/api/articles`: list and read; ninjs and schema.org; is it live?"""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from services.ingest.api.dependencies import ArticleId, Desk, DeskOf, MaybeCaller, the_article
from services.ingest.api.pagination import Cursor, Filter, Limit, next_of, start_of
from services.ingest.api.schemas import ArticleList, ArticleView, PublicArticleList, answers, json, view, with_version
from services.ingest.articles import syndication
from services.ingest.articles.publication_status import Publication
from services.ingest.articles.store import kept_of, read
from services.ingest.auth.tokens import Token
from services.ingest.content.block_models import Instant
from services.ingest.content.errors import ContentError, Fault
from services.ingest.queries import SQL
from shared.articles import Article, State, is_public
from shared.http.problems import Problem
from shared.postgres import Connection

router = APIRouter()
WAIT_SECONDS_MAX = 30.0
_WAIT = re.compile(r"^(\d{1,5}(?:\.\d{1,3})?)(ms|s)?$", re.ASCII)

VersionNumber = Annotated[int, Query(ge=1, le=2**31 - 1)]


class Filters(BaseModel):
    """Which articles are listed; what is not given does not filter."""

    model_config = ConfigDict(extra="forbid")

    site: Filter = None
    state: State | None = None
    section: Filter = None
    tag: Filter = None
    author: Filter = None
    q: Annotated[str | None, Query(max_length=255, description="a part of the title")] = None
    source_system: Filter = None
    external_id: Filter = None
    modified_since: Instant | None = None
    cursor: Cursor = None
    limit: Limit = 20


@router.get(
    "/articles",
    tags=["Read"],
    summary="List articles, newest first",
    responses=answers(200, ArticleList, PublicArticleList, problems=(403, 404)),
)
async def list_articles(desk: DeskOf, token: MaybeCaller, filters: Annotated[Filters, Query()]) -> Response:
    """Without a token: what is public. With one (scope read): all that editors work on, drafts too."""
    wanted = [filters.section, filters.tag, filters.author, filters.q]
    if any(value is not None and "\0" in value for value in [*wanted, filters.source_system, filters.external_id]):
        raise ContentError([Fault("query", "has a NUL character")])
    start, limit, now = start_of(filters.cursor), filters.limit, datetime.now(UTC)
    if token is None:
        sites = None if filters.site is None else [desk.site(filters.site).slug]
        rows = await desk.pool.fetch(SQL["lives"], sites, start, limit, *wanted)
        lives = [msgspec.json.decode(row["live"], type=Article) for row in rows]
        last = lives[-1].number if lives else 0
        return json(PublicArticleList([live for live in lives if is_public(live, now)], next_of(rows, limit, last)))
    rows = await desk.pool.fetch(
        SQL["heads"],
        desk.sites_of(token, filters.site),
        start,
        limit,
        filters.state,
        *wanted,
        filters.source_system,
        filters.external_id,
        filters.modified_since,
    )
    found = [kept_of(row["content"], row["live"], row["written_by"], row["problem"]) for row in rows]
    heads = [view(kept, desk.url_of(kept.head.site), now) for kept in found if kept.head.site in desk.sites]
    return json(ArticleList(heads, next_of(rows, limit, found[-1].head.number if found else 0)))


async def _public(connection: Connection, article_id: str) -> Article:
    kept = await read(connection, article_id)
    live = kept.live if kept is not None else None
    if live is not None and live.state == "killed":
        raise Problem(410, "This article was withdrawn.")
    if live is None or not is_public(live, datetime.now(UTC)):
        raise Problem(404, f"There is no public article {article_id!r}.")
    return live


async def _seen(desk: Desk, token: Token | None, article_id: str) -> Article:
    async with desk.pool.acquire() as connection:
        if token is None:
            return await _public(connection, article_id)
        return (await the_article(connection, article_id, token, "read")).head


_READ = (403, 404, 410)


@router.get(
    "/articles/{article_id}.ninjs",
    summary="Read an article as ninjs 3.1",
    responses=answers(200, problems=_READ),
    tags=["Exchange"],
)
async def get_ninjs(desk: DeskOf, token: MaybeCaller, article_id: ArticleId) -> Response:
    """For news agencies. Without a token: what readers get; with one: the head."""
    article = await _seen(desk, token, article_id)
    return json(syndication.ninjs(article, desk.site(article.site), desk.url_of(article.site)))


@router.get(
    "/articles/{article_id}.jsonld",
    summary="Read an article as schema.org NewsArticle",
    responses=answers(200, problems=_READ, media="application/ld+json"),
    tags=["Exchange"],
)
async def get_jsonld(desk: DeskOf, token: MaybeCaller, article_id: ArticleId) -> Response:
    """For search engines. Without a token: what readers get; with one: the head."""
    article = await _seen(desk, token, article_id)
    found = syndication.jsonld(article, desk.site(article.site), desk.url_of(article.site))
    return Response(msgspec.json.encode(found), media_type="application/ld+json")


@router.get(
    "/articles/{article_id}",
    tags=["Read"],
    summary="Read an article",
    responses=answers(200, ArticleView, Article, problems=_READ),
)
async def get_article(
    desk: DeskOf,
    token: MaybeCaller,
    article_id: ArticleId,
    copy: Annotated[Literal["head", "live"], Query(description="with a token: which of the two")] = "head",
) -> Response:
    """Without a token: what readers get. With one (scope read): the head, with its version as the ETag."""
    async with desk.pool.acquire() as connection:
        if token is None:
            return json(await _public(connection, article_id))
        kept = await the_article(connection, article_id, token, "read")
    if copy == "live":
        if kept.live is None:
            raise Problem(404, "This article was never public.")
        return json(kept.live)
    return with_version(view(kept, desk.url_of(kept.head.site), datetime.now(UTC)))


@router.get(
    "/articles/{article_id}/publication",
    tags=["Read"],
    summary="Is it live?",
    responses=answers(200, Publication, problems=(403, 404)),
)
async def get_publication(
    desk: DeskOf,
    token: MaybeCaller,
    article_id: ArticleId,
    version: VersionNumber | None = None,
    wait: Annotated[
        str, Query(description="how long to wait for the answer: 10s, 500ms; at most 30s", max_length=12)
    ] = "0s",
) -> Response:
    """Tell what the portal serves: queued → rendering → live, or failed with its reason, or withdrawn."""
    found = _WAIT.match(wait)
    if found is None:
        raise ContentError([Fault("wait", "is no time: write 10s or 500ms")])
    seconds = float(found[1]) / (1000 if found[2] == "ms" else 1)
    if seconds > WAIT_SECONDS_MAX:
        fault = f"is {seconds:g} s; {WAIT_SECONDS_MAX:g} s is the most"
        raise ContentError([Fault("wait", fault, int(WAIT_SECONDS_MAX), int(seconds))])
    row = await desk.publications.read(article_id)
    if row is None or (token is None and row["told_version"] is None):
        raise Problem(404, f"There is no article {article_id!r}.")
    if token is not None:
        token.check("read", row["site"])
    answer = await desk.publications.wait(article_id, version, seconds)
    assert answer is not None, "articles are never deleted"
    if token is None:  # what editors work on is theirs
        answer.head_version = row["told_version"]
        answer.reason = "this version is not published" if answer.status == "not_published" else answer.reason
    return json(answer)
