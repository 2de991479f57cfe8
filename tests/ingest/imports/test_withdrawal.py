"""Articles whose source says that they must not be public any more."""

from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from services.ingest.auth.actors import Actor
from services.ingest.imports.drafts import ImportOptions
from services.ingest.imports.item import ImportItem, ItemOrError, LeftOutItem
from services.ingest.imports.pipeline import ImportResult, run_import
from services.ingest.imports.publication import SourceState
from shared.articles import Paragraph
from shared.sites import Site

PUBLIC, PRIVATE = ({"wp:post_type": "post", "wp:status": status} for status in ("publish", "private"))
TRASH = LeftOutItem("item 1", "wp:status is 'trash'", "Tựa", external_id="e-1")


def item(values: dict[str, Any], **fields: Any) -> ImportItem:
    given = {"title": "Tựa", "body": [Paragraph("x")], "section": "Tin tức", "state": SourceState("wxr", values)}
    return ImportItem(place="item 1", external_id="e-1", **{**given, **fields})


async def run(pool: asyncpg.Pool, site: Site, one: ItemOrError, **options: Any) -> ImportResult:
    chosen = ImportOptions(
        site=site, format="wxr", file_name="a.xml", actor=Actor("An"), **{"publish": True, **options}
    )
    (result,) = [result async for result in run_import(pool, iter([one]), chosen)]
    return result


async def live_state(pool: asyncpg.Pool) -> str | None:
    return await pool.fetchval("SELECT live ->> 'state' FROM ingest.articles")


@pytest.mark.parametrize("later", [item(PRIVATE), item(PRIVATE, lead="Mới"), TRASH])
async def test_import_of_item_that_is_not_public_any_more_withdraws_it(
    pool: asyncpg.Pool, site: Site, later: ItemOrError
) -> None:
    """What the import has published is withdrawn, with a warning, and a repetition changes nothing."""
    first = await run(pool, site, item(PUBLIC))
    assert (first.state, await live_state(pool)) == ("published", "published")
    result = await run(pool, site, later)
    assert (result.status, result.article, await live_state(pool)) == ("withdrawn", first.article, "unpublished")
    assert "it was public here and was withdrawn" in result.warnings[-1].message
    revisions = await pool.fetchval("SELECT count(*) FROM ingest.revisions")
    again = await run(pool, site, later)
    assert again.status == ("left_out" if later is TRASH else "unchanged")
    assert await pool.fetchval("SELECT count(*) FROM ingest.revisions") == revisions
    assert await pool.fetchval("SELECT count(*) FROM ingest.outbox WHERE topic = 'articles'") == 2


@pytest.mark.parametrize("later", [item(PRIVATE), TRASH])
async def test_import_of_item_that_is_public_again_publishes_it(
    pool: asyncpg.Pool, site: Site, later: ItemOrError
) -> None:
    """An article that an import has withdrawn is public again when its source says so."""
    for one in (item(PUBLIC), later):
        await run(pool, site, one)
    result = await run(pool, site, item(PUBLIC))
    assert (result.status, result.state, await live_state(pool)) == ("changed", "published", "published")


@pytest.mark.parametrize("later", [item(PRIVATE), TRASH])
async def test_import_without_publish_reports_what_stays_public(
    pool: asyncpg.Pool, site: Site, later: ItemOrError
) -> None:
    """Without --publish nothing public changes, but the warning says that it is public here."""
    await run(pool, site, item(PUBLIC))
    result = await run(pool, site, later, publish=False)
    assert await live_state(pool) == "published"
    assert any("it is public here, but at its source" in one.message for one in result.warnings)


async def test_import_reports_what_editors_have_published_since(pool: asyncpg.Pool, site: Site) -> None:
    """What editors have changed since the import stays public, with a warning."""
    await run(pool, site, item(PUBLIC))
    await pool.execute(
        "INSERT INTO ingest.revisions (article, version, action, state, who, note, site, content, is_public_change, at)"
        " SELECT article, version + 1, 'edit', state, 'Lan', '', site, content, false, at FROM ingest.revisions"
    )
    result = await run(pool, site, item(PRIVATE))
    assert (result.status, await live_state(pool)) == ("unchanged", "published")
    assert "editors have changed it since: withdraw it" in result.warnings[-1].message


async def test_import_cancels_the_schedule_of_an_item_that_is_private_now(pool: asyncpg.Pool, site: Site) -> None:
    """A scheduled article does not become public after its source has made it private."""
    first = await run(pool, site, item({**PUBLIC, "wp:status": "future"}, published_at=_far()))
    assert first.state == "scheduled"
    result = await run(pool, site, item(PRIVATE, published_at=_far()))
    assert result.status == "withdrawn"
    assert await pool.fetchval("SELECT state FROM ingest.articles") == "draft"
    assert await pool.fetchval("SELECT publish_due_at FROM ingest.articles") is None


async def test_import_dry_run_reports_a_withdrawal(pool: asyncpg.Pool, site: Site) -> None:
    """A dry run says what would be withdrawn, and withdraws nothing."""
    await run(pool, site, item(PUBLIC))
    result = await run(pool, site, item(PRIVATE), dry_run=True)
    assert (result.status, result.dry_run, await live_state(pool)) == ("withdrawn", True, "published")


def _far() -> datetime:
    return datetime(2099, 1, 1, tzinfo=UTC)
