"""`/api/front-page`: the lead story, the slots after it, and the breaking-news bar of a site."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.article_routes import IdempotencyKey, IfMatch
from services.ingest.api.dependencies import ARTICLE_ID, CHANGES_ARTICLES, ApiContextDep, PublishCaller, ReadCaller
from services.ingest.api.front_page_schemas import (
    BreakingEntry,
    FrontPageArticle,
    FrontPageEntry,
    FrontPagePosition,
    FrontPageResponse,
)
from services.ingest.api.schemas import response_docs
from services.ingest.api.structure_requests import (
    SiteQuery,
    apply,
    change_once,
    check_version,
    read_index,
    structure_site,
    with_etag,
)
from services.ingest.articles.copies import StoredArticle
from services.ingest.articles.front_page import arranged, checked, copy_at, order_at, reason_at
from services.ingest.articles.store import database_time, stored_article
from services.ingest.content.block_models import Address, Input, Instant, Line
from services.ingest.content.errors import InvalidContentError
from services.ingest.queries import STRUCTURE_SQL
from shared.articles import article_path
from shared.front_page import (
    BREAKING_CHARACTERS_MAX,
    SLOTS_MAX,
    URL_CHARACTERS_MAX,
    BreakingNews,
    FrontPage,
    FrontPageSlot,
)
from shared.postgres import Connection
from shared.site_structure import SiteStructure
from shared.sites import Site
from shared.structured_data import crop, hosted_images

router = APIRouter(tags=["Structure"])
CANDIDATES_MAX = 40
"""Newest articles of a site that are read for the order of its front page."""
Article = Annotated[str, Field(pattern=ARTICLE_ID.pattern, description="ID of an article")]
EXAMPLE: dict[str, Any] = {
    "slots": [{"article": "0198a1c2-8f6e-7c3b-9d57-6d2b8f3b8a10", "until": "2026-12-01T18:00:00+07:00"}],
    "breaking": {"text": "Bão số 9 đổ bộ", "url": "/tin-tuc/", "until": "2026-11-30T22:00:00+07:00"},
}


class SlotIn(Input):
    """An article on the front page, and until when."""

    article: Article
    until: Instant


class BreakingIn(Input):
    """The breaking-news bar; it leads to an article, or to a URL, or nowhere."""

    text: Annotated[Line, Field(min_length=1, max_length=BREAKING_CHARACTERS_MAX)]
    article: Article | None = None
    url: Annotated[Address, Field(max_length=URL_CHARACTERS_MAX)] | None = None
    until: Instant

    @model_validator(mode="after")
    def _one_target(self) -> "BreakingIn":
        if self.article is not None and self.url is not None:
            raise PydanticCustomError("target", "has either an article or a url")
        return self


class FrontPageIn(Input):
    """The whole front page: the first slot is the lead story."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    slots: list[SlotIn] = Field(max_length=SLOTS_MAX)
    breaking: BreakingIn | None = Field(None, description="null or omitted: no bar")


@router.get(
    "/front-page", summary="Read the front page", responses=response_docs(200, FrontPageResponse, problems=(403, 404))
)
async def get_front_page(
    request: Request,
    context: ApiContextDep,
    caller: ReadCaller,
    site: SiteQuery = None,
    at: Annotated[Instant | None, Query(description="the order at this time; default: now")] = None,
) -> Response:
    """Read the slots and the bar, and the order of articles above the sections as visitors get it at a time."""
    wanted = structure_site(context, request, caller, "read", site)
    front_page = (await read_index(context, wanted)).structure.front_page
    async with context.pool.acquire() as connection:
        moment = at or await database_time(connection)
        return await _answer(connection, wanted, front_page, moment)


@router.put(
    "/front-page",
    summary="Arrange the front page",
    dependencies=CHANGES_ARTICLES,
    responses=response_docs(200, FrontPageResponse, problems=(403, 404, 409, 412, 428)),
)
async def put_front_page(
    *,
    request: Request,
    context: ApiContextDep,
    caller: PublishCaller,
    sent: FrontPageIn,
    site: SiteQuery = None,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Replace the slots and the bar. The portal shows them at once, and each until its end.

    An article that is not public leaves its place to the next one, until it is. Entries that have ended since the page
    was read are left out (`left_out`).
    """
    wanted = structure_site(context, request, caller, "publish", site)
    arrangement = _front_page(sent)

    async def act(connection: Connection) -> Response:
        now = await database_time(connection)
        articles = await _named(connection, wanted.slug, arrangement)
        left_out: list[str] = []

        def change(before: SiteStructure, version: int) -> SiteStructure:
            check_version(request, before.front_page.version)
            changed, gone, errors = checked(arrangement, before.front_page, articles, now)
            if errors:
                raise InvalidContentError(errors)
            left_out.extend(gone)
            details["before"] = _details(before.front_page)
            return arranged(before, changed, version)

        details = _details(arrangement)
        after = await apply(connection, context, caller, wanted, "front_page", wanted.slug, "edit", change, details)
        return await _answer(connection, wanted, after.front_page, now, left_out)

    return await change_once(context, request, caller, act)


def _front_page(sent: FrontPageIn) -> FrontPage:
    slots = [FrontPageSlot(article=one.article, until=one.until) for one in sent.slots]
    bar = sent.breaking
    if bar is None:
        return FrontPage(slots=slots)
    breaking = BreakingNews(text=bar.text, article=bar.article, url=bar.url or "", until=bar.until)
    return FrontPage(slots=slots, breaking=breaking)


def _details(front_page: FrontPage) -> dict[str, object]:
    bar = front_page.breaking
    return {
        "slots": [[one.article, one.until] for one in front_page.slots],
        "breaking": None if bar is None else bar.text,
    }


async def _named(connection: Connection, site: str, front_page: FrontPage) -> dict[str, StoredArticle]:
    bar = front_page.breaking
    ids = [*(one.article for one in front_page.slots), *([bar.article] if bar is not None and bar.article else [])]
    rows = await connection.fetch(STRUCTURE_SQL["front_page_articles"], site, ids)
    return {row["id"]: stored_article(row) for row in rows}


async def _answer(
    connection: Connection, site: Site, front_page: FrontPage, at: datetime, left_out: list[str] | None = None
) -> Response:
    named = await _named(connection, site.slug, front_page)
    rows = await connection.fetch(STRUCTURE_SQL["front_page_candidates"], site.slug, at, CANDIDATES_MAX)
    candidates = {**{row["id"]: stored_article(row) for row in rows}, **named}
    bar = front_page.breaking
    shown = FrontPageResponse(
        site=site.slug,
        version=front_page.version,
        at=at,
        slots=[_entry(site, one.article, one.until, named, at) for one in front_page.slots],
        breaking=None if bar is None else _breaking(site, bar, named, at),
        order=[
            FrontPagePosition(source=one.source, article=_shown(site, StoredArticle(one.article, one.article), at))
            for one in order_at(front_page, candidates.values(), at)
        ],
        left_out=left_out or [],
    )
    return with_etag(shown, front_page.version)


def _entry(
    site: Site, article: str, until: datetime, named: Mapping[str, StoredArticle], at: datetime
) -> FrontPageEntry:
    stored = named.get(article)
    reason = reason_at(stored, until, at)
    return FrontPageEntry(
        id=article,
        article=None if stored is None else _shown(site, stored, at),
        until=until,
        is_shown=reason is None,
        reason=reason,
    )


def _breaking(site: Site, bar: BreakingNews, named: Mapping[str, StoredArticle], at: datetime) -> BreakingEntry:
    if bar.article is None:
        is_shown = bar.until > at
        return BreakingEntry(bar.text, None, bar.url, bar.until, is_shown, None if is_shown else "expired")
    entry = _entry(site, bar.article, bar.until, named, at)
    return BreakingEntry(bar.text, entry, bar.url, bar.until, entry.is_shown, entry.reason)


def _shown(site: Site, stored: StoredArticle, at: datetime) -> FrontPageArticle:
    public = copy_at(stored, at)
    copy = site.resolved(public or stored.live or stored.head)
    images = hosted_images(copy)
    return FrontPageArticle(
        id=copy.id,
        number=copy.number,
        title=copy.title,
        section=copy.section,
        state=stored.head.state,
        published_at=copy.published_at,
        url=site.url + article_path(copy) if public is not None else None,
        picture=crop(images[0], "3:2").url if images else None,
    )
