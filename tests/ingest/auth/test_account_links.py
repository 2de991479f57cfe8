"""Links that open an account once."""

import asyncpg
import pytest

from services.ingest.auth.account_links import LIFETIMES, create_link, read_link, use_link
from services.ingest.auth.actors import Actor
from services.ingest.auth.people import create_person
from shared.http.problems import Problem


async def test_link_is_stored_as_a_hash_behind_the_fragment(pool: asyncpg.Pool) -> None:
    """The secret is where no server and no log sees it, the table does not have it, and each purpose has its own."""
    async with pool.acquire() as connection:
        actor = Actor("test")
        person = await create_person(connection, actor, email="a@b.vn", name="An", language="vi", grants=frozenset())
        for purpose in LIFETIMES:
            link = await create_link(connection, person.id, purpose, "https://haihau.example")
            page, _, secret = link.url.partition("#")
            assert page.startswith("https://haihau.example/ban-bien-tap/")
            assert secret not in str(await connection.fetch("SELECT * FROM ingest.account_links"))
            assert (await read_link(connection, secret, (purpose,)))["person"] == person.id
            others = tuple(one for one in LIFETIMES if one != purpose)
            with pytest.raises(Problem):
                await read_link(connection, secret, others)
            await use_link(connection, secret)
            for again in (read_link(connection, secret, (purpose,)), use_link(connection, secret)):
                with pytest.raises(Problem) as refused:
                    await again
                assert refused.value.extensions["code"] == "unknown_link"
