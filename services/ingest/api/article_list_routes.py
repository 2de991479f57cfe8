"""`/api/articles` and `/api/articles/counts`: list, search and count articles."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar, get_args

import asyncpg
import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response

from services.ingest.api.article_lists import (
    SORT_ORDERS,
    ArticleFilters,
    ListFilters,
    authors_named,
    check_public_filters,
    count_statement,
    fetch_filtered,
    list_statement,
)
from services.ingest.api.article_responses import article_response
from services.ingest.api.dependencies import ApiContext, ApiContextDep, OptionalCaller, ReadCaller
from services.ingest.api.pagination import (
    NUMBER_MAX,
    decode_cursor,
    decode_sorted_cursor,
    encode_cursor,
    encode_sorted_cursor,
)
from services.ingest.api.request_language import language_headers, localized_warnings
from services.ingest.api.schemas import (
    ArticleCounts,
    ArticleList,
    ArticleResponse,
    ArticleRow,
    FullArticleList,
    FullPublicArticleList,
    PublicArticleList,
    PublicArticleRow,
    ShortArticleList,
    ShortArticleRow,
    as_row,
    json_response,
    response_docs,
    without_source,
)
from services.ingest.articles.store import stored_article
from services.ingest.auth.callers import Caller
from services.ingest.queries import SQL
from shared.articles import Article, State, is_public
from shared.site_structure import Kind
from shared.text import fold_diacritics

_Filters = TypeVar("_Filters", bound=ArticleFilters)
router = APIRouter()


@router.get(
    "/articles",
    tags=["Read"],
    summary="List and search articles",
    responses=response_docs(
        200,
        ArticleList,
        ShortArticleList,
        FullArticleList,
        PublicArticleList,
        FullPublicArticleList,
        problems=(403, 404),
    ),
)
async def list_articles(
    context: ApiContextDep, caller: OptionalCaller, filters: Annotated[ListFilters, Query()]
) -> Response:
    """Without a token: public articles. With one (scope read): all articles, in their working versions."""
    if caller is None:
        check_public_filters(filters)
        sites = list(context.sites) if filters.site is None else [context.site(filters.site).slug]
        filters = await with_former_names(context, filters, sites)
        wanted = [filters.section, filters.tag, filters.author, filters.q and title_query(filters.q)]
        start = decode_cursor(filters.cursor)
        key = (tuple(sites), start, filters.limit, *wanted, filters.full)
        content = await context.public_lists.read(key, lambda: _public_list(context, filters, sites, start, wanted))
        return Response(content, headers={"cache-control": "no-store"}, media_type="application/json")
    return await _list_for_editor(context, caller, filters)


async def with_former_names(context: ApiContext, filters: _Filters, sites: Sequence[str]) -> _Filters:
    """Return filters that also match articles with the former names of their section, tag and author."""
    kinds: tuple[Kind, ...] = ("section", "tag", "author")
    names: dict[str, Any] = {kind: await context.filter_names(kind, getattr(filters, kind), sites) for kind in kinds}
    return filters.model_copy(update=names)


async def _list_for_editor(context: ApiContext, caller: Caller, filters: ListFilters) -> Response:
    # The list by number had cursors of the number alone before it could be sorted.
    order, limit = filters.cursor_order, filters.limit
    key_type = SORT_ORDERS[filters.sort].key_type
    is_default = order == "number desc"
    if is_default:
        number = decode_cursor(filters.cursor)
        after: Any = (number, NUMBER_MAX if filters.cursor is None else 0)
    else:
        after = decode_sorted_cursor(filters.cursor, order, key_type) or (None, None)
    visible = context.visible_sites(caller, filters.site)
    filters = await with_former_names(context, filters, list(context.sites) if visible is None else visible)
    values = filters.values(visible, caller)
    statement = list_statement(filters.sort, filters.direction)
    rows = await fetch_filtered(context.pool, statement, values, *after, limit, filters.full)
    now = datetime.now(UTC)
    found = [(row, stored_article(row)) for row in rows]
    shown = [
        (row, article_response(context.resolved(stored), caller, context.site(stored.head.site), now))
        for row, stored in found
        if stored.head.site in context.sites
    ]
    last = found[-1][1].head.number if found else 0
    if is_default:
        following = encode_cursor(rows, limit, last)
    else:
        following = encode_sorted_cursor(rows, limit, order, rows[-1]["sort_key"] if rows else None, last)
    if filters.full:
        heads = [msgspec.structs.replace(head, warnings=localized_warnings(head.warnings)) for _, head in shown]
        return json_response(FullArticleList(heads, following), headers=language_headers())
    if filters.fields == "short":
        short = [as_row(ShortArticleRow, head, **_changed(row)) for row, head in shown]
        return json_response(ShortArticleList(short, following))
    return json_response(ArticleList([_row(row, head) for row, head in shown], following))


def _row(row: asyncpg.Record, head: ArticleResponse) -> ArticleRow:
    return as_row(ArticleRow, head, **_changed(row))


def _changed(row: asyncpg.Record) -> dict[str, Any]:
    """Return the fields of a row that are not in the article: who changed it last, and when it is due."""
    return {
        "due_at": row["scheduled_for"],
        **{name: row[name] for name in ("changed_by", "changed_at", "changed_action")},
    }


@router.get(
    "/articles/counts",
    tags=["Read"],
    summary="Count articles by state",
    responses=response_docs(200, ArticleCounts, problems=(403, 404)),
)
async def count_articles(
    context: ApiContextDep, caller: ReadCaller, filters: Annotated[ArticleFilters, Query()]
) -> Response:
    """Return how many articles the filters of the list match, by state of the working version."""
    visible = context.visible_sites(caller, filters.site)
    sites = sorted(site for site in context.sites if visible is None or site in visible)
    values = (await with_former_names(context, filters, sites)).values(sites, caller)
    counts = dict.fromkeys(get_args(State), 0)
    counts |= {row["state"]: row["articles"] for row in await fetch_filtered(context.pool, count_statement(), values)}
    return json_response(ArticleCounts(sites, counts, sum(counts.values())))


async def _public_list(
    context: ApiContext, filters: ListFilters, sites: list[str], start: int, wanted: list[str | None]
) -> bytes:
    async with context.pool.acquire() as connection, connection.transaction():
        await connection.execute(SQL["plan_each_list"])
        section, tag, author, words = wanted
        given = (sites, start, filters.limit, section, tag, authors_named(author), words, filters.full)
        rows = await connection.fetch(SQL["list_published"], *given)
    read = [msgspec.json.decode(row["live"], type=Article) for row in rows]
    lives = [context.site(live.site).resolved(live) for live in read]
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
