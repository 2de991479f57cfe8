"""Migrations: the schema that they build, and the rights of each service's role."""

import subprocess
from pathlib import Path

import asyncpg
import pytest

from deploy.local.postgres import POSTGRES_BIN_PATH
from shared.migrate import MigrationError, migrate, read_migrations

ROOT = Path(__file__).parent.parent.parent
SERVICES = ("ingest", "stats", "render")


def dump(url: str) -> str:
    """Return the three schemas as pg_dump writes them, without what differs from run to run."""
    schemas = [part for service in SERVICES for part in ("-n", f"{service}*")]  # a generation of render is a schema
    command = [str(POSTGRES_BIN_PATH / "pg_dump"), "--schema-only", *schemas, url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return "\n".join(line for line in text.splitlines() if line and not line.startswith(("--", "\\", "SET ")))


async def test_migrations_build_the_schema_files(database: str, postgres_url: str) -> None:
    """All migrations together make exactly what the schema.sql files make."""
    server = await asyncpg.connect(postgres_url)
    await server.execute("CREATE DATABASE from_schema_files")
    other = postgres_url.rsplit("/", 1)[0] + "/from_schema_files"
    try:
        connection = await asyncpg.connect(other)
        for service in SERVICES:
            await connection.execute((ROOT / f"services/{service}/sql/schema.sql").read_text(encoding="utf-8"))
        await connection.close()
        assert dump(database) == dump(other)
        assert "CREATE TABLE stats.counts" in dump(database)
    finally:
        await server.execute("DROP DATABASE from_schema_files WITH (FORCE)")
        await server.close()


async def test_second_run_applies_nothing(database: str) -> None:
    """Migrating an up-to-date database changes nothing."""
    assert await migrate(database) == []


async def test_edited_migration_stops_the_run(database: str) -> None:
    """A migration that was changed after it was applied is an error that names it."""
    connection = await asyncpg.connect(database)
    await connection.execute("UPDATE public.presstally_migrations SET sha256 = 'x' WHERE service = 'stats'")
    await connection.close()
    with pytest.raises(MigrationError, match=r"stats/0001_counts\.sql was changed"):
        await migrate(database)


def test_migrations_are_named_and_ordered() -> None:
    """Each service has migrations, and each has a number of its own."""
    found = read_migrations()
    for service in SERVICES:
        numbers = [int(one.name[:4]) for one in found if one.service == service]
        assert numbers == sorted(set(numbers))
        assert numbers


@pytest.mark.parametrize("service", SERVICES)
async def test_service_writes_its_own_schema_only(database: str, service: str) -> None:
    """A service's role may write the tables of its own schema, and may not read the others."""
    tables = {"ingest": "ingest.outbox", "stats": "stats.counts", "render": "render.listings"}
    connection = await asyncpg.connect(database, server_settings={"role": f"presstally_{service}"})
    try:
        for owner, table in tables.items():
            if owner == service:
                await connection.execute(f"DELETE FROM {table}")
            else:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(f"SELECT 1 FROM {table}")
    finally:
        await connection.close()
