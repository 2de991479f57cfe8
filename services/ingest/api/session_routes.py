"""`/api/sessions` and the links that open an account: log in, log out, list and close sessions, set a password."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.account_schemas import LinkPerson, LogInMethods, NewSession, SessionList
from services.ingest.api.dependencies import ApiContext, ApiContextDep, PersonSession
from services.ingest.api.schemas import json_response, response_docs
from services.ingest.auth.account_links import PASSWORD_PURPOSES, read_link, use_link
from services.ingest.auth.actors import Actor
from services.ingest.auth.audit import record
from services.ingest.auth.cookies import (
    DEVICE,
    DEVICE_SECONDS,
    SESSION,
    AskedOrigin,
    delete_cookies,
    read_cookie,
    set_cookie,
)
from services.ingest.auth.login import Browser, Credentials, LoggedIn
from services.ingest.auth.login_throttle import (
    MAIL_FROM_ADDRESS,
    MAIL_FROM_NETWORK,
    MAIL_TO_ACCOUNT,
    network_of,
)
from services.ingest.auth.passwords import check_password
from services.ingest.auth.people import clean_name, close_sessions, normalize_email
from services.ingest.auth.secret_tokens import csrf_token
from services.ingest.content.errors import InvalidContentError
from services.ingest.queries import ACCOUNTS
from shared.http.fair_limit import CALLER
from shared.http.problems import Problem
from shared.origins import is_loopback

router = APIRouter(tags=["Sessions"])
LINK_CHARACTERS_MAX = 100


class LogInRequest(BaseModel):
    """The credentials of a person."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"email": "lan@haihau.example", "password": "…", "code": "123456"}]},
    )

    email: str = Field(max_length=254)
    password: str = Field(max_length=1_000)
    code: str | None = Field(None, max_length=40, description="of two-step verification, or a recovery code")
    link: str | None = Field(
        None,
        max_length=LINK_CHARACTERS_MAX,
        description="secret of a log-in link, if others have made too many attempts",
    )


class EmailRequest(BaseModel):
    """An e-mail address."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"email": "lan@haihau.example"}]})

    email: str = Field(max_length=254)


class LinkRequest(BaseModel):
    """The secret of a link: what is behind `#` in it."""

    model_config = ConfigDict(extra="forbid")

    link: str = Field(max_length=LINK_CHARACTERS_MAX)


class PasswordRequest(LinkRequest):
    """A new password, by a link."""

    password: str = Field(max_length=1_000)
    name: str | None = Field(None, max_length=300, description="of the person, at an invitation")


def asked_at(request: Request, context: ApiContextDep) -> AskedOrigin:
    """Return the origin whose page sends a request without a session; from elsewhere it is refused."""
    return context.authentication.origin(request)


AskedAt = Annotated[AskedOrigin, Depends(asked_at)]


def browser_of(request: Request) -> Browser:
    """Return where a log-in comes from."""
    agent = request.headers.get("user-agent", "")[:1_000]
    return Browser(CALLER.get(), agent, read_cookie(request, DEVICE), read_cookie(request, SESSION))


def set_session_cookies(context: ApiContext, response: Response, origin: AskedOrigin, opened: LoggedIn) -> None:
    """Set the cookies of a session that was opened."""
    seconds = context.accounts.sessions.lifetime.total_seconds()
    set_cookie(response, origin, SESSION, opened.session, seconds)
    set_cookie(response, origin, DEVICE, opened.device, DEVICE_SECONDS)


@router.post(
    "/sessions",
    status_code=201,
    summary="Log in",
    responses=response_docs(201, NewSession, problems=(403, 404)),
)
async def log_in(request: Request, context: ApiContextDep, origin: AskedAt, sent: LogInRequest) -> Response:
    """Open a session for a person. Without the code of two-step verification, where it is on: 401 `code_required`."""
    credentials = Credentials(sent.email, sent.password, sent.code, sent.link)
    opened = await context.accounts.login.log_in(credentials, browser_of(request))
    response = json_response(NewSession(opened.person, csrf_token(opened.session)), 201)
    set_session_cookies(context, response, origin, opened)
    return response


@router.get("/sessions/methods", summary="Read how people can log in", responses=response_docs(200, LogInMethods))
async def read_methods(context: ApiContextDep) -> Response:
    """Return the ways to log in; public, for the log-in page."""
    accounts = context.accounts
    provider = None if accounts.provider is None else accounts.provider.config.name
    return json_response(LogInMethods(True, provider, accounts.mailer.is_configured))


@router.get("/sessions", summary="List the own sessions", responses=response_docs(200, SessionList, problems=(403,)))
async def list_sessions(context: ApiContextDep, session: PersonSession) -> Response:
    """Return the person's open sessions, with the browser's class, the network and times."""
    async with context.pool.acquire() as connection:
        rows = await context.accounts.sessions.list(connection, session.caller.id)
    return json_response(SessionList(session.id, rows))


def _closed(request: Request) -> Response:
    response = Response(status_code=204)
    delete_cookies(response, SESSION, is_loopback=is_loopback(f"http://{request.headers.get('host', '')}"))
    return response


@router.delete("/sessions/current", status_code=204, summary="Log out", responses=response_docs(204, problems=(403,)))
async def log_out(request: Request, context: ApiContextDep, session: PersonSession) -> Response:
    """Close the request's own session."""
    async with context.pool.acquire() as connection:
        await context.accounts.sessions.close(connection, session.caller.id, session.id)
    return _closed(request)


@router.delete(
    "/sessions/others",
    status_code=204,
    summary="Close all other sessions",
    responses=response_docs(204, problems=(403,)),
)
async def close_other_sessions(context: ApiContextDep, session: PersonSession) -> Response:
    """Close all sessions of the person except the request's own."""
    async with context.pool.acquire() as connection, connection.transaction():
        count = await close_sessions(connection, session.caller.id, except_session=session.id)
        await record(
            connection,
            session.caller.actor,
            "close-sessions",
            kind="person",
            id=session.caller.id,
            details={"count": count},
        )
    return Response(status_code=204)


@router.delete(
    "/sessions/{session_id}",
    status_code=204,
    summary="Close a session",
    responses=response_docs(204, problems=(403, 404)),
)
async def close_session(request: Request, context: ApiContextDep, session: PersonSession, session_id: int) -> Response:
    """Close one of the person's own sessions."""
    if not 0 < session_id < 2**63:
        raise Problem(404, "Not found.", code="not_found")
    async with context.pool.acquire() as connection:
        if not await context.accounts.sessions.close(connection, session.caller.id, session_id):
            raise Problem(404, "Not found.", code="not_found")
    return _closed(request) if session_id == session.id else Response(status_code=204)


@router.post(
    "/password-resets",
    status_code=202,
    summary="Have a link for a new password sent",
    responses=response_docs(202, problems=(403, 501)),
)
async def request_reset(context: ApiContextDep, origin: AskedAt, sent: EmailRequest) -> Response:
    """Send a link to the address, if it is a person's. The response is the same in any case."""
    return await _mail_link(context, origin, sent.email, "reset")


@router.post(
    "/login-links",
    status_code=202,
    summary="Have a log-in link sent",
    responses=response_docs(202, problems=(403, 501)),
)
async def request_login_link(context: ApiContextDep, origin: AskedAt, sent: EmailRequest) -> Response:
    """Send a link that lets the person log in although others have made too many attempts; it replaces no password."""
    return await _mail_link(context, origin, sent.email, "login")


async def _mail_link(context: ApiContext, origin: AskedOrigin, text: str, purpose: str) -> Response:
    accounts = context.accounts
    if not accounts.mailer.is_configured:
        detail = (
            "This installation sends no mails; an administrator can create a link (presstally ingest person reset)."
        )
        raise Problem(501, detail, code="mail_not_configured")
    address = CALLER.get()
    limits = ((MAIL_FROM_ADDRESS, address), (MAIL_FROM_NETWORK, network_of(address)))
    await accounts.login.throttle.begin(*limits)

    async def send() -> None:
        try:
            email = normalize_email(text)
            await accounts.login.throttle.begin((MAIL_TO_ACCOUNT, email))
        except (InvalidContentError, Problem):
            return
        async with context.pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(ACCOUNTS["credentials"], email)
            if row is None or row["locked_at"] is not None:
                return
            person = {name: row[name] for name in ("email", "name", "language")}
            await accounts.mail_link(connection, purpose, person=row["id"], **person, origin=origin.origin, by="")
            actor = Actor(row["name"], row["id"])
            await record(connection, actor, f"request-{purpose}", kind="person", id=row["id"])

    accounts.in_background(send)
    return Response(status_code=202)


@router.post(
    "/account-links", summary="Read what a link is for", responses=response_docs(200, LinkPerson, problems=(403, 404))
)
async def inspect_link(context: ApiContextDep, origin: AskedAt, sent: LinkRequest) -> Response:
    """Return for whom a link is; it is not used up."""
    async with context.pool.acquire() as connection:
        row = await read_link(connection, sent.link, (*PASSWORD_PURPOSES, "login"))
    return json_response(LinkPerson(row["purpose"], row["email"], row["name"]))


@router.post(
    "/passwords",
    status_code=204,
    summary="Set a password by a link",
    responses=response_docs(204, problems=(403, 404)),
)
async def set_password(context: ApiContextDep, origin: AskedAt, sent: PasswordRequest) -> Response:
    """Accept an invitation or replace a forgotten password. All sessions of the person end; then log in."""
    accounts = context.accounts
    async with context.pool.acquire() as connection:
        row = await read_link(connection, sent.link, PASSWORD_PURPOSES)
    name = clean_name(sent.name) if sent.name is not None and row["purpose"] == "invitation" else row["name"]
    password = check_password(sent.password, not_in=(row["email"], name))
    encoded = await accounts.passwords.hash(password)
    async with context.pool.acquire() as connection, connection.transaction():
        await use_link(connection, sent.link)
        person = row["person"]
        if name != row["name"]:
            await connection.execute(ACCOUNTS["update_person"], person, row["email"], name, row["language"])
        await connection.execute(ACCOUNTS["set_password"], person, encoded)
        await connection.execute(ACCOUNTS["delete_links"], person, None)
        await connection.execute(ACCOUNTS["delete_devices"], person)
        await close_sessions(connection, person)
        details = {"by": row["purpose"]}
        await record(connection, Actor(name, person), "set-password", kind="person", id=person, details=details)
    accounts.mail_change("password", email=row["email"], name=name, language=row["language"])
    return Response(status_code=204)
