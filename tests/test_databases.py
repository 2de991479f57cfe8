"""A test finds a database as good as a fresh one, whatever the test before it did."""

from typing import Any

import asyncpg
import pytest

from tests.databases import Databases, run_in

CHANGES = (
    "UPDATE ingest.topic_comparison SET database_identity = 'of another', versions_skipped = 7",
    "DELETE FROM public.presstally_migrations",
    "INSERT INTO ingest.salts (site, day, salt) VALUES ('haihau', '2026-03-04', '0')",
    "INSERT INTO ingest.outbox (topic, key) SELECT 'a', repeat('k', 100) FROM generate_series(1, 2000)",
    "INSERT INTO ingest.audit_log (who, action, object_kind, object_id) VALUES ('An', 'x', 'x', 'x')",
    "SELECT nextval('ingest.article_numbers')",
)


async def content(url: str) -> dict[str, Any]:
    """Return all rows and the positions of all sequences."""
    connection = await asyncpg.connect(url)
    relations = [one["name"] for one in await connection.fetch("SELECT relation::text AS name FROM testing.relations")]
    found: dict[str, Any] = {
        one: sorted(map(repr, await connection.fetch(f"SELECT * FROM {one}"))) for one in relations
    }
    found["sequences"] = await connection.fetch(
        "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname <> 'testing' ORDER BY 1"
    )
    await connection.close()
    return found


async def test_database_after_changed_rows_is_as_it_was(databases: Databases) -> None:
    """Rows, those of the migrations included, and sequences are put back; who is still connected is disconnected."""
    url = await databases.take()
    before = await content(url)
    await run_in(url, *CHANGES)
    assert await content(url) != before
    left = await asyncpg.connect(url)
    await left.execute("BEGIN; LOCK TABLE ingest.outbox")
    await databases.give_back(url)
    left.terminate()
    assert await databases.take() == url
    assert await content(url) == before
    await databases.give_back(url)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE stats.more (a integer)",
        "ALTER TABLE ingest.outbox DROP CONSTRAINT outbox_pkey",
        "DROP INDEX ingest.outbox_key",
        "GRANT SELECT ON ingest.outbox TO presstally_stats",
        "ALTER DATABASE {name} SET default_transaction_read_only = on",
        "DROP SCHEMA render CASCADE",
    ],
)
async def test_database_of_changed_structure_is_not_used_again(databases: Databases, statement: str) -> None:
    """After a change of tables, indexes, rights or settings, by whomever, the next test has a new database."""
    url = await databases.take()
    await run_in(url, statement.format(name=url.rpartition("/")[2]))
    await databases.give_back(url)
    following = await databases.take()
    assert following != url
    await databases.give_back(following)


async def test_two_tests_at_once_have_different_databases(databases: Databases) -> None:
    """A database is nobody else's until it is given back."""
    one, other = await databases.take(), await databases.take()
    assert one != other
    for url in (one, other):
        await databases.give_back(url)
