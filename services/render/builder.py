"""Role `builder`: Kafka `articles` → pages → one transaction → Kafka `pages-live`.

An article's version makes a repetition harmless: an older one is passed over, the same one only says again
that it is live. So a message is acknowledged after its page is committed and `pages-live` has been told.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TypeVar

import asyncpg
import msgspec
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage

from services.render import store
from services.render.metrics import ARTICLES as ARTICLES_RENDERED
from services.render.metrics import PUBLISH_DELAY, RENDER_SECONDS
from services.render.settings import RenderSettings
from shared.articles import Article
from shared.events import PageLive
from shared.kafka import Producer, Unavailable, start_broker
from shared.logs import log
from shared.postgres import POSTGRES_ERRORS, open_pool
from shared.process import Process, Role
from shared.sites import Sites, read_sites
from shared.topics import ARTICLES, PAGES_LIVE

RETRY_SECONDS = 0.5
_T = TypeVar("_T")


class Builder:
    """Renders one article after the other."""

    def __init__(self, pool: asyncpg.Pool, producer: Producer, sites: Sites, public_url: str | None) -> None:
        self._pool = pool
        self._producer = producer
        self._sites = sites
        self._public_urls = {site.slug: public_url or site.origins[0] for site in sites.values()}
        self.waits_for: str | None = None

    async def renew(self) -> None:
        """Make the pages of each site anew whose theme or settings changed since they were made."""
        for site in self._sites.values():
            count = await self._persist(store.renew, self._pool, site, self._public_urls[site.slug])
            if count is not None:
                log.info("Made all pages anew: theme or settings changed", site=site.slug, articles=count)

    async def on_article(self, body: bytes, message: KafkaMessage) -> None:
        """Bring the portal to the article's newest state. Waits for Postgres and Kafka; never skips."""
        key = (message.raw_message.key or b"").decode("utf-8", "replace")
        try:
            live = await self._render(body) if body else await self._forget(key)
        except msgspec.DecodeError as error:
            await self._bury(body, message, f"schema: {error}")
        except LookupError as error:
            await self._bury(body, message, str(error))
        else:
            if live is not None:
                await self._persist(self._producer.send, PAGES_LIVE.name, msgspec.json.encode(live), key=key.encode())
        await message.ack()

    async def _render(self, body: bytes) -> PageLive | None:
        article = msgspec.json.decode(body, type=Article)
        site = self._sites.get(article.site)
        if site is None:
            raise LookupError(f"unknown-site: {article.site}")
        begun = time.perf_counter()
        now = datetime.now(UTC)
        rendered = await self._persist(store.save, self._pool, article, site, self._public_urls[site.slug], now)
        if rendered is None:
            ARTICLES_RENDERED.labels("unchanged").inc()
            return None
        ARTICLES_RENDERED.labels(rendered.status if rendered.is_new else "unchanged").inc()
        if rendered.is_new:
            RENDER_SECONDS.observe(time.perf_counter() - begun)
            PUBLISH_DELAY.observe(max(0.0, (datetime.now(UTC) - article.modified_at).total_seconds()))
            log.info("Rendered", article=article.id, version=article.version, status=rendered.status)
        return _page_live(article.id, rendered.version, rendered.status, rendered.url)

    async def _forget(self, article_id: str) -> PageLive | None:
        version = await self._persist(store.forget, self._pool, article_id, self._sites, self._public_urls)
        return None if version is None else _page_live(article_id, version, "withdrawn", None)

    async def _bury(self, body: bytes, message: KafkaMessage, reason: str) -> None:
        record = message.raw_message
        log.error("An article cannot be rendered", reason=reason, partition=record.partition, offset=record.offset)
        ARTICLES_RENDERED.labels("failed").inc()
        headers = {"reason": reason, "topic": record.topic, "partition": record.partition, "offset": record.offset}
        await self._persist(
            self._producer.send,
            ARTICLES.dead_letters,
            body,
            key=record.key,
            headers=[(name, str(value).encode()) for name, value in headers.items()],
        )

    async def _persist(self, act: Callable[..., Awaitable[_T]], *arguments: object, **named: object) -> _T:
        """Do it until it is done: Postgres or Kafka may be away for a while, an article may not be lost."""
        while True:
            try:
                result = await act(*arguments, **named)
            except (Unavailable, *POSTGRES_ERRORS) as error:
                if self.waits_for is None:
                    log.warning("Rendering waits", reason=repr(error))
                self.waits_for = f"rendering waits: {error!r}"
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self.waits_for = None
                return result


def _page_live(article: str, version: int, status: "store.Status", url: str | None) -> PageLive:
    at = time.time_ns() // 1_000_000
    return PageLive(article=article, version=version, status=status, url=url, reason=None, at=at)


@asynccontextmanager
async def builder(settings: RenderSettings, process: Process) -> AsyncIterator[Role]:
    """Run the builder."""
    pool = await open_pool(settings.database_url.get_secret_value(), role="presstally_render", size=4)
    producer = Producer(settings.kafka_bootstrap)
    producer.start()
    building = Builder(pool, producer, read_sites(settings.sites), settings.public_url)
    await building.renew()
    broker = KafkaBroker(settings.kafka_bootstrap, allow_auto_create_topics=False, graceful_timeout=5)
    broker.subscriber(
        ARTICLES.name, group_id=settings.group, auto_offset_reset="earliest", ack_policy=AckPolicy.MANUAL
    )(building.on_article)
    await start_broker(broker)
    try:
        yield Role("builder", problems=lambda: [building.waits_for] if building.waits_for else [])
    finally:
        await broker.stop()
        await producer.stop()
        pool.terminate()
