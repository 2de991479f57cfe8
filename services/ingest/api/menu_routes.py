"""`/api/menus`: the menus of a site, `main`, `footer` and `links`."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.article_routes import IfMatch
from services.ingest.api.dependencies import CHANGES_ARTICLES, ApiContextDep, PublishCaller, ReadCaller
from services.ingest.api.request_language import language_headers, localized_warnings
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
from services.ingest.api.structure_schemas import MenuResponse, MenuWarning
from services.ingest.articles.store import database_time
from services.ingest.content.block_models import Input, Instant, Line
from services.ingest.content.errors import FieldError, InvalidContentError, field_error, quoted
from services.ingest.structure import changes
from services.ingest.structure.links import is_external
from services.ingest.structure.pages import StoredPage, list_pages
from shared.postgres import Connection
from shared.site_structure import MENU_DEPTH_MAX, MENU_ITEMS_MAX, MENUS, MenuItem, SiteStructure, StructureIndex
from shared.sites import Site

router = APIRouter()
MenuName = Annotated[str, Path(max_length=20, description=f"one of {', '.join(MENUS)}")]
URL_CHARACTERS_MAX = 2_000


class MenuItemIn(Input):
    """An entry of a menu: `target` is the slug of a section or tag, the ID of a static page, or an https URL."""

    kind: Literal["home", "section", "tag", "page", "url"]
    target: Annotated[Line, Field(max_length=URL_CHARACTERS_MAX)] = ""
    label: Annotated[Line, Field(max_length=80, description="default: the name of the target")] = ""
    items: list["MenuItemIn"] = Field([], max_length=MENU_ITEMS_MAX)
    until: Instant | None = Field(None, description="when pages cease to show it, with those below it; null: never")


class MenuIn(Input):
    """A whole menu."""

    items: list[MenuItemIn] = Field(max_length=MENU_ITEMS_MAX)


@router.get(
    "/menus/{name}",
    tags=["Structure"],
    summary="Read a menu",
    responses=response_docs(200, MenuResponse, problems=(403, 404)),
)
async def get_menu(
    *, request: Request, context: ApiContextDep, caller: ReadCaller, name: MenuName, site: SiteQuery = None
) -> Response:
    """Read a menu, with a warning for each entry that pages do not show."""
    wanted = structure_site(context, request, caller, "read", site)
    index = await read_index(context, wanted)
    changes.set_menu(index.structure, name, None)
    now = await database_time(context.pool)
    return _answer(wanted, index, name, await list_pages(context.pool, wanted.slug), now)


@router.put(
    "/menus/{name}",
    tags=["Structure"],
    summary="Replace a menu",
    dependencies=CHANGES_ARTICLES,
    responses=response_docs(200, MenuResponse, problems=(403, 404, 409, 412, 428)),
)
async def replace_menu(
    *,
    request: Request,
    context: ApiContextDep,
    caller: PublishCaller,
    name: MenuName,
    sent: MenuIn,
    site: SiteQuery = None,
    if_match: IfMatch = None,
) -> Response:
    """Replace a menu. If-Match is the version of the site's structure, as the ETag has it.

    Entries that have ended since the menu was read are left out.
    """
    wanted = structure_site(context, request, caller, "publish", site)
    items = [_item(one) for one in sent.items]

    async def act(connection: Connection) -> Response:
        pages, now = await list_pages(connection, wanted.slug), await database_time(connection)

        def change(before: SiteStructure, version: int) -> SiteStructure:
            check_version(request, before.version)
            kept = changes.without_ended(items, before.menus.get(name, ()), now)
            _check(kept, StructureIndex(before), pages, now)
            return changes.set_menu(before, name, kept)

        after = await apply(connection, context, caller, wanted, "menu", name, "edit", change)
        return _answer(wanted, StructureIndex(after), name, pages, now)

    return await change_once(context, request, caller, act)


@router.delete(
    "/menus/{name}",
    status_code=204,
    tags=["Structure"],
    summary="Remove a menu",
    dependencies=CHANGES_ARTICLES,
    responses=response_docs(204, problems=(403, 404, 412, 428)),
)
async def remove_menu(
    *,
    request: Request,
    context: ApiContextDep,
    caller: PublishCaller,
    name: MenuName,
    site: SiteQuery = None,
    if_match: IfMatch = None,
) -> Response:
    """Remove a menu: pages show the sections in their order again."""
    wanted = structure_site(context, request, caller, "publish", site)

    async def act(connection: Connection) -> Response:
        def change(before: SiteStructure, version: int) -> SiteStructure:
            check_version(request, before.version)
            return changes.set_menu(before, name, None)

        await apply(connection, context, caller, wanted, "menu", name, "remove", change)
        return Response(status_code=204)

    return await change_once(context, request, caller, act)


def _item(sent: MenuItemIn) -> MenuItem:
    items = [_item(one) for one in sent.items]
    return MenuItem(kind=sent.kind, target=sent.target, label=sent.label, items=items, until=sent.until)


def _check(items: Sequence[MenuItem], index: StructureIndex, pages: Sequence[StoredPage], now: datetime) -> None:
    """Check a menu as it was sent: targets that are gone later are only reported.

    Raises:
        InvalidContentError: with each error.
    """
    errors = []
    for path, item, depth in _walk(items):
        if item.until is not None and item.until <= now:
            errors.append(field_error(f"{path}.until", "over"))
        if depth > MENU_DEPTH_MAX:
            errors.append(field_error(path, "menu_too_deep", limit=MENU_DEPTH_MAX, size=depth))
        elif item.kind == "url" and not is_external(item.target):
            errors.append(field_error(f"{path}.target", "not_an_external_url"))
        elif item.kind == "url" and not item.label:
            errors.append(field_error(f"{path}.label", "label_required"))
        elif item.kind == "tag" and not _is_slug(item.target):
            errors.append(field_error(f"{path}.target", "not_a_tag"))
        elif error := _hidden(f"{path}.target", item, index, pages, is_new=True):
            errors.append(error)
    count = sum(1 for _ in _walk(items))
    if count > MENU_ITEMS_MAX:
        errors.append(field_error("items", "too_many_entries", limit=MENU_ITEMS_MAX, size=count))
    if errors:
        raise InvalidContentError(errors)


def _is_slug(text: str) -> bool:
    return 0 < len(text) <= 60 and all(one.isascii() and (one.isalnum() or one == "-") for one in text)


def _walk(items: Sequence[MenuItem], path: str = "items", depth: int = 1) -> Iterator[tuple[str, MenuItem, int]]:
    for number, item in enumerate(items):
        yield f"{path}.{number}", item, depth
        yield from _walk(item.items, f"{path}.{number}.items", depth + 1)


def _hidden(
    path: str,
    item: MenuItem,
    index: StructureIndex,
    pages: Sequence[StoredPage],
    *,
    is_new: bool = False,
    now: datetime | None = None,
) -> FieldError | None:
    """Return why pages do not show an entry; None if they do. A new entry may lead to a page that is a draft."""
    if now is not None and item.until is not None and item.until <= now:
        return field_error(path, "has_ended")
    if item.kind == "section" and index.current("section", item.target) not in index.sections:
        return field_error(path, "no_such_section", section=quoted(item.target))
    if item.kind == "page":
        found = next((one for one in pages if one.page.id == item.target), None)
        if found is None:
            return field_error(path, "no_such_page", page=quoted(item.target))
        if not is_new and (found.live is None or found.live.state != "published"):
            return field_error(path, "page_not_public", page=quoted(found.page.title))
    return None


def _answer(site: Site, index: StructureIndex, name: str, pages: Sequence[StoredPage], now: datetime) -> Response:
    items = index.structure.menus.get(name)
    hidden = (_hidden(path, item, index, pages, now=now) for path, item, _ in _walk(items or []))
    found = localized_warnings(one for one in hidden if one is not None)
    shown = MenuResponse(
        site=site.slug,
        name=name,
        version=index.version,
        is_default=items is None,
        items=items or [],
        warnings=[MenuWarning(one.field, one.message) for one in found],
    )
    return with_etag(shown, index.version, 200, **language_headers())
