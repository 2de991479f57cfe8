"""`presstally migrate`: upgrade every service's schema, once, under a lock.

Each service keeps plain SQL files in `services/<service>/sql/migrations/NNNN_words.sql`. A file is applied in
a transaction of its own and never edited afterwards: its checksum is kept, and a changed file stops the run.
`sql/schema.sql` is the same schema in one piece, for people; a test compares the two.
"""

import argparse
import hashlib
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from shared.cli import CommandError, module_main
from shared.postgres import POSTGRES_UNAVAILABLE
from shared.settings import Settings

ROOT = Path(__file__).parent.parent
LOCK = 0x70726573737461  # "pressta": one migration run at a time
FILE_NAME = re.compile(r"^\d{4}_[a-z0-9_]+\.sql$")

HISTORY = """
CREATE TABLE IF NOT EXISTS public.presstally_migrations (
    service text NOT NULL,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (service, name)
)
"""


class MigrationError(Exception):
    """The migrations on disk and those in the database contradict each other."""


@dataclass(frozen=True)
class Migration:
    """One SQL file of one service."""

    service: str
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Checksum of the file's text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read_migrations(root: Path = ROOT) -> list[Migration]:
    """Return all services' migrations, in the order in which they are applied."""
    found = []
    for file in sorted(root.glob("services/*/sql/migrations/*.sql")):
        if not FILE_NAME.match(file.name):
            raise MigrationError(f"{file.name}: a migration is named NNNN_words.sql")
        found.append(Migration(file.parts[-4], file.name, file.read_text(encoding="utf-8")))
    return found


async def migrate(url: str) -> list[Migration]:
    """Apply migrations that are missing, and return them.

    Raises:
        MigrationError: an applied file was changed, or a file has a wrong name.
        asyncpg.PostgresError: a statement failed; its file's changes are rolled back.
    """
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        await connection.execute((ROOT / "shared/sql/roles.sql").read_text(encoding="utf-8"))
        await connection.execute(HISTORY)
        rows = await connection.fetch("SELECT service, name, sha256 FROM public.presstally_migrations")
        applied = {(row["service"], row["name"]): row["sha256"] for row in rows}
        return [one for one in read_migrations() if await _apply(connection, one, applied)]
    finally:
        await connection.close()


async def _apply(connection: asyncpg.Connection, migration: Migration, applied: dict[tuple[str, str], str]) -> bool:
    known = applied.get((migration.service, migration.name))
    if known == migration.sha256:
        return False
    if known is not None:
        raise MigrationError(f"{migration.service}/{migration.name} was changed after it was applied")
    async with connection.transaction():
        await connection.execute(migration.sql)
        await connection.execute(
            "INSERT INTO public.presstally_migrations (service, name, sha256) VALUES ($1, $2, $3)",
            migration.service,
            migration.name,
            migration.sha256,
        )
    return True


async def _migrate(settings: Settings) -> None:
    try:
        applied = await migrate(settings.database_url.get_secret_value())
    except MigrationError as error:
        raise CommandError(str(error)) from error
    except asyncpg.PostgresError as error:
        if isinstance(error, POSTGRES_UNAVAILABLE):
            raise
        raise CommandError(f"Postgres: {error}") from error
    for migration in applied:
        print(f"applied {migration.service}/{migration.name}")
    if not applied:
        print("nothing to apply")


def main(arguments: Sequence[str], program: str) -> int:
    """Run the command and return its exit code.

    Args:
        arguments: The words after the program.
        program: How the operator called it, for the help.
    """
    argparse.ArgumentParser(prog=program, description="Upgrade every service's schema.").parse_args(list(arguments))
    return module_main("migrate", Settings, _migrate)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], "python -m shared.migrate"))
