"""`/api/webhooks`: where events are sent, their secrets, and what was delivered. For administrators."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import uuid4

import asyncpg
import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.dependencies import AdminCaller, ApiContext, ApiContextDep
from services.ingest.api.idempotency import run_once
from services.ingest.api.pagination import Cursor, Limit, decode_cursor, encode_cursor
from services.ingest.api.schemas import json_response, response_docs
from services.ingest.api.webhook_schemas import DeliveryList, DeliveryRow, NewWebhook, Queued, Webhook, WebhookList
from services.ingest.articles.publication_events import PING, Event, WebhookPayload
from services.ingest.auth import audit
from services.ingest.auth.callers import Caller
from services.ingest.content.errors import InvalidContentError, field_error, invalid
from services.ingest.queries import SQL
from services.ingest.webhooks.signatures import secret_text
from shared.http.problems import Problem
from shared.http.targets import RequestError
from shared.postgres import Connection

router = APIRouter(tags=["Webhooks"])
SECRET_BYTES = 32
BOTH_SECRETS_VALID = timedelta(days=1)
WEBHOOKS_MAX = 100
WebhookId = Annotated[str, Path(pattern=r"^wh_[0-9a-f]{32}$", description="ID of the webhook")]
EventNames = Annotated[list[Event], Field(min_length=1, max_length=10)]
SiteSlugs = Annotated[list[Annotated[str, Field(pattern="^[a-z0-9-]{1,40}$")]], Field(min_length=1, max_length=100)]
Url = Annotated[str, Field(min_length=1, max_length=2_000)]
Description = Annotated[str, Field(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]


class WebhookIn(BaseModel):
    """A new webhook."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"url": "https://app.example/hooks/news", "events": ["article.published", "article.withdrawn"]}
            ]
        },
    )

    url: Url = Field(description="https, at a public address; redirects are not followed")
    events: EventNames
    sites: SiteSlugs | None = Field(None, description="null: all sites, also later ones")
    description: Description = ""


class WebhookPatch(BaseModel):
    """Changes of a webhook; omitted fields stay."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"enabled": True}]})

    url: Url | None = None
    events: EventNames | None = None
    sites: SiteSlugs | None = None
    description: Description | None = None
    enabled: bool | None = Field(None, description="true: what waits is sent again; false: nothing is queued")


def _check_sites(context: ApiContext, caller: Caller, sites: Sequence[str] | None) -> None:
    """Require that the caller administers each of the sites (None: all there are)."""
    if sites is None:
        if caller.sites_with("admin", None) is not None:
            raise Problem(403, "Requires the scope 'admin' on all sites; name the sites.", missing_scope="admin")
        return
    for site in sites:
        context.site_of_caller(caller, "admin", site)


def _may_see(caller: Caller, sites: Sequence[str] | None) -> bool:
    if sites is None:
        return caller.sites_with("admin", None) is None
    return all(caller.allows("admin", site) for site in sites)


async def _load(connection: Connection, caller: Caller, webhook: str, *, for_update: bool = False) -> asyncpg.Record:
    row = await connection.fetchrow(SQL["webhook_for_update" if for_update else "webhook"], webhook)
    if row is None or not _may_see(caller, row["sites"]):
        raise Problem(404, f"Webhook {webhook!r} not found.")
    return row


def _shown(row: asyncpg.Record, kind: type[Webhook] = Webhook, **more: Any) -> Webhook:
    fields = {name: row[name] for name in Webhook.__struct_fields__ if name != "enabled"}
    return kind(enabled=row["disabled_at"] is None, **fields, **more)


def _distinct(names: Sequence[str] | None) -> list[str] | None:
    return None if names is None else sorted(set(names))


def _check_url(context: ApiContext, url: str) -> None:
    try:
        context.webhook_sender.check_url(url)
    except RequestError as error:
        raise invalid("url", "url_not_callable", reason=str(error)) from error


@router.post(
    "/webhooks",
    status_code=201,
    summary="Create a webhook",
    responses=response_docs(201, NewWebhook, problems=(403, 404)),
)
async def create_webhook(request: Request, context: ApiContextDep, caller: AdminCaller, sent: WebhookIn) -> Response:
    """Return the webhook with its secret, which is not shown again. Events begin with the next publication."""
    _check_sites(context, caller, sent.sites)
    _check_url(context, sent.url)

    async def act(connection: Connection) -> Response:
        if len(await connection.fetch(SQL["list_webhooks"])) >= WEBHOOKS_MAX:
            raise Problem(409, f"There are {WEBHOOKS_MAX} webhooks already.", code="limit_reached")
        secret = secrets.token_bytes(SECRET_BYTES)
        events, sites = _distinct(sent.events), _distinct(sent.sites)
        given = (f"wh_{uuid4().hex}", sent.url, sent.description, events, sites, secret, caller.actor.name)
        row = await connection.fetchrow(SQL["insert_webhook"], *given)
        assert row is not None
        await _record(connection, caller, "create", row)
        return json_response(_shown(row, NewWebhook, secret=secret_text(secret)), 201)

    return await run_once(context.pool, request, caller, act)


async def _record(connection: Connection, caller: Caller, action: str, row: asyncpg.Record) -> None:
    sites = row["sites"]
    site = sites[0] if sites is not None and len(sites) == 1 else None
    details = {"url": row["url"], "events": row["events"], "sites": sites, "enabled": row["disabled_at"] is None}
    await audit.record(connection, caller.actor, action, kind="webhook", id=row["id"], site=site, details=details)


@router.get("/webhooks", summary="List webhooks", responses=response_docs(200, WebhookList, problems=(403,)))
async def list_webhooks(context: ApiContextDep, caller: AdminCaller) -> Response:
    """Return the webhooks of the caller's sites, without their secrets."""
    rows = await context.pool.fetch(SQL["list_webhooks"])
    return json_response(WebhookList([_shown(row) for row in rows if _may_see(caller, row["sites"])]))


@router.get("/webhooks/{webhook}", summary="Read a webhook", responses=response_docs(200, Webhook, problems=(403, 404)))
async def get_webhook(context: ApiContextDep, caller: AdminCaller, webhook: WebhookId) -> Response:
    """Return a webhook without its secret."""
    async with context.pool.acquire() as connection:
        return json_response(_shown(await _load(connection, caller, webhook)))


@router.patch(
    "/webhooks/{webhook}", summary="Change a webhook", responses=response_docs(200, Webhook, problems=(403, 404))
)
async def patch_webhook(
    context: ApiContextDep, caller: AdminCaller, webhook: WebhookId, sent: WebhookPatch
) -> Response:
    """Change a webhook, disable it, or enable it again."""
    given = sent.model_fields_set
    nulls = [name for name in given if getattr(sent, name) is None and name != "sites"]
    if nulls:
        raise InvalidContentError([field_error(name, "cannot_be_removed") for name in nulls])
    if "sites" in given:
        _check_sites(context, caller, sent.sites)
    if sent.url is not None:
        _check_url(context, sent.url)
    async with context.pool.acquire() as connection, connection.transaction():
        row = await _load(connection, caller, webhook, for_update=True)
        names = ("url", "description", "events", "sites")
        fields = {name: getattr(sent, name) if name in given else row[name] for name in names}
        fields |= {name: _distinct(fields[name]) for name in ("events", "sites")}
        state = [row["disabled_at"], row["disabled_reason"], row["failing_since"]]
        if sent.enabled is True:
            state = [None, None, None]
        elif sent.enabled is False and row["disabled_at"] is None:
            state = [datetime.now(UTC), f"disabled by {caller.actor.name}", None]
        changed = await connection.fetchrow(SQL["update_webhook"], webhook, *fields.values(), *state)
        assert changed is not None
        await _record(connection, caller, "change", changed)
    return json_response(_shown(changed))


@router.delete(
    "/webhooks/{webhook}",
    status_code=204,
    summary="Delete a webhook",
    responses=response_docs(204, problems=(403, 404)),
)
async def delete_webhook(context: ApiContextDep, caller: AdminCaller, webhook: WebhookId) -> Response:
    """Delete a webhook and what waits for it."""
    async with context.pool.acquire() as connection, connection.transaction():
        row = await _load(connection, caller, webhook, for_update=True)
        await connection.execute(SQL["delete_webhook"], webhook)
        await _record(connection, caller, "delete", row)
    return Response(status_code=204)


@router.post(
    "/webhooks/{webhook}/rotate",
    summary="Make a new secret",
    responses=response_docs(200, NewWebhook, problems=(403, 404)),
)
async def rotate_secret(request: Request, context: ApiContextDep, caller: AdminCaller, webhook: WebhookId) -> Response:
    """Return a new secret. For a day requests are signed with both, so that the receiver can change over."""

    async def act(connection: Connection) -> Response:
        await _load(connection, caller, webhook, for_update=True)
        secret = secrets.token_bytes(SECRET_BYTES)
        row = await connection.fetchrow(SQL["rotate_webhook_secret"], webhook, secret, BOTH_SECRETS_VALID)
        assert row is not None
        await _record(connection, caller, "rotate", row)
        return json_response(_shown(row, NewWebhook, secret=secret_text(secret)))

    return await run_once(context.pool, request, caller, act)


@router.post(
    "/webhooks/{webhook}/ping",
    status_code=202,
    summary="Send a test event",
    responses=response_docs(202, Queued, problems=(403, 404, 409)),
)
async def ping_webhook(request: Request, context: ApiContextDep, caller: AdminCaller, webhook: WebhookId) -> Response:
    """Queue one `webhook.ping`, which is tried once; the deliveries have its result."""

    async def act(connection: Connection) -> Response:
        row = await _load(connection, caller, webhook, for_update=True)
        if row["disabled_at"] is not None:
            raise Problem(409, "The webhook is disabled.", code="webhook_disabled")
        message = f"msg_{uuid4().hex}"
        payload = msgspec.json.encode(WebhookPayload(PING, datetime.now(UTC), {"webhook": webhook}))
        await connection.execute(SQL["ping_webhook"], message, webhook, payload)
        return json_response(Queued([message]), 202)

    return await run_once(context.pool, request, caller, act)


@router.get(
    "/webhooks/{webhook}/deliveries",
    summary="List deliveries",
    responses=response_docs(200, DeliveryList, problems=(403, 404)),
)
async def list_deliveries(
    *,
    context: ApiContextDep,
    caller: AdminCaller,
    webhook: WebhookId,
    state: Annotated[
        Literal["pending", "delivered", "dead"] | None, Query(description="`dead`: given up; can be redelivered")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Return events of the last days with their last result, newest first."""
    async with context.pool.acquire() as connection:
        await _load(connection, caller, webhook)
        rows = await connection.fetch(SQL["list_deliveries"], webhook, state, decode_cursor(cursor), limit)
    found = [DeliveryRow(**{name: row[name] for name in DeliveryRow.__struct_fields__}) for row in rows]
    return json_response(DeliveryList(found, encode_cursor(rows, limit, rows[-1]["number"] if rows else 0)))


class RedeliveryRequest(BaseModel):
    """The message to send again."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"message": "msg_0f6c…"}, {}]})

    message: str | None = Field(None, max_length=80, description="null: all dead ones")


@router.post(
    "/webhooks/{webhook}/redeliver",
    status_code=202,
    summary="Send events again",
    responses=response_docs(202, Queued, problems=(403, 404)),
)
async def redeliver(
    request: Request, context: ApiContextDep, caller: AdminCaller, webhook: WebhookId, sent: RedeliveryRequest
) -> Response:
    """Queue an event again, or all dead ones, with the IDs that they had, by which a receiver recognises them."""
    if sent.message is not None and "\0" in sent.message:
        raise Problem(404, "The webhook has no such message.")

    async def act(connection: Connection) -> Response:
        row = await _load(connection, caller, webhook, for_update=True)
        queued = [one["message"] for one in await connection.fetch(SQL["redeliver"], webhook, sent.message)]
        if sent.message is not None and not queued:
            raise Problem(404, "The webhook has no such message, or it waits to be sent.")
        await _record(connection, caller, "redeliver", row)
        return json_response(Queued(queued), 202)

    return await run_once(context.pool, request, caller, act)
