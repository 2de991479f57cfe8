"""Named queries, and pools that act as a service's role."""

import asyncio
import sys
from pathlib import Path

import asyncpg
import pytest

from shared.postgres import POOLS, POSTGRES_DATA_ERRORS, POSTGRES_UNAVAILABLE, open_pool, read_queries

NOBODY = "postgresql://u:x@127.0.0.1:1/x"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "some_queries").mkdir()
    (tmp_path / "some_queries/__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "some_queries", raising=False)
    return tmp_path / "some_queries"


def test_queries_are_read_by_name(package: Path) -> None:
    """Each statement begins with its name; comments inside it stay, surrounding white space does not."""
    (package / "a.sql").write_text("-- A file.\n-- name: one\nSELECT 1;\n\n-- name: two\n-- why\nSELECT 2\n")
    assert read_queries("some_queries", "a.sql") == {"one": "SELECT 1;", "two": "-- why\nSELECT 2"}


def test_query_with_a_name_that_is_taken_is_an_error(package: Path) -> None:
    """Two statements of one name would hide one of them."""
    (package / "a.sql").write_text("-- name: one\nSELECT 1;\n-- name: one\nSELECT 2;\n")
    with pytest.raises(ValueError, match=r"some_queries/a\.sql names a query twice"):
        read_queries("some_queries", "a.sql")


@pytest.mark.parametrize("service", ["ingest", "stats", "render"])
def test_every_service_has_queries(service: str) -> None:
    """The files of the services can be read, and no statement is empty."""
    queries = read_queries(f"services.{service}")
    assert queries
    assert all(queries.values())


async def test_pool_acts_as_its_role(database: str) -> None:
    """Connections have the role, UTC, and a bound for each statement; the process's metrics know the pool."""
    pool = await open_pool(database, role="presstally_ingest", size=1, statement_timeout_seconds=3)
    try:
        settings = ("role", "timezone", "statement_timeout", "application_name")
        found = [await pool.fetchval("SELECT current_setting($1)", name) for name in settings]
        assert found == ["presstally_ingest", "UTC", "3s", "presstally_ingest"]
        assert pool in POOLS
    finally:
        await pool.close()
        POOLS.discard(pool)


async def test_pool_waits_for_postgres_and_reports_it() -> None:
    """While Postgres is unavailable, opening waits and reports why; a deadline ends it."""
    reasons: list[str | None] = []
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(open_pool(NOBODY, role="presstally_ingest", on_waiting=reasons.append), 0.3)
    assert reasons
    assert all("ConnectionRefusedError" in str(reason) for reason in reasons)


async def test_pool_without_waiting_opens_without_postgres() -> None:
    """A pool that need not wait meets an unavailable Postgres at its first use."""
    pool = await open_pool(NOBODY, role="presstally_ingest", wait=False)
    with pytest.raises(POSTGRES_UNAVAILABLE):
        await pool.fetchval("SELECT 1")
    pool.terminate()
    POOLS.discard(pool)


async def test_pool_for_a_missing_database_fails_at_once(database: str) -> None:
    """What waiting does not mend is raised."""
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncio.wait_for(open_pool(f"{database}-missing", role="presstally_ingest"), 60)


@pytest.mark.parametrize(
    ("statement", "value"), [("SELECT $1::text", "\0"), ("SELECT $1::int", 2**40), ("SELECT 1 / $1::int", 0)]
)
async def test_invalid_data_is_not_an_unavailable_postgres(database: str, statement: str, value: object) -> None:
    """A value that Postgres rejects is never taken for an outage: it would be retried indefinitely."""
    connection = await asyncpg.connect(database)
    try:
        with pytest.raises(POSTGRES_DATA_ERRORS):
            await connection.fetchval(statement, value)
    finally:
        await connection.close()


async def test_programming_error_is_neither(database: str) -> None:
    """A missing table is no outage, and no invalid value: it stops the process."""
    connection = await asyncpg.connect(database)
    try:
        with pytest.raises(asyncpg.UndefinedTableError) as error:
            await connection.fetchval("SELECT * FROM nowhere")
    finally:
        await connection.close()
    assert not isinstance(error.value, (*POSTGRES_UNAVAILABLE, *POSTGRES_DATA_ERRORS))
