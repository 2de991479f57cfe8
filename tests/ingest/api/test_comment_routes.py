"""`/articles/{id}/comments`: on blocks that move, by people whose rights change, and out of bounds."""

from typing import Any

import pytest

from services.ingest.api import comment_routes
from tests.ingest.conftest import Newsroom

WRITE = "write:haihau"


async def article(newsroom: Newsroom, **fields: Any) -> str:
    body = "<p>Chợ Cồn họp lại.</p><p>Bà con đông đủ.</p>"
    return f"/articles/{(await newsroom.api.create('Bài', body=body, **fields))['id']}"


async def test_comment_follows_its_block_and_is_resolved(newsroom: Newsroom) -> None:
    """After an edit it is at the block's new place; any writer resolves it; it makes no version."""
    lan, minh = await newsroom.browser(WRITE, name="Lan"), await newsroom.browser("publish:haihau", name="Minh")
    path = await article(newsroom)
    made = await minh.call("POST", f"{path}/comments", {"version": 1, "block": 1, "text": "Bao nhiêu?\nHỏi lại."})
    assert made.status == 201, made.body
    comment = made.json()
    assert (comment["excerpt"], comment["who"], comment["is_yours"]) == ("Bà con đông đủ.", "Minh", True)
    body = "<p>Mở đầu.</p><p>Chợ Cồn họp lại.</p><p>Bà con rất đông đủ.</p>"
    assert (await lan.call("PATCH", path, {"version": 1, "body": body})).status == 200
    listed = (await lan.call("GET", f"{path}/comments")).json()
    assert listed["version"] == 2
    assert [(one["block"], one["block_now"], one["is_yours"]) for one in listed["comments"]] == [(1, 2, False)]
    resolved = await lan.call("PATCH", f"{path}/comments/{comment['id']}", {"is_resolved": True})
    assert (resolved.json()["resolved_by"], resolved.json()["text"]) == ("Lan", "Bao nhiêu?\nHỏi lại.")
    again = await minh.call("PATCH", f"{path}/comments/{comment['id']}", {"is_resolved": True})
    assert again.json()["resolved_at"] == resolved.json()["resolved_at"]
    reopened = await minh.call("PATCH", f"{path}/comments/{comment['id']}", {"is_resolved": False, "text": "Mấy?"})
    assert (reopened.json()["resolved_by"], reopened.json()["text"]) == (None, "Mấy?")
    assert reopened.json()["edited_at"]
    assert (await lan.call("GET", path)).json()["version"] == 2


async def test_comment_belongs_to_its_author(newsroom: Newsroom) -> None:
    """Others change neither its text nor delete it; administrators delete it; it is found under its article only."""
    lan, minh = await newsroom.browser(WRITE), await newsroom.browser(WRITE)
    boss = await newsroom.browser("admin:haihau")
    path, other = await article(newsroom), await article(newsroom)
    number = (await lan.call("POST", f"{path}/comments", {"text": "Của Lan"})).json()["id"]
    for caller in (minh, boss):
        assert (await caller.call("PATCH", f"{path}/comments/{number}", {"text": "x"})).status == 403
    assert (await minh.call("DELETE", f"{path}/comments/{number}")).status == 403
    assert (await lan.call("PATCH", f"{other}/comments/{number}", {"text": "x"})).status == 404
    assert (await boss.call("DELETE", f"{path}/comments/{number}")).status == 204
    assert (await lan.call("DELETE", f"{path}/comments/{number}")).status == 404


async def test_comment_of_a_removed_person_stays_and_of_hidden_articles_is_hidden(newsroom: Newsroom) -> None:
    """It keeps the name, as revisions do; after a move to a section without rights, or a discard, it is 404."""
    person = await newsroom.person("write:haihau:tin-tuc", name="Lan")
    lan, path = await newsroom.opened(person), await article(newsroom)
    assert (await lan.call("POST", f"{path}/comments", {"text": "x"})).status == 201
    await newsroom.api.call("PATCH", path, {"version": 1, "section": "thong-bao"}, "admin")
    assert (await lan.call("GET", f"{path}/comments")).status == 404
    assert (await lan.call("POST", f"{path}/comments", {"text": "x"})).status == 404
    assert (await newsroom.api.call("DELETE", f"/people/{person.id}", None, "admin")).status == 204
    assert [one["who"] for one in (await newsroom.api.call("GET", f"{path}/comments")).json()["comments"]] == ["Lan"]
    await newsroom.api.call("DELETE", path, None, "admin", if_match="*")
    assert (await newsroom.api.call("GET", f"{path}/comments")).status == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"text": ""}, 422),
        ({"text": "x" * 2_001}, 422),
        ({"text": "a\0b"}, 422),
        ({"text": "x", "block": -1}, 422),
        ({"text": "x", "block": 2}, 422),
        ({"text": "x", "version": 9}, 404),
        ({"text": "x", "version": 2**31}, 422),
        ({"text": "x", "who": "Lan"}, 422),
        ([], 422),
    ],
)
async def test_comment_out_of_bounds_is_refused(newsroom: Newsroom, body: Any, status: int) -> None:
    """Blocks and versions that do not exist, and names of others, are refused."""
    lan = await newsroom.browser(WRITE)
    answer = await lan.call("POST", f"{await article(newsroom)}/comments", body)
    assert answer.status == status, answer.body


async def test_comments_are_bounded_and_repeated_once(newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repeated request makes one comment; beyond the limit it is 409."""
    monkeypatch.setattr(comment_routes, "COMMENTS_MAX", 2)
    lan, path = await newsroom.browser(WRITE), await article(newsroom)
    twice = [await lan.call("POST", f"{path}/comments", {"text": "Ba\u0303o"}, idempotency_key="k") for _ in range(2)]
    assert twice[0].json() == twice[1].json()
    assert twice[0].json()["text"] == "Bão"
    assert [(await lan.call("POST", f"{path}/comments", {"text": "x"})).status for _ in range(2)] == [201, 409]
    assert (await lan.call("PATCH", f"{path}/comments/{twice[0].json()['id']}", {})).status == 422
    assert (await lan.call("DELETE", f"{path}/comments/{2**62}")).status == 422
