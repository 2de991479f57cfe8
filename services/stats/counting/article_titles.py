"""Kafka `articles` and `pages-live` → Postgres: what an article is called, and where readers find it.

The counts know ids only. The state and the title come from `articles`; the link comes from `pages-live`, which tells
what the portal really serves.
"""

from functools import partial
from urllib.parse import urlsplit

import asyncpg
import msgspec
from aiokafka.structs import ConsumerRecord
from faststream.kafka import KafkaBroker

from services.stats.queries import STATISTICS_SQL as SQL
from shared.articles import State
from shared.events import ArticleId, PageLive, SiteSlug
from shared.kafka.consumer import subscribe
from shared.kafka.dead_letters import handle_record
from shared.kafka.producer import Producer
from shared.postgres import POSTGRES_DATA_ERRORS, POSTGRES_UNAVAILABLE
from shared.retry import retry_until_done
from shared.role import Process
from shared.topics import ARTICLES, PAGES_LIVE

ARTICLES_GROUP = "stats-articles"
PAGES_LIVE_GROUP = "stats-pages-live"


class ArticleHead(msgspec.Struct, frozen=True, kw_only=True):
    """What the counts need of an article. The body is not decoded."""

    id: ArticleId
    site: SiteSlug
    version: int
    state: State
    title: str
    section: str


def subscribe_titles(broker: KafkaBroker, pool: asyncpg.Pool, producer: Producer, process: Process) -> None:
    """Have the broker hand on each article and each page that went live."""
    subscribe(broker, ARTICLES.name, ARTICLES_GROUP, partial(save_title, pool, producer), process)
    subscribe(broker, PAGES_LIVE.name, PAGES_LIVE_GROUP, partial(save_link, pool, producer), process)


async def save_title(pool: asyncpg.Pool, producer: Producer, record: ConsumerRecord) -> None:
    """Save what one record of `articles` tells; an older version changes nothing.

    A killed article keeps its counts and loses its title. So does one whose tombstone came.
    """

    async def save(article: ArticleHead) -> None:
        title = None if article.state == "killed" else article.title
        await pool.execute(
            SQL["save_article"], article.id, article.site, article.version, article.state, article.section, title
        )

    if record.value is None and record.key is not None:
        key = record.key.decode(errors="replace").replace("\0", "")
        await retry_until_done(
            lambda: pool.execute(SQL["mark_article_killed"], key),
            on=POSTGRES_UNAVAILABLE,
            unless=POSTGRES_DATA_ERRORS,
            what="remove the title of a killed article",
        )
    await handle_record(producer, record, ArticleHead, save)


async def save_link(pool: asyncpg.Pool, producer: Producer, record: ConsumerRecord) -> None:
    """Save what one record of `pages-live` tells; an older version changes nothing."""

    async def save(live: PageLive) -> None:
        if live.status == "failed":
            return  # the version before it is still served
        path = urlsplit(live.url).path if live.status == "live" and live.url else None
        await pool.execute(SQL["save_link"], live.article, live.version, path)

    await handle_record(producer, record, PageLive, save)
