"""Sessions of people, in Postgres: each request looks its session up, so that every change takes effect at once."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import asyncpg
import msgspec

from services.ingest.auth.callers import Caller, Grant
from services.ingest.auth.secret_tokens import csrf_token, hash_secret, is_secret, new_secret
from services.ingest.queries import ACCOUNTS
from shared.http.fair_limit import FairLimit
from shared.http.problems import Problem
from shared.postgres import Connection

IDLE = timedelta(hours=12)
"""Default time without requests after which a session ends."""
LIFETIME = timedelta(days=14)
"""Default time after which a session ends, however much it is used."""
DEVICES_OF_PERSON_MAX = 20
UNKNOWN_RUNNING_MAX = 2
UNKNOWN_OF_CALLER_MAX = 32
UNKNOWN_MAX = 256
LOOKUP_SECONDS_MAX = 2.0
RECENT_MAX = 5_000
AGENTS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("CocCoc", "Cốc Cốc"), ("coc_coc", "Cốc Cốc"))
AGENTS_LATER = (("Chrome", "Chrome"), ("Safari", "Safari"), ("curl", "curl"), ("python", "Python"))
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True)
class OpenSession:
    """The session that a request belongs to."""

    id: int
    caller: Caller
    email: str
    language: str
    csrf: str
    method: str


@dataclass(frozen=True)
class SessionRow:
    """An open session in the list of its owner."""

    id: int
    method: str
    agent: str
    network: str
    created_at: datetime
    used_at: datetime
    expires_at: datetime


def agent_class(user_agent: str) -> str:
    """Return the class of a browser, such as "Firefox on Windows": enough to recognise one's own sessions."""
    browser = next((name for part, name in (*AGENTS, *AGENTS_LATER) if part in user_agent), "unknown browser")
    system = next((name for part, name in SYSTEMS if part in user_agent), "")
    return f"{browser} on {system}" if system else browser


class Sessions:
    """Opens, finds and closes sessions.

    Args:
        pool: Connected as the role presstally_ingest.
        idle: Time without requests after which a session ends.
        lifetime: Time after which it ends in any case.
    """

    def __init__(self, pool: asyncpg.Pool, idle: timedelta = IDLE, lifetime: timedelta = LIFETIME) -> None:
        self._pool = pool
        self.idle = idle
        self.lifetime = lifetime
        self._recent: dict[bytes, None] = {}
        """Digests of cookies that were valid: their lookups do not wait for those of invented ones."""
        self._unknown = FairLimit(
            "unknown sessions",
            running_max=UNKNOWN_RUNNING_MAX,
            in_progress_max=UNKNOWN_MAX,
            of_caller_max=UNKNOWN_OF_CALLER_MAX,
            wait_seconds_max=LOOKUP_SECONDS_MAX,
        )

    async def find(self, secret: str) -> OpenSession | None:
        """Return the open session of a cookie; None if it is closed, expired or invented.

        Raises:
            Problem: 429 or 503 if too many invented ones are being looked up.
            OSError, asyncpg.PostgresError: Postgres is unavailable.
        """
        if not is_secret(secret):
            return None
        digest = hash_secret(secret)
        if digest in self._recent:
            row = await self._pool.fetchrow(ACCOUNTS["session"], digest, self.idle)
        else:
            async with self._unknown.admit():
                row = await self._pool.fetchrow(ACCOUNTS["session"], digest, self.idle)
        if row is None:
            self._recent.pop(digest, None)
            return None
        self._recent[digest] = None
        if len(self._recent) > RECENT_MAX:
            del self._recent[next(iter(self._recent))]
        if row["is_stale"]:
            await self._pool.execute(ACCOUNTS["mark_session_used"], row["id"])
        caller = Caller(row["person"], row["name"], _grants_of(row), row["expires_at"], row["person"], row["id"])
        return OpenSession(row["id"], caller, row["email"], row["language"], csrf_token(secret), row["method"])

    async def open(self, connection: Connection, person: str, *, method: str, agent: str, network: str) -> str:
        """Open a session and return its secret. Each log-in has a new one: none that was known before is used.

        Args:
            connection: In the transaction of the log-in.
            person: The person's id.
            method: password or oidc.
            agent: The `User-Agent` header.
            network: See `network_of`.
        """
        secret = new_secret()
        values = (hash_secret(secret), person, method, agent_class(agent), network[:60], self.lifetime)
        await connection.fetchval(ACCOUNTS["insert_session"], *values)
        await connection.execute(ACCOUNTS["mark_logged_in"], person)
        return secret

    async def renew(self, connection: Connection, session: int) -> str:
        """Give an open session a new secret, after what it may do has changed, and return it."""
        secret = new_secret()
        await connection.fetchval(ACCOUNTS["renew_session"], session, hash_secret(secret))
        return secret

    async def close(self, connection: Connection, person: str, session: int) -> bool:
        """Close one of a person's sessions, and return whether it was open."""
        return bool(await connection.fetch(ACCOUNTS["delete_sessions"], person, session, None))

    async def close_secret(self, connection: Connection, secret: str) -> None:
        """Close the session of a cookie, if it is open."""
        if is_secret(secret):
            await connection.execute(ACCOUNTS["delete_session_by_hash"], hash_secret(secret))

    async def list(self, connection: Connection, person: str) -> list[SessionRow]:
        """Return the open sessions of a person, the one used last first."""
        return [SessionRow(**dict(row)) for row in await connection.fetch(ACCOUNTS["list_sessions"], person, self.idle)]


async def current_caller(connection: Connection, caller: Caller) -> Caller:
    """Return a caller with the rights of this moment: others may have changed them since the request began.

    Args:
        connection: In a transaction that began with `lock_people`, so that they stay until it ends.
        caller: As found at the beginning of the request. That of a token is returned as it is.

    Raises:
        Problem: 401 if the session was closed meanwhile.
    """
    if caller.session is None:
        return caller
    row = await connection.fetchrow(ACCOUNTS["session_now"], caller.session, caller.id)
    if row is None:
        raise Problem(401, "The session has ended; log in again.", code="session_ended")
    return replace(caller, name=row["name"], grants=_grants_of(row))


def _grants_of(row: asyncpg.Record) -> frozenset[Grant]:
    return frozenset(Grant(*grant) for grant in msgspec.json.decode(row["grants"]))


async def is_known_device(connection: Connection, secret: str | None, person: str) -> bool:
    """Return whether a person has logged in before with a browser's device cookie."""
    if secret is None or not is_secret(secret):
        return False
    return bool(await connection.fetchval(ACCOUNTS["is_known_device"], hash_secret(secret), person))


async def remember_device(connection: Connection, secret: str | None, person: str) -> str:
    """Remember a browser after a log-in, and return its cookie's secret: the former one if it was the same person's."""
    if secret is not None and is_secret(secret):
        used = await connection.fetchval(ACCOUNTS["use_device"], hash_secret(secret), person)
        if used is not None:
            return secret
    made = new_secret()
    await connection.execute(ACCOUNTS["insert_device"], hash_secret(made), person)
    await connection.execute(ACCOUNTS["delete_surplus_devices"], person, DEVICES_OF_PERSON_MAX)
    return made
