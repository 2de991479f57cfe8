"""The dump of docs/backup.md, made and restored with Postgres's own programs."""

import re
import subprocess
import uuid
from pathlib import Path

import asyncpg

from deploy.local.postgres import POSTGRES_BIN_PATH
from shared.migrate import migrate

ROOT = Path(__file__).parent.parent.parent


def run(program: str, *arguments: str) -> None:
    subprocess.run([str(POSTGRES_BIN_PATH / program), *arguments], check=True)


async def test_documented_dump_restores_rows_without_salts(database: str, postgres_url: str, tmp_path: Path) -> None:
    """The documented dump, restored into an empty database, has all rows and no salt, and the services' roles work."""
    source = await asyncpg.connect(database)
    columns = "generation, site, article, grain, bucket_start, partition, views"
    await source.execute(f"INSERT INTO stats.counts ({columns}) VALUES (1, 's', '', 'total', 0, 3, 41)")
    await source.execute(
        "INSERT INTO stats.offsets (generation, topic, partition, next_offset) VALUES (1, 'page-views', 3, 99)"
    )
    await source.execute(
        "INSERT INTO ingest.salts (site, day, salt, created_at) VALUES ('s', '2026-01-01', 'x', now())"
    )
    await source.close()
    dump = tmp_path / "presstally.dump"
    documented = re.search(r"pg_dump -U presstally (.+) presstally >", (ROOT / "docs/backup.md").read_text())
    assert documented is not None
    options = [option.strip("'") if option[0] == "'" else option.replace("'", "") for option in documented[1].split()]
    run("pg_dump", *options, f"--file={dump}", database)
    name = f"restored_{uuid.uuid4().hex[:8]}"
    server = await asyncpg.connect(postgres_url)
    await server.execute(f"CREATE DATABASE {name}")
    restored_url = postgres_url.rsplit("/", 1)[0] + "/" + name
    run("pg_restore", "-d", restored_url, str(dump))
    assert await migrate(restored_url) == []
    restored = await asyncpg.connect(restored_url)
    await restored.execute("SET ROLE presstally_stats")
    assert await restored.fetchval("SELECT views FROM stats.counts WHERE partition = 3") == 41
    assert await restored.fetchval("SELECT next_offset FROM stats.offsets WHERE partition = 3") == 99
    await restored.execute("RESET ROLE")
    assert await restored.fetchval("SELECT count(*) FROM ingest.salts") == 0
    await restored.close()
    await server.execute(f"DROP DATABASE {name}")
    await server.close()
