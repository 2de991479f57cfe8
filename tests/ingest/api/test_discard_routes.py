"""`DELETE /api/articles/{id}` and `/discard-draft`: versions, rights, and what stays public."""

from typing import Any

from tests.ingest.api.test_live_routes import patch, published, sent_to_topic, with_draft


async def test_discard_draft_leaves_the_public_article_as_it_is(api: Any) -> None:
    """Nothing goes to the topic; the draft can be restored from its revision."""
    article = await with_draft(api)
    fixed = (await patch(api, article, {"title": "Sửa lỗi"})).json()
    sent = await sent_to_topic(api, article)
    stale = await api.call("POST", f"/articles/{article['id']}/discard-draft", {"version": 1})
    assert stale.status == 412
    unnamed = await api.call("POST", f"/articles/{article['id']}/discard-draft", {})
    assert unnamed.status == 428
    body = {"version": fixed["version"], "note": "viết lại"}
    done = await api.call("POST", f"/articles/{article['id']}/discard-draft", body, idempotency_key="x")
    again = await api.call("POST", f"/articles/{article['id']}/discard-draft", body, idempotency_key="x")
    assert (done.status, again.body) == (200, done.body)
    after = done.json()
    assert (after["state"], after["title"], after["behind_live"], after["differs_from_live"]) == (
        *("published", "Sửa lỗi"),
        *([], []),
    )
    assert await sent_to_topic(api, article) == sent
    back = await api.call("POST", f"/articles/{article['id']}/restore", {"version": article["version"]})
    assert (back.status, back.json()["title"], back.json()["state"]) == (200, article["title"], "draft")


async def test_discard_draft_of_a_public_article_needs_a_draft(api: Any) -> None:
    """Without one it is 409, and an article that was never public is discarded as a whole instead."""
    article = await published(api)
    done = await api.call("POST", f"/articles/{article['id']}/discard-draft", {"version": article["version"]})
    assert done.status == 409
    draft = await api.create("Nháp")
    done = await api.call("POST", f"/articles/{draft['id']}/discard-draft", {"version": 1})
    assert done.status == 409
    done = await api.call("DELETE", f"/articles/{draft['id']}", if_match='"1"')
    assert done.status == 204
