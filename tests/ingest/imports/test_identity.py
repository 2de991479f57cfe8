"""One item never overwrites another, within a run and across runs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from services.ingest.imports.identity import ImportRun
from services.ingest.imports.item import ImportItem
from services.ingest.imports.publication import SourceState
from shared.articles import Paragraph
from shared.sites import Site
from tests.ingest.imports.samples import read_content
from tests.ingest.imports.test_pipeline import count, item, run


def page(title: str, external_id: str = "https://cu.example/tin", text: str = "x") -> ImportItem:
    found = item(1, title=title, is_weak_id=True, body=[Paragraph(text)], old_urls=["/tin"])
    return replace(found, external_id=external_id)


async def test_import_pages_with_one_address_are_articles_of_their_own(pool: asyncpg.Pool, site: Site) -> None:
    """Pages with the same address are two articles; a second run changes nothing, whole or in part, in any order."""
    first = await run(pool, site, [page("Một"), page("Hai"), page("Hai", text="khác")])
    assert [one.status for one in first] == ["created"] * 3
    assert [[warning.kind for warning in one.warnings] for one in first] == [[], ["identity"], ["identity"]]
    again = await run(pool, site, [page("Một"), page("Hai"), page("Hai", text="khác")])
    assert [one.status for one in again] == ["unchanged"] * 3
    for alone, known in ((page("Hai"), first[1]), (page("Một"), first[0]), (page("Hai", text="khác"), first[2])):
        (result,) = await run(pool, site, [alone])
        assert (result.status, result.article) == ("unchanged", known.article)
    assert await count(pool, "articles") == 3


async def test_import_later_page_with_the_address_of_another_is_created(pool: asyncpg.Pool, site: Site) -> None:
    """A page of a later run with the same address but another title overwrites nothing; with the same title it does."""
    (first,) = await run(pool, site, [page("Một")])
    (other,) = await run(pool, site, [page("Hai")])
    (newer,) = await run(pool, site, [page("Một", text="sửa")])
    assert (first.status, other.status, newer.status) == ("created", "created", "changed")
    assert (newer.article, other.article == first.article) == (first.article, False)


async def test_import_runs_share_their_ids_over_files(pool: asyncpg.Pool, site: Site) -> None:
    """Two files with the same ID in one run are a collision, also in a dry run."""
    from services.ingest.imports.pipeline import run_import
    from tests.ingest.imports.samples import options

    shared = ImportRun()
    chosen = options("ndjson", section="tin-tuc", dry_run=True)
    results = []
    for title in ("Một", "Hai"):
        results += [one async for one in run_import(pool, iter([item(1, title=title)]), chosen, shared)]
    assert [one.status for one in results] == ["created", "failed"]


async def test_import_future_item_is_scheduled_and_a_second_run_changes_nothing(pool: asyncpg.Pool, site: Site) -> None:
    """An item with a date in the future is scheduled for it; an embargo and an expiry are kept."""
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    items: list[Any] = [
        item(1, published_at=due),
        item(2, state=SourceState("ndjson", {"embargo_until": due, "unpublish_at": due + timedelta(days=1)})),
        item(3, state=SourceState("ndjson", {"unpublish_at": "2020-01-01T00:00:00Z"})),
    ]
    results = await run(pool, site, items, publish=True)
    assert [one.state for one in results] == ["scheduled", "scheduled", "draft"]
    assert await count(pool, "outbox") == 0
    rows = await pool.fetch("SELECT publish_due_at FROM ingest.articles ORDER BY external_id")
    assert [row["publish_due_at"] for row in rows] == [due, due, None]
    assert [one.status for one in await run(pool, site, items, publish=True)] == ["unchanged"] * 3


def test_readers_ids_of_copies_differ() -> None:
    """Posts with one GUID, items that link to the home page, and index files of folders have IDs of their own."""
    items = "".join(
        f"<item><title>{title}</title><link>https://cu.example/</link><guid>https://cu.example/</guid></item>"
        for title in ("Một", "Hai")
    )
    assert len({one.external_id for one in read_content("a.rss", f"<rss>{items}</rss>".encode())}) == 2
    pages = [read_content(f"{folder}/index.md", b"# A\n\nx")[0] for folder in ("a", "b")]
    assert [one.external_id for one in pages] == ["a/index.md", "b/index.md"]
