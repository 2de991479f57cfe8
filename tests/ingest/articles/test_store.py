"""Stored changes: article, revision and outbox in one transaction."""

from collections.abc import Callable

import asyncpg
import msgspec
import pytest

from services.ingest.articles import workflow
from services.ingest.articles.copies import ArticleChange, StoredArticle
from services.ingest.articles.store import (
    ArticleTooLargeError,
    database_time,
    insert_article,
    insert_articles,
    read_article,
    save_change,
)
from services.ingest.auth.actors import Actor
from shared.articles import Article, Paragraph

NewArticle = Callable[..., Article]
EDITOR = Actor("Biên tập", "12345678")


def published(article: Article) -> ArticleChange:
    return workflow.publish_article(StoredArticle(article, None), article, article.modified_at)


async def counts(pool: asyncpg.Pool) -> tuple[int, ...]:
    names = ("articles", "revisions", "outbox")
    return tuple([await pool.fetchval(f"SELECT count(*) FROM ingest.{name}") for name in names])


async def test_insert_article_draft_has_a_revision_and_no_message(pool: asyncpg.Pool, new_article: NewArticle) -> None:
    """A draft is stored with its first revision; nothing of it goes to Kafka."""
    async with pool.acquire() as connection, connection.transaction():
        await insert_article(
            connection, ArticleChange("create", new_article(), None, is_public_change=False), EDITOR, "n"
        )
        stored = await read_article(connection, "a-1")
    assert stored == StoredArticle(new_article(), None, EDITOR, None)
    assert await counts(pool) == (1, 1, 0)
    row = await pool.fetchrow("SELECT * FROM ingest.revisions")
    assert (row["action"], row["who"], row["token"], row["note"]) == ("create", "Biên tập", "12345678", "n")
    assert row["is_public_change"] is False


async def test_insert_article_published_puts_exactly_the_live_version_in_the_outbox(
    pool: asyncpg.Pool, new_article: NewArticle
) -> None:
    """A public change has one outbox message: the published version under the ID of the article."""
    change = published(new_article())
    async with pool.acquire() as connection, connection.transaction():
        await insert_article(connection, change, EDITOR)
    row = await pool.fetchrow("SELECT topic, key, value FROM ingest.outbox")
    assert (row["topic"], row["key"]) == ("articles", "a-1")
    assert msgspec.json.decode(row["value"], type=Article) == change.live


async def test_insert_articles_equals_single_inserts(pool: asyncpg.Pool, new_article: NewArticle) -> None:
    """Many articles are stored as single inserts would: drafts without messages, public ones with, in order."""
    drafts = [new_article(id=f"a-{number}", number=number) for number in range(1, 5)]
    changes = [
        published(one) if one.number % 2 else ArticleChange("import", one, None, is_public_change=False)
        for one in drafts
    ]
    async with pool.acquire() as connection, connection.transaction():
        await insert_articles(connection, changes, EDITOR)
    assert await counts(pool) == (4, 4, 2)
    assert [row["key"] for row in await pool.fetch("SELECT key FROM ingest.outbox ORDER BY id")] == ["a-1", "a-3"]


async def test_save_change_keeps_author_of_text_over_transitions(pool: asyncpg.Pool, new_article: NewArticle) -> None:
    """An edit changes the author of the text; a transition by another editor does not."""
    other = Actor("Khác", "87654321")
    async with pool.acquire() as connection, connection.transaction():
        await insert_article(connection, ArticleChange("create", new_article(), None, is_public_change=False), EDITOR)
        stored = await read_article(connection, "a-1", for_update=True)
        assert stored is not None
        now = await database_time(connection)
        edit = workflow.edit_article(stored, {"lead": "x"}, by_publisher=False, now=now)
        await save_change(connection, stored, edit, other)
        stored = await read_article(connection, "a-1", for_update=True)
        assert stored is not None
        assert (stored.author, stored.head.version, stored.head.lead) == (other, 2, "x")
        change = ArticleChange("submit", msgspec.structs.replace(stored.head, version=3), None, is_public_change=False)
        await save_change(connection, stored, change, EDITOR)
        stored = await read_article(connection, "a-1")
    assert stored is not None
    assert (stored.author, stored.head.version) == (other, 3)


async def test_article_too_large_for_kafka_is_not_stored(pool: asyncpg.Pool, new_article: NewArticle) -> None:
    """A published version above the message limit raises, and its transaction stores nothing."""
    change = published(new_article(body=[Paragraph("ạ" * 9_000)] * 40))
    with pytest.raises(ArticleTooLargeError, match=r"at most 526,336 bytes"):
        async with pool.acquire() as connection, connection.transaction():
            await insert_article(connection, change, EDITOR)
    assert await counts(pool) == (0, 0, 0)


async def test_insert_article_with_known_external_id_raises(pool: asyncpg.Pool, new_article: NewArticle) -> None:
    """An external ID is unique within its source system."""
    for number, system in ((1, "a"), (2, "b"), (3, "a")):
        article = new_article(id=f"a-{number}", number=number, source_system=system, external_id="1")
        change = ArticleChange("import", article, None, is_public_change=False)
        async with pool.acquire() as connection:
            if number < 3:
                await insert_article(connection, change, EDITOR)
                continue
            with pytest.raises(asyncpg.UniqueViolationError):
                await insert_article(connection, change, EDITOR)


async def test_read_article_unknown_is_none(pool: asyncpg.Pool) -> None:
    """An unknown ID is None, with and without a lock."""
    async with pool.acquire() as connection, connection.transaction():
        assert await read_article(connection, "x") is None
        assert await read_article(connection, "x", for_update=True) is None


async def insert_draft(pool: asyncpg.Pool, article: Article) -> StoredArticle:
    async with pool.acquire() as connection:
        await insert_article(connection, ArticleChange("create", article, None, is_public_change=False), EDITOR)
    return StoredArticle(article, None, EDITOR)


async def test_save_change_of_old_version_raises_and_writes_nothing(
    pool: asyncpg.Pool, new_article: NewArticle
) -> None:
    """Of two changes made from the same version, the second raises an error and writes nothing."""
    stored = await insert_draft(pool, new_article())
    change = workflow.edit_article(stored, {"title": "Một"}, by_publisher=False, now=stored.head.modified_at)
    for attempt in range(2):
        async with pool.acquire() as connection:
            if attempt == 0:
                await save_change(connection, stored, change, EDITOR)
                continue
            with pytest.raises(RuntimeError, match="not at version 1"):
                await save_change(connection, stored, change, EDITOR)
    assert await pool.fetchval("SELECT count(*) FROM ingest.revisions") == 2


async def test_revisions_update_or_delete_by_service_role_is_denied(
    pool: asyncpg.Pool, new_article: NewArticle
) -> None:
    """The database role of the service may neither change nor delete a revision."""
    await insert_draft(pool, new_article())
    for statement in ("UPDATE ingest.revisions SET who = 'x'", "DELETE FROM ingest.revisions"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(statement)
