"""`/articles/{id}/autosave` and `/autosaves`: unsaved texts, in the order of their tabs and only for their owner."""

import asyncio
import random
import unicodedata
from typing import Any
from uuid import uuid4

import pytest

from services.ingest.articles import autosaves
from services.ingest.queries import EDITING
from tests.ingest.conftest import Browser, Newsroom

WRITE = "write:haihau"


def text(sequence: int, title: str = "Chợ", **more: Any) -> dict[str, Any]:
    return {"sequence": sequence, "base_version": 1, "fields": {"title": title}, **more}


async def put(caller: Any, path: str, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
    answer = await caller.call("PUT", path, body, **headers)
    return answer.status, answer.json()


async def draft(newsroom: Newsroom, **fields: Any) -> str:
    return f"/articles/{(await newsroom.api.create('Bài', **fields))['id']}/autosave"


async def stored_title(caller: Any, path: str) -> str | None:
    answer = await caller.call("GET", path)
    return None if answer.status == 204 else answer.json()["fields"]["title"]


async def test_autosave_is_no_revision_and_is_gone_after_the_save(newsroom: Newsroom) -> None:
    """The article, its versions and its state stay; what a save has stored is not offered again."""
    lan = await newsroom.browser(WRITE)
    path = await draft(newsroom)
    article = path.removesuffix("/autosave")
    assert (await lan.call("GET", path)).status == 204
    status, saved = await put(lan, path, text(1, "Chợ phiên"))
    assert (status, saved["sequence"], saved["head_version"], saved["head_state"]) == (200, 1, 1, "draft")
    answer = await lan.call("GET", path)
    assert answer.headers["etag"] == '"1"'
    assert answer.json()["fields"] == {"title": "Chợ phiên"}
    assert (await lan.call("GET", article)).json()["version"] == 1
    assert len((await lan.call("GET", f"{article}/revisions")).json()["revisions"]) == 1
    assert (await lan.call("PATCH", article, {"version": 1, "title": "Chợ phiên"})).status == 200
    assert (await lan.call("GET", path)).status == 204


async def test_autosave_of_concurrent_requests_in_any_order_is_the_last_typed(newsroom: Newsroom) -> None:
    """Of many requests of one tab that arrive shuffled and at once, the one with the highest number is stored."""
    lan, path = await newsroom.browser(WRITE), await draft(newsroom)
    for attempt in range(3):
        numbers = list(range(1 + 20 * attempt, 21 + 20 * attempt))
        random.Random(attempt).shuffle(numbers)
        answers = await asyncio.gather(*(put(lan, path, text(one, f"Lần {one}", tab="a")) for one in numbers))
        assert {status for status, _ in answers} <= {200, 409}
        assert {body["code"] for status, body in answers if status == 409} <= {"autosave_outdated"}
        assert await stored_title(lan, path) == f"Lần {max(numbers)}"


async def test_autosave_repeated_is_the_same_and_older_is_refused(newsroom: Newsroom) -> None:
    """A repeated request succeeds and changes nothing; another text under the same or a lower number is 409."""
    lan, path = await newsroom.browser(WRITE), await draft(newsroom)
    first = await put(lan, path, text(7, "Mới"))
    assert await put(lan, path, text(7, "Mới")) == first
    for sequence, title in ((7, "Khác"), (6, "Cũ")):
        status, body = await put(lan, path, text(sequence, title))
        assert (status, body["code"], body["sequence"]) == (409, "autosave_outdated", 7)
    assert await stored_title(lan, path) == "Mới"


async def test_autosave_of_another_tab_is_replaced_only_by_name(newsroom: Newsroom) -> None:
    """A second tab that has not read the first one's text cannot overwrite it, whatever its numbers; neither after."""
    lan, path = await newsroom.browser(WRITE), await draft(newsroom)
    await put(lan, path, text(5, "Thẻ một", tab="one"))
    status, body = await put(lan, path, text(900, "Thẻ hai", tab="two"))
    assert (status, body["code"], body["tab"], body["sequence"]) == (409, "autosave_elsewhere", "one", 5)
    assert (await put(lan, path, text(1, "Thẻ hai", tab="two"), if_match='"4"'))[0] == 409
    assert (await put(lan, path, text(1, "Thẻ hai", tab="two"), if_match='"5"'))[0] == 200
    status, body = await put(lan, path, text(6, "Thẻ một", tab="one"))
    assert (status, body["code"]) == (409, "autosave_elsewhere")
    assert (await put(lan, path, text(6, "Thẻ một", tab="one"), if_match="*"))[0] == 200
    assert await stored_title(lan, path) == "Thẻ một"
    assert (await put(lan, path, text(7, tab="three"), if_match="x"))[0] == 400


async def test_autosave_on_its_way_during_a_save_does_not_come_back(newsroom: Newsroom) -> None:
    """A text of the tab that has saved, or discarded, is refused; of the version after, it is stored."""
    lan, path = await newsroom.browser(WRITE), await draft(newsroom)
    article = path.removesuffix("/autosave")
    saved = await lan.call("PATCH", article, {"version": 1, "title": "Đã lưu"}, autosave_tab="a")
    assert saved.status == 200
    assert (await put(lan, path, text(1, "Trễ", tab="a")))[1]["code"] == "autosave_outdated"
    assert (await put(lan, path, text(2, "Viết tiếp", tab="a", base_version=2)))[0] == 200
    assert (await lan.call("DELETE", f"{path}?tab=a&sequence=9")).status == 204
    assert (await put(lan, path, text(9, "Trễ", tab="a", base_version=2)))[1]["code"] == "autosave_outdated"
    assert await stored_title(lan, path) is None
    assert (await put(lan, path, text(10, "Mới", tab="a", base_version=2)))[0] == 200


async def test_autosave_of_another_tab_survives_a_save(newsroom: Newsroom) -> None:
    """A save that names its tab leaves what another tab has typed; so does a discard; one without a tab removes all."""
    lan, path = await newsroom.browser(WRITE), await draft(newsroom)
    article = path.removesuffix("/autosave")
    await put(lan, path, text(3, "Thẻ hai", tab="two"))
    await lan.call("PATCH", article, {"version": 1, "title": "x"}, autosave_tab="one")
    await lan.call("DELETE", f"{path}?tab=one")
    await lan.call("DELETE", f"{path}?tab=two&sequence=2")
    assert await stored_title(lan, path) == "Thẻ hai"
    assert (await put(lan, path, text(4, "Thẻ hai", tab="two")))[0] == 200
    await lan.call("DELETE", path)
    assert await stored_title(lan, path) is None


async def test_autosave_of_two_people_are_two_slots(newsroom: Newsroom) -> None:
    """Each has an own text of one article; the save of one leaves the other's, which then is behind."""
    lan, minh, path = await newsroom.browser(WRITE), await newsroom.browser(WRITE), await draft(newsroom)
    await put(lan, path, text(1, "Của Lan"))
    await put(minh, path, text(1, "Của Minh"))
    await lan.call("PATCH", path.removesuffix("/autosave"), {"version": 1, "title": "Của Lan"})
    assert await stored_title(lan, path) is None
    answer = (await minh.call("GET", path)).json()
    assert (answer["fields"], answer["base_version"], answer["head_version"]) == ({"title": "Của Minh"}, 1, 2)
    assert (await put(minh, path, text(2, "Của Minh nữa")))[1]["head_version"] == 2


async def test_autosave_keeps_any_text_as_it_was_typed(newsroom: Newsroom) -> None:
    """Characters that no article may have, other forms of Unicode and unfinished markup come back as they were."""
    lan, path = await newsroom.browser(WRITE), await draft(newsroom)
    hostile = {
        "title": unicodedata.normalize("NFD", "Ngoằn ngoèo"),
        "lead": "a\0b \ud83d \u202e \x07",
        "body": "<p onclick='x'>chưa đóng <b",
        "tags": [None, 1e300, {"x": []}],
        "seo": 12345678901234567890123,
    }
    assert (await put(lan, path, {"sequence": 1, "fields": hostile}))[0] == 200
    assert (await lan.call("GET", path)).json()["fields"] == hostile
    listed = (await lan.call("GET", "/autosaves")).json()["autosaves"]
    assert [one["title"] for one in listed] == [hostile["title"]]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"fields": {}}, 422),
        ({"sequence": 0, "fields": {}}, 422),
        ({"sequence": 2**53, "fields": {}}, 422),
        ({"sequence": 1, "fields": []}, 422),
        ({"sequence": 1, "fields": {"state": "published"}}, 422),
        ({"sequence": 1, "fields": {"\ud83d": 1}}, 422),
        ({"sequence": 1, "fields": {}, "tab": "a b"}, 422),
        ({"sequence": 1, "fields": {}, "owner": "person-1"}, 422),
        (b'{"sequence": 1, "fields": {"title": 1e999}}', 422),
        (b'{"sequence": 1, "fields": {"title": NaN}}', 422),
        ({"sequence": 1, "fields": {"body": "x" * autosaves.FIELDS_BYTES_MAX}}, 413),
        (b"{", 400),
        (None, 422),
    ],
)
async def test_autosave_out_of_bounds_is_refused(newsroom: Newsroom, body: Any, status: int) -> None:
    """Sizes, numbers and fields that cannot be are refused by name, in both languages."""
    lan, path = await newsroom.browser(WRITE), await draft(newsroom)
    answer = await lan.call("PUT", path, body, accept_language="vi")
    assert answer.status == status, answer.body
    assert answer.headers["content-language"] == "vi"


async def test_autosave_stops_when_rights_or_article_are_gone(newsroom: Newsroom) -> None:
    """Moved to a section without rights, or discarded, an article is unknown; killed, the text is kept and said so."""
    lan = await newsroom.browser("write:haihau:tin-tuc")
    path = await draft(newsroom)
    article = path.removesuffix("/autosave")
    assert (await put(lan, path, text(1)))[0] == 200
    await newsroom.api.call("PATCH", article, {"version": 1, "section": "thong-bao"}, "admin")
    assert (await put(lan, path, text(2)))[0] == 404
    assert (await lan.call("GET", path)).status == 404
    assert (await lan.call("GET", "/autosaves")).json() == {"autosaves": []}
    await newsroom.api.call("PATCH", article, {"version": 2, "section": "tin-tuc"}, "admin")
    assert [one["sequence"] for one in (await lan.call("GET", "/autosaves")).json()["autosaves"]] == [1]
    await newsroom.api.call("POST", f"{article}/kill", {"reason": "x"}, "admin")
    status, saved = await put(lan, path, text(3, "Còn giữ"))
    assert (status, saved["head_state"]) == (200, "killed")
    assert await stored_title(lan, path) == "Còn giữ"
    other = await draft(newsroom)
    await put(lan, other, text(1))
    discarded = other.removesuffix("/autosave")
    assert (await newsroom.api.call("DELETE", discarded, None, "admin", if_match="*")).status == 204
    assert (await put(lan, other, text(2)))[0] == 404
    assert len((await lan.call("GET", "/autosaves")).json()["autosaves"]) == 1


async def test_autosave_is_erased_with_its_person(newsroom: Newsroom) -> None:
    """A removed account leaves no unsaved text behind, and its session writes none."""
    person = await newsroom.person(WRITE)
    lan, path = await newsroom.opened(person), await draft(newsroom)
    await put(lan, path, text(1))
    assert (await newsroom.api.call("DELETE", f"/people/{person.id}", None, "admin")).status == 204
    assert (await put(lan, path, text(2)))[0] == 401
    assert await newsroom.api.context.pool.fetchval("SELECT count(*) FROM ingest.autosaves") == 0


async def test_new_autosave_belongs_to_its_owner_and_site(newsroom: Newsroom) -> None:
    """Another person has another slot under the same key; a site without rights is refused; a key is a UUID."""
    lan, minh = await newsroom.browser(WRITE), await newsroom.browser(WRITE)
    path = f"/autosaves/{uuid4()}"
    assert (await put(lan, path, {"site": "haihau", "sequence": 1, "fields": {"title": "Lan"}}))[0] == 200
    assert (await minh.call("GET", path)).json()["code"] == "no_autosave"
    assert (await minh.call("DELETE", path)).status == 404
    assert (await put(minh, path, {"site": "haihau", "sequence": 1, "fields": {"title": "Minh"}}))[0] == 200
    assert await stored_title(lan, path) == "Lan"
    for site in ("giao-thuy", "nowhere"):
        assert (await put(lan, path, {"site": site, "sequence": 2, "fields": {}}))[0] == 403
    assert (await put(lan, "/autosaves/1", {"site": "haihau", "sequence": 2, "fields": {}}))[0] == 422
    assert (await lan.call("DELETE", path)).status == 204
    assert (await lan.call("GET", path)).status == 404
    assert await stored_title(minh, path) == "Minh"


async def test_new_autosave_is_closed_by_the_article_that_is_created_from_it(newsroom: Newsroom) -> None:
    """Late texts, and those of a second tab, learn the ID of the article instead of making another draft."""
    lan, key = await newsroom.browser(WRITE), str(uuid4())
    body = {"site": "haihau", "sequence": 1, "fields": {"title": "Mới"}}
    await put(lan, f"/autosaves/{key}", body)
    new = {"site": "haihau", "section": "tin-tuc", "title": "Mới"}
    made = (await lan.call("POST", "/articles", new, autosave_key=key)).json()
    for tab in ("", "two"):
        status, answer = await put(lan, f"/autosaves/{key}", {**body, "sequence": 2, "tab": tab}, if_match="*")
        assert (status, answer["code"], answer["article"]) == (409, "autosave_closed", made["id"])
    answer = (await lan.call("GET", f"/autosaves/{key}")).json()
    assert (answer["code"], answer["article"]) == ("autosave_closed", made["id"])
    assert (await lan.call("POST", "/articles", new, autosave_key="x")).status == 422
    assert (await lan.call("GET", "/autosaves")).json() == {"autosaves": []}


async def test_autosave_count_and_age_are_bounded(newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit the oldest text is deleted; after 30 days each is, and what was saved after a day."""
    monkeypatch.setattr(autosaves, "SLOTS_MAX", 3)
    lan, pool = await newsroom.browser(WRITE), newsroom.api.context.pool
    for number in range(5):
        await put(lan, f"/autosaves/{uuid4()}", {"site": "haihau", "sequence": 1, "fields": {"title": str(number)}})
    listed = (await lan.call("GET", "/autosaves")).json()["autosaves"]
    assert [one["title"] for one in listed] == ["4", "3", "2"]
    for days, left in ((29, 3), (31, 2)):
        key = f"new {listed[0]['key']}"
        await pool.execute(
            "UPDATE ingest.autosaves SET saved_at = now() - make_interval(days => $2) WHERE slot = $1", key, days
        )
        await pool.execute(EDITING["delete_old_autosaves"])
        assert await pool.fetchval("SELECT count(*) FROM ingest.autosaves") == left
    await lan.call("DELETE", f"/autosaves/{listed[1]['key']}")
    await pool.execute("UPDATE ingest.autosaves SET saved_at = now() - interval '2 days'")
    await pool.execute(EDITING["delete_old_autosaves"])
    assert await pool.fetchval("SELECT count(*) FROM ingest.autosaves") == 1


async def test_autosave_needs_the_csrf_token(newsroom: Newsroom) -> None:
    """A page of another origin cannot plant a text in somebody's slot."""
    lan: Browser = await newsroom.browser(WRITE)
    path = await draft(newsroom)
    assert (await lan.call("PUT", path, text(1), x_csrf_token=None)).json()["code"] == "wrong_csrf_token"
    assert (await lan.call("PUT", path, text(1), origin="https://evil.example")).status == 403
    assert (await lan.call("GET", path)).status == 204
