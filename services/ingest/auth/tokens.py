"""Bearer tokens: who calls, and what they may do.

A token is `pt_PREFIX_SECRET`: 8 hex digits to look it up by, and 32 random bytes in base64url. Only its SHA-256 is
stored. A token that was found good is remembered: for 60 s nothing is asked again, so a revocation takes effect
within 60 s; and while Postgres is away it goes on being good until 10 minutes after it was last found so.
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

from services.ingest.queries import SQL
from shared.http.problems import Problem
from shared.logs import log
from shared.postgres import POSTGRES_UNAVAILABLE

SCOPES = ("read", "write", "publish", "admin", "events")
IMPLIED = {
    "read": {"read"},
    "write": {"write", "read"},
    "publish": {"publish", "write", "read"},
    "admin": set(SCOPES),
    "events": {"events"},
}
"""What each scope allows: whoever may write may see what is written; `events` stands for itself."""

FRESH_SECONDS = 60.0
KEPT_SECONDS = 600.0
LOOK_UP_SECONDS = 2.0
AWAY_SECONDS = 2.0
"""After a failed look-up, known tokens are not looked up again for so long: their requests must not wait."""
SECRET_BYTES = 32
_TOKEN = re.compile(r"^pt_(?P<prefix>[0-9a-f]{8})_[A-Za-z0-9_-]{43}$")
_BEARER = re.compile(r"^bearer +(?P<token>\S+) *$", re.IGNORECASE)


@dataclass(frozen=True)
class Token:
    """A token that was found good: who holds it, and what for."""

    prefix: str
    name: str
    scopes: frozenset[str]
    """All that it allows, implied scopes included."""
    sites: frozenset[str] | None
    """The sites it may act on; None means all."""
    expires_at: datetime | None

    def allows(self, scope: str, site: str | None = None) -> bool:
        """Tell whether it has the scope, and on that site."""
        return scope in self.scopes and (site is None or self.sites is None or site in self.sites)

    def check(self, scope: str, site: str | None = None) -> None:
        """Refuse what it does not allow.

        Raises:
            Problem: 403, which names the missing scope, or the site.
        """
        if scope not in self.scopes:
            challenge = {"www-authenticate": f'Bearer realm="presstally", error="insufficient_scope", scope="{scope}"'}
            raise Problem(
                403,
                f"This needs a token with the scope {scope!r}; yours has {', '.join(sorted(self.scopes))}.",
                headers=challenge,
                missing_scope=scope,
            )
        if not self.allows(scope, site):
            raise Problem(403, f"Your token does not act on the site {site!r}.")


@dataclass(frozen=True)
class _Known:
    hash: bytes
    token: Token
    found_good_at: float


class Tokens:
    """Tells the tokens of requests.

    Args:
        pool: Of the role presstally_ingest.
        clock: Monotonic seconds.
    """

    def __init__(self, pool: asyncpg.Pool, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._known: dict[str, _Known] = {}  # only tokens that were found good: no stranger fills it
        self._away_until = 0.0

    async def require(self, authorization: str | None, scope: str, site: str | None = None) -> Token:
        """Return the token of an Authorization header, if it has the scope (on the site, if one is named).

        Raises:
            Problem: 401 without a good token; 403 without the scope or the site; 503 for a token that is not
                known here while Postgres is away.
        """
        token = await self.identify(authorization)
        token.check(scope, site)
        return token

    async def identify(self, authorization: str | None) -> Token:
        """Return the token of an Authorization header, whatever it allows.

        Raises:
            Problem: 401 or 503, as `require`.
        """
        if authorization is None:
            raise Problem(
                401,
                "Send a token: Authorization: Bearer pt_…",
                headers={"www-authenticate": 'Bearer realm="presstally"'},
            )
        bearer = _BEARER.match(authorization)
        found = _TOKEN.match(bearer["token"]) if bearer else None
        if bearer is None or found is None:
            raise _refused("This is no token. One looks like: Authorization: Bearer pt_…")
        token = await self._look_up(found["prefix"], hash_of(bearer["token"]))
        if token.expires_at is not None and token.expires_at <= datetime.now(UTC):
            raise _refused(f"Your token expired at {token.expires_at.isoformat()}.")
        return token

    async def _look_up(self, prefix: str, digest: bytes) -> Token:
        known = self._known.get(prefix)
        if known is not None and not hmac.compare_digest(known.hash, digest):
            raise _refused("This token is not known.")
        now = self._clock()
        age_seconds = now - known.found_good_at if known else KEPT_SECONDS
        if known and (age_seconds < FRESH_SECONDS or (now < self._away_until and age_seconds < KEPT_SECONDS)):
            return known.token
        try:
            async with timeout(LOOK_UP_SECONDS):
                row = await self._pool.fetchrow(SQL["token"], prefix)
        except POSTGRES_UNAVAILABLE as error:
            if known and age_seconds < KEPT_SECONDS:
                log.warning("Tokens cannot be looked up; known ones go on", reason=repr(error))
                self._away_until = now + AWAY_SECONDS
                return known.token
            detail = "Tokens cannot be checked now. Try again soon."
            raise Problem(503, detail, headers={"retry-after": "2"}) from error
        self._known.pop(prefix, None)
        if row is None or not hmac.compare_digest(row["hash"], digest):
            raise _refused("This token is not known.")
        if row["revoked_at"] is not None:
            raise _refused("Your token was revoked.")
        token = _token(row)
        self._known[prefix] = _Known(digest, token, now)
        await self._mark_used(prefix)
        return token

    async def _mark_used(self, prefix: str) -> None:
        try:
            async with timeout(LOOK_UP_SECONDS):
                await self._pool.execute(SQL["mark_token_used"], prefix)
        except POSTGRES_UNAVAILABLE as error:  # only the administrator's list would have shown it
            log.warning("The use of a token was not noted", reason=repr(error))


def _token(row: asyncpg.Record) -> Token:
    allowed = frozenset(scope for given in row["scopes"] for scope in IMPLIED[given])
    sites = None if row["sites"] is None else frozenset(row["sites"])
    return Token(row["prefix"], row["name"], allowed, sites, row["expires_at"])


def _refused(detail: str) -> Problem:
    challenge = 'Bearer realm="presstally", error="invalid_token"'
    return Problem(401, detail, headers={"www-authenticate": challenge})


def hash_of(token: str) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).digest()


async def create(
    pool: asyncpg.Pool,
    *,
    name: str,
    scopes: Sequence[str],
    sites: Sequence[str] | None = None,
    expires_at: datetime | None = None,
) -> str:
    """Make a token and return it, for the only time that it can be seen.

    Args:
        pool: Of the role presstally_ingest.
        name: Who holds it; the audit log will say so.
        scopes: Of SCOPES.
        sites: The sites that it may act on; None means all.
        expires_at: When it ends; None means never.

    Raises:
        asyncpg.PostgresError, OSError: it was not made, or Postgres is away.
    """
    while True:
        prefix = secrets.token_hex(4)
        token = f"pt_{prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"
        made = await pool.fetchval(
            SQL["insert_token"], prefix, hash_of(token), name, list(scopes), sites and list(sites), expires_at
        )
        if made is not None:  # otherwise the prefix is taken already
            return token
