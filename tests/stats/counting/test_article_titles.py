"""Titles and links from the topics: the newest version is kept, and killed articles lose their title."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest
from aiokafka.structs import ConsumerRecord

from services.stats.counting.article_titles import save_link, save_title
from shared.kafka.config import KafkaConfig
from shared.kafka.database_consumer import transactions
from shared.kafka.producer import Producer
from shared.postgres import open_pool

NOWHERE = Producer(KafkaConfig("localhost:1"))
ID = "bai-1"


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, role="presstally_stats", size=1)
    yield pool
    await pool.close()


def record(topic: str, fields: dict[str, Any] | None) -> ConsumerRecord:
    value = None if fields is None else msgspec.json.encode(fields)
    return ConsumerRecord(topic, 0, 0, 0, 0, ID.encode(), value, None, 0, 0, ())


def article(version: int, title: str, state: str = "published") -> ConsumerRecord:
    fields = {"id": ID, "site": "haihau", "version": version, "state": state, "title": title, "section": "tin-tuc"}
    return record("articles", fields)


def live(version: int, status: str, url: str | None) -> ConsumerRecord:
    return record(
        "pages-live",
        {"article": ID, "version": version, "status": status, "url": url, "reason": None, "at": 1},
    )


async def title(pool: asyncpg.Pool) -> tuple[Any, ...]:
    row = await pool.fetchrow("SELECT version, state, title FROM stats.articles WHERE id = $1", ID)
    assert row is not None
    return tuple(row)


async def test_save_title_of_an_older_version_changes_nothing(pool: asyncpg.Pool) -> None:
    """A version that arrives after a newer one is ignored."""
    for one in (article(1, "Một"), article(3, "Ba"), article(2, "Hai")):
        await save_title(NOWHERE, transactions(pool), one)
    assert await title(pool) == (3, "published", "Ba")


async def test_save_title_of_a_killed_article_removes_it(pool: asyncpg.Pool) -> None:
    """A killed article has no title any longer; neither has one whose tombstone arrived."""
    await save_title(NOWHERE, transactions(pool), article(1, "Một"))
    await save_title(NOWHERE, transactions(pool), article(2, "Một", state="killed"))
    assert await title(pool) == (2, "killed", None)
    await save_title(NOWHERE, transactions(pool), article(3, "Lại"))
    await save_title(NOWHERE, transactions(pool), record("articles", None))
    assert await title(pool) == (3, "killed", None)


async def test_save_link_keeps_the_path_that_is_served(pool: asyncpg.Pool) -> None:
    """The path of the newest live version is kept; a failed one changes nothing, and a withdrawal removes it."""
    paths = []
    for one in (
        live(1, "live", "https://haihau.example/bai-1.html"),
        live(2, "failed", None),
        live(3, "withdrawn", None),
        live(2, "live", "https://haihau.example/cu.html"),
    ):
        await save_link(NOWHERE, transactions(pool), one)
        paths.append(await pool.fetchval("SELECT path FROM stats.links WHERE article = $1", ID))
    assert paths == ["/bai-1.html", "/bai-1.html", None, None]
