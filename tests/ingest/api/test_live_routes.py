"""Changes of the live version over the API: at once, with their own revisions, and without the working version."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from shared.articles import Article

BODY = "<p>một</p><p>hai</p><p>ba</p>"


async def published(api: Any, **fields: Any) -> dict[str, Any]:
    """Return a public article as its working version is."""
    article = await api.create("Tựa", **{"body": BODY, **fields})
    response = await api.call("POST", f"/articles/{article['id']}/publish", {"version": 1}, "admin")
    assert response.status == 200, response.body
    return dict(response.json())


async def with_draft(api: Any) -> dict[str, Any]:
    """Return a public article with an unfinished draft above it."""
    article = await published(api)
    edit = {"version": 2, "title": "CHƯA XONG", "lead": "CHƯA XONG"}
    response = await api.call("PATCH", f"/articles/{article['id']}", edit)
    assert response.status == 200, response.body
    return dict(response.json())


async def patch(api: Any, article: dict[str, Any], body: Any, scope: str | None = "publish", **headers: str) -> Any:
    sent = {"version": article["version"], **body} if isinstance(body, dict) and not headers else body
    return await api.call("PATCH", f"/articles/{article['id']}/live", sent, scope, **headers)


async def sent_to_topic(api: Any, article: dict[str, Any]) -> list[Article]:
    rows = await api.context.pool.fetch("SELECT value FROM ingest.outbox WHERE key = $1 ORDER BY id", article["id"])
    return [msgspec.json.decode(row["value"], type=Article) for row in rows]


FUTURE = "2099-01-01T00:00:00Z"
CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("place", {"pinned_until": FUTURE}),
    ("place", {"featured_until": FUTURE, "priority": 1}),
    ("expire", {"unpublish_at": FUTURE}),
    ("correct", {"corrections": [{"text": "Sửa ngày", "at": "2026-03-05T09:00:00+07:00"}]}),
    ("correct", {"correction": {"text": "Sửa ngày"}}),
    ("retag", {"tags": ["chợ phiên"]}),
    ("move", {"section": "thong-bao"}),
    ("describe", {"seo": {"title": "x", "noindex": True}}),
    ("rename", {"slug": "ten-khac"}),
    ("fix", {"title": "Tựa đúng"}),
    ("fix", {"body": "<p>MỘT</p><p>hai</p><p>ba</p>", "pinned_until": FUTURE}),
]


async def test_patch_live_publishes_the_change_and_nothing_unfinished(api: Any) -> None:
    """Readers get the change at once; the draft above it stays what it was, and is not published."""
    for action, fields in CHANGES:
        await check_change(api, action, fields)


async def check_change(api: Any, action: str, fields: dict[str, Any]) -> None:
    draft = await with_draft(api)
    response = await patch(api, draft, {**fields, "note": "vì sao"})
    assert response.status == 200, response.body
    after = response.json()
    assert (after["version"], after["live_version"], after["state"]) == (4, 4, "draft")
    assert [after[name] for name in ("title", "lead", "body")] == [draft[name] for name in ("title", "lead", "body")]
    last = (await sent_to_topic(api, draft))[-1]
    assert (last.version, last.state, "CHƯA XONG" in msgspec.json.encode(last).decode()) == (4, "published", False)
    live = (await api.call("GET", f"/articles/{draft['id']}?copy=live", scope="read")).json()
    for name, value in fields.items():
        if name in ("pinned_until", "tags", "section", "slug", "title"):
            assert live[name] == value
    assert len(live["corrections"]) == ("corrections" in fields or "correction" in fields)
    (newest, *_) = (await api.call("GET", f"/articles/{draft['id']}/revisions", scope="read")).json()["revisions"]
    assert (newest["action"], newest["copies"], newest["is_told"], newest["note"]) == (action, ["live"], True, "vì sao")
    revision = (await api.call("GET", f"/articles/{draft['id']}/revisions/4", scope="read")).json()
    assert revision == live


async def test_patch_live_without_a_draft_changes_both(api: Any) -> None:
    """An article without unpublished changes has none after a pin."""
    article = await published(api)
    after = (await patch(api, article, {"pinned_until": FUTURE})).json()
    assert (after["state"], after["pinned_until"], after["differs_from_live"]) == ("published", FUTURE, [])


async def test_patch_live_with_the_same_values_makes_no_version(api: Any) -> None:
    """A repetition is no change: nothing is sent to the portal."""
    article = await published(api, tags=["chợ"])
    response = await patch(api, article, {"tags": ["chợ"], "title": "Tựa"})
    assert (response.status, response.json()["version"], response.headers["etag"]) == (200, 2, '"2"')
    assert len(await sent_to_topic(api, article)) == 1


async def test_patch_live_keeps_the_place_when_the_draft_is_published(api: Any) -> None:
    """A pin, a correction and tags survive the publication of the draft, which was written before them; it says so."""
    draft = await with_draft(api)
    path = f"/articles/{draft['id']}"
    fields = {"pinned_until": FUTURE, "tags": ["chợ"], "correction": {"text": "Sửa"}, "unpublish_at": FUTURE}
    assert (await patch(api, draft, fields)).status == 200
    response = await api.call("POST", f"{path}/publish", {"version": 3}, "admin")
    after = response.json()
    assert (response.status, after["state"], after["title"]) == (200, "published", "CHƯA XONG")
    assert (after["pinned_until"], after["tags"], len(after["corrections"])) == (FUTURE, ["chợ"], 1)
    assert set(after["kept_from_live"]) == {"pinned_until", "tags", "corrections", "unpublish_at"}
    (newest, *_) = (await api.call("GET", f"{path}/revisions", scope="read")).json()["revisions"]
    assert "keeps from the live version: pinned_until" in newest["note"]


async def test_patch_live_reports_a_fix_that_the_draft_would_undo(api: Any) -> None:
    """Without carry_over the response says what differs, what could be carried over, and what would be undone."""
    draft = await with_draft(api)
    after = (await patch(api, draft, {"body": "<p>MỘT</p><p>hai</p><p>ba</p>", "lead": "Dẫn"})).json()
    assert set(after["behind_live"]) == {"body", "lead"}
    assert set(after["differs_from_live"]) == {"title", "slug", "lead", "body"}
    assert after["carry_over"]["possible"] == [{"copy": "working", "field": "body"}]
    assert [one["field"] for one in after["carry_over"]["conflicts"]] == ["lead"]
    assert {"body", "lead"} <= {one["field"] for one in after["warnings"]}
    later = await patch(api, after, {"carry_over": "where_possible"})
    assert later.json()["carry_over"]["carried"] == [{"copy": "working", "field": "body"}]
    assert later.json()["behind_live"] == ["lead"]
    assert [block["html"] for block in later.json()["body"]] == ["MỘT", "hai", "ba"]


async def test_patch_live_with_carry_over_merges_or_changes_nothing(api: Any) -> None:
    """One step fixes both versions; a conflict is named, and then neither is changed."""
    draft = await with_draft(api)
    after = (await patch(api, draft, {"body": "<p>MỘT</p><p>hai</p><p>ba</p>", "carry_over": True})).json()
    assert (after["version"], after["live_version"], after["title"]) == (5, 4, "CHƯA XONG")
    assert [block["html"] for block in after["body"]] == ["MỘT", "hai", "ba"]
    refused = await patch(api, after, {"title": "Tựa đúng", "tags": ["chợ"], "carry_over": True})
    problem = refused.json()
    assert (refused.status, [one["field"] for one in problem["conflicts"]]) == (409, ["title"])
    assert (problem["conflicts"][0]["before"], problem["conflicts"][0]["other"]) == ('"Tựa"', '"CHƯA XONG"')
    still = (await api.call("GET", f"/articles/{draft['id']}", scope="read")).json()
    assert (still["version"], still["live_version"]) == (5, 4)
    partly = (await patch(api, after, {"title": "Tựa đúng", "tags": ["chợ"], "carry_over": "where_possible"})).json()
    assert (partly["title"], partly["tags"], partly["live_version"]) == ("CHƯA XONG", ["chợ"], 6)


async def test_editor_of_the_draft_is_not_disturbed_by_a_pin(api: Any) -> None:
    """A version that has the newest text of the draft serves, though the live one was changed; an edit is 412."""
    draft = await with_draft(api)
    path = f"/articles/{draft['id']}"
    assert (await patch(api, draft, {"pinned_until": FUTURE})).status == 200
    saved = await api.call("PATCH", path, {"version": 3, "lead": "Tiếp"})
    assert (saved.status, saved.json()["version"]) == (200, 5)
    pinned = await patch(api, {**draft, "version": 4}, {"priority": 1})
    assert (pinned.status, pinned.json()["version"]) == (200, 6)
    late = await api.call("PATCH", path, {"version": 4, "lead": "Muộn"})
    assert (late.status, late.json()["action"], late.json()["version"]) == (412, "edit", 6)
    old = await patch(api, draft, {"priority": 2})
    assert (old.status, old.json()["action"]) == (412, "place")
    assert (await api.call("PATCH", path, {"version": 99, "lead": "x"})).status == 412


async def test_approval_covers_exactly_the_text_that_was_read(api: Any) -> None:
    """A pin does not prevent the approval of what was read; an edit, or a fix that was carried over, does."""
    draft = await with_draft(api)
    path = f"/articles/{draft['id']}"
    assert (await api.call("POST", f"{path}/submit", {})).status == 200
    assert (await patch(api, {**draft, "version": 4}, {"priority": 1})).status == 200
    carried = await patch(api, {**draft, "version": 5}, {"kicker": "Mục", "carry_over": True})
    assert carried.json()["version"] == 7
    assert (await api.call("POST", f"{path}/approve", {"version": 5}, "publish")).status == 412
    approved = await api.call("POST", f"{path}/approve", {"version": 7}, "publish")
    assert (approved.status, approved.json()["state"]) == (200, "approved")
    assert (await patch(api, {**draft, "version": 8}, {"priority": 2})).status == 200
    public = await api.call("POST", f"{path}/publish", {"version": 8}, "publish")
    assert (public.status, public.json()["title"], public.json()["priority"]) == (200, "CHƯA XONG", 2)


ODD: list[tuple[dict[str, Any] | list[Any] | str, int]] = [
    ({}, 200),
    ({"carry_over": True}, 200),
    ({"title": None}, 422),
    ({"section": None}, 422),
    ({"slug": None}, 422),
    ({"slug": "Có Dấu"}, 422),
    ({"slug": "../etc"}, 422),
    ({"section": "khong-co"}, 422),
    ({"also_in": ["khong-co"]}, 422),
    ({"title": ""}, 422),
    ({"title": "x" * 256}, 422),
    ({"title": "a\u0000b"}, 422),
    ({"title": "\u202eabc"}, 422),
    ({"tags": ["x"] * 21}, 422),
    ({"tags": "x"}, 422),
    ({"unpublish_at": "2001-01-01T00:00:00Z"}, 422),
    ({"unpublish_at": "2099-01-01T00:00:00"}, 422),
    ({"unpublish_at": "tomorrow"}, 422),
    ({"pinned_until": "9999-12-31T23:59:59Z"}, 422),
    ({"priority": 0}, 422),
    ({"correction": {"text": ""}}, 422),
    ({"correction": {"text": "x"}, "corrections": []}, 422),
    ({"corrections": [{"text": "x", "at": "2026-01-01T00:00:00Z"}] * 51}, 422),
    ({"carry_over": "true"}, 422),
    ({"carry_over": "everywhere"}, 422),
    ({"carry_over": None}, 422),
    ({"publish_at": FUTURE}, 422),
    ({"state": "killed"}, 422),
    ({"number": 7}, 422),
    ({"body": []}, 422),
    ({"body": [{"type": "figure", "caption": "", "image": {"url": "https://x.example/a.jpg"}}]}, 422),
    ({"body": [{"type": "figure", "caption": "c", "image": {"media": "0" * 64, "alt": "x"}}]}, 422),
    ({"body": "<p>" + "x" * 10_001}, 422),
    ({"seo": {"canonical": "javascript:alert(1)"}}, 422),
    ({"note": "x" * 501}, 422),
    ({"version": 0}, 422),
    ({"version": 2**31}, 422),
    ({"version": 1}, 412),
    ([], 422),
    ("x", 422),
]


async def test_patch_live_with_odd_values_is_an_error_or_no_change(api: Any) -> None:
    """Whatever is sent, the answer is a clear one, and what is live stays as it is."""
    draft = await with_draft(api)
    for body, status in ODD:
        response = await patch(api, draft, body)
        assert response.status == status, (body, response.body)
        if status != 200:
            assert response.headers["content-type"] == "application/problem+json"
    for headers, status in (({"if_match": '"x"'}, 400), ({"if_match": '"3", "2"'}, 200), ({"if_match": "*"}, 200)):
        assert (await patch(api, draft, {"tags": []}, **headers)).status == status, headers
    assert (await api.call("PATCH", f"/articles/{draft['id']}/live", {"tags": ["x"]}, "publish")).status == 428
    assert len(await sent_to_topic(api, draft)) == 1


async def test_patch_live_of_what_is_not_public_is_409(api: Any) -> None:
    """A draft has no live version, and a withdrawn or killed article neither."""
    draft = await api.create("Nháp")
    assert (await patch(api, draft, {"title": "x"})).status == 409
    article = await published(api)
    for name in ("unpublish", "kill"):
        done = await api.call("POST", f"/articles/{article['id']}/{name}", {"reason": "x"}, "publish")
        refused = await patch(api, done.json(), {"title": "x"})
        assert (refused.status, refused.json()["state"]) == (409, done.json()["live_state"])


async def test_patch_live_of_a_text_needs_another_editor_where_the_site_wants_it(tenants: Any) -> None:
    """With separate_approver only administrators change the words of a live article alone; others place and tag it."""
    article = await tenants.create("Tựa", site="giao-thuy")
    path = f"/articles/{article['id']}"
    assert (await tenants.call("POST", f"{path}/publish", {"version": 1}, "admin")).status == 200
    for fields, status in (
        ({"title": "x"}, 403),
        ({"correction": {"text": "x"}}, 403),
        ({"seo": {"title": "x"}}, 403),
        ({"tags": ["x"]}, 200),
        ({"priority": 1}, 200),
    ):
        response = await tenants.call("PATCH", f"{path}/live", fields, "publish", if_match="*")
        assert response.status == status, (fields, response.body)
    fixed = await tenants.call("PATCH", f"{path}/live", {"title": "x"}, "admin", if_match="*")
    assert (fixed.status, fixed.json()["title"]) == (200, "x")


async def test_patch_live_repeated_with_its_key_takes_effect_once(api: Any) -> None:
    """The same request with its Idempotency-Key gets the same response and adds one correction."""
    article = await published(api)
    sent = {"version": 2, "correction": {"text": "Sửa"}}
    answers = [await patch(api, article, sent, idempotency_key="k", x="") for _ in range(2)]
    assert [one.status for one in answers] == [200, 200]
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert len(answers[1].json()["corrections"]) == 1
    assert len(await sent_to_topic(api, article)) == 2


async def test_concurrent_fixes_of_one_version_are_one(api: Any) -> None:
    """Of eight publishers who fix the same version at once, one succeeds and seven are 412."""
    article = await published(api)
    done = await asyncio.gather(*(patch(api, article, {"title": f"Tựa {number}"}) for number in range(8)))
    assert sorted(one.status for one in done) == [200] + [412] * 7


async def test_schedule_survives_edits_fixes_and_a_withdrawal(api: Any) -> None:
    """A scheduled version stays scheduled while its successor is written; unscheduling acts on that one."""
    draft = await with_draft(api)
    path = f"/articles/{draft['id']}"
    scheduled = await api.call("POST", f"{path}/schedule", {"version": 3, "publish_at": FUTURE}, "admin")
    assert (scheduled.json()["state"], scheduled.json()["scheduled_version"]) == ("scheduled", 4)
    edited = (await api.call("PATCH", path, {"version": 4, "title": "Sau nữa"})).json()
    assert (edited["state"], edited["scheduled_version"], edited["scheduled_for"]) == ("draft", 4, FUTURE)
    assert edited["differs_from_scheduled"] == ["title", "slug"]
    fixed = (await patch(api, edited, {"place": "Hải Hậu", "carry_over": True})).json()
    assert (fixed["scheduled_version"], fixed["version"]) == (8, 8)
    waiting = (await api.call("GET", f"{path}?copy=scheduled", scope="read")).json()
    assert (waiting["title"], waiting["place"], waiting["state"]) == ("CHƯA XONG", "Hải Hậu", "scheduled")
    withdrawn = (await api.call("POST", f"{path}/unpublish", {}, "publish")).json()
    assert (withdrawn["scheduled_for"], withdrawn["title"]) == (FUTURE, "Sau nữa")
    assert "scheduled_for" in {one["field"] for one in withdrawn["warnings"]}
    (row,) = (await api.call("GET", "/articles?state=scheduled", scope="read")).json()["articles"]
    assert (row["scheduled_version"], row["state"]) == (8, "draft")
    unscheduled = (await api.call("POST", f"{path}/unschedule", {}, "publish")).json()
    assert (unscheduled["scheduled_for"], unscheduled["state"], unscheduled["title"]) == (None, "draft", "Sau nữa")
    assert (await api.call("GET", f"{path}?copy=scheduled", scope="read")).status == 404


async def test_publication_of_a_successor_reports_the_schedule_that_it_replaces(api: Any) -> None:
    """The older scheduled version does not come back later, and the response names it."""
    draft = await with_draft(api)
    path = f"/articles/{draft['id']}"
    assert (await api.call("POST", f"{path}/schedule", {"version": 3, "publish_at": FUTURE}, "admin")).status == 200
    assert (await api.call("PATCH", path, {"version": 4, "title": "Sau nữa"})).status == 200
    body = {"version": 5, "publish_at": None}
    response = await api.call("POST", f"{path}/publish", body, "admin")
    assert response.json()["superseded_schedule"] == {"version": 4, "scheduled_for": FUTURE}
    assert (response.json()["title"], response.json()["scheduled_version"]) == ("Sau nữa", None)
    assert await api.context.pool.fetchval("SELECT scheduled_for FROM ingest.articles") is None


async def test_schedule_of_a_named_copy_needs_the_version_that_was_read(api: Any) -> None:
    """The scheduled version is published now, or refused, by its name; its version is checked, not the draft's."""
    draft = await with_draft(api)
    path = f"/articles/{draft['id']}"
    assert (await api.call("POST", f"{path}/schedule", {"version": 3, "publish_at": FUTURE}, "admin")).status == 200
    assert (await api.call("PATCH", path, {"version": 4, "title": "Sau nữa"})).status == 200
    later = {"version": 4, "copy": "scheduled", "publish_at": "2099-02-01T00:00:00Z"}
    moved = await api.call("POST", f"{path}/schedule", later, "publish")
    assert (moved.status, moved.json()["scheduled_for"]) == (200, "2099-02-01T00:00:00Z")
    now = {"version": 4, "copy": "scheduled", "publish_at": None}
    assert (await api.call("POST", f"{path}/publish", now, "publish")).status == 412
    done = await api.call("POST", f"{path}/publish", {**now, "version": 6}, "publish")
    assert (done.status, done.json()["live_version"], done.json()["title"]) == (200, 7, "Sau nữa")
    assert (await sent_to_topic(api, draft))[-1].title == "CHƯA XONG"
    assert (await api.call("POST", f"{path}/refuse", {"copy": "scheduled", "reason": "x"}, "publish")).status == 409
    assert (await api.call("POST", f"{path}/submit", {"copy": "scheduled"}, "publish")).status == 422


async def test_refusal_is_readable_on_the_article(api: Any) -> None:
    """Reason, name and time of the refusal stay on the article and in its row until a version is approved."""
    article = await api.create("Tựa")
    path = f"/articles/{article['id']}"
    await api.call("POST", f"{path}/submit", {})
    refused = (await api.call("POST", f"{path}/refuse", {"reason": "thiếu nguồn"}, "publish")).json()
    refusal = refused["refusal"]
    assert (refusal["reason"], refusal["who"], refusal["version"]) == ("thiếu nguồn", "Người publish", 2)
    assert abs(datetime.fromisoformat(refusal["at"]) - datetime.now(UTC)) < timedelta(hours=1)
    (row,) = (await api.call("GET", "/articles", scope="read")).json()["articles"]
    assert row["refusal"] == refusal
    await api.call("POST", f"{path}/submit", {})
    approved = (await api.call("POST", f"{path}/approve", {"version": 4}, "publish")).json()
    assert approved["refusal"] is None


async def test_article_as_read_can_be_sent_back(api: Any) -> None:
    """A client may PUT what it has read: the fields about the copies are ignored."""
    draft = await with_draft(api)
    read = (await patch(api, draft, {"tags": ["chợ"]})).json()
    response = await api.call("PUT", f"/articles/{draft['id']}", read)
    assert response.status == 200, response.body
    assert json.loads(response.body)["behind_live"] == ["tags"]


async def test_publication_that_undoes_a_fix_must_have_read_it(api: Any) -> None:
    """A fix of the live copy since the version that was read is 412, not silently lost; a pin is not."""
    article = await with_draft(api)
    path = f"/articles/{article['id']}"
    for name in ("submit", "approve"):
        article = (await api.call("POST", f"{path}/{name}", {"version": article["version"]}, "publish")).json()
    pinned = (await patch(api, article, {"pinned_until": FUTURE})).json()
    fixed = (await patch(api, pinned, {"title": "Tựa đúng"})).json()
    for name, body in (("publish", {}), ("schedule", {"publish_at": FUTURE})):
        refused = await api.call("POST", f"{path}/{name}", {"version": pinned["version"], **body}, "publish")
        assert (refused.status, refused.json()["action"]) == (412, "fix")
    done = await api.call("POST", f"{path}/publish", {"version": fixed["version"]}, "publish")
    assert (done.status, done.json()["pinned_until"]) == (200, FUTURE)


async def test_corrections_are_not_lost_by_a_restore(api: Any) -> None:
    """An old text that goes live again has the corrections that readers have seen, and no setting of the future."""
    article = await published(api)
    corrected = (await patch(api, article, {"correction": {"text": "Sửa ngày"}})).json()
    restored = await api.call("POST", f"/articles/{article['id']}/restore", {"version": 1})
    assert (restored.status, restored.json()["corrections"]) == (200, corrected["corrections"])


async def test_correction_of_the_future_or_one_too_many_is_refused(api: Any) -> None:
    """Readers see a correction at once; more than an article can have would make it unreadable."""
    article = await published(api)
    refused = await patch(api, article, {"correction": {"text": "x", "at": FUTURE}})
    assert refused.status == 422
    many = [{"text": f"Lần {number}", "at": "2026-03-05T09:00:00+07:00"} for number in range(50)]
    article = (await patch(api, article, {"corrections": many})).json()
    refused = await patch(api, article, {"correction": {"text": "x"}})
    assert (refused.status, refused.json()["errors"][0]["field"]) == (422, "corrections")
    assert (await api.call("GET", f"/articles/{article['id']}", scope="read")).status == 200


async def test_date_of_the_text_changes_with_the_text_only(api: Any) -> None:
    """The API and the topic have the date of the text: the same after a pin and a tag, another one after a fix."""
    article = await published(api, published_at="2020-03-04T08:00:00+07:00")
    assert article["text_updated_at"] == "2020-03-04T01:00:00Z"
    for fields in ({"pinned_until": FUTURE}, {"tags": ["đất"]}, {"section": "thong-bao"}):
        article = (await patch(api, article, fields)).json()
        assert article["text_updated_at"] == "2020-03-04T01:00:00Z"
    fixed = (await patch(api, article, {"title": "Tựa đúng"})).json()
    assert fixed["text_updated_at"] == fixed["modified_at"]
    sent = await sent_to_topic(api, article)
    assert len({one.text_updated_at for one in sent[:-1]}) == 1
    assert sent[-1].text_updated_at == sent[-1].modified_at
    back = {name: value for name, value in fixed.items() if name != "text_updated_at"} | {"text_updated_at": FUTURE}
    replaced = await api.call("PUT", f"/articles/{article['id']}", back)
    assert replaced.json()["text_updated_at"] == fixed["text_updated_at"]
