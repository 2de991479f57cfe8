"""The same POST sent twice does its work once, and gets the same answer twice."""

import contextlib
import hashlib
import re
from collections.abc import Awaitable, Callable

import asyncpg
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.auth.tokens import Token
from services.ingest.queries import SQL
from shared.http.problems import Problem
from shared.postgres import Connection

HEADER = "idempotency-key"
REPLAYED = {"idempotent-replayed": "true"}
KEPT_HEADERS = ("etag", "location", "content-type")
_KEY = re.compile(r"^[\x21-\x7e]{1,255}$")


async def once(
    pool: asyncpg.Pool, request: Request, token: Token, act: Callable[[Connection], Awaitable[Response]]
) -> Response:
    """Do `act` in a transaction; with an Idempotency-Key, only if it was not done before.

    The answer is kept in the same transaction, for 7 days. A refusal (an exception) keeps nothing.

    Raises:
        Problem: 422, the key is none, or was sent with another request.
    """
    key = request.headers.get(HEADER)
    async with pool.acquire() as connection, connection.transaction():
        if key is None:
            return await act(connection)
        if not _KEY.match(key):
            raise Problem(422, "Idempotency-Key has 1 to 255 visible ASCII characters.")
        await connection.execute(SQL["lock_idempotency_key"], token.prefix, key)
        row = await connection.fetchrow(SQL["kept_answer"], token.prefix, key)
        fingerprint = _fingerprint(request, await request.body())
        if row is None:
            response = await act(connection)
            headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
            kept = (response.status_code, msgspec.json.encode(headers).decode(), bytes(response.body))
            await connection.execute(SQL["keep_answer"], token.prefix, key, fingerprint, *kept)
            return response
    if row["fingerprint"] != fingerprint:
        raise Problem(422, "This Idempotency-Key was sent before, with another request. Use a new one.")
    return Response(row["body"], row["status"], {**msgspec.json.decode(row["headers"]), **REPLAYED})


def _fingerprint(request: Request, body: bytes) -> bytes:
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
        # The order of fields and the white space make no difference.
        body = msgspec.json.encode(msgspec.json.decode(body), order="sorted")
    return hashlib.sha256(f"{request.method} {request.url.path}\0".encode() + body).digest()
