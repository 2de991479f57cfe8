"""Role `builder`: Kafka `articles` → what pages are made of → one transaction → Kafka `pages-live`.

An article's version makes a repetition harmless: an older one is passed over, the same one only says again
that it is live. So a message is acknowledged after it is committed and `pages-live` has been told.
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
from services.render.pages.page_data import Around
from shared.articles import Article
from shared.events import ArticleId, PageLive
from shared.kafka.dead_letters import send_to_dead_letters
from shared.kafka.producer import KafkaUnavailable, Producer
from shared.logs import log
from shared.postgres import POSTGRES_DATA_ERRORS, POSTGRES_UNAVAILABLE
from shared.retry import retry_until_done
from shared.sites import Site, Sites
from shared.topics import PAGES_LIVE
from shared.tracing import producer_span, record_failure

_T = TypeVar("_T")
PAUSE_SECONDS = 0.002
"""Between two articles whose rows are made anew in the background."""


class Builder:
    """Renders one article after the other."""

    def __init__(self, pool: asyncpg.Pool, producer: Producer, sites: Sites, public_url: str | None) -> None:
        self._pool = pool
        self._producer = producer
        self._sites = sites
        self._public_urls = {site.slug: public_url or site.origins[0] for site in sites.values()}
        self.waits_for: str | None = None
        self._edits = asyncio.Lock()
        """Held while a message is dealt with."""

    async def derive_anew(self) -> None:
        """Make the rows of articles anew that were made by other rules than today's, in the pauses between messages."""
        count = await retry_until_done(
            lambda: store.derive_anew(self._pool, self._sites, self._turn),
            on=POSTGRES_UNAVAILABLE,
            unless=POSTGRES_DATA_ERRORS,
            what="reindex articles",
        )
        if count:
            log.info("Made the rows of articles anew: their rules changed", articles=count)

    async def _turn(self) -> None:
        await asyncio.sleep(PAUSE_SECONDS)  # a message that has come meanwhile is taken first
        async with self._edits:
            pass

    async def on_article(self, record: ConsumerRecord) -> None:
        """Bring the portal to the article's newest state. Waits for Postgres and Kafka; never skips."""
        async with self._edits:
            await self._on_article(record)

    async def _on_article(self, record: ConsumerRecord) -> None:
        key = record.key or b""
        try:
            live = await (self._render(record.value) if record.value else self._forget(key.decode()))
        except (msgspec.DecodeError, LookupError, *POSTGRES_DATA_ERRORS) as error:
            record_failure(error)
            ARTICLES_RENDERED.labels("failed").inc()
            reason = f"{type(error).__name__}: {error}"
            await self._persist(lambda: send_to_dead_letters(self._producer, record, reason))
            live = _failed(record.value or b"", key.decode("utf-8", "replace"), reason)
        if live is not None:
            await self._tell(live, key)

    async def _tell(self, live: PageLive, key: bytes) -> None:
        value = msgspec.json.encode(live)
        with producer_span(PAGES_LIVE.name, live.article) as headers:
            await self._persist(lambda: self._producer.send(PAGES_LIVE.name, value, key=key, headers=headers))

    async def _render(self, value: bytes) -> PageLive | None:
        article = msgspec.json.decode(value, type=Article)
        site = self._sites.get(article.site)
        if site is None:
            raise LookupError(f"unknown-site: {article.site}")
        begun = time.perf_counter()
        public_url = self._public_urls[site.slug]
        _prove(article, site, public_url)
        standing = await self._persist(lambda: store.save(self._pool, article, site))
        ARTICLES_RENDERED.labels(standing.status if standing.is_new else "unchanged").inc()
        if standing.version > article.version:
            return None  # what is newer has been told already
        if standing.is_new:
            RENDER_SECONDS.observe(time.perf_counter() - begun)
            PUBLISH_DELAY.observe(max(0.0, (datetime.now(UTC) - article.modified_at).total_seconds()))
            log.info("Rendered", article=article.id, version=article.version, status=standing.status)
        url = public_url + standing.path if standing.path else None
        return _page_live(article.id, standing.version, standing.status, url)

    async def _forget(self, article_id: str) -> PageLive | None:
        version = await self._persist(lambda: store.forget(self._pool, article_id))
        return None if version is None else _page_live(article_id, version, "withdrawn", None)

    async def _persist(self, act: Callable[[], Awaitable[_T]]) -> _T:
        return await retry_until_done(
            act,
            on=(KafkaUnavailable, *POSTGRES_UNAVAILABLE),
            unless=POSTGRES_DATA_ERRORS,
            what="process an article",
            on_waiting=self._set_waits_for,
        )

    def problems(self) -> list[str]:
        """Why rendering waits, in words."""
        return [f"rendering waits: {self.waits_for}"] if self.waits_for else []

    def _set_waits_for(self, reason: str | None) -> None:
        self.waits_for = reason


def _prove(article: Article, site: Site, public_url: str) -> None:
    """Make the page once: what cannot be made must not be told to be live.

    Raises:
        LookupError: it cannot be made.
    """
    try:
        render_article(article, Around(), site, public_url)
    except Exception as error:
        raise LookupError(f"cannot-be-rendered: {error!r}") from error


class _Version(msgspec.Struct):
    version: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]


def _failed(value: bytes, article_id: str, reason: str) -> PageLive | None:
    """Return what the article's editors are told, if the message says at least which version it is."""
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
