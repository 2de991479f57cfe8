"""Unsaved texts: what somebody has typed since the last save, one slot for each person and article.

A slot is no revision and changes no state. The newest text wins by the counter of the tab that sends it, not by its
arrival; another tab of the same person replaces it only by naming it, so that neither overwrites the other unseen.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from services.ingest.auth.callers import Caller
from services.ingest.content.errors import invalid
from services.ingest.queries import EDITING
from shared.http.problems import Problem
from shared.postgres import Connection

FIELDS_BYTES_MAX = 1024 * 1024
SLOTS_MAX = 100
"""Of one person: beyond that the oldest are deleted."""
TITLE_CHARACTERS_MAX = 255


@dataclass(frozen=True)
class Slot:
    """Where a text is stored.

    Attributes:
        owner: Id of the person, or prefix of the token.
        person: Id of the person; None for a token.
        site: The site of the article, or of the one that will be created.
        article: None: of an article that does not exist yet.
        key: Made by the client, of such an article.
    """

    owner: str
    person: str | None
    site: str
    article: str | None = None
    key: str | None = None

    @property
    def name(self) -> str:
        """The column `slot`."""
        return f"article {self.article}" if self.article is not None else f"new {self.key}"


def slot_of_article(caller: Caller, article: str, site: str) -> Slot:
    """Return the slot of a caller for an article."""
    return Slot(caller.id, caller.person, site, article=article)


@dataclass(frozen=True)
class Autosave:
    """A text as a tab sends it."""

    tab: str
    sequence: int
    base_version: int | None
    fields: dict[str, Any]


class StoredAutosave(msgspec.Struct, kw_only=True):
    """An unsaved text."""

    tab: str
    """The tab that has sent it."""
    sequence: int
    """Its number among the texts of that tab; also the ETag."""
    base_version: int | None
    """The version that was edited; null: a new article."""
    created_at: datetime
    saved_at: datetime
    fields: msgspec.Raw
    """As they were sent."""


def encode_fields(fields: dict[str, Any]) -> bytes:
    """Return fields as JSON, as it was sent: also with characters that no article may have.

    Raises:
        InvalidContentError: a number is too large for JSON.
        Problem: 413.
    """
    try:
        text = json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError as error:
        raise invalid("fields", "not_a_json_number") from error
    try:
        content = text.encode()
    except UnicodeEncodeError:  # half of a character beyond the first 65,536, as after a deletion in a browser
        content = json.dumps(fields, separators=(",", ":")).encode()
    if len(content) > FIELDS_BYTES_MAX:
        detail = f"The fields must have at most {FIELDS_BYTES_MAX:,} bytes as JSON (got {len(content):,})."
        raise Problem(413, detail, limit=FIELDS_BYTES_MAX, size=len(content))
    return content


def shown_title(fields: dict[str, Any]) -> str:
    """Return the title for a list, without characters that Postgres refuses."""
    title = fields.get("title")
    text = title if isinstance(title, str) else ""
    return text.replace("\0", "").encode(errors="replace").decode()[:TITLE_CHARACTERS_MAX]


async def save(
    connection: Connection, slot: Slot, sent: Autosave, replaced: Collection[int] | None
) -> tuple[datetime, int]:
    """Store a text, and return when it was stored, and its number.

    Args:
        connection: Any.
        slot: Where.
        sent: The text.
        replaced: The numbers of the texts that another tab may have stored there; None: any.

    Raises:
        Problem: 409 if the same tab has stored a newer text, another one has stored a text that is not named, or the
            article was created.
        InvalidContentError: a number is too large for JSON.
    """
    fields = encode_fields(sent.fields)
    identity = (slot.owner, slot.name, slot.person, slot.article, slot.site)
    text = (sent.tab, sent.sequence, sent.base_version, shown_title(sent.fields), fields)
    row = await connection.fetchrow(
        EDITING["save_autosave"], *identity, *text, replaced is None, sorted(replaced or ())
    )
    if row is not None:
        if row["is_new"]:
            await connection.execute(EDITING["limit_autosaves"], slot.owner, SLOTS_MAX)
        return row["saved_at"], sent.sequence
    stored = await connection.fetchrow(EDITING["autosave"], slot.owner, slot.name)
    if stored is None:  # deleted in this moment
        raise Problem(503, "The text could not be stored; send it again.", headers={"retry-after": "1"}, code="busy")
    if _is_repeated(stored, sent, fields):
        return stored["saved_at"], stored["sequence"]
    raise _conflict(stored, sent)


def _is_repeated(stored: asyncpg.Record, sent: Autosave, fields: bytes) -> bool:
    return (stored["tab"], stored["sequence"], stored["fields"]) == (sent.tab, sent.sequence, fields)


def _conflict(stored: asyncpg.Record, sent: Autosave) -> Problem:
    more: dict[str, Any] = {"sequence": stored["sequence"], "tab": stored["tab"], "saved_at": stored["saved_at"]}
    if stored["created_article"] is not None:
        detail = f"The article {stored['created_article']} was created from this text; change that one."
        return Problem(409, detail, code="autosave_closed", article=stored["created_article"])
    if stored["tab"] == sent.tab:
        detail = f"The tab has stored text {stored['sequence']} or saved the article since text {sent.sequence}."
        return Problem(409, detail, code="autosave_outdated", **more)
    detail = f'Another tab has stored text {stored["sequence"]}; read it, then send If-Match: "{stored["sequence"]}".'
    return Problem(409, detail, code="autosave_elsewhere", **more)


async def read(connection: Connection, slot: Slot) -> StoredAutosave | None:
    """Return the text of a slot, or None without one."""
    row = await connection.fetchrow(EDITING["autosave"], slot.owner, slot.name)
    if row is None or row["fields"] is None:
        return None
    return StoredAutosave(
        tab=row["tab"],
        sequence=row["sequence"],
        base_version=row["base_version"],
        created_at=row["created_at"],
        saved_at=row["saved_at"],
        fields=msgspec.Raw(row["fields"]),
    )


async def discard(connection: Connection, slot: Slot, tab: str | None, sequence: int | None) -> None:
    """Remove the text of a slot; with a tab only what that one has sent, up to a number, also what is on its way."""
    if tab is None:
        await connection.execute(EDITING["discard_autosave"], slot.owner, slot.name)
        return
    identity = (slot.owner, slot.name, slot.person, slot.article, slot.site)
    await connection.execute(EDITING["discard_autosaves_of_tab"], *identity, tab, sequence or 0)


async def close_saved(connection: Connection, slot: Slot, tab: str | None, version: int) -> None:
    """Remove the text of an article that its author has saved; with a tab only if that one has sent it.

    Then what the tab has sent before it knew the saved version, and arrives later, does not bring the text back.
    """
    if tab is None:
        await discard(connection, slot, None, None)
        return
    identity = (slot.owner, slot.name, slot.person, slot.article, slot.site)
    await connection.execute(EDITING["close_autosave_of_tab"], *identity, tab, version)


async def close_created(connection: Connection, caller: Caller, key: str, site: str, article: str) -> None:
    """Remove the text that an article was created from: no later text is stored under its key."""
    slot = Slot(caller.id, caller.person, site, key=key)
    await connection.execute(EDITING["close_new_autosave"], caller.id, slot.name, caller.person, site, article)
