"""Filters and sort orders of article lists, and their SQL statements."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, get_args

import asyncpg
import msgspec
from fastapi import Query
from pydantic import BaseModel, ConfigDict

from services.ingest.api.pagination import Cursor, Filter, Limit
from services.ingest.api.search_terms import search_query
from services.ingest.auth.callers import ANY_SECTION, Caller
from services.ingest.content.block_models import Instant
from services.ingest.content.errors import InvalidContentError, field_error, invalid
from services.ingest.queries import SQL
from shared.articles import State
from shared.postgres import Connection

Sort = Literal["number", "modified", "created", "due", "published", "title"]
Direction = Literal["asc", "desc"]
Having = Literal["live", "refusal", "problem"]
NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""When an article is due that is not scheduled: it is the last of those sorted by `due`."""
_FILTERS = "article_filters"
_SEARCH, _WRITER, _NUMBERS = 5, 11, 12
"""Places of the search, the writer and article numbers among the parameters of the filters."""
FEW_MATCHES_MAX = 2_000


class SortOrder(NamedTuple):
    """How a list is sorted: the SQL of the key, its types in SQL and Python, and the default direction."""

    key: str
    sql_type: str
    key_type: Any
    direction: Direction


SORT_ORDERS: dict[Sort, SortOrder] = {
    "number": SortOrder("number", "bigint", int, "desc"),
    "modified": SortOrder("modified_at", "timestamptz", datetime, "desc"),
    "created": SortOrder("created_at", "timestamptz", datetime, "desc"),
    "due": SortOrder("coalesce(scheduled_for, '9999-12-31T00:00:00Z'::timestamptz)", "timestamptz", datetime, "asc"),
    "published": SortOrder("coalesce(content ->> 'published_at', '')", "text", str, "desc"),
    "title": SortOrder("left(ingest.folded(title), 60)", "text", str, "asc"),
}


class ArticleFilters(BaseModel):
    """Filters of articles; an omitted one does not filter."""

    model_config = ConfigDict(extra="forbid")

    site: Filter = None
    state: Annotated[
        list[State] | None, Query(max_length=len(get_args(State)), description="repeated: any of these states")
    ] = None
    section: Filter = None
    tag: Filter = None
    author: Annotated[str | None, Query(max_length=255, description="name of an author, present or former")] = None
    q: Annotated[
        str | None,
        Query(
            max_length=255,
            description="words of title, lead, tags and text, with or without diacritics; the last one may be the "
            'beginning of a word; words between quotation marks follow each other: `"chợ phiên" hải`. '
            "Without a token: words of the title",
        ),
    ] = None
    source_system: Filter = None
    external_id: Filter = None
    modified_since: Instant | None = None
    due_from: Annotated[Instant | None, Query(description="scheduled for this time or later")] = None
    due_to: Annotated[Instant | None, Query(description="scheduled for a time before this one")] = None
    mine: Annotated[bool, Query(description="articles that the caller has created, edited, restored or imported")] = (
        False
    )

    having: Annotated[
        list[Having] | None,
        Query(
            max_length=len(get_args(Having)),
            description="repeated: all of these. `live`: a public version; `refusal`: a version was refused, and none "
            "approved since; `problem`: the scheduler could not publish it",
        ),
    ] = None

    def values(self, sites: Sequence[str] | None, caller: Caller) -> list[Any]:
        """Return the parameters of the SQL that filters articles of sites (None: of all) for a caller.

        Raises:
            InvalidContentError: the range of due times is empty.
        """
        if self.due_from is not None and self.due_to is not None and self.due_from >= self.due_to:
            raise invalid("due_to", "not_after", first="due_from")
        found = None if self.q is None else search_query(self.q)
        texts = (self.section, self.tag, authors_named(self.author), found, self.source_system, self.external_id)
        # Without a schedule there is no due time: `due_from` alone does not match what is never due.
        due_to = self.due_to or (NEVER if self.due_from is not None else None)
        times = (self.modified_since, self.due_from, due_to)
        writer = _writer(caller) if self.mine else None
        return [sites, self.state, *texts, *times, writer, None, _places(caller), self.having]


def authors_named(names: str | None) -> list[str] | None:
    """Return the parameter that finds articles by any of the names of an author, which are one a line."""
    return None if names is None else [msgspec.json.encode([{"name": name}]).decode() for name in names.split("\n")]


def _writer(caller: Caller) -> list[str | None]:
    """Return the name and the id by which revisions name a caller: people by their id, holders of tokens by both."""
    actor = caller.actor
    return [None if actor.is_person else actor.name, actor.id]


def _places(caller: Caller) -> list[str] | None:
    """Return the sections that a caller may read; None if it may read all of the sites that it may list."""
    places = caller.places_with("read")
    return None if places is None or all(place.endswith(f"/{ANY_SECTION}") for place in places) else places


class ListFilters(ArticleFilters):
    """Filters, order and size of a list of articles."""

    model_config = ConfigDict(extra="forbid")

    sort: Annotated[
        Sort,
        Query(
            description="`due`: by the scheduled time, the next first and those without one last; "
            "`title`: without regard to diacritics; otherwise the newest first"
        ),
    ] = "number"
    order: Annotated[Direction | None, Query(description="default: desc; of `due` and `title`: asc")] = None
    fields: Annotated[
        Literal["short"] | None, Query(description="`short`: rows with what a table of articles shows")
    ] = None
    full: Annotated[bool, Query(description="whole articles instead of rows without their bodies")] = False
    cursor: Cursor = None
    limit: Limit = 20

    @property
    def direction(self) -> Direction:
        """The direction of the list."""
        return self.order or SORT_ORDERS[self.sort].direction

    @property
    def cursor_order(self) -> str:
        """The order for which the list's cursors are made."""
        return f"{self.sort} {self.direction}"


PUBLIC_FILTERS = frozenset({"site", "section", "tag", "author", "q", "full", "cursor", "limit"})
"""Those that callers without a token may use."""


def check_public_filters(filters: ListFilters) -> None:
    """Reject filters that need a token: the public list would look filtered. Default values filter nothing.

    Raises:
        InvalidContentError: naming them.
    """
    fields = ListFilters.model_fields
    others = sorted(
        name for name in fields.keys() - PUBLIC_FILTERS if getattr(filters, name) != fields[name].get_default()
    )
    if others:
        raise InvalidContentError([field_error(name, "read_scope_required") for name in others])


async def fetch_filtered(
    pool: asyncpg.Pool, statement: str, filters: Sequence[Any], *others: Any
) -> list[asyncpg.Record]:
    """Run a statement with the parameters of filters, and others after them.

    Articles of a search or of a writer are found first if they are few, and the other filters then apply to these;
    otherwise an index in the order of the list finds the first matches soon.
    """
    async with pool.acquire() as connection, connection.transaction():
        return await fetch_filtered_on(connection, statement, filters, *others)


async def fetch_filtered_on(
    connection: Connection, statement: str, filters: Sequence[Any], *others: Any
) -> list[asyncpg.Record]:
    """Do the same in a transaction."""
    values = list(filters)
    await connection.execute(SQL["plan_each_list"])
    if values[_SEARCH] is not None:
        await connection.execute(SQL["search_by_index"])
    for place, query in ((_SEARCH, "matching_numbers"), (_WRITER, "own_numbers")):
        if values[place] is None:
            continue
        found = {row["number"] for row in await connection.fetch(SQL[query], values[place], FEW_MATCHES_MAX + 1)}
        if len(found) <= FEW_MATCHES_MAX:
            known = values[_NUMBERS]
            values[place], values[_NUMBERS] = None, list(found if known is None else found.intersection(known))
    return list(await connection.fetch(statement, *values, *others))


@cache
def list_statement(sort: Sort, direction: Direction) -> str:
    """Return the SQL of a list in an order."""
    order = SORT_ORDERS[sort]
    replaced = {
        ":filters": SQL[_FILTERS],
        ":sort_key": order.key,
        ":sort_type": order.sql_type,
        ":comparison": "<" if direction == "desc" else ">",
        ":direction": direction,
    }
    return _complete("list_articles", replaced)


@cache
def count_statement() -> str:
    """Return the SQL that counts articles by state."""
    return _complete("count_articles", {":filters": SQL[_FILTERS]})


@cache
def lock_statement() -> str:
    """Return the SQL that locks articles and returns their ids and versions."""
    return _complete("lock_filtered_articles", {":filters": SQL[_FILTERS]})


def _complete(name: str, replaced: dict[str, str]) -> str:
    statement = SQL[name]
    for placeholder, text in replaced.items():
        statement = statement.replace(placeholder, text)
    return statement
