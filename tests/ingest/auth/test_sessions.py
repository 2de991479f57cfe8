"""Sessions in Postgres."""

import asyncpg
import pytest

from services.ingest.auth.actors import Actor
from services.ingest.auth.people import create_person
from services.ingest.auth.sessions import (
    DEVICES_OF_PERSON_MAX,
    Sessions,
    agent_class,
    is_known_device,
    remember_device,
)


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Windows"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15",
            "Safari on macOS",
        ),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0", "Edge on Windows"),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 coc_coc_browser/130 Chrome/124 Safari/537.36",
            "Cốc Cốc on Windows",
        ),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari on iOS"),
        ("curl/8.5.0", "curl"),
        ("", "unknown browser"),
        ("\x00<script>alert(1)</script>" * 50, "unknown browser"),
    ],
)
def test_agent_class_names_browser_and_system_only(agent: str, name: str) -> None:
    """What is stored of a user agent is one of a few texts."""
    assert agent_class(agent) == name


async def test_session_is_stored_as_a_hash(pool: asyncpg.Pool) -> None:
    """Who reads the table cannot open a session; a renewed one works under its new secret only."""
    sessions = Sessions(pool)
    async with pool.acquire() as connection, connection.transaction():
        person = await create_person(
            connection, Actor("test"), email="a@b.vn", name="An", language="vi", grants=frozenset()
        )
        secret = await sessions.open(connection, person.id, method="password", agent="x", network="203.0.113.0/24")
    assert secret not in str(await pool.fetch("SELECT * FROM ingest.sessions"))
    found = await sessions.find(secret)
    assert found is not None
    assert (found.caller.actor, found.caller.person) == (Actor("An", person.id), person.id)
    async with pool.acquire() as connection:
        renewed = await sessions.renew(connection, found.id)
    assert await sessions.find(secret) is None
    again = await sessions.find(renewed)
    assert again is not None
    assert (again.id, again.csrf) != (found.id, found.csrf)
    assert again.id == found.id


async def test_known_devices_of_a_person_are_bounded(pool: asyncpg.Pool) -> None:
    """The browsers that were used last are remembered; another person's browser is not known."""
    async with pool.acquire() as connection:
        one, other = [
            await create_person(connection, Actor("test"), email=email, name="An", language="vi", grants=frozenset())
            for email in ("a@b.vn", "c@d.vn")
        ]
        first = await remember_device(connection, None, one.id)
        assert await remember_device(connection, first, one.id) == first
        assert await remember_device(connection, first, other.id) != first
        assert not await is_known_device(connection, first, other.id)
        made = [await remember_device(connection, "invented", one.id) for _ in range(DEVICES_OF_PERSON_MAX)]
        assert not await is_known_device(connection, first, one.id)
        assert await is_known_device(connection, made[0], one.id)
        assert not await is_known_device(connection, None, one.id)
