"""Articles into Postgres: the article and what it tells the others, in one transaction.

What stands in the outbox is exactly what was committed; the relay takes it to Kafka.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

import asyncpg
import msgspec
from slugify import slugify

from shared.articles import Article, Block, Source
from shared.events import Adjustment, Measure
from shared.postgres import read_queries
from shared.topics import ARTICLES, COUNTER_ADJUSTMENTS

SQL = read_queries(__package__)
SLUG_CHARACTERS_MAX = 80


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


def make_slug(title: str) -> str:
    """Return the readable part of an article's URL: đ is d, marks fall away, words stay whole."""
    return slugify(title, max_length=SLUG_CHARACTERS_MAX, word_boundary=True) or "bai-viet"


async def save(pool: asyncpg.Pool, draft: Draft, *, publish: bool, now: datetime) -> Saved:
    """Save a draft as a new article, or as the next version of the one with its external id.

    A draft that says what is already saved changes nothing.

    Raises:
        asyncpg.PostgresError, OSError: nothing was saved, or Postgres is away.
    """
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(SQL["lock_external"], draft.source_system, draft.external_id)
        row = await connection.fetchrow(SQL["article_by_external_id"], draft.source_system, draft.external_id)
        before = msgspec.json.decode(row["content"], type=Article) if row else None
        number = before.number if before else await connection.fetchval(SQL["next_number"])
        article = _next_version(draft, before, number, publish, now)
        if article is before:
            return Saved(article, "unchanged")
        content = msgspec.json.encode(article).decode()
        if before is None:
            await connection.execute(
                SQL["insert_article"],
                article.id,
                article.number,
                article.site,
                article.version,
                article.state,
                article.title,
                draft.source_system,
                draft.external_id,
                content,
                now,
            )
        else:
            await connection.execute(
                SQL["update_article"], article.id, article.version, article.state, article.title, content, now
            )
        if article.first_published_at is not None:  # what was never public stays in here
            await connection.execute(SQL["put_in_outbox"], ARTICLES.name, article.id, content.encode())
        return Saved(article, "changed" if before else "created")


def _next_version(draft: Draft, before: Article | None, number: int, publish: bool, now: datetime) -> Article:
    article = Article(
        id=before.id if before else str(uuid4()),
        number=number,
        site=draft.site,
        version=before.version if before else 1,
        state="published" if publish else (before.state if before else "draft"),
        title=draft.title,
        slug=make_slug(draft.title),
        section=draft.section,
        language=draft.language,
        body=draft.body,
        lead=draft.lead,
        source=draft.source,
        modified_at=before.modified_at if before else now,
        first_published_at=(before.first_published_at if before else None) or (now if publish else None),
        published_at=draft.published_at,
    )
    if before is None:
        return article
    if article == before:
        return before
    return msgspec.structs.replace(article, version=before.version + 1, modified_at=now)


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
