"""`/articles/{id}/presence`: who else is there, for how long, and the newest version."""

from typing import Any

import pytest

from services.ingest.articles import presence
from services.ingest.queries import EDITING
from tests.ingest.conftest import Newsroom

WRITE = "write:haihau"


async def present(caller: Any, path: str, **body: Any) -> dict[str, Any]:
    answer = await caller.call("PUT", path, body or None)
    assert answer.status == 200, answer.body
    return dict(answer.json())


async def shift(newsroom: Newsroom, seconds: float) -> None:
    """Make all presence older, as time does, or younger, as a clock that is put back does."""
    await newsroom.api.context.pool.execute(
        "UPDATE ingest.presence SET seen_at = seen_at - make_interval(secs => $1)", seconds
    )


async def test_presence_of_two_editors_shows_each_the_other_and_new_versions(newsroom: Newsroom) -> None:
    """Each sees the other's name and since when, nothing is locked, and the version of a save is there at once."""
    lan, minh = await newsroom.browser(WRITE, name="Lan"), await newsroom.browser(WRITE, name="Minh")
    article = f"/articles/{(await newsroom.api.create('Bài'))['id']}"
    path = f"{article}/presence"
    first = await present(lan, path, tab="a", is_writing=True)
    assert (first["others"], first["version"], first["state"]) == ([], 1, "draft")
    seen = await present(minh, path)
    assert [(one["who"], one["is_writing"], one["is_you"]) for one in seen["others"]] == [("Lan", True, False)]
    assert [one["who"] for one in (await present(lan, path, tab="a"))["others"]] == ["Minh"]
    assert (await minh.call("PATCH", article, {"version": 1, "title": "Khác"})).status == 200
    after = await present(lan, path, tab="a")
    assert (after["version"], after["changed_by"], after["changed_action"]) == (2, "Minh", "edit")
    assert (await minh.call("DELETE", path)).status == 204
    assert (await present(lan, path, tab="a"))["others"] == []


async def test_presence_expires_also_when_the_clock_goes_back(newsroom: Newsroom) -> None:
    """After 10 seconds without a request somebody is gone; `since` begins again; a clock put back keeps nobody."""
    lan, minh = await newsroom.browser(WRITE), await newsroom.browser(WRITE)
    path = f"/articles/{(await newsroom.api.create('Bài'))['id']}/presence"
    await present(lan, path)
    since = (await present(minh, path))["others"][0]["since"]
    await shift(newsroom, 9)
    assert (await present(minh, path))["others"][0]["since"] == since
    await present(lan, path)
    assert (await present(minh, path))["others"][0]["since"] == since
    for seconds in (11, -3_600):
        await shift(newsroom, seconds)
        assert (await present(minh, path))["others"] == []
    await present(lan, path)
    assert (await present(minh, path))["others"][0]["since"] > since
    await shift(newsroom, 61)
    await newsroom.api.context.pool.execute(EDITING["delete_old_presence"])
    assert await newsroom.api.context.pool.fetchval("SELECT count(*) FROM ingest.presence") == 0


async def test_presence_of_the_same_person_in_other_tabs_is_one_entry(
    newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's other tabs are shown as the own ones, once; they are bounded, and leaving ends one or all."""
    monkeypatch.setattr(presence, "TABS_MAX", 3)
    lan, minh = await newsroom.browser(WRITE, name="Lan"), await newsroom.browser(WRITE)
    path = f"/articles/{(await newsroom.api.create('Bài'))['id']}/presence"
    for tab in "abcdefgh":
        await present(lan, path, tab=tab, is_writing=tab == "h")
    assert await newsroom.api.context.pool.fetchval("SELECT count(*) FROM ingest.presence") == 3
    own = (await present(lan, path, tab="h"))["others"]
    assert [(one["who"], one["is_you"], one["is_writing"]) for one in own] == [("Lan", True, False)]
    assert [(one["who"], one["is_you"]) for one in (await present(minh, path))["others"]] == [("Lan", False)]
    await lan.call("DELETE", f"{path}?tab=h")
    assert len((await present(minh, path))["others"]) == 1
    await lan.call("DELETE", path)
    assert (await present(minh, path))["others"] == []


async def test_presence_ends_with_rights_article_and_person(newsroom: Newsroom) -> None:
    """Who may not read the article is not told who does; a removed person is gone at once."""
    person = await newsroom.person("write:haihau:tin-tuc")
    lan, minh = await newsroom.opened(person), await newsroom.browser("write:haihau:thong-bao")
    article = f"/articles/{(await newsroom.api.create('Bài'))['id']}"
    path = f"{article}/presence"
    await present(lan, path)
    assert (await minh.call("PUT", path)).status == 404
    assert (await minh.call("DELETE", path)).status == 404
    assert (await newsroom.api.call("DELETE", f"/people/{person.id}", None, "admin")).status == 204
    reader = await newsroom.browser("read:haihau")
    assert (await present(reader, path))["others"] == []
    assert (await newsroom.api.call("DELETE", article, None, "admin", if_match="*")).status == 204
    assert (await reader.call("PUT", path)).status == 404


@pytest.mark.parametrize("body", [{"tab": "x" * 65}, {"tab": "a b"}, {"is_writing": "có"}, {"who": "Lan"}, [], "x"])
async def test_presence_out_of_bounds_is_refused(newsroom: Newsroom, body: Any) -> None:
    """Names and values of others cannot be sent."""
    lan = await newsroom.browser(WRITE)
    path = f"/articles/{(await newsroom.api.create('Bài'))['id']}/presence"
    assert (await lan.call("PUT", path, body)).status == 422


async def test_presence_at_a_static_page_shows_others_and_who_saved_it(newsroom: Newsroom) -> None:
    """Static pages have it as articles do, apart from them; a page that was deleted has none."""
    lan, minh = await newsroom.browser("publish:haihau", name="Lan"), await newsroom.browser(WRITE, name="Minh")
    page = (await newsroom.api.call("POST", "/pages", {"title": "Giới thiệu"}, "publish")).json()
    path = f"/pages/{page['id']}/presence"
    first = await present(lan, path, tab="a", is_writing=True)
    assert (first["others"], first["version"]) == ([], page["version"])
    seen = await present(minh, path, tab="b")
    assert [(one["who"], one["is_writing"]) for one in seen["others"]] == [("Lan", True)]
    saved = await lan.call("PATCH", f"/pages/{page['id']}", {"title": "Khác"}, if_match=f'"{page["version"]}"')
    after = await present(minh, path, tab="b")
    assert (after["version"], after["changed_by"]) == (saved.json()["version"], "Lan")
    assert (await minh.call("DELETE", f"{path}?tab=b")).status == 204
    assert (await present(lan, path, tab="a"))["others"] == []
    assert (await minh.call("PUT", "/pages/khong-co/presence")).status == 404
