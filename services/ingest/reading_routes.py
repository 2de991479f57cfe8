"""`/api/articles`: list, read, revisions, differences, restore; ninjs and schema.org; is it live?"""

import base64
import binascii
import difflib
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from services.ingest import exports, workflow
from services.ingest.answers import (
    ArticleList,
    ArticleView,
    Audit,
    AuditEntry,
    Difference,
    FieldChange,
    PublicArticleList,
    Revision,
    RevisionList,
    answers,
    json,
    view,
    with_version,
)
from services.ingest.article_input import Instant, Note
from services.ingest.contents import ContentError, Fault, check_limits
from services.ingest.desk import (
    Admin,
    ArticleId,
    Desk,
    DeskOf,
    MaybeCaller,
    Reader,
    Writer,
    actor_of,
    check_version,
    the_article,
)
from services.ingest.idempotency import once
from services.ingest.publications import Publication
from services.ingest.revisions import SQL, database_time, kept_of, read, save
from services.ingest.tokens import Token
from services.ingest.workflow import Kept
from shared.articles import Article, State, is_public
from shared.postgres import Connection
from shared.problems import Problem

router = APIRouter(tags=["Read"])
PAGE_MAX = 100
FIRST = 2**63 - 1
WAIT_SECONDS_MAX = 30.0
_WAIT = re.compile(r"^(\d{1,5}(?:\.\d{1,3})?)(ms|s)?$", re.ASCII)

Cursor = Annotated[str | None, Query(max_length=40, description="`next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]
VersionNumber = Annotated[int, Query(ge=1, le=2**31 - 1)]
Filter = Annotated[str | None, Query(max_length=255)]


def _start(cursor: str | None) -> int:
    if cursor is None:
        return FIRST
    try:
        number = int(
            base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii").removeprefix("before:")
        )
    except (ValueError, binascii.Error) as error:
        raise ContentError([Fault("cursor", "is none that this API gave")]) from error
    if not 0 <= number <= FIRST:
        raise ContentError([Fault("cursor", "is none that this API gave")])
    return number


def _next(rows: list[Any], limit: int, last: int) -> str | None:
    if len(rows) < limit:
        return None
    return base64.urlsafe_b64encode(f"before:{last}".encode()).decode().rstrip("=")


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
    summary="List articles, newest first",
    responses=answers(200, ArticleList, PublicArticleList, problems=(403, 404)),
)
async def list_articles(desk: DeskOf, token: MaybeCaller, filters: Annotated[Filters, Query()]) -> Response:
    """Without a token: what is public. With one (scope read): all that editors work on, drafts too."""
    wanted = [filters.section, filters.tag, filters.author, filters.q]
    if any(value is not None and "\0" in value for value in [*wanted, filters.source_system, filters.external_id]):
        raise ContentError([Fault("query", "has a NUL character")])
    start, limit, now = _start(filters.cursor), filters.limit, datetime.now(UTC)
    if token is None:
        sites = None if filters.site is None else [desk.site(filters.site).slug]
        rows = await desk.pool.fetch(SQL["lives"], sites, start, limit, *wanted)
        lives = [msgspec.json.decode(row["live"], type=Article) for row in rows]
        last = lives[-1].number if lives else 0
        return json(PublicArticleList([live for live in lives if is_public(live, now)], _next(rows, limit, last)))
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
    return json(ArticleList(heads, _next(rows, limit, found[-1].head.number if found else 0)))


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
    return json(exports.ninjs(article, desk.site(article.site), desk.url_of(article.site)))


@router.get(
    "/articles/{article_id}.jsonld",
    summary="Read an article as schema.org NewsArticle",
    responses=answers(200, problems=_READ, media="application/ld+json"),
    tags=["Exchange"],
)
async def get_jsonld(desk: DeskOf, token: MaybeCaller, article_id: ArticleId) -> Response:
    """For search engines. Without a token: what readers get; with one: the head."""
    article = await _seen(desk, token, article_id)
    found = exports.jsonld(article, desk.site(article.site), desk.url_of(article.site))
    return Response(msgspec.json.encode(found), media_type="application/ld+json")


@router.get(
    "/articles/{article_id}", summary="Read an article", responses=answers(200, ArticleView, Article, problems=_READ)
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


@router.get(
    "/articles/{article_id}/revisions",
    summary="List all changes of an article",
    responses=answers(200, RevisionList, problems=(403, 404)),
    tags=["Revisions"],
)
async def list_revisions(
    desk: DeskOf, token: Reader, article_id: ArticleId, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """Who did what, when and why; newest first."""
    start = min(_start(cursor), 2**31 - 1)
    async with desk.pool.acquire() as connection:
        await the_article(connection, article_id, token, "read")
        rows = await connection.fetch(SQL["revisions"], article_id, start, limit)
    revisions = [Revision(**dict(row)) for row in rows]
    return json(RevisionList(revisions, _next(rows, limit, revisions[-1].version if revisions else 0)))


async def _version(connection: Connection, article_id: str, version: int) -> Article:
    content = await connection.fetchval(SQL["revision"], article_id, version)
    if content is None:
        raise Problem(404, f"The article {article_id!r} has no version {version}.")
    return msgspec.json.decode(content, type=Article)


@router.get(
    "/articles/{article_id}/revisions/{version}",
    summary="Read one version",
    responses=answers(200, Article, problems=(403, 404)),
    tags=["Revisions"],
)
async def get_revision(desk: DeskOf, token: Reader, article_id: ArticleId, version: int) -> Response:
    """The article as it was after that change."""
    async with desk.pool.acquire() as connection:
        await the_article(connection, article_id, token, "read")
        return json(await _version(connection, article_id, _bounded(version)))


def _bounded(version: int) -> int:
    return version if 1 <= version < 2**31 else 0


@router.get(
    "/articles/{article_id}/diff",
    summary="Compare two versions",
    responses=answers(200, Difference, problems=(403, 404)),
    tags=["Revisions"],
)
async def get_diff(
    desk: DeskOf,
    token: Reader,
    article_id: ArticleId,
    before: Annotated[int, Query(alias="from", ge=1, le=2**31 - 1)],
    after: Annotated[int, Query(alias="to", ge=1, le=2**31 - 1)],
) -> Response:
    """Each field that differs, and the body as a unified diff with a line for each block."""
    async with desk.pool.acquire() as connection:
        await the_article(connection, article_id, token, "read")
        one, other = [await _version(connection, article_id, version) for version in (before, after)]
    return json(await desk.convert(difference, one, other))


def difference(before: Article, after: Article) -> Difference:
    """Return what differs between two versions of an article."""
    names = [name for name in Article.__struct_fields__ if name not in ("body", "version", "modified_at")]
    pairs = [(name, getattr(before, name), getattr(after, name)) for name in names]
    one, other = ([msgspec.json.encode(block).decode() for block in article.body] for article in (before, after))
    named = (f"version {before.version}", f"version {after.version}")
    return Difference(
        before.id,
        before.version,
        after.version,
        [FieldChange(*pair) for pair in pairs if pair[1] != pair[2]],
        list(difflib.unified_diff(one, other, *named, lineterm="")),
    )


class RestoreIn(BaseModel):
    """Which version comes back."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"version": 2, "note": "bản cũ đúng"}]})

    version: int = Field(ge=1, le=2**31 - 1, description="the version whose content comes back")
    note: Note = ""


@router.post(
    "/articles/{article_id}/restore",
    summary="Make an old version the newest",
    responses=answers(200, ArticleView, problems=(403, 404, 409, 412)),
    tags=["Revisions"],
)
async def restore_article(
    request: Request, desk: DeskOf, token: Writer, article_id: ArticleId, sent: RestoreIn
) -> Response:
    """The old content as a new version, a draft: nothing that came between is lost."""

    async def act(connection: Connection) -> Response:
        kept = await the_article(connection, article_id, token, "write", for_update=True)
        check_version(request, None, kept, must=False)
        site = desk.site(kept.head.site)
        old = await _version(connection, article_id, sent.version)
        fields = {name: getattr(old, name) for name in Article.__struct_fields__ if name not in _OWN}
        now = await database_time(connection)
        by_publisher = token.allows("publish", site.slug)
        change = workflow.edit(kept, fields, by_publisher=by_publisher, now=now, action="restore")
        check_limits(change.head, site)
        note = sent.note or f"version {sent.version} restored"
        await save(connection, kept, change, actor_of(token), note)
        after = Kept(change.head, change.live, token.prefix)
        return with_version(view(after, desk.url_of(site.slug), now))

    return await once(desk.pool, request, token, act)


_OWN = {"id", "number", "site", "version", "state", "modified_at", "first_published_at", "created_at"} | {
    "source_system",
    "external_id",
}
"""Fields that no version brings back."""


@router.get("/audit", summary="Who did what", responses=answers(200, Audit, problems=(403, 404)), tags=["Revisions"])
async def get_audit(
    *,
    desk: DeskOf,
    token: Admin,
    site: Filter = None,
    who: Filter = None,
    action: Filter = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """All accepted changes of all articles, newest first."""
    if any(value is not None and "\0" in value for value in (who, action)):
        raise ContentError([Fault("query", "has a NUL character")])
    rows = await desk.pool.fetch(SQL["audit"], desk.sites_of(token, site), _start(cursor), limit, who, action)
    entries = [AuditEntry(**dict(row)) for row in rows]
    return json(Audit(entries, _next(rows, limit, entries[-1].id if entries else 0)))
