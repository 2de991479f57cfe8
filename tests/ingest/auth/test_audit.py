"""The audit log of everything except articles."""

import json

import asyncpg
import pytest

from services.ingest.auth.actors import Actor
from services.ingest.auth.audit import record


async def test_record_is_part_of_the_transaction(pool: asyncpg.Pool) -> None:
    """An entry is stored with the change that it reports, or not at all, and nobody can change it later."""
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await record(connection, Actor("Lan"), "create", kind="section", id="x", site="haihau")
        await transaction.rollback()
        assert await connection.fetchval("SELECT count(*) FROM ingest.audit_log") == 0
        async with connection.transaction():
            await record(connection, Actor("Lan", "12345678"), "lock", kind="person", id="p", details={"why": "nghỉ"})
        row = await connection.fetchrow("SELECT * FROM ingest.audit_log")
        assert row is not None
        assert (row["who"], row["actor_id"], row["action"], row["site"]) == ("Lan", "12345678", "lock", None)
        assert json.loads(row["details"]) == {"why": "nghỉ"}
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM ingest.audit_log")
