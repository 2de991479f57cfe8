"""Log-in; most cases are with the routes of sessions."""

import asyncpg
import pytest
from argon2 import PasswordHasher

from services.ingest.auth.actors import Actor
from services.ingest.auth.login import Browser, Credentials, LogIn
from services.ingest.auth.passwords import Passwords, is_outdated
from services.ingest.auth.people import change_person, create_person, remove_person
from services.ingest.auth.sessions import Sessions
from services.ingest.metrics import LOGINS
from services.ingest.queries import ACCOUNTS
from shared.http.problems import Problem

PASSWORD = "bốn từ không liên quan"


def count(result: str) -> float:
    return LOGINS.labels("password", result)._value.get()


async def test_log_in_renews_an_outdated_hash_and_is_counted(pool: asyncpg.Pool) -> None:
    """A hash with former parameters is replaced at the log-in, and metrics count results, never names."""
    login = LogIn(pool, Sessions(pool), Passwords())
    async with pool.acquire() as connection:
        person = await create_person(
            connection, Actor("test"), email="a@b.vn", name="An", language="vi", grants=frozenset()
        )
        old = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
        await connection.execute(ACCOUNTS["set_password"], person.id, old)
    before = count("ok"), count("wrong_credentials")
    opened = await login.log_in(Credentials("a@b.vn", PASSWORD), Browser("203.0.113.7", "x"))
    assert opened.person == person.id
    stored = await pool.fetchval("SELECT password FROM ingest.people")
    assert not is_outdated(stored)
    with pytest.raises(Problem):
        await login.log_in(Credentials("a@b.vn", "sai rồi"), Browser("203.0.113.7", "x"))
    assert (count("ok"), count("wrong_credentials")) == (before[0] + 1, before[1] + 1)


async def test_log_in_at_the_provider_reads_the_lock_again(pool: asyncpg.Pool) -> None:
    """Somebody who was locked or removed while the provider's response was read gets no session."""
    login, browser = LogIn(pool, Sessions(pool), Passwords()), Browser("203.0.113.7", "x")
    async with pool.acquire() as connection, connection.transaction():
        person = await create_person(
            connection, Actor("test"), email="a@b.vn", name="An", language="vi", grants=frozenset()
        )
        assert (await login.open_for_provider(connection, person.id, browser)).person == person.id
        await change_person(connection, Actor("test"), person, locked=True)
        with pytest.raises(Problem) as locked:
            await login.open_for_provider(connection, person.id, browser)
        await remove_person(connection, Actor("test"), person)
        with pytest.raises(Problem) as removed:
            await login.open_for_provider(connection, person.id, browser)
    assert [one.value.extensions["code"] for one in (locked, removed)] == ["account_locked", "not_invited"]
    assert await pool.fetchval("SELECT count(*) FROM ingest.sessions") == 0
