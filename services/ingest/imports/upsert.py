"""Imported articles into Postgres: as a new article, or as the next version of the one with its external id."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

import msgspec

from services.ingest.articles import workflow
from services.ingest.articles.store import insert, insert_many, read
from services.ingest.articles.store import save as save_change
from services.ingest.articles.workflow import Change, Kept
from services.ingest.auth.actors import Actor
from services.ingest.media.library import with_media
from services.ingest.queries import SQL
from shared.articles import Article
from shared.events import Adjustment, Measure
from shared.postgres import Connection
from shared.topics import COUNTER_ADJUSTMENTS


@dataclass(frozen=True)
class Draft:
    """What an import hands in, before it has an id, a number and a version."""

    site: str
    source_system: str
    external_id: str
    fields: dict[str, Any]
    """Of the article's content, as the article has them. `slug` is for the first version alone."""

    def checksum(self) -> bytes:
        """Return what tells whether an import says something new."""
        return hashlib.sha256(msgspec.json.encode(self.fields, order="sorted")).digest()

    def article(self, number: int, version: int, now: datetime) -> Article:
        """Return the draft as an article."""
        return Article(
            id=str(uuid4()),
            number=number,
            site=self.site,
            version=version,
            state="draft",
            modified_at=now,
            first_published_at=None,
            created_at=now,
            source_system=self.source_system,
            external_id=self.external_id,
            **self.fields,
        )


@dataclass(frozen=True)
class Saved:
    """What became of a draft."""

    article: Article
    change: Literal["created", "changed", "unchanged"]


async def save(
    connection: Connection, draft: Draft, *, publish: bool, now: datetime, who: str, dry_run: bool = False
) -> Saved:
    """Save a draft, in the transaction of its caller. A draft that says what was imported before changes nothing.

    Args:
        connection: In a transaction.
        draft: What the import says.
        publish: Make it public: the import is the approval.
        now: The time of the import.
        who: Who answers for it.
        dry_run: Say what would become of it, and write nothing.

    Raises:
        ContentError: it is to be public and has an image that is not in the media store.
        TooLargeError: it is too large for a message.
        Problem: 409, the article was killed.
    """
    await connection.execute(SQL["lock_external"], draft.source_system, draft.external_id)
    known = await connection.fetchrow(SQL["imported"], draft.source_system, draft.external_id)
    checksum = draft.checksum()
    before: Kept | None = None
    change: Change | None
    if known is None:
        number = 1 if dry_run else await connection.fetchval(SQL["next_number"])
        article = draft.article(number, 0 if publish else 1, now)  # publishing makes it 1
        article = await with_media(connection, article, strict=publish)
        change = _first_version(article, publish, now)
    else:
        before = await read(connection, known["id"], for_update=True)
        assert before is not None, "articles are never deleted"
        change = await _next_version(connection, before, draft, known["checksum"] == checksum, publish, now)
    if change is None:
        assert before is not None
        return Saved(before.head, "unchanged")
    if not dry_run:
        if before is None:
            await insert(connection, change, Actor(who))
        else:
            await save_change(connection, before, change, Actor(who))
        await connection.execute(SQL["note_import"], change.head.id, checksum, now)
    return Saved(change.head, "created" if before is None else "changed")


async def create_many(
    connection: Connection, drafts: Sequence[Draft], publish: Sequence[bool], now: datetime, who: str
) -> list[Saved]:
    """Save drafts that are all new and have no images, in a few steps. Raises what `insert_many` raises."""
    numbers = await connection.fetch(SQL["next_numbers"], len(drafts))
    changes = [
        _first_version(draft.article(row["nextval"], 0 if is_public else 1, now), is_public, now)
        for draft, row, is_public in zip(drafts, numbers, publish, strict=True)
    ]
    await insert_many(connection, changes, Actor(who))
    notes = [(change.head.id, draft.checksum(), now) for change, draft in zip(changes, drafts, strict=True)]
    await connection.executemany(SQL["note_import"], notes)
    return [Saved(change.head, "created") for change in changes]


def _first_version(article: Article, publish: bool, now: datetime) -> Change:
    if publish:
        return workflow.publish(Kept(article, None), article, now, "import")
    return Change("import", article, None, is_told=False)


async def _next_version(  # noqa: PLR0917 - what `save` knows
    connection: Connection, kept: Kept, draft: Draft, is_repetition: bool, publish: bool, now: datetime
) -> Change | None:
    """Return what the draft changes, or None. Without `publish` a public article gets a draft beside its live copy."""
    fields = {name: value for name, value in draft.fields.items() if name != "slug"}
    edited = await with_media(connection, msgspec.structs.replace(kept.head, **fields), strict=publish)
    is_same = edited == kept.head
    if is_repetition and (kept.live is not None or not publish or not is_same):
        return None  # also if editors changed it, or took it from readers
    if is_same and (not publish or (kept.live is not None and kept.live.state == "published")):
        return None
    fields |= {"body": edited.body, "lead_image": edited.lead_image}
    change = workflow.edit(kept, fields, by_publisher=False, now=now, action="import")
    if publish:  # one version: the import is the approval
        return workflow.publish(kept, msgspec.structs.replace(change.head, version=kept.head.version), now, "import")
    return change


async def set_opening_balance(
    connection: Connection, *, site: str, article: str | None, measure: Measure, amount: int, who: str, why: str
) -> int:
    """Give a counter the total it had before us, once, and return the balance that now stands.

    In the transaction of its caller. A second call changes nothing: the balance that stands is returned. Reversals
    are adjustments of stats.
    """
    now = datetime.now(UTC)
    adjustment = Adjustment(
        id=str(uuid4()),
        site=site,
        article=article,
        measure=measure,
        amount=amount,
        who=who,
        why=why,
        at=time.time_ns() // 1_000_000,
    )
    made = await connection.fetchval(
        SQL["set_opening_balance"], site, article, measure, adjustment.id, amount, who, why, now
    )
    if made:
        value = msgspec.json.encode(adjustment)
        await connection.execute(SQL["put_in_outbox"], COUNTER_ADJUSTMENTS.name, adjustment.id, value, "{}")
        return amount
    return int(await connection.fetchval(SQL["opening_balance"], site, article, measure))
