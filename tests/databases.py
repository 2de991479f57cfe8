"""Databases for tests: one is used again once its rows are as they were, unless its structure was changed.

A new database is 700 new files, which take a tenth of a second, and several when other programs write to the disk.
"""

import uuid
from pathlib import Path

import asyncpg

from services.ingest.queries import SQL

REMEMBER = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


def url_of(server: str, database: str) -> str:
    return server.rsplit("/", 1)[0] + "/" + database


async def mark_compared(url: str) -> None:
    """Mark a database as compared with the topics, so that articles may be changed without a relay."""
    await run_in(url, SQL["confirm_comparison"])


async def run_in(url: str, *statements: str) -> None:
    """Execute statements in a database."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def make_log_ins_cheap(url: str) -> None:
    """Let the server and its clients hash the password once for each connection instead of 4,096 times."""
    name, _, password = url.removeprefix("postgresql://").partition("@")[0].partition(":")
    await run_in(url, "SET scram_iterations = 1", f"ALTER ROLE {name} PASSWORD '{password}'")


class Databases:
    """The databases of a server, each of which one test has at a time."""

    def __init__(self, server: str, template: str) -> None:
        self._server = server
        self._template = template
        self._free: list[str] = []

    async def take(self) -> str:
        """Return the URL of a database with all migrations, without rows, in which articles may be changed."""
        if self._free:
            return self._free.pop()
        name = f"test_{uuid.uuid4().hex[:12]}"
        await run_in(self._server, f"CREATE DATABASE {name} TEMPLATE {self._template}")
        url = url_of(self._server, name)
        await run_in(url, SQL["confirm_comparison"], REMEMBER)
        return url

    async def give_back(self, url: str) -> None:
        """Take a database back from a test; one that cannot be put back is dropped."""
        if await self._is_put_back(url):
            self._free.append(url)
        else:
            await run_in(self._server, f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")

    async def _is_put_back(self, url: str) -> bool:
        try:
            connection = await asyncpg.connect(url)
        except asyncpg.PostgresError:
            return False
        try:
            return bool(await connection.fetchval("SELECT testing.put_back()"))
        finally:
            await connection.close()
