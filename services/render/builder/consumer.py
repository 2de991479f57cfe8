"""Kafka `articles` → the rows of an article's pages, in one transaction → Kafka `pages-live`.

An article's version makes redelivery harmless: an older version is skipped, and the same one is only reported live
again. So the offset is stored after the transaction was committed and `pages-live` was sent.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import asyncpg
import msgspec
from aiokafka.structs import ConsumerRecord

from services.render.builder import store
from services.render.metrics import ARTICLES as ARTICLES_RENDERED
from services.render.metrics import PUBLISH_DELAY, RENDER_SECONDS
from services.render.pages.html import render_article
from services.render.pages.page_data import RelatedArticles
from shared.articles import Article
from shared.events import ArticleId, PageLive
from shared.kafka.database_consumer import Transaction
from shared.kafka.dead_letters import send_to_dead_letters
from shared.kafka.producer import KafkaUnavailable, Producer
from shared.logs import log
from shared.postgres import POSTGRES_DATA_ERRORS, POSTGRES_UNAVAILABLE
from shared.retry import retry_until_done
from shared.site_structure import SiteStructure, StaticPage, StructureMessage
from shared.sites import Site, Sites
from shared.topics import PAGES_LIVE
from shared.tracing import producer_span, record_failure, trace_exemplar

_T = TypeVar("_T")
REINDEX_PAUSE_SECONDS = 0.002
"""Between two articles that are reindexed in the background."""


class Builder:
    """Processes one article message after the other."""

    def __init__(
        self, pool: asyncpg.Pool, producer: Producer, sites: Sites, on_change: Callable[[], None] = lambda: None
    ) -> None:
        """`on_change` is called after each commit that may have changed pages."""
        self._pool = pool
        self._on_change = on_change
        self._producer = producer
        self._sites = sites
        self.waiting_for: str | None = None
        self._message_lock = asyncio.Lock()
        """Locked while a message is processed."""
        self._has_outdated = asyncio.Event()

    async def keep_indexed(self) -> None:
        """Rebuild outdated rows at the start and after each change of a structure, until cancelled."""
        while True:
            self._has_outdated.clear()
            await self.reindex()
            await self._has_outdated.wait()

    async def reindex(self) -> None:
        """Rebuild rows of an earlier version of the projections or of a structure, in the pauses between messages."""
        count = await retry_until_done(
            lambda: store.reindex(self._pool, self._sites, self._yield_to_messages),
            on=POSTGRES_UNAVAILABLE,
            unless=POSTGRES_DATA_ERRORS,
            what="reindex articles",
        )
        if count:
            log.info("reindexed articles: the projections or the structure of their site changed", articles=count)

    async def _yield_to_messages(self) -> None:
        await asyncio.sleep(REINDEX_PAUSE_SECONDS)  # a message that arrived meanwhile goes first
        async with self._message_lock:
            pass

    async def on_article(self, _: Transaction, record: ConsumerRecord) -> None:
        """Write the article's newest state. Waits for Postgres and Kafka; never skips a message.

        The offset is stored after this, and not in the transaction of the rows: a page that is committed must still be
        reported live.
        """
        async with self._message_lock:
            await self._on_article(record)

    async def on_structure(self, _: Transaction, record: ConsumerRecord) -> None:
        """Write a site's structure or a static page: all pages of the site follow at once. Waits for Postgres."""
        if record.value is None:
            return
        async with self._message_lock:
            try:
                message: SiteStructure | StaticPage = msgspec.json.decode(record.value, type=StructureMessage)
                await self._retry(lambda: self._save(message))
            except (msgspec.DecodeError, *POSTGRES_DATA_ERRORS) as error:
                record_failure(error)
                reason = f"{type(error).__name__}: {error}"
                await self._retry(lambda: send_to_dead_letters(self._producer, record, reason))

    async def _save(self, message: SiteStructure | StaticPage) -> None:
        if isinstance(message, StaticPage):
            is_new = await store.save_page(self._pool, message)
        else:
            is_new = await store.save_structure(self._pool, message)
            self._has_outdated.set()
        if is_new:
            self._on_change()
            log.info("structure applied", site=message.site, version=message.version)

    async def _on_article(self, record: ConsumerRecord) -> None:
        key = record.key or b""
        try:
            live = await (self._render(record.value) if record.value else self._remove(key.decode()))
        except (msgspec.DecodeError, LookupError, *POSTGRES_DATA_ERRORS) as error:
            record_failure(error)
            ARTICLES_RENDERED.labels("failed").inc()
            reason = f"{type(error).__name__}: {error}"
            await self._retry(lambda: send_to_dead_letters(self._producer, record, reason))
            live = _failed(record.value or b"", key.decode("utf-8", "replace"), reason)
        if live is not None:
            await self._publish_live(live, key)

    async def _publish_live(self, live: PageLive, key: bytes) -> None:
        value = msgspec.json.encode(live)
        with producer_span(PAGES_LIVE.name, live.article) as headers:
            await self._retry(lambda: self._producer.send(PAGES_LIVE.name, value, key=key, headers=headers))

    async def _render(self, value: bytes) -> PageLive | None:
        article = msgspec.json.decode(value, type=Article)
        site = self._sites.get(article.site)
        if site is None and await self._sites.refresh():
            site = self._sites.get(article.site)
        if site is None:
            raise LookupError(f"unknown-site: {article.site}")
        begun = time.perf_counter()
        _check_renders(article, site)
        published = await self._retry(lambda: store.save(self._pool, article, site))
        ARTICLES_RENDERED.labels(published.status if published.is_new else "unchanged").inc()
        if published.version > article.version:
            return None  # the newer version was reported already
        if published.is_new:
            self._on_change()
            exemplar = trace_exemplar()
            RENDER_SECONDS.observe(time.perf_counter() - begun, exemplar)
            delay_seconds = (datetime.now(UTC) - article.modified_at).total_seconds()
            PUBLISH_DELAY.observe(max(0.0, delay_seconds), exemplar)
            log.info("article rendered", article=article.id, version=article.version, status=published.status)
        url = site.url + published.path if published.path else None
        return _page_live(article.id, published.version, published.status, url)

    async def _remove(self, article_id: str) -> PageLive | None:
        version = await self._retry(lambda: store.remove(self._pool, article_id))
        self._on_change()
        return None if version is None else _page_live(article_id, version, "withdrawn", None)

    async def _retry(self, action: Callable[[], Awaitable[_T]]) -> _T:
        return await retry_until_done(
            action,
            on=(KafkaUnavailable, *POSTGRES_UNAVAILABLE),
            unless=POSTGRES_DATA_ERRORS,
            what="process an article",
            on_waiting=self._set_waiting_for,
        )

    def not_ready(self) -> list[str]:
        """Return why rendering waits, for `/readyz`."""
        return [f"rendering waits: {self.waiting_for}"] if self.waiting_for else []

    def _set_waiting_for(self, reason: str | None) -> None:
        self.waiting_for = reason


def _check_renders(article: Article, site: Site) -> None:
    """Render the page once: an article whose page cannot be rendered must not be reported live.

    Raises:
        LookupError: the page cannot be rendered.
    """
    try:
        render_article(article, RelatedArticles(), site, site.url)
    except Exception as error:
        raise LookupError(f"cannot-be-rendered: {error!r}") from error


class _Version(msgspec.Struct):
    version: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]


def _failed(value: bytes, article_id: str, reason: str) -> PageLive | None:
    """Return the failure to report to the article's editors; None if the message has no readable id and version."""
    try:
        version = msgspec.json.decode(value, type=_Version).version
        article = msgspec.convert(article_id, ArticleId)
    except msgspec.DecodeError:
        return None
    at = time.time_ns() // 1_000_000
    return PageLive(article=article, version=version, status="failed", url=None, reason=reason[:500], at=at)


def _page_live(article: str, version: int, status: store.Status, url: str | None) -> PageLive:
    at = time.time_ns() // 1_000_000
    return PageLive(article=article, version=version, status=status, url=url, reason=None, at=at)
