"""Who sends a request; further cases are with the routes of sessions."""

import asyncpg
import pytest
from starlette.requests import Request

from services.ingest.auth.authentication import Authentication
from services.ingest.auth.sessions import Sessions
from services.ingest.auth.tokens import Tokens, create
from shared.http.problems import Problem
from shared.sites import Site, Sites


def request(**headers: str) -> Request:
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": pairs})


async def test_caller_is_looked_up_once_for_a_request(pool: asyncpg.Pool, site: Site) -> None:
    """Middlewares and routes share what was found; a request without credentials has no caller."""
    token = await create(pool, name="Máy", scopes=["read"])
    authentication = Authentication(Tokens(pool), Sessions(pool), Sites({site.slug: site}))
    asked = request(authorization=f"Bearer {token}")
    first = await authentication.find(asked)
    assert first is not None
    assert await authentication.find(Request(asked.scope)) is first
    assert authentication.session(asked) is None
    assert await authentication.find(request()) is None
    with pytest.raises(Problem) as refused:
        await authentication.identify(request())
    assert refused.value.headers["www-authenticate"].startswith("Bearer")


async def test_session_is_503_while_postgres_is_unavailable(pool: asyncpg.Pool, site: Site) -> None:
    """A session is not known without its row, and the response says to retry."""
    authentication = Authentication(Tokens(pool), Sessions(pool), Sites({site.slug: site}))
    await pool.close()
    with pytest.raises(Problem) as refused:
        await authentication.find(request(host="haihau.example", cookie=f"__Host-presstally_session={'x' * 43}"))
    assert (refused.value.status, refused.value.extensions["code"]) == (503, "database_unavailable")
