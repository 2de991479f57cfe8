"""`/api/banners`: pictures with a link in fixed places of a site's pages, each between two times."""

from datetime import datetime
from typing import Annotated, Any
from uuid import uuid4

import msgspec
from fastapi import APIRouter
from pydantic import ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.article_routes import IdempotencyKey, IfMatch
from services.ingest.api.dependencies import CHANGES_ARTICLES, ApiContextDep, PublishCaller, ReadCaller
from services.ingest.api.schemas import response_docs
from services.ingest.api.structure_images import stored_image
from services.ingest.api.structure_requests import (
    SiteQuery,
    apply,
    change_once,
    check_version,
    read_index,
    structure_site,
    with_etag,
)
from services.ingest.api.structure_schemas import BannerEntry, BannerList
from services.ingest.articles.store import database_time
from services.ingest.content.block_models import Address, ImageIn, Input, Instant
from services.ingest.content.errors import InvalidContentError
from services.ingest.structure.banners import checked_banners, with_banners
from shared.banners import BANNERS_MAX, Banner, Banners, Place
from shared.postgres import Connection
from shared.site_structure import SiteStructure
from shared.sites import Site

router = APIRouter(tags=["Structure"])
EXAMPLE: dict[str, Any] = {
    "items": [
        {
            "place": "foot",
            "image": {"media": "0" * 64, "alt": "Cổng dịch vụ công quốc gia"},
            "url": "https://dichvucong.gov.vn/",
            "until": "2026-12-31T23:59:00+07:00",
        }
    ]
}


class BannerIn(Input):
    """A banner: its picture is in the media library, and `alt` says what it says and where it leads."""

    id: str | None = Field(None, max_length=64, pattern="^[A-Za-z0-9-]+$", description="default: a new one")
    place: Place
    image: ImageIn
    url: Annotated[Address, Field(max_length=2_000, description="a path of the site, or an https URL")] | None = None
    is_advertisement: bool = Field(False, description="it is labelled as one")
    starts_at: Instant | None = Field(None, description="null: at once")
    until: Instant | None = Field(None, description="null: until it is removed")


class BannersIn(Input):
    """All banners of a site in their order."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    items: list[BannerIn] = Field(max_length=BANNERS_MAX)


@router.get("/banners", summary="Read the banners", responses=response_docs(200, BannerList, problems=(403, 404)))
async def get_banners(request: Request, context: ApiContextDep, caller: ReadCaller, site: SiteQuery = None) -> Response:
    """Read all banners in their order, each with whether pages show it now, and why not."""
    wanted = structure_site(context, request, caller, "read", site)
    stored = (await read_index(context, wanted)).structure.banners
    return _answer(wanted, stored, await database_time(context.pool))


@router.put(
    "/banners",
    summary="Replace the banners",
    dependencies=CHANGES_ARTICLES,
    responses=response_docs(200, BannerList, problems=(403, 404, 409, 412, 428)),
)
async def put_banners(
    *,
    request: Request,
    context: ApiContextDep,
    caller: PublishCaller,
    sent: BannersIn,
    site: SiteQuery = None,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Replace all banners. Pages show them at once, each between its times.

    Those that have ended since they were read are left out (`left_out`).
    """
    wanted = structure_site(context, request, caller, "publish", site)

    async def act(connection: Connection) -> Response:
        now = await database_time(connection)
        banners = Banners(items=[await _banner(connection, wanted, one, n) for n, one in enumerate(sent.items)])
        left_out: list[str] = []

        def change(before: SiteStructure, version: int) -> SiteStructure:
            check_version(request, before.banners.version)
            changed, gone, errors = checked_banners(banners, before.banners, now)
            if errors:
                raise InvalidContentError(errors)
            left_out.extend(gone)
            details["before"] = _details(before.banners)
            return with_banners(before, changed, version)

        details: dict[str, Any] = {"banners": _details(banners)}
        after = await apply(connection, context, caller, wanted, "banners", wanted.slug, "edit", change, details)
        return _answer(wanted, after.banners, now, left_out)

    return await change_once(context, request, caller, act)


async def _banner(connection: Connection, site: Site, sent: BannerIn, number: int) -> Banner:
    image = await stored_image(connection, site.slug, sent.image, f"items.{number}.image")
    assert image is not None
    return Banner(
        id=sent.id or str(uuid4()),
        place=sent.place,
        image=image,
        url=sent.url or "",
        is_advertisement=sent.is_advertisement,
        starts_at=sent.starts_at,
        until=sent.until,
    )


def _details(banners: Banners) -> list[list[object]]:
    return [[one.place, one.image.alt, one.url, one.starts_at, one.until] for one in banners.items]


def _answer(site: Site, banners: Banners, now: datetime, left_out: list[str] | None = None) -> Response:
    items = [BannerEntry(**msgspec.structs.asdict(one), reason=_reason(one, now)) for one in banners.items]
    shown = BannerList(site=site.slug, version=banners.version, items=items, left_out=left_out or [])
    return with_etag(shown, banners.version)


def _reason(banner: Banner, now: datetime) -> str | None:
    if banner.is_valid(now):
        return None
    return "not_yet" if banner.starts_at is not None and now < banner.starts_at else "expired"
