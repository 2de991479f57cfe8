"""Bearer tokens: authentication of callers, their scopes and sites.

A token is `pt_PREFIX_SECRET`: 8 hex digits as the lookup key, and 32 random bytes in base64url. Only its SHA-256 is
stored. A valid token is cached for 60 s, so a revocation takes effect within 60 s. While Postgres is unavailable, a
cached token stays valid until 10 minutes after its last successful lookup.
"""

import hashlib
import hmac
import re
import secrets
import time
from asyncio import timeout
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg

from services.ingest.auth.callers import Caller, token_grants
from services.ingest.queries import SQL
from shared.http.fair_limit import FairLimit
from shared.http.problems import Problem
from shared.logs import log
from shared.postgres import POSTGRES_UNAVAILABLE
from shared.single_flight import SingleFlight

FRESH_SECONDS = 60.0
STALE_SECONDS_MAX = 600.0
LOOKUP_TIMEOUT_SECONDS = 2.0
BACKOFF_SECONDS = 2.0
"""After a failed lookup, cached tokens are not looked up again for this time, so that requests do not wait."""
UNKNOWN_RUNNING_MAX = 2
"""Concurrent lookups of tokens that are not cached: invented ones cannot take the connections of valid ones."""
UNKNOWN_OF_CALLER_MAX = 32
UNKNOWN_MAX = 256
SECRET_BYTES = 32
_TOKEN = re.compile(r"^pt_(?P<prefix>[0-9a-f]{8})_[A-Za-z0-9_-]{43}$")
_BEARER = re.compile(r"^bearer +(?P<token>\S+) *$", re.IGNORECASE)


@dataclass(frozen=True)
class _CachedToken:
    hash: bytes
    token: Caller
    validated_at: float


class Tokens:
    """Looks up and caches the tokens of requests.

    Args:
        pool: Connected as the role presstally_ingest.
        clock: Returns monotonic time in seconds.
    """

    def __init__(self, pool: asyncpg.Pool, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._cache: dict[str, _CachedToken] = {}  # valid tokens only, so that callers cannot fill it
        self._backoff_until = 0.0
        self._validations = SingleFlight[tuple[str, bytes], Caller]("validate a token")
        self._unknown = FairLimit(
            "unknown tokens",
            running_max=UNKNOWN_RUNNING_MAX,
            in_progress_max=UNKNOWN_MAX,
            of_caller_max=UNKNOWN_OF_CALLER_MAX,
            wait_seconds_max=LOOKUP_TIMEOUT_SECONDS,
        )

    async def require(self, authorization: str | None, scope: str, site: str | None = None) -> Caller:
        """Return the token of an Authorization header and require a scope, on the given site if any.

        Raises:
            Problem: 401 without a valid token; 403 without the scope or the site; 503 for a token that is not
                cached while Postgres is unavailable; 429 or 503 if too many unknown tokens are being looked up.
        """
        token = await self.identify(authorization)
        token.check(scope, site)
        return token

    async def identify(self, authorization: str | None) -> Caller:
        """Return the token of an Authorization header, whatever its scopes.

        Raises:
            Problem: 401, 429 or 503, like `require`.
        """
        if authorization is None:
            raise Problem(
                401,
                "A token is required: Authorization: Bearer pt_…",
                headers={"www-authenticate": 'Bearer realm="presstally"'},
                code="not_authenticated",
            )
        bearer = _BEARER.match(authorization)
        found = _TOKEN.match(bearer["token"]) if bearer else None
        if bearer is None or found is None:
            raise _invalid_token("Malformed token; expected: Authorization: Bearer pt_…")
        token = await self._lookup(found["prefix"], hash_token(bearer["token"]))
        if token.expires_at is not None and token.expires_at <= datetime.now(UTC):
            raise _invalid_token(f"The token expired at {token.expires_at.isoformat()}.")
        return token

    async def _lookup(self, prefix: str, digest: bytes) -> Caller:
        known = self._cache.get(prefix)
        if known is not None and not hmac.compare_digest(known.hash, digest):
            raise _invalid_token("Unknown token.")
        now = self._clock()
        age_seconds = now - known.validated_at if known else STALE_SECONDS_MAX
        if known and (age_seconds < FRESH_SECONDS or (now < self._backoff_until and age_seconds < STALE_SECONDS_MAX)):
            return known.token
        validate = self._validate if known else self._validate_unknown
        return await self._validations.run((prefix, digest), lambda: validate(prefix, digest))

    async def _validate_unknown(self, prefix: str, digest: bytes) -> Caller:
        async with self._unknown.admit():
            return await self._validate(prefix, digest)

    async def _validate(self, prefix: str, digest: bytes) -> Caller:
        known, now = self._cache.get(prefix), self._clock()
        try:
            async with timeout(LOOKUP_TIMEOUT_SECONDS):
                row = await self._pool.fetchrow(SQL["token"], prefix)
        except POSTGRES_UNAVAILABLE as error:
            if known and now - known.validated_at < STALE_SECONDS_MAX:
                log.warning("cannot look up tokens; cached ones stay valid", reason=repr(error))
                self._backoff_until = now + BACKOFF_SECONDS
                return known.token
            detail = "Tokens cannot be verified at the moment; retry later."
            raise Problem(503, detail, headers={"retry-after": "2"}, code="database_unavailable") from error
        self._cache.pop(prefix, None)
        if row is None or not hmac.compare_digest(row["hash"], digest):
            raise _invalid_token("Unknown token.")
        if row["revoked_at"] is not None:
            raise _invalid_token("The token was revoked.")
        token = _caller(row)
        self._cache[prefix] = _CachedToken(digest, token, now)
        await self._mark_used(prefix)
        return token

    async def _mark_used(self, prefix: str) -> None:
        try:
            async with timeout(LOOKUP_TIMEOUT_SECONDS):
                await self._pool.execute(SQL["mark_token_used"], prefix)
        except POSTGRES_UNAVAILABLE as error:  # affects only the output of `token list`
            log.warning("cannot record the use of a token", reason=repr(error))


def _caller(row: asyncpg.Record) -> Caller:
    return Caller(row["prefix"], row["name"], token_grants(row["scopes"], row["sites"]), row["expires_at"])


def _invalid_token(detail: str) -> Problem:
    challenge = 'Bearer realm="presstally", error="invalid_token"'
    return Problem(401, detail, headers={"www-authenticate": challenge}, code="invalid_token")


def hash_token(token: str) -> bytes:
    """Return the SHA-256 of a token, which is what is stored."""
    return hashlib.sha256(token.encode()).digest()


async def create(
    pool: asyncpg.Pool,
    *,
    name: str,
    scopes: Sequence[str],
    sites: Sequence[str] | None = None,
    expires_at: datetime | None = None,
) -> str:
    """Create a token and return it; it cannot be read again later.

    Args:
        pool: Connected as the role presstally_ingest.
        name: Who holds it, as the audit log will name it.
        scopes: Members of SCOPES.
        sites: The sites that it may access; None means all.
        expires_at: When it expires; None means never.

    Raises:
        asyncpg.PostgresError, OSError: it was not created, or Postgres is unavailable.
    """
    while True:
        prefix = secrets.token_hex(4)
        token = f"pt_{prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"
        inserted = await pool.fetchval(
            SQL["insert_token"], prefix, hash_token(token), name, list(scopes), sites and list(sites), expires_at
        )
        if inserted is not None:  # otherwise the prefix is taken
            return token
