"""`/api/articles/bulk`: the same change of many articles, each with its own rights, version and revision."""

from dataclasses import replace
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.article_list_routes import with_former_names
from services.ingest.api.article_lists import ArticleFilters, fetch_filtered_on, lock_statement
from services.ingest.api.article_routes import IdempotencyKey
from services.ingest.api.bulk_schemas import BulkItemResult, BulkResult
from services.ingest.api.dependencies import (
    ARTICLE_ID,
    CHANGES_ARTICLES,
    ApiContext,
    ApiContextDep,
    WriteCaller,
    article_not_found,
    check_sections,
    load_article,
)
from services.ingest.api.error_codes import localized_problem
from services.ingest.api.errors import validation_problem
from services.ingest.api.idempotency import run_once
from services.ingest.api.live_routes import check_live_rights, checked_live, save_carried
from services.ingest.api.request_language import IS_VIETNAMESE
from services.ingest.api.schemas import json_response, response_docs
from services.ingest.articles import workflow
from services.ingest.articles.copies import StoredArticle
from services.ingest.articles.live_copy import carry_over, change_live, groups_of
from services.ingest.articles.store import database_time, save_change
from services.ingest.auth.callers import Caller
from services.ingest.content.article_models import Note, TagName
from services.ingest.content.block_models import SectionSlug
from services.ingest.content.errors import InvalidContentError, field_error, invalid
from services.ingest.content.validation import check_limits, text_errors
from shared.articles import TAGS_MAX, Article
from shared.http.problems import Problem
from shared.postgres import POSTGRES_DATA_ERRORS, Connection
from shared.sites import Site

router = APIRouter(dependencies=CHANGES_ARTICLES)
ITEMS_MAX = 200
FILTERED_MAX = 1_000
"""Articles that a filter may match."""


class BulkItem(BaseModel):
    """An article, and the version of its working copy that the caller has read."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(min_length=1, max_length=200)]
    version: int | None = Field(None, ge=1, le=2**31 - 1, description="null: whichever it is")


class BulkRequest(BaseModel):
    """A change of many articles."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"action": "tag", "tags": ["bão số 3"], "items": [{"id": "0f6c…", "version": 4}]}]
        },
    )

    action: Literal["tag", "untag", "section", "unpublish"]
    items: list[BulkItem] = Field([], max_length=ITEMS_MAX, description="the articles; or `filter`")
    filter: ArticleFilters | None = Field(
        None, description="all articles of a site that it matches, as in the list; with `expected`"
    )
    expected: int | None = Field(
        None, ge=1, le=FILTERED_MAX, description="how many articles the filter matches, as `/articles/counts` has it"
    )
    tags: list[TagName] = Field([], max_length=TAGS_MAX, description="to add or to remove")
    section: SectionSlug | None = Field(None, description="the new section")
    note: Note = Field("", description="stored with each revision")
    atomic: bool = Field(False, description="change all articles or none")


@router.post(
    "/articles/bulk",
    tags=["Workflow"],
    summary="Change many articles",
    responses=response_docs(200, BulkResult, problems=(403, 409)),
)
async def change_articles(
    *,
    request: Request,
    context: ApiContextDep,
    caller: WriteCaller,
    sent: BulkRequest,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Add or remove tags, move to a section, or unpublish: each article by itself, with a result for each.

    A public article gets the change in its live version at once (scope publish), and in the working and the scheduled
    one where nothing contradicts. Of any other article the working version is edited (scope write). An article that
    cannot be changed does not stop the others, unless `atomic` is true: then nothing is changed, and the response is
    409 with all results.

    With `filter` the request names the number of articles that it expects; if another number matches, the response is
    409 with `matching`, and nothing is changed.
    """
    _check(sent)

    async def act(connection: Connection) -> Response:
        items = sent.items or await _matching(context, connection, caller, sent)
        results: dict[str, BulkItemResult] = {}
        for item in sorted(items, key=lambda one: one.id):  # in one order, so that two requests cannot deadlock
            results[item.id] = await _change(context, connection, caller, sent, item)
        shown = [results[item.id] for item in items]
        failed = sum(one.status != 200 for one in shown)
        if failed and sent.atomic:
            raise Problem(
                409,
                f"{failed} article(s) cannot be changed, so nothing was changed.",
                results=shown,
                code="bulk_refused",
            )
        return json_response(BulkResult(shown, len(shown) - failed, failed))

    return await run_once(context.pool, request, caller, act)


def _check(sent: BulkRequest) -> None:
    errors = []
    ids = [item.id for item in sent.items]
    if len(set(ids)) < len(ids):
        errors.append(field_error("items", "article_repeated"))
    takes_tags, takes_section = sent.action in ("tag", "untag"), sent.action == "section"
    if bool(sent.items) == (sent.filter is not None):
        errors.append(field_error("items", "items_or_filter"))
    if (sent.filter is not None) != (sent.expected is not None):
        errors.append(field_error("expected", "expected_with_filter"))
    if sent.filter is not None:
        errors += text_errors(sent.filter.model_dump(mode="json"), "filter")
        if sent.filter.site is None:
            errors.append(field_error("filter.site", "required"))
    if takes_tags != bool(sent.tags):
        errors.append(field_error("tags", "value_required" if takes_tags else "not_used", action=sent.action))
    if takes_section != (sent.section is not None):
        errors.append(field_error("section", "value_required" if takes_section else "not_used", action=sent.action))
    if errors:
        raise InvalidContentError(errors)


async def _matching(context: ApiContext, connection: Connection, caller: Caller, sent: BulkRequest) -> list[BulkItem]:
    """Lock and return the articles that the filter matches, of those that the caller may read.

    Raises:
        Problem: 409 if they are not as many as the request expects.
    """
    assert sent.filter is not None, "the request was checked"
    sites = context.visible_sites(caller, sent.filter.site) or []
    values = (await with_former_names(context, sent.filter, sites)).values(sites, caller)
    rows = await fetch_filtered_on(connection, lock_statement(), values, FILTERED_MAX + 1)
    if len(rows) != sent.expected:
        found = f"{len(rows):,}" if len(rows) <= FILTERED_MAX else f"more than {FILTERED_MAX:,}"
        detail = f"The filter matches {found} article(s), not {sent.expected:,}; nothing was changed."
        raise Problem(
            409, detail, matching=len(rows), expected=sent.expected, limit=FILTERED_MAX, code="selection_changed"
        )
    return [BulkItem(id=row["id"], version=row["version"]) for row in rows]


async def _change(
    context: ApiContext, connection: Connection, caller: Caller, sent: BulkRequest, item: BulkItem
) -> BulkItemResult:
    """Change one article, and return the result; after an error it is as before."""
    try:
        async with connection.transaction():  # a savepoint
            if not ARTICLE_ID.match(item.id):
                raise article_not_found(item.id)
            return await _change_article(context, connection, caller, sent, item)
    except InvalidContentError as error:
        problem = validation_problem(error)
    except POSTGRES_DATA_ERRORS:
        problem = article_not_found(item.id)
    except Problem as error:
        problem = error
    said = localized_problem(problem, vietnamese=IS_VIETNAMESE.get())
    return BulkItemResult(item.id, problem.status, error=said["detail"], code=said["code"])


async def _change_article(
    context: ApiContext, connection: Connection, caller: Caller, sent: BulkRequest, item: BulkItem
) -> BulkItemResult:
    stored = await load_article(context, connection, item.id, caller, "read", for_update=True)
    if item.version is not None and item.version != stored.head.version:
        detail = f"The request names version {item.version}, but the article is at {stored.head.version}."
        raise Problem(412, detail, version=stored.head.version)
    before, conflicts = stored.head.version, list[str]()
    if sent.action == "unpublish":
        after = await _unpublish(context, connection, caller, sent, stored)
    elif stored.live is not None and stored.live.state == "published":
        after, conflicts = await _change_live(context, connection, caller, sent, stored)
    else:
        after = await _edit(context, connection, caller, sent, stored)
    head = after.head
    return BulkItemResult(item.id, 200, head.version, head.state, head.version != before, conflicts)


async def _unpublish(
    context: ApiContext, connection: Connection, caller: Caller, sent: BulkRequest, stored: StoredArticle
) -> StoredArticle:
    for copy in (stored.head, stored.live):
        if copy is not None:
            caller.check("publish", copy.site, copy.section)
    site, now = context.site(stored.head.site), await database_time(connection)
    change = workflow.apply_transition("unpublish", stored, site, now)
    change = await save_change(connection, stored, change, caller.actor, sent.note)
    return stored.after(change)


def _fields(sent: BulkRequest, article: Article, site: Site) -> dict[str, Any]:
    """Return the fields that the request changes in a copy of an article. Tags are the same if their pages are.

    Raises:
        InvalidContentError: it would have too many tags.
    """
    if sent.action == "section":
        return {"section": sent.section}
    if sent.action == "untag":
        removed = {site.tag_slug(tag) for tag in sent.tags}
        return {"tags": [tag for tag in article.tags if site.tag_slug(tag) not in removed]}
    present = {site.tag_slug(tag) for tag in article.tags}
    added = {site.tag_slug(tag): tag for tag in reversed(sent.tags)}
    tags = [*article.tags, *(added[slug] for slug in reversed(added) if slug not in present)]
    if len(tags) > TAGS_MAX:
        raise invalid("tags", "too_many_entries", limit=TAGS_MAX, size=len(tags))
    return {"tags": tags}


async def _change_live(
    context: ApiContext, connection: Connection, caller: Caller, sent: BulkRequest, stored: StoredArticle
) -> tuple[StoredArticle, list[str]]:
    """Change the live version, and the others where nothing contradicts; return what does."""
    live, before = stored.live, stored
    assert live is not None, "it is published"
    site, now = context.site(live.site), await database_time(connection)
    given = _fields(sent, live, site)
    resolved = site.resolved(msgspec.structs.replace(live, **given))
    fields = {name: getattr(resolved, name) for name in given}
    check_live_rights(caller, groups_of(fields), live, site)
    change = change_live(stored, fields, now)
    if change is None:
        return stored, []
    check_sections(caller, "publish", live, change.revised)
    await checked_live(connection, change.revised, fields, site)
    saved = await save_change(connection, before, change, caller.actor, sent.note)
    stored = stored.after(change)
    carried = carry_over(stored, list(fields), "where_possible", now)
    after = await save_carried(connection, before, stored, carried, caller, site)
    conflicts = [f"{one.copy}.{one.field}" for one in carried.conflicts]
    return after if carried.changes else stored.after(saved), conflicts


async def _edit(
    context: ApiContext, connection: Connection, caller: Caller, sent: BulkRequest, stored: StoredArticle
) -> StoredArticle:
    head = stored.head
    caller.check("write", head.site, head.section)
    site, now = context.site(head.site), await database_time(connection)
    fields = _fields(sent, head, site)
    if all(getattr(head, name) == value for name, value in fields.items()):
        return stored
    by_publisher = caller.allows("publish", site.slug, head.section)
    change = workflow.edit_article(stored, fields, by_publisher=by_publisher, now=now)
    change = replace(change, head=site.resolved(change.head))
    check_sections(caller, "publish" if change.head.state != "draft" else "write", head, change.head)
    check_limits(change.head, site)
    change = await save_change(connection, stored, change, caller.actor, sent.note)
    return stored.after(change)
