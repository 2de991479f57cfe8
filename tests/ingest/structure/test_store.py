"""Structures in Postgres: versions that only rise, and messages without private addresses."""

from typing import Any

import asyncpg
import msgspec

from services.ingest.structure import changes
from services.ingest.structure.store import change_structure, next_version, read_structure, seed_structure
from shared.site_structure import SiteStructure, StructureAuthor
from shared.sites import Site


async def test_versions_are_times_and_rise_within_a_millisecond(pool: asyncpg.Pool) -> None:
    """Two changes in one millisecond, or a clock that was set back, give rising versions."""
    now = await next_version(pool)
    assert now > 1_700_000_000_000
    assert await next_version(pool, now + 10**9) == now + 10**9 + 1


async def test_message_has_no_private_address(pool: asyncpg.Pool, site: Site) -> None:
    """An author's e-mail address travels if it is public, and stays in the database if not."""

    def add(before: SiteStructure, version: int) -> SiteStructure:
        for number, is_public in enumerate((True, False)):
            email = f"a{number}@x.vn"
            one = StructureAuthor(
                slug=f"a{number}", name=f"A{number}", email=email, email_is_public=is_public, version=version
            )
            before = changes.add(before, "author", one)
        return before

    async with pool.acquire() as connection, connection.transaction():
        assert await seed_structure(connection, site)
        assert not await seed_structure(connection, site)
        await change_structure(connection, site, add)
        nothing = await change_structure(connection, site, lambda before, _: before)
    rows = await pool.fetch("SELECT value FROM ingest.outbox ORDER BY id")
    assert len(rows) == 2
    sent = msgspec.json.decode(rows[-1]["value"], type=SiteStructure)
    assert [one.email for one in sent.authors] == ["a0@x.vn", ""]
    stored: Any = await read_structure(pool, site.slug)
    assert [one.email for one in stored.structure.authors] == ["a0@x.vn", "a1@x.vn"]
    assert nothing.version == sent.version
