"""Preview links: signed, expiring and revocable links to a version of an article, or a static page, without an account.

A link is `ID.SIGNATURE`: a random ID, and its HMAC under a secret of this installation's database, so that guesses are
rejected without a query. A link ends when it expires or is revoked, when its article is killed, discarded, or withdrawn
after the link was made. What has ended stays so, whatever becomes of the article: `end_links` notes it. That of a
static page, which always shows its working copy, ends when the page is withdrawn or deleted.
"""

import base64
import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg
import msgspec

from services.ingest.articles.copies import ArticleChange, StoredArticle
from services.ingest.auth.shared_secrets import get_or_create_secret
from services.ingest.queries import SQL
from shared.articles import Article, State
from shared.postgres import Connection
from shared.previews import PreviewedVersion
from shared.site_structure import StaticPage

SECRET = "previews"  # noqa: S105 - its name
ID_BYTES = 16
EXPIRES_SECONDS_MIN, EXPIRES_SECONDS_MAX = 60, 30 * 86_400
EXPIRES_SECONDS_DEFAULT = 7 * 86_400
VALID_LINKS_MAX = 50
"""Of one article or static page."""
PUBLIC_PATH = "/xem-truoc/"
_SIGNED = re.compile(r"^(?P<id>[A-Za-z0-9_-]{22})\.(?P<mac>[A-Za-z0-9_-]{43})$", re.ASCII)
_WITHDRAWN: frozenset[State] = frozenset({"unpublished", "archived"})


class Shown(NamedTuple):
    """What a link shows: one of the two."""

    article: str | None = None
    page: str | None = None


class PreviewLink(msgspec.Struct):
    """A preview link."""

    id: str
    article: str | None
    page: str | None
    """The static page that it shows, in place of an article."""
    version: int | None
    """Null: it shows the working version, whichever it is."""
    url: str
    expires_at: datetime
    created_at: datetime
    created_by: str
    revoked_at: datetime | None


class PreviewLinkList(msgspec.Struct):
    """The preview links of an article or a static page, newest first."""

    previews: list[PreviewLink]


class PreviewLinks:
    """Makes and checks preview links.

    Args:
        pool: Connected as the role presstally_ingest.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._secret: bytes | None = None

    async def read_secret(self) -> None:
        """Read the secret that signs, once: before a transaction, as it needs a connection and a commit of its own."""
        if self._secret is None:
            self._secret = await get_or_create_secret(self._pool, SECRET)

    def _sign(self, preview_id: str) -> str:
        """Return the signed value of a link."""
        assert self._secret is not None, "it was read"
        digest = hmac.new(self._secret, f"preview {preview_id}".encode(), hashlib.sha256).digest()
        return f"{preview_id}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"

    async def create(
        self, connection: Connection, shown: Shown, version: int | None, seconds: int, who: str
    ) -> asyncpg.Record | None:
        """Insert a link, and return its row; None if what it shows has VALID_LINKS_MAX already."""
        preview_id = base64.urlsafe_b64encode(secrets.token_bytes(ID_BYTES)).decode().rstrip("=")
        valid_for = timedelta(seconds=seconds)
        given = (preview_id, *shown, version, valid_for, who, VALID_LINKS_MAX)
        return await connection.fetchrow(SQL["insert_preview"], *given)

    def link(self, row: asyncpg.Record, site_url: str) -> PreviewLink:
        """Return the link of a row, with its public URL; the secret was read."""
        return PreviewLink(url=f"{site_url}{PUBLIC_PATH}{self._sign(row['id'])}", **dict(row))

    async def show(self, signed: str) -> PreviewedVersion | None:
        """Return the version that a link shows; None if the link is not valid, whatever the reason."""
        found = _SIGNED.fullmatch(signed)
        if found is None:
            return None
        await self.read_secret()
        if not hmac.compare_digest(self._sign(found["id"]).encode(), signed.encode()):
            return None
        row = await self._pool.fetchrow(SQL["previewed_version"], found["id"])
        return await self._show_page(found["id"]) if row is None else _show_article(row)

    async def _show_page(self, preview_id: str) -> PreviewedVersion | None:
        row = await self._pool.fetchrow(SQL["previewed_page"], preview_id)
        if row is None:
            return None
        page = msgspec.json.decode(row["content"], type=StaticPage)
        page = msgspec.structs.replace(page, version=row["version"], slug=row["slug"], state="published")
        return PreviewedVersion(None, True, row["expires_at"], page)


def _show_article(row: asyncpg.Record) -> PreviewedVersion | None:
    if row["content"] is None:
        return None
    if row["live_state"] == "killed" or row["state"] == "killed":
        return None
    if row["live_state"] in _WITHDRAWN and row["withdrawn_at"] >= row["created_at"]:
        return None
    article = msgspec.json.decode(row["content"], type=Article)
    return PreviewedVersion(as_published(article, row["now"]), row["version"] is None, row["expires_at"])


async def end_links(connection: Connection, before: StoredArticle, change: ArticleChange) -> None:
    """End the links of an article that a change takes off the portal, and those that an earlier change had ended.

    Args:
        connection: In the transaction of the change.
        before: The article as stored before.
        change: The change.
    """
    was, live = before.live, change.live
    is_withdrawn = live is not None and live.state != "published" and (was is None or was.state != live.state)
    if change.is_discarded or before.is_discarded or change.head.state == "killed" or is_withdrawn:
        await connection.execute(SQL["end_previews"], change.head.id, None)
    elif was is not None and was.state in _WITHDRAWN and live is not None and live.state == "published":
        await connection.execute(SQL["end_previews"], change.head.id, was.modified_at)


def as_published(article: Article, now: datetime) -> Article:
    """Return a version as its page would show it if it were published now."""
    published_at = article.published_at
    if published_at is None and article.date_precision != "unknown":
        published_at = article.first_published_at or now
    return msgspec.structs.replace(
        article,
        state="published",
        first_published_at=article.first_published_at or now,
        published_at=published_at,
    )
