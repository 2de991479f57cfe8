"""Kafka `articles` and `pages-live` → Postgres: title, section and path of each article.

Counts have article ids only. The state and the title come from `articles`; the path comes from `pages-live`, which has
the versions that the portal really serves.
"""

from functools import partial
from urllib.parse import urlsplit

import asyncpg
import msgspec
from aiokafka.structs import ConsumerRecord
from faststream.kafka import KafkaBroker

from services.stats.queries import STATISTICS_SQL as SQL
from shared.articles import State
from shared.consumer_offsets import ConsumerOffsets
from shared.events import ArticleId, PageLive, SiteSlug
from shared.kafka.database_consumer import DatabaseConsumer, Transaction
from shared.kafka.dead_letters import handle_record
from shared.kafka.producer import Producer
from shared.postgres import POSTGRES_DATA_ERRORS, POSTGRES_UNAVAILABLE
from shared.retry import retry_until_done
from shared.role import Process
from shared.topics import ARTICLES, PAGES_LIVE

ARTICLES_GROUP = "stats-articles"
PAGES_LIVE_GROUP = "stats-pages-live"


class ArticleHead(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of an article that the statistics show. The body is not decoded."""

    id: ArticleId
    site: SiteSlug
    version: int
    state: State
    title: str
    section: str


def follow_titles(
    broker: KafkaBroker, pool: asyncpg.Pool, producer: Producer, process: Process
) -> list[DatabaseConsumer]:
    """Follow articles and live pages."""
    titles, links = (
        ConsumerOffsets("stats", ARTICLES_GROUP, ARTICLES.name),
        ConsumerOffsets("stats", PAGES_LIVE_GROUP, PAGES_LIVE.name),
    )
    return [
        DatabaseConsumer(broker, pool, titles, ARTICLES_GROUP, partial(save_title, producer), process=process),
        DatabaseConsumer(broker, pool, links, PAGES_LIVE_GROUP, partial(save_link, producer), process=process),
    ]


async def save_title(producer: Producer, transaction: Transaction, record: ConsumerRecord) -> None:
    """Save one record of `articles`; an older version changes nothing.

    A killed article keeps its counts and loses its title, and so does one with a tombstone.
    """

    async def save(article: ArticleHead) -> None:
        title = None if article.state == "killed" else article.title
        async with transaction() as connection:
            await connection.execute(
                SQL["save_article"], article.id, article.site, article.version, article.state, article.section, title
            )

    async def remove_title(key: str) -> None:
        async with transaction() as connection:
            await connection.execute(SQL["mark_article_killed"], key)

    if record.value is None and record.key is not None:
        key = record.key.decode(errors="replace").replace("\0", "")
        await retry_until_done(
            lambda: remove_title(key),
            on=POSTGRES_UNAVAILABLE,
            unless=POSTGRES_DATA_ERRORS,
            what="remove the title of a killed article",
        )
    await handle_record(producer, record, ArticleHead, save)


async def save_link(producer: Producer, transaction: Transaction, record: ConsumerRecord) -> None:
    """Save one record of `pages-live`; an older version changes nothing."""

    async def save(live: PageLive) -> None:
        if live.status == "failed":
            return  # the version before it is still served
        path = urlsplit(live.url).path if live.status == "live" and live.url else None
        async with transaction() as connection:
            await connection.execute(SQL["save_link"], live.article, live.version, path)

    await handle_record(producer, record, PageLive, save)
