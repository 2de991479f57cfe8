"""Which person an identity at the provider is."""

from dataclasses import replace

import asyncpg
import pytest
from structlog.testing import capture_logs

from services.ingest.auth.actors import Actor
from services.ingest.auth.callers import Grant
from services.ingest.auth.identities import check_may_log_in, person_of_identity
from services.ingest.auth.oidc import Identity, ProviderConfig
from services.ingest.auth.people import Person, change_person, create_person
from shared.http.problems import Problem
from shared.sites import Site, Sites

EDITORS = frozenset({Grant("publish", "haihau")})
CONFIG = ProviderConfig("https://id.example", "presstally", "", claim="groups", grants={"bien-tap": EDITORS})


def identity(subject: str = "1", email: str | None = "lan@haihau.example", *values: str) -> Identity:
    return Identity("https://id.example", subject, email, "Trần Lan", values)


async def find(pool: asyncpg.Pool, site: Site, who: Identity) -> Person:
    async with pool.acquire() as connection, connection.transaction():
        person = await person_of_identity(connection, who, CONFIG, Sites({site.slug: site}))
    check_may_log_in(person)
    return person


async def refused(pool: asyncpg.Pool, site: Site, who: Identity) -> str:
    with pytest.raises(Problem) as problem:
        await find(pool, site, who)
    return str(problem.value.extensions["code"])


async def test_invited_person_is_bound_to_one_identity(pool: asyncpg.Pool, site: Site) -> None:
    """The verified address finds the person once; afterwards the subject does, and no second one with that address."""
    grants = frozenset({Grant("write", "haihau")})
    async with pool.acquire() as connection:
        person = await create_person(
            connection, Actor("test"), email="lan@haihau.example", name="Lan", language="vi", grants=grants
        )
    assert await refused(pool, site, identity(email=None)) == "unverified_email"
    assert await refused(pool, site, identity(email="lạn@haihau.example")) == "unverified_email"
    found = await find(pool, site, identity(email="LAN@haihau.example"))
    assert (found.id, found.grants, found.has_identity) == (person.id, grants, True)
    assert (await find(pool, site, identity(email="other@haihau.example"))).id == person.id
    assert (await find(pool, site, identity("1", None, "bien-tap"))).grants == grants, (
        "invited: the claim gives nothing"
    )
    assert await refused(pool, site, identity("2")) == "identity_conflict"


async def test_claim_gives_rights_to_those_who_are_not_invited(pool: asyncpg.Pool, site: Site) -> None:
    """A mapped value makes a person, whose rights follow the claim; without one nobody is made."""
    assert await refused(pool, site, identity()) == "not_invited"
    assert await refused(pool, site, identity("1", "lan@haihau.example", "khác")) == "not_invited"
    assert await pool.fetchval("SELECT count(*) FROM ingest.people") == 0
    made = await find(pool, site, identity("1", "lan@haihau.example", "bien-tap"))
    assert (made.name, made.grants, made.from_provider) == ("Trần Lan", EDITORS, True)
    assert await refused(pool, site, identity("1", "lan@haihau.example")) == "not_invited"
    assert await pool.fetchval("SELECT count(*) FROM ingest.person_grants") == 0
    assert (await find(pool, site, identity("1", None, "bien-tap"))).grants == EDITORS


async def test_rights_in_a_removed_section_are_dropped(pool: asyncpg.Pool, site: Site) -> None:
    """The settings may name a section that is gone: the log-in goes on with the rights that exist, and a log line."""
    gone = frozenset({Grant("write", "haihau", "da-bo"), Grant("read", "trang-cu"), *EDITORS})
    config = replace(CONFIG, grants={"bien-tap": gone})
    who = identity("1", "lan@haihau.example", "bien-tap")
    for _ in range(2):  # the first log-in, and one of a known person
        with capture_logs() as lines:
            async with pool.acquire() as connection, connection.transaction():
                person = await person_of_identity(connection, who, config, Sites({site.slug: site}))
        assert person.grants == EDITORS
        assert [line["unknown"] for line in lines] == [["read:trang-cu", "write:haihau:da-bo"]]


async def test_locked_person_stays_out(pool: asyncpg.Pool, site: Site) -> None:
    """The provider opens no account that an administrator has locked."""
    made = await find(pool, site, identity("1", "lan@haihau.example", "bien-tap"))
    async with pool.acquire() as connection, connection.transaction():
        await change_person(connection, Actor("test"), made, locked=True)
    assert await refused(pool, site, identity("1", "lan@haihau.example", "bien-tap")) == "account_locked"
