"""Limits on requests without a body: how many are served at once, for everybody, for editors and for each caller.

Strangers have limits of their own, below the number of database connections, so that they never take those of editors.
Within the limits the callers take turns. Requests that wait for a publication use no connection and are counted apart.
"""

import contextlib

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from services.ingest.auth.authentication import Authentication
from shared.http.fair_limit import CALLER, FairLimit
from shared.http.problems import Problem

POLLS = "/publication"
PUBLIC_ROUTES = ("/sessions/methods", "/sessions/oidc")
"""For people who log in: a session that has ended does not matter."""
READ_SECONDS_MAX = 5.0
"""Longest wait for a turn."""
READS_RUNNING_MAX = 5
"""Of editors; an API process has eight connections, and changes need some, too."""
READS_OF_EDITOR_RUNNING_MAX = 3
READS_OF_EDITOR_MAX = 64
READS_MAX = 256
STRANGERS_RUNNING_MAX = 2
READS_OF_ADDRESS_MAX = 32
STRANGERS_READS_MAX = 128
POLLS_OF_EDITOR_MAX = 128
POLLS_MAX = 1_024
POLLS_OF_ADDRESS_MAX = 16
STRANGERS_POLLS_MAX = 256


class ReadLimitMiddleware:
    """Serves reads of the API within limits.

    Args:
        app: The API.
        authentication: Identifies callers.
    """

    def __init__(self, app: ASGIApp, authentication: Authentication) -> None:
        self._app = app
        self._authentication = authentication
        self._reads = FairLimit(
            "reads",
            running_max=READS_RUNNING_MAX,
            running_of_caller_max=READS_OF_EDITOR_RUNNING_MAX,
            in_progress_max=READS_MAX,
            of_caller_max=READS_OF_EDITOR_MAX,
            wait_seconds_max=READ_SECONDS_MAX,
        )
        self._reads_of_strangers = FairLimit(
            "reads",
            running_max=STRANGERS_RUNNING_MAX,
            in_progress_max=STRANGERS_READS_MAX,
            of_caller_max=READS_OF_ADDRESS_MAX,
            wait_seconds_max=READ_SECONDS_MAX,
        )
        self._polls = FairLimit(
            "polls", running_max=POLLS_MAX, in_progress_max=POLLS_MAX, of_caller_max=POLLS_OF_EDITOR_MAX
        )
        self._polls_of_strangers = FairLimit(
            "polls",
            running_max=STRANGERS_POLLS_MAX,
            in_progress_max=STRANGERS_POLLS_MAX,
            of_caller_max=POLLS_OF_ADDRESS_MAX,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        try:
            is_known = await self._is_known(Request(scope))
        except Problem as problem:
            await problem.response()(scope, receive, send)
            return
        if scope["path"].endswith(POLLS):
            limit = self._polls if is_known else self._polls_of_strangers
        else:
            limit = self._reads if is_known else self._reads_of_strangers
        async with contextlib.AsyncExitStack() as admitted:
            try:
                await admitted.enter_async_context(limit.admit())
            except Problem as problem:
                await problem.response()(scope, receive, send)
                return
            await self._app(scope, receive, send)

    async def _is_known(self, request: Request) -> bool:
        """Return whether the request has a token or a session, whose turn it takes then.

        Raises:
            Problem: it is invalid, or cannot be looked up; that is not repeated by the route.
        """
        if request.scope["path"].removeprefix(request.scope.get("root_path", "")).startswith(PUBLIC_ROUTES):
            return False
        caller = await self._authentication.find(request)
        if caller is None:
            return False
        CALLER.set(f"caller {caller.id}")
        return True
