"""People: addresses, names and rights, and who may give them."""

import asyncpg
import pytest

from services.ingest.auth.actors import Actor
from services.ingest.auth.callers import Caller, Grant, token_grants
from services.ingest.auth.people import (
    administers,
    change_person,
    check_grants,
    clean_name,
    create_person,
    describe_grants,
    find_person,
    normalize_email,
    parse_grants,
    remove_person,
)
from services.ingest.content.errors import InvalidContentError
from shared.http.problems import Problem
from shared.sites import Site, Sites

ACTOR = Actor("test")
ADMIN = frozenset({Grant("admin")})


@pytest.mark.parametrize(
    ("text", "email"),
    [
        (" Lan@HaiHau.Example ", "lan@haihau.example"),
        ("lan+tin@tôi.vn", "lan+tin@xn--ti-8ja.vn"),
        ("a.b_c-d@sub.example.vn", "a.b_c-d@sub.example.vn"),
        ("o'brien@example.vn", "o'brien@example.vn"),
        ("lan@\u212aim.vn", "lan@kim.vn"),
        ("lan@4g.vn.", "lan@4g.vn"),
    ],
)
def test_normalize_email_makes_equal_what_is_the_same(text: str, email: str) -> None:
    """Case and white space do not matter, and hosts are in Punycode."""
    assert normalize_email(text) == email


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "lan",
        "lan@",
        "@example.vn",
        "lan@localhost",
        "lan@127.0.0.1",
        "lan@[::1].vn",
        "lan@example.vn:25",
        "lan@example.vn:443",
        "lan@example.vn:",
        "\u212aim@example.vn",
        "\u017fao@example.vn",
        "\uff4can@example.vn",
        "lan@-example.vn",
        "lan@example-.vn",
        "lan@example.1",
        "lan @example.vn",
        "lan@exa mple.vn",
        "lan@example.vn\r\nBcc: x@evil.example",
        "lan\n@example.vn",
        '"lan"@example.vn',
        "lan@@example.vn",
        "a@b@example.vn",
        ".lan@example.vn",
        "lan.@example.vn",
        "l..an@example.vn",
        "lạn@example.vn",
        "lаn@example.vn",
        "lan@example.vn/path",
        "lan@user@example.vn",
        "lan\0@example.vn",
        "x" * 65 + "@example.vn",
        "lan@" + "x" * 260 + ".vn",
        "<lan@example.vn>",
        "lan@example.vn, b@example.vn",
    ],
)
def test_normalize_email_refuses_what_is_no_address(text: str) -> None:
    """Line breaks, several addresses and letters that look like others never reach a mail's header."""
    with pytest.raises(InvalidContentError):
        normalize_email(text)


def test_clean_name_is_one_line() -> None:
    """White space is collapsed; control characters, direction marks and empty names are refused."""
    assert clean_name("  Trần \n Thị   Lan ") == "Trần Thị Lan"
    for bad in ("", "   ", "x" * 151, "Lan\0", "Lan\u202e", "\x1b[31mLan"):
        with pytest.raises(InvalidContentError):
            clean_name(bad)


def test_check_grants_knows_the_sites_sections(site: Site) -> None:
    """Unknown scopes, sites and sections are named by their place; events are for tokens."""
    sites = Sites({site.slug: site})
    good = parse_grants(["admin", "publish:haihau", "write:haihau:tin-tuc", "write:haihau:tin-tuc"])
    assert describe_grants(check_grants(good, sites)) == ["admin", "publish:haihau", "write:haihau:tin-tuc"]
    for bad, field in (
        ("events", "grants.0.scope"),
        ("root", "grants.0.scope"),
        ("read:nowhere", "grants.0.site"),
        ("read:haihau:nothing", "grants.0.section"),
        ("read::tin-tuc", "grants.0.section"),
    ):
        with pytest.raises(InvalidContentError) as refused:
            check_grants(parse_grants([bad]), sites)
        assert [one.field for one in refused.value.errors] == [field]
    with pytest.raises(ValueError, match="is not scope"):
        parse_grants(["read:haihau:tin-tuc:more"])


@pytest.mark.parametrize(
    ("own", "given", "expected"),
    [
        (["admin"], ["admin", "read:haihau"], True),
        (["admin"], [], True),
        (["admin:haihau"], ["publish:haihau", "write:haihau:tin-tuc"], True),
        (["admin:haihau"], ["admin:haihau"], True),
        (["admin:haihau"], ["read:haihau", "read:giao-thuy"], False),
        (["admin:haihau"], ["read"], False),
        (["admin:haihau"], [], False),
        (["admin:haihau:tin-tuc"], ["read:haihau:tin-tuc"], False),
        (["publish"], ["read:haihau"], False),
    ],
)
def test_administers_only_what_is_administered_as_a_whole(own: list[str], given: list[str], expected: bool) -> None:
    """Nobody gives rights beyond the own sites; an administrator of a section administers nobody."""
    caller = Caller("person-1", "Lan", frozenset(parse_grants(own)), person="person-1")
    assert administers(caller, parse_grants(given)) is expected
    assert administers(Caller("12345678", "Máy", token_grants(["admin"], None)), parse_grants(given))


async def test_last_administrator_stays(pool: asyncpg.Pool) -> None:
    """The only one who may administer everything is neither removed, locked nor demoted; of two, one is."""
    async with pool.acquire() as connection:
        one = await create_person(connection, ACTOR, email="a@b.vn", name="Một", language="vi", grants=ADMIN)
        attempts = (
            lambda: remove_person(connection, ACTOR, one),
            lambda: change_person(connection, ACTOR, one, locked=True),
            lambda: change_person(connection, ACTOR, one, grants=frozenset({Grant("admin", "haihau")})),
        )
        for attempt in attempts:
            transaction = connection.transaction()
            await transaction.start()
            with pytest.raises(Problem) as refused:
                await attempt()
            await transaction.rollback()
            assert refused.value.extensions["code"] == "last_administrator"
        two = await create_person(connection, ACTOR, email="c@d.vn", name="Hai", language="vi", grants=ADMIN)
        await change_person(connection, ACTOR, one, locked=True)
        with pytest.raises(Problem):
            await remove_person(connection, ACTOR, two)


async def test_people_have_distinct_addresses(pool: asyncpg.Pool) -> None:
    """Two people cannot have one address, neither at the creation nor by a change."""
    async with pool.acquire() as connection:
        one = await create_person(connection, ACTOR, email="a@b.vn", name="Một", language="vi", grants=frozenset())
        await create_person(connection, ACTOR, email="c@d.vn", name="Hai", language="vi", grants=frozenset())
        for attempt in (
            lambda: create_person(connection, ACTOR, email="a@b.vn", name="Ba", language="vi", grants=frozenset()),
            lambda: change_person(connection, ACTOR, one, email="c@d.vn"),
        ):
            with pytest.raises(Problem) as refused:
                await attempt()
            assert refused.value.extensions["code"] == "email_taken"
        assert await find_person(connection, id="person-x' OR 1=1") is None
        found = await find_person(connection, email="a@b.vn")
        assert found == one
