"""Publication status: records of `pages-live`, the status of a version, and waiting for it."""

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import msgspec
import pytest

from services.ingest.articles import workflow
from services.ingest.articles.copies import ArticleChange, StoredArticle
from services.ingest.articles.publication_status import PublicationTracker, publication_status, save_publication
from services.ingest.articles.store import insert_article
from services.ingest.auth.actors import Actor
from shared.articles import Article
from shared.events import PageLive
from shared.kafka.database_consumer import transactions

ACTOR = Actor("x")


class Record:
    """Implements what the consumer uses of a Kafka record."""

    topic = "pages-live"
    partition = 0
    offset = 0
    timestamp = 0
    headers = ()

    def __init__(self, value: bytes) -> None:
        self.value = value
        self.key = b"a-1"


async def report(pool: asyncpg.Pool, version: int, status: str = "live", reason: str | None = None) -> None:
    url = "https://haihau.example/tua-1.html" if status == "live" else None
    live = PageLive(article="a-1", version=version, status=status, url=url, reason=reason, at=1_795_600_000_000)  # type: ignore[arg-type]
    await save_publication(None, transactions(pool), Record(msgspec.json.encode(live)))  # type: ignore[arg-type] # no dead letter


@pytest.fixture
async def published(pool: asyncpg.Pool, new_article: Callable[..., Article]) -> Article:
    """An article whose version 1 is published, and whose message is in the outbox."""
    article = new_article(version=0 + 1)
    change = workflow.publish_article(
        StoredArticle(article, None), msgspec.structs.replace(article, version=0), article.modified_at
    )
    async with pool.acquire() as connection, connection.transaction():
        await insert_article(connection, change, ACTOR)
    return change.head


async def status_of(pool: asyncpg.Pool, wanted: int | None = None) -> Any:
    row = await PublicationTracker(pool, asyncio.Event()).read("a-1")
    assert row is not None
    return publication_status(row, wanted)


async def test_status_goes_from_queued_over_rendering_to_live(pool: asyncpg.Pool, published: Article) -> None:
    """A version is queued in the outbox, rendering in Kafka, and live once the portal reports it."""
    assert (await status_of(pool)).status == "queued"
    await pool.execute("DELETE FROM ingest.outbox")
    assert (await status_of(pool)).status == "rendering"
    await report(pool, published.version)
    found = await status_of(pool)
    assert (found.status, found.version, found.live_version) == ("live", 1, 1)
    assert found.url == "https://haihau.example/tua-1.html"


@pytest.mark.parametrize(("status", "reason"), [("failed", "unknown-site: x"), ("withdrawn", None)])
async def test_status_reported_by_portal_has_its_reason(
    pool: asyncpg.Pool, published: Article, status: str, reason: str | None
) -> None:
    """A failure and a withdrawal are reported as they are, without a URL."""
    await report(pool, 1, status, reason)
    found = await status_of(pool)
    assert (found.status, found.reason, found.url) == (status, reason, None)


async def test_status_of_unpublished_version_names_the_last_published(pool: asyncpg.Pool, published: Article) -> None:
    """A version above the last published one is not published, whatever the portal serves."""
    await report(pool, 1)
    found = await status_of(pool, 2)
    assert found.status == "not_published"
    assert found.reason == "the article is published; version 1 is the last published one"


async def test_status_of_draft_is_not_published(pool: asyncpg.Pool, new_article: Callable[..., Article]) -> None:
    """A draft has no published version; an error of the scheduler is its reason."""
    async with pool.acquire() as connection:
        await insert_article(connection, ArticleChange("create", new_article(), None, is_public_change=False), ACTOR)
    found = await status_of(pool)
    assert (found.status, found.version) == ("not_published", None)
    assert found.reason == "the article is draft; no version is published"
    await pool.execute("UPDATE ingest.articles SET schedule_error = 'cancelled'")
    assert (await status_of(pool)).reason == "cancelled"


async def test_save_publication_of_older_version_changes_nothing(pool: asyncpg.Pool, published: Article) -> None:
    """Late and repeated records do not replace the status of a newer version."""
    for version, status in ((3, "live"), (2, "withdrawn"), (3, "live")):
        await report(pool, version, status)
    row = await pool.fetchrow("SELECT version, status FROM ingest.publications")
    assert tuple(row) == (3, "live")


async def test_wait_returns_once_the_version_is_live(pool: asyncpg.Pool, published: Article) -> None:
    """A waiter gets the final status soon after the portal reports it."""
    tracker = PublicationTracker(pool, asyncio.Event())
    polling = asyncio.create_task(tracker.poll_waiters())
    try:
        waiter = asyncio.create_task(tracker.wait("a-1", None, 60))
        await asyncio.sleep(0.2)
        assert not waiter.done()
        await report(pool, 1)
        status = await asyncio.wait_for(waiter, 60)
        assert status is not None
        assert status.status == "live"
        assert tracker._waiters == {}
    finally:
        polling.cancel()


async def test_wait_ends_at_timeout_and_at_stop(pool: asyncpg.Pool, published: Article) -> None:
    """A wait ends with the current status after its timeout, or when the process stops; an unknown article is None."""
    stop = asyncio.Event()
    tracker = PublicationTracker(pool, stop)
    assert await tracker.wait("x", None, 60) is None
    status = await tracker.wait("a-1", None, 0.05)
    assert status is not None
    assert status.status == "queued"
    stop.set()
    status = await asyncio.wait_for(tracker.wait("a-1", None, 60), 60)
    assert status is not None
