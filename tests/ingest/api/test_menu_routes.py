"""`/api/menus`: trees of checked targets; what is gone later is a warning."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.leads import leads


async def put(api: Any, *items: Any, name: str = "main", if_match: str = "*") -> Any:
    return await api.call("PUT", f"/menus/{name}", {"items": list(items)}, "publish", if_match=if_match)


async def test_menu_follows_merges_and_warns_of_dead_targets(api: Any) -> None:
    """A merged section stays in the menu, a removed one and a withdrawn page become warnings."""
    default = (await api.call("GET", "/menus/main", scope="read")).json()
    assert (default["is_default"], default["items"]) == (True, [])
    page = (await api.call("POST", "/pages", {"title": "Giới thiệu"}, "publish")).json()
    draft = await put(
        api,
        {"kind": "page", "target": page["id"]},
        {"kind": "section", "target": "tin-tuc"},
        {"kind": "section", "target": "thong-bao", "items": [{"kind": "tag", "target": "lua"}]},
    )
    assert draft.status == 200, draft.body
    assert [one["path"] for one in draft.json()["warnings"]] == ["items.0"]
    await api.call("POST", f"/pages/{page['id']}/publish", {}, "publish", if_match="*")
    assert (await api.call("GET", "/menus/main", scope="read")).json()["warnings"] == []
    await api.call("POST", "/sections/tin-tuc/merge", {"into": "thong-bao"}, "admin", if_match="*")
    await api.call("POST", f"/pages/{page['id']}/unpublish", {}, "publish")
    found = (await api.call("GET", "/menus/main", scope="read")).json()
    assert found["warnings"] == [{"path": "items.0", "reason": "the page 'Giới thiệu' is not public"}]
    await api.call("DELETE", "/sections/thong-bao", scope="admin", if_match="*")
    found = (await api.call("GET", "/menus/main", scope="read")).json()
    assert [one["path"] for one in found["warnings"]] == ["items.0", "items.1", "items.2"]


async def test_two_editors_of_a_menu_get_412_and_removal_shows_sections(api: Any) -> None:
    """The version is that of the structure: a change in between is noticed."""
    version = (await api.call("GET", "/menus/footer", scope="read")).headers["etag"]
    first = await put(api, {"kind": "home"}, name="footer", if_match=version)
    assert first.status == 200
    assert (await put(api, name="footer", if_match=version)).status == 412
    removed = await api.call("DELETE", "/menus/footer", scope="publish", if_match=first.headers["etag"])
    assert removed.status == 204
    assert (await api.call("GET", "/menus/footer", scope="read")).json()["is_default"] is True
    assert (await api.call("GET", "/menus/side", scope="read")).status == 404


async def test_entry_of_a_menu_ends_and_is_left_out_of_the_next_change(api: Any) -> None:
    """An end must be ahead; once it has passed the entry is a warning, and a form that still has it is saved."""
    link = {"kind": "url", "target": "https://x.vn/", "label": "x"}
    past = await put(api, {**link, "until": "2020-01-01T00:00:00+07:00"}, name="links")
    assert (past.status, past.json()["errors"][0]["field"]) == (422, "items.0.until")
    for lead in leads(0.5):
        end = datetime.now(UTC) + lead
        made = await put(api, {**link, "until": end.isoformat()}, {"kind": "home"}, name="links")
        if datetime.now(UTC) < end:
            break
    assert made.status == 200, made.body
    assert made.json()["warnings"] == []
    await asyncio.sleep((end - datetime.now(UTC)).total_seconds() + 0.05)
    found = (await api.call("GET", "/menus/links", scope="read")).json()
    assert found["warnings"] == [{"path": "items.0", "reason": "has ended"}]
    again = await put(api, {**link, "until": end.isoformat()}, {"kind": "home"}, name="links")
    assert [one["kind"] for one in again.json()["items"]] == ["home"]


DEEP = {"kind": "home", "items": [{"kind": "home", "items": [{"kind": "home"}]}]}


@pytest.mark.parametrize(
    "item",
    [
        DEEP,
        {"kind": "url", "target": "http://x.vn", "label": "x"},
        {"kind": "url", "target": "javascript:alert(1)", "label": "x"},
        {"kind": "url", "target": "https://x.vn/\u202ea", "label": "x"},
        {"kind": "url", "target": "https://x.vn/a b", "label": "x"},
        {"kind": "url", "target": "https://user:pass@x.vn/", "label": "x"},
        {"kind": "url", "target": "//x.vn", "label": "x"},
        {"kind": "url", "target": "https://", "label": "x"},
        {"kind": "url", "target": "https://x.vn"},
        {"kind": "url", "target": "https://x.vn/" + "a" * 2_000, "label": "x"},
        {"kind": "section", "target": "khong-co"},
        {"kind": "section", "target": "../x"},
        {"kind": "section"},
        {"kind": "page", "target": "khong-co"},
        {"kind": "tag", "target": "Đất"},
        {"kind": "tag", "target": ""},
        {"kind": "script", "target": "x"},
        {"kind": "home", "label": "x" * 81},
        {"kind": "home", "label": "a\u0000"},
        {"kind": "home", "more": 1},
        {"kind": "home", "items": [{"kind": "home"}] * 61},
        [],
        None,
    ],
)
async def test_hostile_menu_items_are_refused(api: Any, item: Any) -> None:
    """Only https, known targets, two levels, and bounded sizes."""
    assert (await put(api, item)).status == 422


async def test_menu_has_a_bounded_number_of_entries(api: Any) -> None:
    """Sixty in all, on whatever level."""
    below = [{"kind": "home"}] * 29
    assert (await put(api, {"kind": "home", "items": below}, {"kind": "home", "items": below})).status == 200
    assert (await put(api, *[{"kind": "home", "items": below}] * 3)).status == 422
