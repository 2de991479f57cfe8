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


BEFORE_TENANTS = """
INSERT INTO ingest.tokens (prefix, hash, name, scopes, sites)
VALUES
    ('00000001', repeat('x', 32)::bytea, 'An', '{write}', '{b}'),
    ('00000002', repeat('y', 32)::bytea, 'Ba', '{write}', NULL);
INSERT INTO ingest.articles (id, site, version, state, title, content, modified_at, source_system, external_id)
SELECT 'article-' || site, site, 1, 'draft', 'x', '{}', now(), 'feed:' || site, '1'
FROM unnest('{a,b}'::text[]) AS site;
INSERT INTO ingest.revisions (article, version, action, state, who, note, site, content, is_public_change, at)
SELECT 'article-a', version, action, 'draft', who, '', 'a', content::jsonb, false, now() FROM (VALUES
    (1, 'create', 'An', '{"lead_image": {"image": {"media": "' || repeat('1', 64) || '"}}}'), (2, 'submit', 'Ba', '{}')
) AS given (version, action, who, content);
INSERT INTO ingest.media (id, type, file_name, bytes, width, height, renditions, rendition_names, who, token)
SELECT repeat(digit, 64), 'image/png', 'x', 1, 1, 1, '[]', '{}', 'An', token
FROM (VALUES ('1', '00000002'), ('2', '00000001'), ('3', '00000002')) AS given (digit, token);
"""


async def test_tenants_migration_gives_images_to_sites_and_articles_their_authors(postgres_url: str) -> None:
    """An image goes to the sites that used it or uploaded it; the author is who wrote the text last."""
    server = await asyncpg.connect(postgres_url)
    await server.execute("CREATE DATABASE before_tenants")
    connection = await asyncpg.connect(postgres_url.rsplit("/", 1)[0] + "/before_tenants")
    try:
        await connection.execute((ROOT / "shared/sql/roles.sql").read_text(encoding="utf-8"))
        for migration in read_migrations():
            if migration.service == "ingest" and migration.name == "0014_tenants.sql":
                await connection.execute(BEFORE_TENANTS)
            if migration.service == "ingest" and migration.name <= "0014_tenants.sql":
                async with connection.transaction():
                    await connection.execute(migration.sql)
        media = await connection.fetch("SELECT left(id, 1) AS id, site FROM ingest.media ORDER BY id")
        assert [tuple(row) for row in media] == [("1", "a"), ("2", "b"), ("3", "")]
        authors = await connection.fetch("SELECT id, author FROM ingest.articles ORDER BY id")
        assert [tuple(row) for row in authors] == [("article-a", "An"), ("article-b", None)]
    finally:
        await connection.close()
        await server.execute("DROP DATABASE before_tenants WITH (FORCE)")
        await server.close()


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
