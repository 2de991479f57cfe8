"""Steps of the workflow and the scheduler, on a real Postgres."""

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
from services.ingest.articles.scheduler import run_due
from services.ingest.articles.store import insert, read, save
from services.ingest.articles.workflow import STEPS, Change, Kept, allowed_steps, edit, take
from services.ingest.auth.actors import Actor
from services.ingest.content.errors import ContentError
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


def walk(kept: Kept, *steps: str, now: datetime = NOW, **arguments: Any) -> Kept:
    for name in steps:
        change = take(name, kept, SITE, now, **arguments)
        kept = Kept(change.head, change.live)
    return kept


def test_the_way_of_an_article() -> None:
    """From draft over review and approval to the public, unpublished, public again, archived and killed."""
    draft = Kept(article(), None)
    public = walk(draft, "submit", "approve", "publish")
    assert public.live == public.head
    assert (public.head.state, public.head.version, public.head.published_at) == ("published", 4, NOW)
    assert is_public(public.head, NOW)
    gone = walk(public, "unpublish")
    assert gone.live is not None
    assert (gone.live.state, gone.live.version, is_public(gone.live, NOW)) == ("unpublished", 5, False)
    again = walk(gone, "publish")
    assert again.live is not None
    assert (again.live.state, again.live.first_published_at) == ("published", NOW)
    killed = walk(again, "archive", "kill")
    assert killed.live is not None
    assert (killed.live.state, killed.head.state, allowed_steps(killed)) == ("killed", "killed", [])
    with pytest.raises(Problem) as refused:
        edit(killed, {"title": "x"}, by_publisher=True, now=NOW)
    assert refused.value.status == 409


@given(st.lists(st.sampled_from([*STEPS, "edit"]), max_size=12), st.booleans())
def test_no_way_leads_round_the_approval(steps: list[str], by_publisher: bool) -> None:
    """Whatever is tried in whatever order: each text that readers get was approved after its last edit."""
    kept, approved = Kept(article(publish_at=NOW), None), False
    for number, name in enumerate(steps):
        version, told = kept.head.version, kept.live
        try:
            if name == "edit":
                change = edit(kept, {"title": f"Tựa {number}"}, by_publisher=by_publisher, now=NOW)
                approved = False
            else:
                change = take(name, kept, SITE, NOW)
                assert name in allowed_steps(kept)
        except Problem:
            continue
        approved = approved or name == "approve"
        assert change.head.version == version + 1
        assert change.is_told == (change.live != told)
        if change.action == "publish":
            assert approved
        kept = Kept(change.head, change.live)


def test_a_live_text_stays_while_its_successor_is_written() -> None:
    """An edit of a public article leaves what readers get; unpublishing it leaves the new text a draft."""
    public = walk(Kept(article(), None), "submit", "approve", "publish")
    change = edit(public, {"title": "Tựa mới"}, by_publisher=False, now=NOW)
    assert not change.is_told
    assert (change.head.state, change.live, change.head.slug) == ("draft", public.live, "tua-moi")
    gone = walk(Kept(change.head, change.live), "unpublish")
    assert gone.live is not None
    assert (gone.head.state, gone.head.title, gone.live.state) == ("draft", "Tựa mới", "unpublished")
    assert gone.head.version == gone.live.version


def test_what_is_missing_is_said_before_publication() -> None:
    """An image without text alternative, a figure without caption and an empty body stop the approval by name."""
    body = [Figure("", Image("/media/a.jpg", " ")), Paragraph("x")]
    for faulty, fields in ((article(body=body), ["body.0.caption", "body.0.image.alt"]), (article(body=[]), ["body"])):
        with pytest.raises(ContentError) as refused:
            walk(Kept(faulty, None), "submit", "approve")
        assert [fault.field for fault in refused.value.faults] == fields


def test_an_embargo_holds() -> None:
    """Publishing before the embargo's end schedules; no time that is given goes round it."""
    later = NOW + timedelta(hours=1)
    approved = walk(Kept(article(embargo_until=later), None), "submit", "approve")
    for publish_at in (msgspec.UNSET, None, NOW, NOW - timedelta(days=1)):
        change = take("publish", approved, SITE, NOW, publish_at=publish_at)
        assert (change.head.state, change.publish_due_at, change.live) == ("scheduled", later, None)
    assert take("publish", approved, SITE, later).head.state == "published"


def test_imported_dates_stay_unknown() -> None:
    """Publishing dates an article that has no date, unless its date is known to be unknown."""
    unknown = walk(Kept(article(date_precision="unknown"), None), "submit", "approve", "publish")
    assert unknown.head.published_at is None


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, role="presstally_ingest")
    yield pool
    await pool.close()


async def keep(pool: asyncpg.Pool, head: Article, *steps: str, publish_at: datetime | None = None) -> Kept:
    async with pool.acquire() as connection, connection.transaction():
        await insert(connection, Change("create", head, None, is_told=False), EDITOR)
        for name in steps:
            kept = await read(connection, head.id, for_update=True)
            assert kept is not None
            timed = {"publish_at": publish_at} if name == "schedule" else {}
            await save(connection, kept, take(name, kept, SITE, datetime.now(UTC), **timed), EDITOR)
        kept = await read(connection, head.id)
        assert kept is not None
        return kept


async def stored(pool: asyncpg.Pool, article_id: str) -> Kept:
    async with pool.acquire() as connection:
        kept = await read(connection, article_id)
    assert kept is not None
    return kept


TO_SCHEDULED = ("submit", "approve", "schedule")


async def test_due_articles_are_published_once_by_many_schedulers(pool: asyncpg.Pool) -> None:
    """Four schedulers at once publish each of twenty due articles exactly once, and leave the one that is not due."""
    past, future = datetime.now(UTC) - timedelta(hours=2), datetime.now(UTC) + timedelta(hours=1)
    for number in range(1, 21):
        await keep(pool, article(id=f"a-{number}", number=number), *TO_SCHEDULED, publish_at=past)
    await keep(pool, article(id="later", number=99), *TO_SCHEDULED, publish_at=future)

    async def work() -> int:
        done = 0
        while await run_due(pool, SITES):
            done += 1
        return done

    assert sum(await asyncio.gather(*(work() for _ in range(4)))) == 20
    told = await pool.fetch("SELECT key, value FROM ingest.outbox ORDER BY id")
    assert sorted(row["key"] for row in told) == sorted(f"a-{number}" for number in range(1, 21))
    assert (await stored(pool, "later")).head.state == "scheduled"
    assert await pool.fetchval("SELECT count(*) FROM ingest.revisions WHERE who = 'scheduler'") == 20


async def test_an_outage_is_caught_up_in_order(pool: asyncpg.Pool) -> None:
    """What should have been published and withdrawn while nobody ran is done in that order, and readers see none."""
    past = datetime.now(UTC) - timedelta(hours=2)
    head = article(unpublish_at=datetime.now(UTC) + timedelta(seconds=0.3))
    await keep(pool, head, *TO_SCHEDULED, publish_at=past)
    await asyncio.sleep(0.4)
    while await run_due(pool, SITES):
        pass
    values = [row["value"] for row in await pool.fetch("SELECT value FROM ingest.outbox ORDER BY id")]
    told = [msgspec.json.decode(value, type=Article) for value in values]
    assert [one.state for one in told] == ["published", "unpublished"]
    assert not any(is_public(one, datetime.now(UTC)) for one in told)
    assert [one.version for one in told] == [5, 6]


@pytest.mark.parametrize("broken", ["caption", "section", "unreadable"])
async def test_what_can_never_be_published_leaves_the_schedule(pool: asyncpg.Pool, broken: str) -> None:
    """A scheduled article that cannot be published becomes a draft with the reason, and stops nobody else."""
    past = datetime.now(UTC) - timedelta(hours=1)
    await keep(pool, article(), *TO_SCHEDULED, publish_at=past)
    await keep(pool, article(id="good", number=2), *TO_SCHEDULED, publish_at=datetime.now(UTC))
    changes = {
        "caption": """jsonb_set(content, '{body}', '[{"type": "figure", "caption": ""}]')""",
        "section": """jsonb_set(content, '{section}', '"da-bo"')""",
        "unreadable": """jsonb_set(content, '{body}', '7')""",
    }
    await pool.execute(f"UPDATE ingest.articles SET content = {changes[broken]} WHERE id = 'a-1'")
    while await run_due(pool, SITES):
        pass
    row = await pool.fetchrow("SELECT state, problem, publish_due_at FROM ingest.articles WHERE id = 'a-1'")
    assert (row["state"], row["publish_due_at"]) == ("draft", None)
    assert {"caption": "needs a caption", "section": "no section", "unreadable": "cannot be read"}[broken] in row[
        "problem"
    ]
    assert (await stored(pool, "good")).head.state == "published"


async def test_a_change_of_another_version_is_refused(pool: asyncpg.Pool) -> None:
    """Two changes made from the same version: the second stops with an error and nothing of it is written."""
    kept = await keep(pool, article())
    change = workflow.edit(kept, {"title": "Một"}, by_publisher=False, now=NOW)
    for attempt in range(2):
        async with pool.acquire() as connection:
            if attempt == 0:
                await save(connection, kept, change, EDITOR)
                continue
            with pytest.raises(RuntimeError, match="not at version 1"):
                await save(connection, kept, change, EDITOR)
    assert await pool.fetchval("SELECT count(*) FROM ingest.revisions") == 2


async def test_history_cannot_be_rewritten(pool: asyncpg.Pool) -> None:
    """The service's own database role may neither change nor delete a revision."""
    await keep(pool, article())
    for statement in ("UPDATE ingest.revisions SET who = 'x'", "DELETE FROM ingest.revisions"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(statement)
