"""`/api/me`: who the caller is, what it may do where, and the person's own name, password and two-step verification."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.account_schemas import (
    Me,
    RecoveryCodes,
    SectionOfCaller,
    SiteOfCaller,
    TotpSecret,
    shown_grants,
)
from services.ingest.api.dependencies import AnyCaller, ApiContext, ApiContextDep, PersonSession
from services.ingest.api.schemas import json_response, response_docs
from services.ingest.auth.audit import record
from services.ingest.auth.callers import SCOPES, Caller
from services.ingest.auth.cookies import SESSION, set_cookie
from services.ingest.auth.login_throttle import DEVICE
from services.ingest.auth.passwords import check_password
from services.ingest.auth.people import (
    LANGUAGES,
    change_person,
    clean_name,
    close_sessions,
    find_person,
    lock_people,
    normalize_email,
)
from services.ingest.auth.secret_tokens import csrf_token
from services.ingest.auth.sessions import OpenSession, current_caller
from services.ingest.auth.totp import (
    hash_recovery_code,
    matching_step,
    new_recovery_codes,
    new_totp_secret,
    secret_text,
    secret_uri,
)
from services.ingest.content.errors import invalid
from services.ingest.queries import ACCOUNTS
from shared.http.problems import Problem
from shared.postgres import Connection
from shared.sites import Site

router = APIRouter(tags=["Me"])


class MePatch(BaseModel):
    """What a person changes of the own account."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "Trần Thị Lan"}]})

    name: str | None = Field(None, max_length=300)
    email: str | None = Field(None, max_length=254, description="a new address; needs current_password")
    language: str | None = Field(None, max_length=2, description="of mails: vi or en")
    password: str | None = Field(None, max_length=1_000, description="a new password; needs current_password")
    current_password: str | None = Field(None, max_length=1_000)


class TotpRequest(BaseModel):
    """The password, again."""

    model_config = ConfigDict(extra="forbid")

    current_password: str = Field(max_length=1_000)


class TotpConfirmation(TotpRequest):
    """A code that the app shows for the new secret."""

    code: str = Field(max_length=40)


def _site_of(caller: Caller, site: Site) -> SiteOfCaller:
    whole = [scope for scope in SCOPES if caller.allows(scope, site.slug)]
    sections = [
        SectionOfCaller(one.slug, one.name, [scope for scope in SCOPES if caller.allows(scope, site.slug, one.slug)])
        for one in site.sections
    ]
    visible = [one for one in sections if one.scopes]
    return SiteOfCaller(site.slug, site.name, site.url, site.language, whole, visible)


@router.get("/me", summary="Read who the caller is", responses=response_docs(200, Me))
async def get_me(request: Request, context: ApiContextDep, caller: AnyCaller) -> Response:
    """Return the caller, a person or the holder of a token, with its rights on each site and section."""
    session = context.authentication.session(request)
    return json_response(await _me(context, caller, session))


async def _me(context: ApiContext, caller: Caller, session: OpenSession | None) -> Me:
    sites = [_site_of(caller, site) for site in context.sites.values() if caller.reaches(site.slug)]
    me = Me(
        caller.id,
        caller.name,
        "token" if session is None else "person",
        shown_grants(caller.grants),
        sites,
        caller.expires_at,
    )
    if session is None:
        return me
    async with context.pool.acquire() as connection:
        row = await _credentials(connection, caller.id)
        me.has_two_steps = row["totp_secret"] is not None
        me.recovery_codes_left = await connection.fetchval(ACCOUNTS["count_recovery_codes"], caller.id)
        me.sessions = await context.accounts.sessions.list(connection, caller.id)
    me.email, me.language, me.csrf_token, me.session = session.email, session.language, session.csrf, session.id
    return me


async def _credentials(connection: Connection, person: str) -> asyncpg.Record:
    row = await connection.fetchrow(ACCOUNTS["credentials_of"], person)
    if row is None:
        raise Problem(401, "The session has ended; log in again.", code="session_ended")
    return row


@router.patch("/me", summary="Change the own account", responses=response_docs(200, Me, problems=(403, 409)))
async def patch_me(request: Request, context: ApiContextDep, session: PersonSession, sent: MePatch) -> Response:
    """Change the own name, language, address or password. A new address or password closes all other sessions."""
    name = None if sent.name is None else clean_name(sent.name)
    email = None if sent.email is None else normalize_email(sent.email)
    email = None if email == session.email else email
    if sent.language is not None and sent.language not in LANGUAGES:
        raise invalid("language", "not_one_of", expected=", ".join(LANGUAGES))
    caller, encoded = session.caller, None
    if sent.password is not None:
        password = check_password(sent.password, not_in=(email or session.email, name or caller.name))
    if email is not None or sent.password is not None:
        async with confirmed(context, session, sent.current_password):
            encoded = None if sent.password is None else await context.accounts.passwords.hash(password)
    changes = [name for name, new in (("email", email), ("password", encoded)) if new is not None]
    renewed = None
    async with context.pool.acquire() as connection, connection.transaction():
        await lock_people(connection)
        await current_caller(connection, caller)
        person = await find_person(connection, id=caller.id)
        assert person is not None, "has a session"
        await change_person(connection, caller.actor, person, email=email, name=name, language=sent.language)
        if encoded is not None:
            await connection.execute(ACCOUNTS["set_password"], caller.id, encoded)
            await connection.execute(ACCOUNTS["delete_links"], caller.id, None)
            await record(connection, caller.actor, "set-password", kind="person", id=caller.id, details={"by": "self"})
        if changes:
            renewed = await _renew(context, connection, session)
    for change in changes:
        _notify(context, session, change)  # at the former address
    now = replace(
        session,
        caller=replace(caller, name=name or caller.name),
        email=email or session.email,
        language=sent.language or session.language,
        csrf=session.csrf if renewed is None else csrf_token(renewed),
    )
    response = json_response(await _me(context, now.caller, now))
    _set_renewed(request, context, response, renewed)
    return response


async def _renew(context: ApiContext, connection: Connection, session: OpenSession) -> str:
    """Close all other sessions of a person, forget its browsers, and give its own session a new secret."""
    await close_sessions(connection, session.caller.id, except_session=session.id)
    await connection.execute(ACCOUNTS["delete_devices"], session.caller.id)
    return await context.accounts.sessions.renew(connection, session.id)


def _set_renewed(request: Request, context: ApiContext, response: Response, renewed: str | None) -> None:
    if renewed is not None:
        lifetime = context.accounts.sessions.lifetime.total_seconds()
        set_cookie(response, context.authentication.origin(request), SESSION, renewed, lifetime)


@asynccontextmanager
async def confirmed(context: ApiContext, session: OpenSession, password: str | None) -> AsyncIterator[None]:
    """Require the person's password again: an open browser on somebody's desk is not enough.

    What raises a problem inside counts as a failure, too, such as a wrong code.

    Raises:
        Problem: 403 if it is wrong, or the account has none; 429 after too many failures.
    """
    throttle = context.accounts.login.throttle
    counted = await throttle.begin((DEVICE, f"session {session.id}"))
    row = await context.pool.fetchrow(ACCOUNTS["credentials_of"], session.caller.id)
    encoded = None if row is None else row["password"]
    if not await context.accounts.passwords.verify(encoded, password or "", is_known=True):
        detail = "The current password is wrong. Without one, set it by a link: POST /api/password-resets."
        raise Problem(403, detail, code="wrong_current_password")
    yield
    await throttle.forget(counted)


@asynccontextmanager
async def _confirmed_change(context: ApiContext, session: OpenSession, password: str) -> AsyncIterator[Connection]:
    async with (
        confirmed(context, session, password),
        context.pool.acquire() as connection,
        connection.transaction(),
    ):
        yield connection


def _notify(context: ApiContext, session: OpenSession, change: str) -> None:
    context.accounts.mail_change(change, email=session.email, name=session.caller.name, language=session.language)


@router.post(
    "/me/totp",
    status_code=201,
    summary="Begin two-step verification",
    responses=response_docs(201, TotpSecret, problems=(403, 409)),
)
async def begin_totp(context: ApiContextDep, session: PersonSession, sent: TotpRequest) -> Response:
    """Return a new secret for an app. It has no effect before a code of it is confirmed.

    While two-step verification is on, it is switched off first: that needs a code of the secret that it has.
    """
    secret = new_totp_secret()
    async with confirmed(context, session, sent.current_password), context.pool.acquire() as connection:
        if await connection.fetchval(ACCOUNTS["set_totp_pending"], session.caller.id, secret) is None:
            raise _two_steps_on()
    issuer = next(iter(context.sites.values())).name
    return json_response(TotpSecret(secret_text(secret), secret_uri(secret, session.email, issuer)), 201)


def _two_steps_on() -> Problem:
    detail = "Two-step verification is on. Switch it off with a code of it first: DELETE /api/me/totp."
    return Problem(409, detail, code="two_steps_on")


@router.put(
    "/me/totp",
    summary="Switch two-step verification on",
    responses=response_docs(200, RecoveryCodes, problems=(403, 409)),
)
async def confirm_totp(
    request: Request, context: ApiContextDep, session: PersonSession, sent: TotpConfirmation
) -> Response:
    """Confirm the new secret by a code, and return recovery codes. All other sessions are closed."""
    codes = new_recovery_codes()
    async with _confirmed_change(context, session, sent.current_password) as connection:
        row = await connection.fetchrow(f"{ACCOUNTS['credentials_of']} FOR UPDATE", session.caller.id)
        if row is not None and row["totp_secret"] is not None:
            raise _two_steps_on()
        if row is None or row["totp_pending"] is None:
            raise Problem(409, "Begin with POST /api/me/totp.", code="no_pending_secret")
        step = matching_step(row["totp_pending"], sent.code, context.accounts.login.now())
        if step is None:
            raise Problem(403, "The code is wrong; check the clock of the phone.", code="wrong_code")
        await connection.fetchval(ACCOUNTS["confirm_totp"], session.caller.id, step)
        await _store_codes(connection, session.caller.id, codes)
        renewed = await _renew(context, connection, session)
        await record(connection, session.caller.actor, "switch-on-two-steps", kind="person", id=session.caller.id)
    _notify(context, session, "totp_on")
    response = json_response(RecoveryCodes(codes))
    _set_renewed(request, context, response, renewed)
    return response


async def _store_codes(connection: Connection, person: str, codes: list[str]) -> None:
    hashes: list[Any] = [hash_recovery_code(code) for code in codes]
    await connection.execute(ACCOUNTS["delete_recovery_codes"], person)
    await connection.execute(ACCOUNTS["insert_recovery_codes"], person, hashes)


@router.delete(
    "/me/totp",
    status_code=204,
    summary="Switch two-step verification off",
    responses=response_docs(204, problems=(403,)),
)
async def remove_totp(
    request: Request, context: ApiContextDep, session: PersonSession, sent: TotpConfirmation
) -> Response:
    """Switch it off, with the password and a code. All other sessions are closed."""
    async with _confirmed_change(context, session, sent.current_password) as connection:
        await _use_code(context, connection, session, sent.code)
        await connection.execute(ACCOUNTS["remove_totp"], session.caller.id)
        await connection.execute(ACCOUNTS["delete_recovery_codes"], session.caller.id)
        renewed = await _renew(context, connection, session)
        await record(connection, session.caller.actor, "switch-off-two-steps", kind="person", id=session.caller.id)
    _notify(context, session, "totp_off")
    response = Response(status_code=204)
    _set_renewed(request, context, response, renewed)
    return response


async def _use_code(context: ApiContext, connection: Connection, session: OpenSession, code: str) -> None:
    row = await connection.fetchrow(f"{ACCOUNTS['credentials_of']} FOR UPDATE", session.caller.id)
    if row is not None and row["totp_secret"] is not None:
        await context.accounts.login.check_code(connection, row, code, status=403)


@router.post(
    "/me/recovery-codes",
    status_code=201,
    summary="Replace the recovery codes",
    responses=response_docs(201, RecoveryCodes, problems=(403, 409)),
)
async def renew_recovery_codes(context: ApiContextDep, session: PersonSession, sent: TotpConfirmation) -> Response:
    """Return new recovery codes; the former ones stop working."""
    codes = new_recovery_codes()
    async with _confirmed_change(context, session, sent.current_password) as connection:
        row = await connection.fetchrow(f"{ACCOUNTS['credentials_of']} FOR UPDATE", session.caller.id)
        if row is None or row["totp_secret"] is None:
            raise Problem(409, "Two-step verification is off.", code="two_steps_off")
        await context.accounts.login.check_code(connection, row, sent.code, status=403)
        await _store_codes(connection, session.caller.id, codes)
        await record(connection, session.caller.actor, "renew-recovery-codes", kind="person", id=session.caller.id)
    return json_response(RecoveryCodes(codes), 201)
