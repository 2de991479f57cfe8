"""Who sends a request: the holder of its bearer token, or the person of its session.

A request with an `Authorization` header is a program's: its cookies are not read, whether the token is valid or not.
A session's request that changes something must come from a page of this host and repeat the session's CSRF token, which
another origin's page cannot read. Tokens need neither: no browser sends them by itself.
"""

import hmac
from collections.abc import Iterable

from starlette.requests import Request

from services.ingest.auth.callers import Caller
from services.ingest.auth.cookies import (
    CSRF_HEADER,
    SAFE_METHODS,
    SECURE_PREFIX,
    SESSION,
    AskedOrigin,
    asked_origin,
    origin_of_host,
    read_cookie,
)
from services.ingest.auth.sessions import OpenSession, Sessions
from services.ingest.auth.tokens import Tokens
from shared.http.problems import Problem
from shared.postgres import POSTGRES_UNAVAILABLE
from shared.sites import Sites

_FOUND = "presstally.caller"
_SESSION = "presstally.session"


class Authentication:
    """Finds the callers of requests, once for each request.

    Args:
        tokens: Looks up bearer tokens.
        sessions: Looks up sessions.
        sites: Their origins are where the newsroom's pages may be.
        origins: Further origins of the installation.
    """

    def __init__(self, tokens: Tokens, sessions: Sessions, sites: Sites, origins: Iterable[str] = ()) -> None:
        self.tokens = tokens
        self.sessions = sessions
        self._sites = sites
        self._origins = frozenset(origins)

    async def find(self, request: Request) -> Caller | None:
        """Return the caller of a request, whatever its scopes; None if it has neither a token nor a session's cookie.

        Raises:
            Problem: 401 if the token or the session is not valid; 403 if the session's request may be forged; 429 or
                503 if it cannot be looked up.
        """
        if _FOUND not in request.scope:
            request.scope[_FOUND] = await self._find(request)
        found: Caller | None = request.scope[_FOUND]
        return found

    async def identify(self, request: Request) -> Caller:
        """Return the caller of a request, whatever its scopes.

        Raises:
            Problem: like `find`, and 401 without a caller.
        """
        caller = await self.find(request)
        if caller is None:
            raise Problem(
                401,
                "Log in, or send a token: Authorization: Bearer pt_…",
                headers={"www-authenticate": 'Bearer realm="presstally"'},
                code="not_authenticated",
            )
        return caller

    async def require(self, request: Request, scope: str, site: str | None = None) -> Caller:
        """Return the caller of a request and require a scope, on the given site if any.

        Raises:
            Problem: like `identify`, and 403 without the scope or the site.
        """
        caller = await self.identify(request)
        caller.check(scope, site)
        return caller

    def session(self, request: Request) -> OpenSession | None:
        """Return the session of a request whose caller was found; None for a token."""
        found: OpenSession | None = request.scope.get(_SESSION)
        return found

    def origin(self, request: Request) -> AskedOrigin:
        """Return the installation's origin whose page sends a request that changes something.

        Raises:
            Problem: 403 if it comes from elsewhere.
        """
        return asked_origin(request, self._sites, self._origins)

    def opened_origin(self, request: Request) -> AskedOrigin:
        """Return the installation's origin that a browser has opened by a navigation.

        Raises:
            Problem: 403 if no site declares it.
        """
        return origin_of_host(request, self._sites, self._origins)

    async def _find(self, request: Request) -> Caller | None:
        authorization = request.headers.get("authorization")
        if authorization is not None:
            return await self.tokens.identify(authorization)
        secret = read_cookie(request, SESSION)
        if secret is None:
            return None
        try:
            session = await self.sessions.find(secret)
        except POSTGRES_UNAVAILABLE as error:
            detail = "Sessions cannot be verified at the moment; retry later."
            raise Problem(503, detail, headers={"retry-after": "2"}, code="database_unavailable") from error
        if session is None:
            raise Problem(
                401,
                "The session has ended; log in again.",
                headers={
                    "www-authenticate": 'Bearer realm="presstally"',
                    "set-cookie": f"{SECURE_PREFIX}{SESSION}=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax",
                },
                code="session_ended",
            )
        if request.method not in SAFE_METHODS:
            self.origin(request)
            if not hmac.compare_digest(request.headers.get(CSRF_HEADER, "").encode(), session.csrf.encode()):
                detail = f"The header {CSRF_HEADER} is missing or wrong; read it from GET /api/me."
                raise Problem(403, detail, code="wrong_csrf_token")
        request.scope[_SESSION] = session
        return session.caller
