"""After a restore the newer of Postgres and the topic wins, for structures and for static pages."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import asyncpg
import msgspec

from services.ingest.articles.structure_recovery import queue_missing_structures, take_over_structures
from services.ingest.structure import changes
from services.ingest.structure.pages import insert_page, list_pages
from services.ingest.structure.store import change_structure, read_structure
from shared.site_structure import SiteStructure, StaticPage, StructureAuthor, public_structure
from shared.sites import Site

AT = datetime(2026, 11, 29, tzinfo=UTC)


def record(value: Any, offset: int = 0) -> Any:
    content = value if value is None or isinstance(value, bytes) else msgspec.json.encode(value)
    return SimpleNamespace(topic="site-structure", partition=0, offset=offset, value=content)


async def test_newer_structure_of_the_topic_is_taken_over_with_private_addresses(
    pool: asyncpg.Pool, site: Site
) -> None:
    """The topic has what was changed after the backup; addresses that are in no message stay."""
    author = StructureAuthor(slug="lan", name="Lan", email="lan@x.vn", version=1)
    async with pool.acquire() as connection:
        async with connection.transaction():
            before = await change_structure(connection, site, lambda one, _: changes.add(one, "author", author))
        newer = msgspec.structs.replace(
            public_structure(before), version=before.version + 5, section_aliases={"a": "tin-tuc"}
        )
        versions: dict[str, int] = {}
        records = [record(None), record(b"{"), record(before), record(newer), record(before)]
        assert await take_over_structures(connection, records, versions) == 1
        assert await take_over_structures(connection, records, {}) == 0
        assert versions == {"haihau": newer.version}
        stored: Any = await read_structure(connection, site.slug)
        assert stored.structure.section_aliases == {"a": "tin-tuc"}
        assert stored.structure.authors[0].email == "lan@x.vn"


async def test_structure_and_pages_that_a_log_lacks_are_queued(pool: asyncpg.Pool, site: Site) -> None:
    """A log that was created again gets the structure of each site and each page that was public."""
    page = StaticPage(site="haihau", id="p-1", version=7, state="published", slug="a", title="A", modified_at=AT)
    other = msgspec.structs.replace(page, id="p-2")
    async with pool.acquire() as connection:
        async with connection.transaction():
            structure: SiteStructure = await change_structure(connection, site, lambda one, _: one)
        assert await take_over_structures(connection, [record(page), record(other)], {}) == 2
        assert sorted([row["slug"] for row in await connection.fetch("SELECT slug FROM ingest.static_pages")]) == [
            "a",
            "p-2",
        ]
        await connection.execute("DELETE FROM ingest.outbox")
        known = {"haihau": structure.version, "haihau/page/p-1": 7, "haihau/page/p-2": 6}
        assert await queue_missing_structures(connection, known) == 1
        assert await queue_missing_structures(connection, {}) == 3
        keys = [row["key"] for row in await connection.fetch("SELECT key FROM ingest.outbox ORDER BY id")]
    assert keys == ["haihau/page/p-2", "haihau", "haihau/page/p-1", "haihau/page/p-2"]


async def test_page_that_was_deleted_after_the_backup_stays_deleted(pool: asyncpg.Pool, site: Site) -> None:
    """A restored backup that still has the page takes the deletion over, and a log created again gets it."""
    page = StaticPage(site="haihau", id="p-1", version=7, state="published", slug="a", title="A", modified_at=AT)
    deleted = msgspec.structs.replace(page, version=9, state="withdrawn", is_deleted=True)
    unknown = msgspec.structs.replace(deleted, id="p-2", slug="b")
    async with pool.acquire() as connection:
        await take_over_structures(connection, [record(page)], {})
        assert await take_over_structures(connection, [record(deleted), record(unknown), record(page)], {}) == 2
        assert await list_pages(connection, "haihau") == []
        other = msgspec.structs.replace(page, id="p-3", state="withdrawn")
        async with connection.transaction():
            await insert_page(connection, other, "Lan")
            assert await queue_missing_structures(connection, {}) == 2
