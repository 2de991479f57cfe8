"""Links that open an account once: invitations, new passwords, and proofs of the address at a log-in."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from services.ingest.auth.secret_tokens import hash_secret, is_secret, new_secret
from services.ingest.queries import ACCOUNTS
from shared.http.problems import Problem
from shared.postgres import Connection

LIFETIMES = {
    "invitation": timedelta(days=7),
    "reset": timedelta(hours=2),
    "login": timedelta(minutes=30),
}
PAGES = {"invitation": "loi-moi", "reset": "mat-khau", "login": "dang-nhap"}
"""Below /ban-bien-tap/. The secret is behind `#`, which browsers send to no server, so that no log has it."""
PASSWORD_PURPOSES = ("invitation", "reset")


@dataclass(frozen=True)
class AccountLink:
    """A new link."""

    url: str
    expires_at: datetime


async def create_link(connection: Connection, person: str, purpose: str, origin: str) -> AccountLink:
    """Create a link for a person; former ones of the same purpose stop working.

    Args:
        connection: In a transaction.
        person: The person's id.
        purpose: A key of LIFETIMES.
        origin: Of the installation, where the link leads.
    """
    secret = new_secret()
    await connection.execute(ACCOUNTS["delete_links"], person, purpose)
    expires_at = await connection.fetchval(
        ACCOUNTS["insert_link"], hash_secret(secret), person, purpose, LIFETIMES[purpose]
    )
    return AccountLink(f"{origin}/ban-bien-tap/{PAGES[purpose]}#{secret}", expires_at)


async def read_link(connection: Connection, secret: str, purposes: tuple[str, ...]) -> asyncpg.Record:
    """Return the person and purpose of a link that still works; it is not used up.

    Raises:
        Problem: 404 if it was used, has expired, was replaced by another one, or never was.
    """
    row = None
    if is_secret(secret):
        row = await connection.fetchrow(ACCOUNTS["link"], hash_secret(secret), list(purposes))
    if row is None:
        raise Problem(404, "This link was used, has expired, or was replaced by a newer one.", code="unknown_link")
    return row


async def use_link(connection: Connection, secret: str) -> None:
    """Use a link up, in the transaction of what it was used for.

    Raises:
        Problem: 404 if another request has used it meanwhile.
    """
    used = await connection.fetchval(ACCOUNTS["use_link"], hash_secret(secret))
    if used is None:
        raise Problem(404, "This link was used, has expired, or was replaced by a newer one.", code="unknown_link")
