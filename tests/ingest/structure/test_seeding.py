"""Sites without a structure begin with the sections of their configuration, once, and not before the comparison."""

import asyncio
from typing import Any

import asyncpg


async def test_replicas_seed_a_site_once(api: Any, pool: asyncpg.Pool) -> None:
    """Several replicas that start at the same moment send one message, and the list is the configuration's."""
    await asyncio.gather(*(api.context.structures.step() for _ in range(4)))
    assert await pool.fetchval("SELECT count(*) FROM ingest.outbox WHERE topic = 'site-structure'") == 1
    listed = await api.call("GET", "/sections", scope="read")
    assert [one["name"] for one in listed.json()["sections"]] == ["Tin tức", "Thông báo"]


async def test_database_that_was_not_compared_is_not_seeded(api: Any, pool: asyncpg.Pool) -> None:
    """What the topic has is taken over first; until then lists show the configuration, and changes are refused."""
    await pool.execute("UPDATE ingest.topic_comparison SET database_identity = NULL")
    await api.context.structures.step()
    assert await pool.fetchval("SELECT count(*) FROM ingest.site_structures") == 0
    listed = await api.call("GET", "/sections", scope="read")
    assert [one["slug"] for one in listed.json()["sections"]] == ["tin-tuc", "thong-bao"]
    assert (await api.call("POST", "/sections", {"name": "Mới"}, "admin")).status == 503


async def test_changed_configuration_does_not_change_a_seeded_site(api: Any, pool: asyncpg.Pool) -> None:
    """The file is a seed: from then on the database wins, and the seed is remembered."""
    await api.context.structures.step()
    await api.call("PATCH", "/sections/tin-tuc", {"name": "Thời sự"}, "admin", if_match="*")
    await api.context.structures.step()
    assert [one.name for one in api.context.sites["haihau"].sections] == ["Thời sự", "Thông báo"]
    assert [one.name for one in api.context.sites.declared["haihau"].sections] == ["Tin tức", "Thông báo"]
    assert '"Tin tức"' in await pool.fetchval("SELECT seed::text FROM ingest.site_structures")
