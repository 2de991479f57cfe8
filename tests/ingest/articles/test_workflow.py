"""The editorial workflow: transitions, scheduled changes and stored versions."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.articles import workflow
from services.ingest.articles.scheduler import run_next_due
from services.ingest.articles.store import insert_article, read_article, save_change
from services.ingest.articles.workflow import (
    TRANSITIONS,
    ArticleChange,
    StoredArticle,
    allowed_transitions,
    apply_transition,
    edit_article,
)
from services.ingest.auth.actors import Actor
from services.ingest.content.errors import InvalidContentError
from shared.articles import Article, Figure, Image, Paragraph, is_public
from shared.http.problems import Problem
from shared.postgres import open_pool
from shared.sites import Section, Site, Sites

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
SITE = Site(
    slug="haihau",
    name="Hải Hậu",
    origins=["https://haihau.example"],
    timezone="Asia/Ho_Chi_Minh",
    sections=[Section("tin-tuc", "Tin tức")],
)
SITES = Sites({"haihau": SITE})
EDITOR = Actor("Biên tập", "12345678")


def article(**fields: Any) -> Article:
    given = {
        "id": "a-1",
        "number": 1,
        "site": "haihau",
        "version": 1,
        "state": "draft",
        "title": "Tựa",
        "slug": "tua",
        "section": "tin-tuc",
        "language": "vi",
        "body": [Paragraph("Đoạn")],
        "modified_at": NOW,
        "first_published_at": None,
    }
    return Article(**{**given, **fields})


def walk(stored: StoredArticle, *steps: str, now: datetime = NOW, **arguments: Any) -> StoredArticle:
    for name in steps:
        change = apply_transition(name, stored, SITE, now, **arguments)
        stored = StoredArticle(change.head, change.live)
    return stored


def test_workflow_full_lifecycle_reaches_each_state() -> None:
    """An article goes from draft over review and approval to published, unpublished, published, archived and killed."""
    draft = StoredArticle(article(), None)
    public = walk(draft, "submit", "approve", "publish")
    assert public.live == public.head
    assert (public.head.state, public.head.version, public.head.published_at) == ("published", 4, NOW)
    assert is_public(public.head, NOW)
    withdrawn = walk(public, "unpublish")
    assert withdrawn.live is not None
    assert (withdrawn.live.state, withdrawn.live.version, is_public(withdrawn.live, NOW)) == ("unpublished", 5, False)
    again = walk(withdrawn, "publish")
    assert again.live is not None
    assert (again.live.state, again.live.first_published_at) == ("published", NOW)
    killed = walk(again, "archive", "kill")
    assert killed.live is not None
    assert (killed.live.state, killed.head.state, allowed_transitions(killed)) == ("killed", "killed", [])
    with pytest.raises(Problem) as raised:
        edit_article(killed, {"title": "x"}, by_publisher=True, now=NOW)
    assert raised.value.status == 409


@given(st.lists(st.sampled_from([*TRANSITIONS, "edit"]), max_size=12), st.booleans())
def test_workflow_any_sequence_publishes_only_approved_text(steps: list[str], by_publisher: bool) -> None:
    """In any sequence of transitions, each published text was approved after its last edit."""
    stored, approved = StoredArticle(article(publish_at=NOW), None), False
    for number, name in enumerate(steps):
        version, live = stored.head.version, stored.live
        try:
            if name == "edit":
                change = edit_article(stored, {"title": f"Tựa {number}"}, by_publisher=by_publisher, now=NOW)
                approved = False
            else:
                change = apply_transition(name, stored, SITE, NOW)
                assert name in allowed_transitions(stored)
        except Problem:
            continue
        approved = approved or name == "approve"
        assert change.head.version == version + 1
        assert change.is_public_change == (change.live != live)
        if change.action == "publish":
            assert approved
        stored = StoredArticle(change.head, change.live)


def test_edit_of_published_article_keeps_published_version() -> None:
    """An edit keeps the published version; unpublishing it then leaves the new text a draft."""
    public = walk(StoredArticle(article(), None), "submit", "approve", "publish")
    change = edit_article(public, {"title": "Tựa mới"}, by_publisher=False, now=NOW)
    assert not change.is_public_change
    assert (change.head.state, change.live, change.head.slug) == ("draft", public.live, "tua-moi")
    withdrawn = walk(StoredArticle(change.head, change.live), "unpublish")
    assert withdrawn.live is not None
    assert (withdrawn.head.state, withdrawn.head.title, withdrawn.live.state) == ("draft", "Tựa mới", "unpublished")
    assert withdrawn.head.version == withdrawn.live.version


def test_approve_incomplete_article_names_missing_fields() -> None:
    """A missing text alternative, a missing caption and an empty body prevent the approval, with their fields."""
    body = [Figure("", Image("/media/a.jpg", " ")), Paragraph("x")]
    for incomplete, fields in (
        (article(body=body), ["body.0.caption", "body.0.image.alt"]),
        (article(body=[]), ["body"]),
    ):
        with pytest.raises(InvalidContentError) as raised:
            walk(StoredArticle(incomplete, None), "submit", "approve")
        assert [error.field for error in raised.value.errors] == fields


def test_publish_before_embargo_end_schedules() -> None:
    """Publishing before the end of the embargo schedules, whatever `publish_at` is given."""
    later = NOW + timedelta(hours=1)
    approved = walk(StoredArticle(article(embargo_until=later), None), "submit", "approve")
    for publish_at in (msgspec.UNSET, None, NOW, NOW - timedelta(days=1)):
        change = apply_transition("publish", approved, SITE, NOW, publish_at=publish_at)
        assert (change.head.state, change.publish_due_at, change.live) == ("scheduled", later, None)
    assert apply_transition("publish", approved, SITE, later).head.state == "published"


def test_publish_with_unknown_date_keeps_it_unknown() -> None:
    """Publishing does not date an article whose date is known to be unknown."""
    unknown = walk(StoredArticle(article(date_precision="unknown"), None), "submit", "approve", "publish")
    assert unknown.head.published_at is None


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, role="presstally_ingest")
    yield pool
    await pool.close()


async def insert_and_walk(
    pool: asyncpg.Pool, head: Article, *steps: str, publish_at: datetime | None = None
) -> StoredArticle:
    async with pool.acquire() as connection, connection.transaction():
        await insert_article(connection, ArticleChange("create", head, None, is_public_change=False), EDITOR)
        for name in steps:
            stored = await read_article(connection, head.id, for_update=True)
            assert stored is not None
            timed = {"publish_at": publish_at} if name == "schedule" else {}
            await save_change(
                connection, stored, apply_transition(name, stored, SITE, datetime.now(UTC), **timed), EDITOR
            )
        stored = await read_article(connection, head.id)
        assert stored is not None
        return stored


async def fetch_article(pool: asyncpg.Pool, article_id: str) -> StoredArticle:
    async with pool.acquire() as connection:
        stored = await read_article(connection, article_id)
    assert stored is not None
    return stored


TO_SCHEDULED = ("submit", "approve", "schedule")


async def test_scheduler_concurrent_replicas_publish_each_due_article_once(pool: asyncpg.Pool) -> None:
    """Four concurrent schedulers publish each of twenty due articles once, and leave the one that is not due."""
    past, future = datetime.now(UTC) - timedelta(hours=2), datetime.now(UTC) + timedelta(hours=1)
    for number in range(1, 21):
        await insert_and_walk(pool, article(id=f"a-{number}", number=number), *TO_SCHEDULED, publish_at=past)
    await insert_and_walk(pool, article(id="later", number=99), *TO_SCHEDULED, publish_at=future)

    async def work() -> int:
        done = 0
        while await run_next_due(pool, SITES):
            done += 1
        return done

    assert sum(await asyncio.gather(*(work() for _ in range(4)))) == 20
    messages = await pool.fetch("SELECT key, value FROM ingest.outbox ORDER BY id")
    assert sorted(row["key"] for row in messages) == sorted(f"a-{number}" for number in range(1, 21))
    assert (await fetch_article(pool, "later")).head.state == "scheduled"
    assert await pool.fetchval("SELECT count(*) FROM ingest.revisions WHERE who = 'scheduler'") == 20


async def test_scheduler_after_outage_catches_up_in_order(pool: asyncpg.Pool) -> None:
    """Changes that fell due during an outage are made in order, and the article is not public in between."""
    past = datetime.now(UTC) - timedelta(hours=2)
    head = article(unpublish_at=datetime.now(UTC) + timedelta(seconds=0.3))
    await insert_and_walk(pool, head, *TO_SCHEDULED, publish_at=past)
    await asyncio.sleep(0.4)
    while await run_next_due(pool, SITES):
        pass
    values = [row["value"] for row in await pool.fetch("SELECT value FROM ingest.outbox ORDER BY id")]
    messages = [msgspec.json.decode(value, type=Article) for value in values]
    assert [one.state for one in messages] == ["published", "unpublished"]
    assert not any(is_public(one, datetime.now(UTC)) for one in messages)
    assert [one.version for one in messages] == [5, 6]


@pytest.mark.parametrize("broken", ["caption", "section", "unreadable"])
async def test_scheduler_unpublishable_article_is_unscheduled_with_reason(pool: asyncpg.Pool, broken: str) -> None:
    """An unpublishable scheduled article becomes a draft with the reason, and does not block others."""
    past = datetime.now(UTC) - timedelta(hours=1)
    await insert_and_walk(pool, article(), *TO_SCHEDULED, publish_at=past)
    await insert_and_walk(pool, article(id="good", number=2), *TO_SCHEDULED, publish_at=datetime.now(UTC))
    changes = {
        "caption": """jsonb_set(content, '{body}', '[{"type": "figure", "caption": ""}]')""",
        "section": """jsonb_set(content, '{section}', '"da-bo"')""",
        "unreadable": """jsonb_set(content, '{body}', '7')""",
    }
    await pool.execute(f"UPDATE ingest.articles SET content = {changes[broken]} WHERE id = 'a-1'")
    while await run_next_due(pool, SITES):
        pass
    row = await pool.fetchrow("SELECT state, schedule_error, publish_due_at FROM ingest.articles WHERE id = 'a-1'")
    assert (row["state"], row["publish_due_at"]) == ("draft", None)
    reasons = {
        "caption": "body.0.caption: is required",
        "section": "unknown section",
        "unreadable": "cannot be decoded",
    }
    assert reasons[broken] in row["schedule_error"]
    assert (await fetch_article(pool, "good")).head.state == "published"


async def test_save_change_of_old_version_raises_and_writes_nothing(pool: asyncpg.Pool) -> None:
    """Of two changes made from the same version, the second raises an error and writes nothing."""
    stored = await insert_and_walk(pool, article())
    change = workflow.edit_article(stored, {"title": "Một"}, by_publisher=False, now=NOW)
    for attempt in range(2):
        async with pool.acquire() as connection:
            if attempt == 0:
                await save_change(connection, stored, change, EDITOR)
                continue
            with pytest.raises(RuntimeError, match="not at version 1"):
                await save_change(connection, stored, change, EDITOR)
    assert await pool.fetchval("SELECT count(*) FROM ingest.revisions") == 2


async def test_revisions_update_or_delete_by_service_role_is_denied(pool: asyncpg.Pool) -> None:
    """The database role of the service may neither change nor delete a revision."""
    await insert_and_walk(pool, article())
    for statement in ("UPDATE ingest.revisions SET who = 'x'", "DELETE FROM ingest.revisions"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(statement)
