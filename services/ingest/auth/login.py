"""Log-in with a password, and a code where two-step verification is on.

Unknown accounts, those without a password and wrong passwords get the same response after the same work. What else
prevents a log-in is said only to those who know the password.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import asyncpg

from services.ingest.auth.account_links import read_link, use_link
from services.ingest.auth.login_throttle import ACCOUNT, ADDRESS, DEVICE, LINK, NETWORK, LoginThrottle, network_of
from services.ingest.auth.passwords import Passwords, is_outdated, normalize_password
from services.ingest.auth.people import normalize_email
from services.ingest.auth.secret_tokens import hash_secret
from services.ingest.auth.sessions import Sessions, is_known_device, remember_device
from services.ingest.auth.totp import hash_recovery_code, matching_step
from services.ingest.content.errors import InvalidContentError
from services.ingest.metrics import LOGINS
from services.ingest.queries import ACCOUNTS
from shared.http.problems import Problem
from shared.postgres import Connection


@dataclass(frozen=True)
class Credentials:
    """What a person sends to log in."""

    email: str
    password: str
    code: str | None = None
    """Of two-step verification: six digits, or a recovery code."""
    link: str | None = None
    """The secret of a log-in link, which shows that the sender reads the person's mail."""


@dataclass(frozen=True)
class Browser:
    """Where a log-in comes from."""

    address: str
    """The address prefix of the client."""
    agent: str
    device: str | None = None
    """The secret of its device cookie."""
    session: str | None = None
    """The secret of its former session, which ends with the log-in."""


@dataclass(frozen=True)
class LoggedIn:
    """The result of a log-in."""

    person: str
    session: str
    """The secret for the session's cookie."""
    device: str
    """The secret for the device's cookie."""


class LogIn:
    """Opens sessions.

    Args:
        pool: Connected as the role presstally_ingest.
        sessions: Opens them.
        passwords: Verifies passwords.
        clock: Seconds since 1970, for codes.
    """

    def __init__(
        self, pool: asyncpg.Pool, sessions: Sessions, passwords: Passwords, clock: Callable[[], float] = time.time
    ) -> None:
        self._pool = pool
        self._sessions = sessions
        self._passwords = passwords
        self._clock = clock
        self.throttle = LoginThrottle(pool)

    async def log_in(self, sent: Credentials, browser: Browser) -> LoggedIn:
        """Open a session.

        Raises:
            Problem: 401 for wrong credentials or a missing or wrong code, 403 for a locked account, 404 for a link that
                does not work, 429 after too many failures.
        """
        try:
            opened = await self._log_in(sent, browser)
        except Problem as problem:
            LOGINS.labels("password", str(problem.extensions.get("code", "refused"))).inc()
            raise
        LOGINS.labels("password", "ok").inc()
        return opened

    async def _log_in(self, sent: Credentials, browser: Browser) -> LoggedIn:
        try:
            email = normalize_email(sent.email)
        except InvalidContentError:
            email = hash_secret(sent.email).hex()  # nobody has it, and each has its own count of failures
        async with self._pool.acquire() as connection:
            row = await connection.fetchrow(ACCOUNTS["credentials"], email)
            is_known = row is not None and await is_known_device(connection, browser.device, row["id"])
            proven = sent.link is not None and await self._proves(connection, sent.link, email)
        counted = await self._count(sent, browser, email, is_known=is_known, is_proven=proven)
        password = None if row is None else row["password"]
        is_right = await self._passwords.verify(password, sent.password, is_known=is_known or proven)
        if not is_right or row is None:
            raise Problem(401, "The e-mail address or the password is wrong.", code="wrong_credentials")
        try:
            opened = await self._open_checked(sent, browser, row, is_proven=proven)
        except Problem as problem:
            if problem.extensions.get("code") == "code_required":
                await self.throttle.forget(counted)
            raise
        if is_outdated(row["password"]):
            encoded = await self._passwords.hash(normalize_password(sent.password))
            await self._pool.execute(ACCOUNTS["set_password"], row["id"], encoded)
        await self.throttle.forget(counted)
        return opened

    async def _open_checked(
        self, sent: Credentials, browser: Browser, known: asyncpg.Record, *, is_proven: bool
    ) -> LoggedIn:
        """Open the session of somebody whose password is right."""
        async with self._pool.acquire() as connection, connection.transaction():
            # Again, under a lock: it may have been changed or locked while the password was verified.
            row = await connection.fetchrow(f"{ACCOUNTS['credentials_of']} FOR UPDATE", known["id"])
            if row is None or row["password"] != known["password"]:
                raise Problem(401, "The e-mail address or the password is wrong.", code="wrong_credentials")
            if row["totp_secret"] is not None:
                if not sent.code:
                    raise Problem(401, "Two-step verification is on: send the code, too.", code="code_required")
                await self.check_code(connection, row, sent.code)
            _check_not_locked(row)
            if sent.link is not None and is_proven:
                await use_link(connection, sent.link)
            if browser.session is not None:
                await self._sessions.close_secret(connection, browser.session)
            return await self._open(connection, row["id"], "password", browser)

    async def open_for_provider(self, connection: Connection, person: str, browser: Browser) -> LoggedIn:
        """Open a session for a person whom the OpenID Connect provider has identified.

        Args:
            connection: In a transaction.
            person: The person's id.
            browser: Where the log-in comes from.

        Raises:
            Problem: 403 if the account was locked or removed since the provider's response was read.
        """
        row = await connection.fetchrow(f"{ACCOUNTS['credentials_of']} FOR UPDATE", person)
        if row is None:
            raise Problem(403, "The account was removed; ask an administrator.", code="not_invited")
        _check_not_locked(row)
        if browser.session is not None:
            await self._sessions.close_secret(connection, browser.session)
        return await self._open(connection, person, "oidc", browser)

    async def _open(self, connection: Connection, person: str, method: str, browser: Browser) -> LoggedIn:
        network = network_of(browser.address)
        session = await self._sessions.open(connection, person, method=method, agent=browser.agent, network=network)
        return LoggedIn(person, session, await remember_device(connection, browser.device, person))

    def now(self) -> float:
        """Return the time by which codes are checked, in seconds since 1970."""
        return self._clock()

    async def check_code(self, connection: Connection, row: asyncpg.Record, code: str, *, status: int = 401) -> None:
        """Require a code of two-step verification that was not used before, or a recovery code, and use it up.

        Args:
            connection: In a transaction that locked the row.
            row: Of the query `credentials_of`.
            code: As it was typed.
            status: Of the problem.

        Raises:
            Problem: if it is wrong, or was used.
        """
        recovery = hash_recovery_code(code)
        if recovery is not None:
            accepted = await connection.fetchval(ACCOUNTS["use_recovery_code"], row["id"], recovery)
        else:
            step = matching_step(row["totp_secret"], code, self._clock())
            accepted = step and await connection.fetchval(ACCOUNTS["use_totp_step"], row["id"], step)
        if accepted is None:
            raise Problem(status, "The code is wrong, or was used already; wait for the next one.", code="wrong_code")

    async def _count(
        self, sent: Credentials, browser: Browser, email: str, *, is_known: bool, is_proven: bool
    ) -> list[bytes]:
        if is_known and browser.device is not None:
            return await self.throttle.begin((DEVICE, hash_secret(browser.device).hex()))
        if is_proven and sent.link is not None:
            return await self.throttle.begin((LINK, hash_secret(sent.link).hex()))
        network = network_of(browser.address)
        return await self.throttle.begin((ADDRESS, browser.address), (NETWORK, network), (ACCOUNT, email))

    async def _proves(self, connection: Connection, link: str, email: str) -> bool:
        row = await read_link(connection, link, ("login",))
        return bool(row["email"] == email)


def _check_not_locked(row: asyncpg.Record) -> None:
    if row["locked_at"] is not None:
        raise Problem(403, "The account is locked; ask an administrator.", code="account_locked")
