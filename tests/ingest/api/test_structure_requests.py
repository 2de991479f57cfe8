"""Versions of entries, and rights of editors of single sections after a rename."""

from types import SimpleNamespace
from typing import Any

import pytest

from services.ingest.api.dependencies import with_section_aliases
from services.ingest.api.structure_requests import check_version
from services.ingest.auth.callers import Caller, Grant
from shared.http.problems import Problem


def request(if_match: str | None) -> Any:
    return SimpleNamespace(headers={} if if_match is None else {"if-match": if_match})


@pytest.mark.parametrize("if_match", ['"5"', "5", 'W/"5"', '"5-gzip"', '"4", "5"', "*", " * "])
def test_check_version_accepts_the_present_one(if_match: str) -> None:
    """Entity tags as clients and gateways send them."""
    check_version(request(if_match), 5)


@pytest.mark.parametrize(
    ("if_match", "status"),
    [(None, 428), ('"4"', 412), ('"55"', 412), ("x", 400), ("", 400), ('"5" "5"', 400), ('"-5"', 400)],
)
def test_check_version_refuses_others(if_match: str | None, status: int) -> None:
    """Without a version, with another one, or with none at all."""
    with pytest.raises(Problem) as refused:
        check_version(request(if_match), 5)
    assert refused.value.status == status


async def test_editor_of_a_section_keeps_it_after_a_rename(api: Any) -> None:
    """A grant of one section holds under each slug that the section has or had, and no other section gains."""
    await api.call("PATCH", "/sections/tin-tuc", {"slug": "thoi-su"}, "admin", if_match="*")
    caller = Caller("x", "Lan", frozenset({Grant("write", "haihau", "tin-tuc"), Grant("read")}))
    resolved = with_section_aliases(caller, api.context.sites)
    assert resolved.allows("write", "haihau", "thoi-su")
    assert resolved.allows("write", "haihau", "tin-tuc")
    assert not resolved.allows("write", "haihau", "thong-bao")
    assert not resolved.allows("write", "haihau")
    assert with_section_aliases(Caller("x", "Lan", frozenset({Grant("read")})), api.context.sites).grants == {
        Grant("read")
    }


async def test_structure_is_readable_with_rights_in_one_section(newsroom: Any) -> None:
    """Somebody with one section writes articles, so the structure of its site can be read, not changed."""
    writer = await newsroom.browser("write:haihau:tin-tuc")
    for path in ("/sections", "/tags", "/authors", "/menus/main", "/pages", "/sections?site=haihau"):
        assert (await writer.call("GET", path)).status == 200, path
    assert (await writer.call("GET", "/sections?site=giao-thuy")).status == 403
    publisher = await newsroom.browser("publish:haihau:tin-tuc")
    for site in ({}, {"site": "haihau"}):
        assert (await publisher.call("POST", "/sections", {"name": "Mới", **site})).status == 403
