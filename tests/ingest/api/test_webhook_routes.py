"""`/api/webhooks`: creating, changing, secrets, deliveries, and who may."""

from typing import Any

import asyncpg

HOOK = {"url": "https://app.example/hooks", "events": ["article.published"]}


async def made(api: Any, **more: Any) -> dict[str, Any]:
    answer = await api.call("POST", "/webhooks", {**HOOK, **more}, "admin")
    assert answer.status == 201, answer.body
    return dict(answer.json())


async def test_webhook_secret_is_shown_once(api: Any) -> None:
    """It is in the responses to the creation and the rotation, and in no other; the audit log has no secret."""
    hook = await made(api)
    assert hook["secret"].startswith("whsec_")
    path = f"/webhooks/{hook['id']}"
    rotated = (await api.call("POST", f"{path}/rotate", {}, "admin")).json()
    assert rotated["secret"] != hook["secret"]
    assert rotated["previous_secret_until"] is not None
    for method, where in (("GET", path), ("GET", "/webhooks"), ("PATCH", path), ("GET", "/audit")):
        answer = await api.call(method, where, {} if method == "PATCH" else None, "admin")
        assert answer.status == 200, answer.body
        assert b"whsec_" not in answer.body
        assert hook["secret"][6:].encode() not in answer.body


async def test_webhook_requests_that_cannot_be_are_refused(api: Any) -> None:
    """URLs, events and sites that are not usable are errors of their field."""
    for body, status in (
        ({"events": ["article.published"]}, 422),
        ({"url": "https://a.example/"}, 422),
        ({**HOOK, "url": "http://app.example/"}, 422),
        ({**HOOK, "url": "https://u:p@app.example/"}, 422),
        ({**HOOK, "url": "https://app.example:22/"}, 422),
        ({**HOOK, "url": "x" * 2_001}, 422),
        ({**HOOK, "events": []}, 422),
        ({**HOOK, "events": ["article.deleted"]}, 422),
        ({**HOOK, "events": ["article.published"] * 11}, 422),
        ({**HOOK, "events": "article.published"}, 422),
        ({**HOOK, "sites": []}, 422),
        ({**HOOK, "sites": ["Hải Hậu"]}, 422),
        ({**HOOK, "sites": ["nowhere"]}, 404),
        ({**HOOK, "description": "a\nb"}, 422),
        ({**HOOK, "description": "x" * 256}, 422),
        ({**HOOK, "secret": "mine"}, 422),
        ({**HOOK, "enabled": True}, 422),
        ([], 422),
        (b"{", 400),
    ):
        answer = await api.call("POST", "/webhooks", body, "admin")
        assert answer.status == status, (body, answer.body)
    for webhook in ("x", "wh_", "wh_" + "0" * 32, "wh_" + "G" * 32, "..", "%00"):
        assert (await api.call("GET", f"/webhooks/{webhook}", scope="admin")).status in (404, 422), webhook


async def test_webhook_is_changed_disabled_enabled_and_deleted(api: Any) -> None:
    """Omitted fields stay; null is refused but for sites; a deleted webhook takes its deliveries with it."""
    hook = await made(api, sites=["haihau"], description="App")
    path = f"/webhooks/{hook['id']}"
    changed = (await api.call("PATCH", path, {"events": ["article.withdrawn"] * 2}, "admin")).json()
    assert (changed["events"], changed["sites"], changed["description"]) == (["article.withdrawn"], ["haihau"], "App")
    assert (await api.call("PATCH", path, {"url": None}, "admin")).status == 422
    assert (await api.call("PATCH", path, {"sites": None}, "admin")).json()["sites"] is None
    disabled = (await api.call("PATCH", path, {"enabled": False}, "admin")).json()
    assert (disabled["enabled"], disabled["disabled_reason"]) == (False, "disabled by Người admin")
    assert (await api.call("POST", f"{path}/ping", {}, "admin")).status == 409
    enabled = (await api.call("PATCH", path, {"enabled": True}, "admin")).json()
    assert (enabled["enabled"], enabled["disabled_reason"]) == (True, None)
    assert (await api.call("POST", f"{path}/ping", {}, "admin")).status == 202
    assert (await api.call("DELETE", path, scope="admin")).status == 204
    assert (await api.call("GET", path, scope="admin")).status == 404
    assert await api.context.pool.fetchval("SELECT count(*) FROM ingest.webhook_deliveries") == 0


async def test_webhook_deliveries_are_listed_and_sent_again(api: Any) -> None:
    """By state, page by page; a repeated ping with the same key is one; an unknown message is 404."""
    hook = await made(api)
    path, pool = f"/webhooks/{hook['id']}", api.context.pool
    one, two = [await api.call("POST", f"{path}/ping", {}, "admin", idempotency_key="k") for _ in range(2)]
    assert one.json() == two.json()
    message = one.json()["messages"][0]
    await api.call("POST", f"{path}/ping", {}, "admin")
    first = (await api.call("GET", f"{path}/deliveries?limit=1", scope="admin")).json()
    second = (await api.call("GET", f"{path}/deliveries?limit=1&cursor={first['next']}", scope="admin")).json()
    assert [row["message"] for row in second["deliveries"]] == [message]
    assert (await api.call("POST", f"{path}/redeliver", {"message": message}, "admin")).status == 404
    await end(pool)
    assert len((await api.call("GET", f"{path}/deliveries?state=dead", scope="admin")).json()["deliveries"]) == 2
    assert (await api.call("POST", f"{path}/redeliver", {"message": message}, "admin")).json() == {
        "messages": [message]
    }
    assert len((await api.call("POST", f"{path}/redeliver", {}, "admin")).json()["messages"]) == 1
    for unknown in ("khong-co", "\0", "x" * 80):
        assert (await api.call("POST", f"{path}/redeliver", {"message": unknown}, "admin")).status == 404
    assert (await api.call("GET", f"{path}/deliveries?state=lost", scope="admin")).status == 422


async def end(pool: asyncpg.Pool) -> None:
    await pool.execute("UPDATE ingest.webhook_deliveries SET next_at = NULL, ended_at = now()")


async def test_webhooks_of_other_sites_are_not_found(tenants: Any) -> None:
    """An administrator of one site sees and makes webhooks of that site only; other scopes see none."""
    everywhere = (await tenants.call("POST", "/webhooks", HOOK, "admin")).json()
    other = (await tenants.call("POST", "/webhooks", {**HOOK, "sites": ["giao-thuy"]}, "admin")).json()
    both = (await tenants.call("POST", "/webhooks", {**HOOK, "sites": ["giao-thuy", "haihau"]}, "admin")).json()
    own = await tenants.call("POST", "/webhooks", {**HOOK, "sites": ["haihau"]}, "admin", "haihau")
    assert own.status == 201
    for body in (HOOK, {**HOOK, "sites": ["giao-thuy"]}, {**HOOK, "sites": ["nowhere"]}):
        assert (await tenants.call("POST", "/webhooks", body, "admin", "haihau")).status == 403
    listed = (await tenants.call("GET", "/webhooks", None, "admin", "haihau")).json()["webhooks"]
    assert [one["id"] for one in listed] == [own.json()["id"]]
    for hook in (everywhere, other, both):
        path = f"/webhooks/{hook['id']}"
        for method, where in (
            ("GET", path),
            ("PATCH", path),
            ("DELETE", path),
            ("POST", f"{path}/rotate"),
            ("POST", f"{path}/ping"),
            ("POST", f"{path}/redeliver"),
            ("GET", f"{path}/deliveries"),
        ):
            body = None if method in ("GET", "DELETE") else {}
            answer = await tenants.call(method, where, body, "admin", "haihau")
            assert answer.status == 404, (method, where, answer.body)
            assert (await tenants.call(method, where, body, "publish")).status == 403
            assert (await tenants.call(method, where, body, None)).status == 401
    mine = f"/webhooks/{own.json()['id']}"
    assert (await tenants.call("PATCH", mine, {"sites": None}, "admin", "haihau")).status == 403
    assert (await tenants.call("PATCH", mine, {"sites": ["giao-thuy"]}, "admin", "haihau")).status == 403
