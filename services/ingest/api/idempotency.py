"""Idempotency keys: a repeated POST takes effect once and returns the stored response."""

import contextlib
import hashlib
import re
from collections.abc import Awaitable, Callable

import asyncpg
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.auth.callers import Caller
from services.ingest.queries import SQL
from shared.http.problems import Problem
from shared.postgres import Connection

HEADER = "idempotency-key"
IF_MATCH = "if-match"
REPLAYED = {"idempotent-replayed": "true"}
STORED_HEADERS = ("etag", "location", "content-type")
_KEY = re.compile(r"^[\x21-\x7e]{1,255}$")


async def run_once(
    pool: asyncpg.Pool, request: Request, caller: Caller, act: Callable[[Connection], Awaitable[Response]]
) -> Response:
    """Run `act` in a transaction; with an Idempotency-Key, only if that key was not used before.

    A request is the same if method, path, query, `If-Match` and body are: query and `If-Match` name site and version.

    The response is stored in the same transaction, for 7 days. An exception stores nothing.

    Raises:
        Problem: 422 if the key is malformed, or was used with a different request.
    """
    key = request.headers.get(HEADER)
    async with pool.acquire() as connection, connection.transaction():
        if key is None:
            return await act(connection)
        if not _KEY.match(key):
            raise Problem(
                422, "Idempotency-Key must have 1 to 255 visible ASCII characters.", code="invalid_idempotency_key"
            )
        await connection.execute(SQL["lock_idempotency_key"], caller.id, key)
        row = await connection.fetchrow(SQL["stored_response"], caller.id, key)
        fingerprint = _fingerprint(request, await request.body())
        if row is None:
            response = await act(connection)
            headers = {name: response.headers[name] for name in STORED_HEADERS if name in response.headers}
            stored = (response.status_code, msgspec.json.encode(headers).decode(), bytes(response.body))
            await connection.execute(SQL["store_response"], caller.id, key, fingerprint, *stored)
            return response
    if row["fingerprint"] != fingerprint:
        raise Problem(
            422, "This Idempotency-Key was used with a different request; use a new one.", code="idempotency_key_reused"
        )
    return Response(row["body"], row["status"], {**msgspec.json.decode(row["headers"]), **REPLAYED})


def _fingerprint(request: Request, body: bytes) -> bytes:
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
        # Field order and white space do not matter.
        body = msgspec.json.encode(msgspec.json.decode(body), order="sorted")
    query = "".join(f"\0{name}={value}" for name, value in sorted(request.query_params.multi_items()))
    version = f"\0{IF_MATCH}: {request.headers[IF_MATCH]}" if IF_MATCH in request.headers else ""
    return hashlib.sha256(f"{request.method} {request.url.path}{query}{version}\0".encode() + body).digest()
