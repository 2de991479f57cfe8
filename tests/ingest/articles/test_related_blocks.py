"""Cards of other articles inside a text: which may be named, and what other systems get of them."""

from typing import Any

import pytest


def card(**fields: Any) -> dict[str, Any]:
    return {"type": "related", **fields}


async def published(api: Any, title: str, **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = await api.create(title, **fields)
    done = await api.call("POST", f"/articles/{made['id']}/publish", {"version": 1}, "admin")
    assert done.status == 200, done.body
    return made


async def test_card_is_known_by_id_or_address_and_repeats_no_title(api: Any) -> None:
    """Drafts may be named, too: their title is in no other article, and neither is that of a withdrawn one."""
    draft = await api.create("Bài còn kín")
    live = await published(api, "Chợ phiên")
    address = f"/cho-phien-{live['number']}.html"
    body = [card(article=draft["id"]), card(url=address), {"type": "paragraph", "html": "Thân bài."}]
    made = await published(api, "Bài có thẻ", body=body)
    public = (await api.call("GET", f"/articles/{made['id']}", scope=None)).json()
    assert public["body"][:2] == [
        card(article=draft["id"], number=draft["number"]),
        card(article=live["id"], number=live["number"]),
    ]
    ninjs = (await api.call("GET", f"/articles/{made['id']}.ninjs", scope=None)).json()
    html = ninjs["bodies"][0]["value"]
    assert f'<p><a href="https://haihau.example{address}">Chợ phiên</a></p>' in html
    assert [one["headlines"][0]["value"] for one in ninjs["associations"]] == ["Chợ phiên"]
    linked = await api.call("GET", f"/articles/{made['id']}.jsonld", scope=None)
    assert linked.json()["mentions"][0]["headline"] == "Chợ phiên"
    assert linked.json()["articleBody"] == "Chợ phiên\nThân bài."
    done = await api.call("POST", f"/articles/{live['id']}/unpublish", {}, "publish")
    assert done.status == 200, done.body
    for kind in ("", ".ninjs", ".jsonld"):
        shown = (await api.call("GET", f"/articles/{made['id']}{kind}", scope=None)).body.decode()
        assert "Chợ phiên" not in shown
        assert "Bài còn kín" not in shown
    assert "associations" not in (await api.call("GET", f"/articles/{made['id']}.ninjs", scope=None)).json()


@pytest.mark.parametrize("block", [{"article": "khong-co"}, {"url": "/khong-co-999999.html"}])
async def test_card_of_an_unknown_article_is_refused_with_its_place(api: Any, block: dict[str, Any]) -> None:
    """The field names the block."""
    sent = {"site": "haihau", "section": "tin-tuc", "title": "Bài", "body": [card(**block)]}
    refused = await api.call("POST", "/articles", sent)
    assert (refused.status, refused.json()["errors"][0]["field"]) == (422, "body.0.article")


async def test_card_of_the_article_itself_or_of_another_site_is_refused(api: Any, tenants: Any) -> None:
    """A page does not lead to itself, and an editor learns nothing of another site."""
    made = await api.create("Bài")
    sent = {"body": [card(article=made["id"])], "version": 1}
    refused = await api.call("PATCH", f"/articles/{made['id']}", sent)
    assert (refused.status, refused.json()["errors"][0]["code"]) == (422, "related_to_itself")
    other = await tenants.create("Bài khác", site="giao-thuy", section="tin-tuc")
    refused = await api.call("PATCH", f"/articles/{made['id']}", {"body": [card(article=other["id"])], "version": 1})
    assert (refused.status, refused.json()["errors"][0]["code"]) == (422, "no_such_article")


async def test_static_page_shows_cards_too(api: Any) -> None:
    """The same rule as for articles."""
    live = await published(api, "Chợ phiên")
    sent = {"title": "Giới thiệu", "body": [card(article=live["id"])]}
    made = await api.call("POST", "/pages", sent, "publish")
    assert made.json()["body"] == [card(article=live["id"], number=live["number"])]
    refused = await api.call("POST", "/pages", {"title": "B", "body": [card(article="khong-co")]}, "publish")
    assert refused.status == 422


async def test_article_with_a_card_of_a_discarded_one_is_changed_and_published(api: Any) -> None:
    """What became of the other article keeps nobody from correcting, approving and publishing this one."""
    target, other = await api.create("Đích"), await api.create("Khác")
    text = {"type": "paragraph", "html": "Thân bài."}
    path = f"/articles/{(await api.create('Bài', body=[card(article=target['id']), text]))['id']}"
    page = (await api.call("POST", "/pages", {"title": "T", "body": [card(article=target["id"])]}, "publish")).json()
    for gone in (target, other):
        discarded = await api.call("DELETE", f"/articles/{gone['id']}", None, "publish", if_match="*")
        assert discarded.status == 204
    kept = card(article=target["id"], number=target["number"])
    for version, sent in enumerate(
        (
            {"title": "Bài sửa"},
            {"body": [text, card(article=target["id"])]},
            {"body": [text, card(url=f"/dich-{target['number']}.html"), kept]},
        ),
        1,
    ):
        changed = await api.call("PATCH", path, {**sent, "version": version})
        assert changed.status == 200, changed.body
    assert changed.json()["body"] == [text, kept, kept]
    refused = await api.call("PATCH", path, {"body": [text, card(article=other["id"])], "version": 4})
    assert (refused.status, refused.json()["errors"][0]["code"]) == (422, "no_such_article")
    assert (await api.call("POST", f"{path}/publish", {"version": 4}, "admin")).status == 200
    fixed = await api.call("PATCH", f"{path}/live", {"body": [text, kept], "version": 5}, "admin")
    assert fixed.status == 200, fixed.body
    again = await api.call(
        "PATCH", f"/pages/{page['id']}", {"body": [card(article=target["id"]), text]}, "publish", if_match="*"
    )
    assert (again.status, again.json()["body"]) == (200, [kept, text])
