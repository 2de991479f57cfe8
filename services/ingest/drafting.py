"""Imported pages into Postgres: as a new article, or as the next version of the one with its external id."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

import asyncpg
import msgspec

from services.ingest import workflow
from services.ingest.contents import make_slug
from services.ingest.revisions import SQL, Actor, insert, read
from services.ingest.revisions import save as save_change
from services.ingest.workflow import Change, Kept
from shared.articles import Article, Block, Source
from shared.events import Adjustment, Measure
from shared.topics import COUNTER_ADJUSTMENTS


@dataclass(frozen=True)
class Draft:
    """What somebody hands in, before it has an id, a number and a version."""

    site: str
    section: str
    title: str
    lead: str
    body: list[Block]
    source: Source | None
    language: str
    source_system: str
    external_id: str
    published_at: datetime | None = None


@dataclass(frozen=True)
class Saved:
    """What became of a draft."""

    article: Article
    change: Literal["created", "changed", "unchanged"]


async def save(pool: asyncpg.Pool, draft: Draft, *, publish: bool, now: datetime, who: str = "import") -> Saved:
    """Save a draft as a new article, or as the next version of the one with its external id.

    A draft that says what is already saved changes nothing.

    Raises:
        asyncpg.PostgresError, OSError: nothing was saved, or Postgres is away.
    """
    actor = Actor(who)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(SQL["lock_external"], draft.source_system, draft.external_id)
        known = await connection.fetchval(SQL["article_by_external_id"], draft.source_system, draft.external_id)
        if known is None:
            change = _first_version(draft, await connection.fetchval(SQL["next_number"]), publish, now)
            await insert(connection, change, actor)
            return Saved(change.head, "created")
        kept = await read(connection, known, for_update=True)
        assert kept is not None, "articles are never deleted"
        next_version = _next_version(kept, draft, publish, now)
        if next_version is None:
            return Saved(kept.head, "unchanged")
        await save_change(connection, kept, next_version, actor)
        return Saved(next_version.head, "changed")


def _first_version(draft: Draft, number: int, publish: bool, now: datetime) -> Change:
    article = Article(
        id=str(uuid4()),
        number=number,
        site=draft.site,
        version=0 if publish else 1,  # publishing makes it 1
        state="draft",
        title=draft.title,
        slug=make_slug(draft.title),
        section=draft.section,
        language=draft.language,
        body=draft.body,
        lead=draft.lead,
        source=draft.source,
        modified_at=now,
        first_published_at=None,
        published_at=draft.published_at,
        date_precision="exact" if draft.published_at else "unknown",
        source_system=draft.source_system,
        external_id=draft.external_id,
        created_at=now,
    )
    if publish:
        return workflow.publish(Kept(article, None), article, now, "import")
    return Change("import", article, None, is_told=False)


def _next_version(kept: Kept, draft: Draft, publish: bool, now: datetime) -> Change | None:
    """Return what the draft changes, or None. Without `publish` a public article gets a draft beside its live copy."""
    fields = {name: getattr(draft, name) for name in ("section", "title", "lead", "body", "source", "published_at")}
    edited = msgspec.structs.replace(kept.head, **fields)
    is_public = kept.live is not None and kept.live.state == "published" and kept.head.state == "published"
    if edited == kept.head and (is_public or not publish):
        return None
    fields["date_precision"] = "exact" if draft.published_at else "unknown"
    change = workflow.edit(kept, fields, by_publisher=False, now=now, action="import")
    if publish:  # one version: the import is the approval
        return workflow.publish(kept, msgspec.structs.replace(change.head, version=kept.head.version), now, "import")
    return change


async def set_opening_balance(
    pool: asyncpg.Pool, *, site: str, article: str | None, measure: Measure, amount: int, who: str, why: str
) -> int:
    """Give a counter the total it had before us, once, and return the balance that now stands.

    A second call changes nothing: the balance that stands is returned. Reversals are adjustments of stats.
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
    async with pool.acquire() as connection, connection.transaction():
        made = await connection.fetchval(
            SQL["set_opening_balance"], site, article, measure, adjustment.id, amount, who, why, now
        )
        if made:
            value = msgspec.json.encode(adjustment)
            await connection.execute(SQL["put_in_outbox"], COUNTER_ADJUSTMENTS.name, adjustment.id, value)
            return amount
        return int(await connection.fetchval(SQL["opening_balance"], site, article, measure))
