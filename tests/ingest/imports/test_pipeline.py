"""Imports into Postgres: new articles, next versions, unchanged ones, and opening balances."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import msgspec
import pytest

from services.ingest.auth.actors import Actor
from services.ingest.content.errors import InvalidContentError
from services.ingest.imports.drafts import ImportOptions, to_draft
from services.ingest.imports.item import FormatError, ImportItem, ItemOrError, UnreadableItem
from services.ingest.imports.pipeline import BATCH_ITEMS, ImportResult, run_import
from services.ingest.imports.publication import SourceState
from shared.articles import Figure, Image, Paragraph
from shared.events import Adjustment
from shared.sites import Site
from tests.ingest.imports.samples import options


def item(number: int, **fields: Any) -> ImportItem:
    given = {"title": f"Bài {number}", "body": [Paragraph("x")], "section": "Tin tức"}
    return ImportItem(place=f"item {number}", external_id=f"e-{number}", **{**given, **fields})


async def run(pool: asyncpg.Pool, site: Site, items: list[ItemOrError], **options: Any) -> list[ImportResult]:
    chosen = ImportOptions(site=site, format="ndjson", file_name="a.ndjson", actor=Actor("An"), **options)
    return [result async for result in run_import(pool, iter(items), chosen)]


async def count(pool: asyncpg.Pool, table: str) -> int:
    return int(await pool.fetchval(f"SELECT count(*) FROM ingest.{table}"))


async def test_import_results_are_in_order_of_items(pool: asyncpg.Pool, site: Site) -> None:
    """Each item has its result, in order, whether it is saved with its batch, alone, or not at all."""
    image = Figure("c", Image("https://cu.example/a.jpg", "a"))
    items: list[ItemOrError] = [
        item(1),
        UnreadableItem("item 2", "damaged"),
        item(3, title="T" * 256),
        item(4, body=[image]),
        item(5, section="khong-co"),
        item(6),
    ]
    results = await run(pool, site, items)
    assert [one.place for one in results] == [f"item {number}" for number in range(1, 7)]
    assert [one.status for one in results] == ["created", "failed", "failed", "created", "failed", "created"]
    assert (results[1].reason, "no section 'khong-co'" in results[4].reason) == ("damaged", True)
    assert await count(pool, "articles") == 3


async def test_import_again_is_unchanged_and_changed_item_is_next_version(pool: asyncpg.Pool, site: Site) -> None:
    """A repeated import changes nothing; an item with other content is the next version of its article."""
    first = await run(pool, site, [item(1), item(2)])
    again = await run(pool, site, [item(1), item(2, lead="Mới")])
    assert [one.status for one in again] == ["unchanged", "changed"]
    assert [one.article for one in again] == [one.article for one in first]
    assert [one.version for one in again] == [1, 2]
    assert await count(pool, "revisions") == 3


async def test_import_publish_makes_public_items_live_in_version_1(pool: asyncpg.Pool, site: Site) -> None:
    """With `publish`, public items are published in one version; drafts of the source stay drafts."""
    results = await run(pool, site, [item(1), item(2, state=SourceState("ndjson", {"is_public": False}))], publish=True)
    assert [(one.state, one.version) for one in results] == [("published", 1), ("draft", 1)]
    assert await count(pool, "outbox") == 1
    later = await run(pool, site, [item(2)], publish=True)
    assert [(one.status, one.state) for one in later] == [("changed", "published")]


async def test_import_dry_run_writes_nothing(pool: asyncpg.Pool, site: Site) -> None:
    """A dry run reports the results that the import would have, without IDs of articles."""
    results = await run(pool, site, [item(1, views=7), item(2)], dry_run=True, with_counter=True)
    assert [(one.status, one.article, one.dry_run) for one in results] == [("created", "", True)] * 2
    assert results[0].opening_balance == 7
    assert [await count(pool, name) for name in ("articles", "outbox", "opening_balances")] == [0, 0, 0]


async def test_import_views_become_an_opening_balance_once(pool: asyncpg.Pool, site: Site) -> None:
    """Views at the source are an adjustment in the outbox; a second import with other views keeps the first."""
    first = await run(pool, site, [item(1, views=7)], with_counter=True)
    again = await run(pool, site, [item(1, views=9)], with_counter=True)
    assert [one.opening_balance for one in (*first, *again)] == [7, 7]
    row = await pool.fetchrow("SELECT value FROM ingest.outbox")
    adjustment = msgspec.json.decode(row["value"], type=Adjustment)
    assert (adjustment.article, adjustment.amount, adjustment.measure) == (first[0].article, 7, "views")
    assert (adjustment.who, adjustment.why) == ("An", "views before the import, from a.ndjson")


async def test_import_second_item_with_the_same_id_is_refused(pool: asyncpg.Pool, site: Site) -> None:
    """One item never overwrites another of the same run: the second one is refused, and the others are saved."""
    same = [item(1), item(2), item(1, title="Bài 1 khác")]
    results = await run(pool, site, same)
    assert [one.status for one in results] == ["created", "created", "failed"]
    assert "has the ID of another article" in results[2].reason
    assert await count(pool, "articles") == 2


async def test_import_damaged_file_keeps_the_items_before(pool: asyncpg.Pool, site: Site) -> None:
    """An error in the file is raised after the batches before it are saved."""

    def items() -> Iterator[ItemOrError]:
        yield from (item(number) for number in range(BATCH_ITEMS))
        raise FormatError("is cut off")

    options = ImportOptions(site=site, format="feed", file_name="a.xml", actor=Actor("An"))
    results: AsyncIterator[ImportResult] = run_import(pool, items(), options)
    with pytest.raises(FormatError):
        [result async for result in results]
    assert await count(pool, "articles") == BATCH_ITEMS


def test_to_draft_enforces_article_limits() -> None:
    """A title that is too long is rejected; a long lead becomes text; tags and slugs that do not fit are dropped."""
    item = ImportItem(
        place="x", external_id="1", title="t", body=[Paragraph("x")], lead="l" * 1_001, slug="Ä", tags=["x" * 61]
    )
    draft = to_draft(item, options("ndjson", section="tin-tuc"))
    assert (draft.fields["lead"], draft.fields["slug"], draft.fields["tags"]) == ("", "t", [])
    assert draft.fields["body"][0] == Paragraph("l" * 1_001)
    with pytest.raises(InvalidContentError, match=r"title: .*255"):
        to_draft(ImportItem(place="x", external_id="1", title="t" * 256, body=[]), options("ndjson", section="tin-tuc"))
