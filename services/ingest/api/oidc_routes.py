"""`/api/sessions/oidc`: log in at the OpenID Connect provider."""

import re
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.ingest.api.dependencies import ApiContext, ApiContextDep
from services.ingest.api.query_parameters import ANY_QUERY
from services.ingest.api.schemas import response_docs
from services.ingest.api.session_routes import browser_of, set_session_cookies
from services.ingest.auth.cookies import PROVIDER, SECURE_PREFIX, AskedOrigin, delete_cookies, read_cookie, set_cookie
from services.ingest.auth.identities import check_may_log_in, person_of_identity
from services.ingest.auth.login import LoggedIn
from services.ingest.auth.login_throttle import PROVIDER as PROVIDER_LIMIT
from services.ingest.auth.oidc import PENDING_SECONDS, Identity, Provider, parse_pending
from services.ingest.metrics import LOGINS
from shared.http.fair_limit import CALLER
from shared.http.problems import Problem

router = APIRouter(tags=["Sessions"])
NEWSROOM = "/ban-bien-tap/"
LOG_IN_PAGE = f"{NEWSROOM}dang-nhap"
_RETURN_TO = re.compile(rf"{NEWSROOM}[A-Za-z0-9_./?=&%-]{{0,300}}")


def _provider(context: ApiContext) -> Provider:
    if context.accounts.provider is None:
        raise Problem(404, "This installation has no OpenID Connect provider.", code="no_provider")
    return context.accounts.provider


def _redirect_uri(origin: AskedOrigin) -> str:
    return f"{origin.origin}/api/sessions/oidc/callback"


@router.get(
    "/sessions/oidc",
    status_code=303,
    response_class=RedirectResponse,
    summary="Begin a log-in at the provider",
    responses=response_docs(303, problems=(403, 404, 502)),
)
async def begin_log_in(
    request: Request,
    context: ApiContextDep,
    return_to: Annotated[str, Query(max_length=320, description="a page below /ban-bien-tap/")] = NEWSROOM,
) -> Response:
    """Send the browser to the OpenID Connect provider."""
    provider, origin = _provider(context), context.authentication.opened_origin(request)
    if not _RETURN_TO.fullmatch(return_to) or ".." in return_to or "//" in return_to:
        return_to = NEWSROOM
    await context.accounts.login.throttle.begin((PROVIDER_LIMIT, CALLER.get()))
    url, pending = await provider.begin(_redirect_uri(origin), return_to)
    response = _redirect(url)
    set_cookie(response, origin, PROVIDER, pending.as_cookie(), PENDING_SECONDS)
    return response


@router.get(
    "/sessions/oidc/callback",
    status_code=303,
    response_class=RedirectResponse,
    summary="Finish a log-in at the provider",
    openapi_extra={ANY_QUERY: True},
    responses=response_docs(303, problems=(403, 404, 502)),
)
async def finish_log_in(request: Request, context: ApiContextDep) -> Response:
    """Open a session for whom the provider has identified. A browser that asked for a page is sent to one."""
    provider, origin = _provider(context), context.authentication.opened_origin(request)
    try:
        pending = parse_pending(read_cookie(request, PROVIDER), provider.clock())
        identity = await provider.finish(pending, dict(request.query_params), _redirect_uri(origin))
        opened = await _open(request, context, provider, identity)
    except Problem as problem:
        code = str(problem.extensions.get("code", "refused"))
        LOGINS.labels("oidc", code).inc()
        if "text/html" not in request.headers.get("accept", ""):
            problem.headers["set-cookie"] = _expired_cookie(origin)
            raise
        response = _redirect(f"{LOG_IN_PAGE}?error={code}")
    else:
        LOGINS.labels("oidc", "ok").inc()
        response = _redirect(pending.return_to)
        set_session_cookies(context, response, origin, opened)
    delete_cookies(response, PROVIDER, is_loopback=not origin.is_secure)
    return response


async def _open(request: Request, context: ApiContext, provider: Provider, identity: Identity) -> LoggedIn:
    async with context.pool.acquire() as connection, connection.transaction():
        person = await person_of_identity(connection, identity, provider.config, context.sites)
    check_may_log_in(person)  # after the commit: rights that the claim no longer gives are gone
    async with context.pool.acquire() as connection, connection.transaction():
        return await context.accounts.login.open_for_provider(connection, person.id, browser_of(request))


def _redirect(url: str) -> Response:
    return RedirectResponse(url, 303, {"cache-control": "no-store", "referrer-policy": "no-referrer"})


def _expired_cookie(origin: AskedOrigin) -> str:
    name = SECURE_PREFIX + PROVIDER if origin.is_secure else PROVIDER
    return f"{name}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax{'; Secure' if origin.is_secure else ''}"
