"""What a caller may do: scope × site × section."""

import pytest

from services.ingest.auth.callers import ANY_SECTION, SCOPES, Caller, Grant, token_grants
from shared.http.problems import Problem

EDITOR = Caller(
    "person-1",
    "Lan",
    frozenset(
        {Grant("publish", "haihau", "tin-tuc"), Grant("read", "haihau"), Grant("write", "giao-thuy", "bien-dong")}
    ),
    person="person-1",
)


@pytest.mark.parametrize(
    ("scope", "site", "section", "allowed"),
    [
        ("publish", None, None, True),
        ("admin", None, None, False),
        ("publish", "haihau", "tin-tuc", True),
        ("publish", "haihau", "thong-bao", False),
        ("publish", "haihau", None, False),
        ("publish", "haihau", ANY_SECTION, True),
        ("publish", "giao-thuy", "tin-tuc", False),
        ("publish", "giao-thuy", ANY_SECTION, False),
        ("write", "giao-thuy", "bien-dong", True),
        ("read", "haihau", None, True),
        ("read", "haihau", "thong-bao", True),
        ("read", "giao-thuy", "tin-tuc", False),
        ("read", "elsewhere", ANY_SECTION, False),
        ("read", "", "", False),
        ("events", "haihau", "tin-tuc", False),
    ],
)
def test_allows_compares_scope_site_and_section(scope: str, site: str, section: str, allowed: bool) -> None:
    """Without a section the whole site is required: what does not know of sections is closed to those who have some."""
    assert EDITOR.allows(scope, site, section) is allowed
    if allowed:
        EDITOR.check(scope, site, section)
        return
    with pytest.raises(Problem) as refused:
        EDITOR.check(scope, site, section)
    assert refused.value.status == 403


def test_places_and_sites_are_those_of_the_scope() -> None:
    """Lists are limited to the sites and sections where the caller has the scope, and not to those of other scopes."""
    assert EDITOR.places_with("read") == ["giao-thuy/bien-dong", "haihau/*", "haihau/tin-tuc"]
    assert EDITOR.places_with("publish") == ["haihau/tin-tuc"]
    assert EDITOR.places_with("admin") == []
    assert EDITOR.sites_with("write") == {"haihau", "giao-thuy"}
    assert EDITOR.sites_with("read", None) == {"haihau"}
    assert EDITOR.sites_with("admin") == frozenset()
    assert EDITOR.sites == {"haihau", "giao-thuy"}
    everywhere = Caller("12345678", "An", token_grants(["admin"], None))
    assert (everywhere.places_with("read"), everywhere.sites, everywhere.sites_with("admin", None)) == (
        None,
        None,
        None,
    )
    assert everywhere.scopes == set(SCOPES)


def test_caller_without_grants_may_do_nothing() -> None:
    """An account without roles is refused everywhere, by a message that names the scope."""
    nobody = Caller("person-2", "Nam", frozenset(), person="person-2")
    assert (nobody.sites, nobody.places_with("read"), nobody.reaches("haihau")) == (frozenset(), [], False)
    for scope in SCOPES:
        assert not nobody.allows(scope)
        with pytest.raises(Problem, match="your account has no") as refused:
            nobody.check(scope)
        assert refused.value.extensions["missing_scope"] == scope
