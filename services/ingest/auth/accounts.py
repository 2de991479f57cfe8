"""What the routes of people and sessions share."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import asyncpg

from services.ingest.auth.account_links import AccountLink, create_link
from services.ingest.auth.login import LogIn
from services.ingest.auth.mail import Mailer
from services.ingest.auth.mail_texts import change_mail, link_mail
from services.ingest.auth.oidc import Provider
from services.ingest.auth.passwords import Passwords
from services.ingest.auth.sessions import IDLE, LIFETIME, Sessions
from services.ingest.queries import ACCOUNTS
from shared.logs import log
from shared.postgres import POSTGRES_UNAVAILABLE, Connection

CLEANUP_SECONDS = 600.0
TASKS_MAX = 100
"""Mails that are being prepared. Those who ask for more get none, and the same response."""


@dataclass
class Accounts:
    """People's sessions, passwords and mails.

    Attributes:
        pool: Connected as the role presstally_ingest.
        mailer: Sends mails, if a server is configured.
        provider: The OpenID Connect provider, if there is one.
        idle: Time without requests after which a session ends.
        lifetime: Time after which it ends in any case.
    """

    pool: asyncpg.Pool
    mailer: Mailer = field(default_factory=lambda: Mailer(None))
    provider: Provider | None = None
    idle: timedelta = IDLE
    lifetime: timedelta = LIFETIME
    passwords: Passwords = field(default_factory=Passwords)

    def __post_init__(self) -> None:
        """Create the parts that depend on others."""
        self.sessions = Sessions(self.pool, self.idle, self.lifetime)
        self.login = LogIn(self.pool, self.sessions, self.passwords)
        self._tasks: set[asyncio.Task[None]] = set()

    async def mail_link(
        self,
        connection: Connection,
        purpose: str,
        *,
        person: str,
        email: str,
        name: str,
        language: str,
        origin: str,
        by: str,
    ) -> AccountLink:
        """Create a link and send it to its person, if mails can be sent.

        Args:
            connection: In a transaction.
            purpose: invitation, reset or login.
            person: The person's id.
            email: Where it is sent.
            name: Of the person.
            language: Of the mail.
            origin: Of the installation, where the link leads.
            by: Who invites.
        """
        link = await create_link(connection, person, purpose, origin)
        subject, lines = link_mail(purpose, language, name=name, url=link.url, expires_at=link.expires_at, by=by)
        self.mailer.send(email, subject, lines)
        return link

    def mail_change(self, change: str, *, email: str, name: str, language: str) -> None:
        """Tell a person that the own account was changed."""
        subject, lines = change_mail(change, language, name=name)
        self.mailer.send(email, subject, lines)

    def in_background(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do something after the response, so that the response's time says nothing about it."""
        if len(self._tasks) >= TASKS_MAX:
            log.warning("a mail was not prepared: too many are asked for")
            return
        task = asyncio.create_task(_quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait for what runs in the background."""
        await asyncio.gather(*self._tasks)

    async def run_cleanup(self) -> None:
        """Delete what has expired, until cancelled."""
        while True:
            try:
                await self.clean_up()
            except POSTGRES_UNAVAILABLE as error:
                log.warning("cannot delete expired sessions", reason=repr(error))
            await asyncio.sleep(CLEANUP_SECONDS)

    async def clean_up(self) -> None:
        """Delete expired sessions, links, counts of failures and devices."""
        await self.pool.execute(ACCOUNTS["delete_old_sessions"], self.sessions.idle)
        for query in ("delete_old_links", "delete_old_attempts", "delete_old_devices"):
            await self.pool.execute(ACCOUNTS[query])


async def _quietly(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        await work()
    except Exception:  # noqa: BLE001 - nobody waits for it
        log.exception("a mail was not prepared")
