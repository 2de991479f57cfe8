"""`/api/people`: who may change whom, and what follows from it."""

from typing import Any

from tests.ingest.conftest import PASSWORD, Browser, Newsroom

NEW = {"email": "moi@haihau.example", "name": "Người mới", "grants": [{"scope": "write", "site": "haihau"}]}


async def test_invited_person_sets_a_password_and_works(newsroom: Newsroom) -> None:
    """Without a mail server the administrator hands the link over; the audit names who has invited whom."""
    admin = await newsroom.browser("admin", name="Minh")
    made = await admin.call("POST", "/people", NEW)
    assert (made.status, made.json()["person"]["state"]) == (201, "invited")
    link = made.json()["link"]
    assert link.startswith("https://haihau.example/ban-bien-tap/loi-moi#")
    browser = Browser(newsroom.api)
    sent = {"link": link.partition("#")[2], "password": PASSWORD}
    assert (await browser.call("POST", "/passwords", sent)).status == 204
    assert (await browser.log_in(NEW["email"])).status == 201  # type: ignore[arg-type]
    draft = {"site": "haihau", "section": "tin-tuc", "title": "Bài", "body": "<p>x</p>"}
    article = await browser.call("POST", "/articles", draft)
    assert article.status == 201
    shown = (await admin.call("GET", f"/people/{made.json()['person']['id']}")).json()
    assert (shown["state"], shown["invited_until"], shown["logged_in_at"] is not None) == ("active", None, True)
    entries = (await admin.call("GET", "/audit?kind=person&action=create")).json()["entries"]
    assert (entries[0]["who"], entries[0]["details"]["grants"]) == ("Minh", ["write:haihau"])
    revisions = (await browser.call("GET", f"/articles/{article.json()['id']}/revisions")).json()["revisions"]
    assert revisions[0]["who"] == "Người mới"
    assert (await admin.call("POST", "/people", NEW)).json()["code"] == "email_taken"


async def test_changes_close_the_sessions_of_the_person(newsroom: Newsroom) -> None:
    """New rights and a lock close what is open; a new name does not; removal ends everything."""
    admin = await newsroom.browser("admin")
    person = await newsroom.person("write:haihau")
    path = f"/people/{person.id}"
    browser = await newsroom.opened(person)
    assert (await admin.call("PATCH", path, {"name": "Tên mới"})).json()["name"] == "Tên mới"
    assert (await browser.call("GET", "/me")).json()["name"] == "Tên mới"
    for body in ({"grants": []}, {"locked": True}):
        browser = await newsroom.opened(person)
        assert (await admin.call("PATCH", path, body)).status == 200
        assert (await browser.call("GET", "/me")).json()["code"] == "session_ended"
    assert (await admin.call("POST", f"{path}/password-reset")).json()["code"] == "account_locked"
    assert (await admin.call("PATCH", path, {"locked": False})).json()["state"] == "active"
    link = (await admin.call("POST", f"{path}/password-reset")).json()["link"]
    browser = await newsroom.opened(person)
    assert (await admin.call("DELETE", f"{path}/sessions")).status == 204
    assert (await browser.call("GET", "/me")).status == 401
    assert (await admin.call("DELETE", f"{path}/totp")).status == 204
    assert (await admin.call("DELETE", path)).status == 204
    for method, end in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/invitation"), ("DELETE", "/totp")):
        body: Any = {} if method == "PATCH" else None
        assert (await admin.call(method, path + end, body)).status == 404
    sent = {"link": link.partition("#")[2], "password": PASSWORD}
    assert (await Browser(newsroom.api).call("POST", "/passwords", sent)).status == 404
    assert (await Browser(newsroom.api).log_in(person.email)).json()["code"] == "wrong_credentials"


async def test_administrator_of_a_site_has_its_own_people_only(newsroom: Newsroom) -> None:
    """People with rights elsewhere are invisible, no right can be given beyond the own site, nor to oneself."""
    everywhere = await newsroom.browser("admin")
    local = await newsroom.browser("admin:haihau")
    own = await newsroom.person("write:haihau:tin-tuc")
    both = await newsroom.person("write:haihau", "read:giao-thuy")
    nobody = await newsroom.person()
    seen = {one["id"] for one in (await local.call("GET", "/people")).json()["people"]}
    assert own.id in seen
    assert not seen & {both.id, nobody.id}
    assert len((await everywhere.call("GET", "/people")).json()["people"]) == 5
    for hidden in (both, nobody):
        assert (await local.call("GET", f"/people/{hidden.id}")).status == 404
        assert (await local.call("DELETE", f"/people/{hidden.id}")).status == 404
        assert (await local.call("POST", f"/people/{hidden.id}/password-reset")).status == 404
    me = (await local.call("GET", "/me")).json()["id"]
    beyond: list[Any] = [
        {"scope": "read", "site": "giao-thuy"},
        {"scope": "admin"},
        {"scope": "read"},
        {"scope": "read", "site": "x"},
    ]
    for grant in beyond:
        for method, path in (("PATCH", f"/people/{own.id}"), ("PATCH", f"/people/{me}"), ("POST", "/people")):
            body = {"grants": [grant], **({"email": "x@y.vn", "name": "X"} if method == "POST" else {})}
            refused = await local.call(method, path, body)
            assert (refused.status, refused.json()["code"]) == (403, "not_your_people"), (grant, path)
    given = await local.call("PATCH", f"/people/{own.id}", {"grants": [{"scope": "publish", "site": "haihau"}]})
    assert given.json()["grants"] == [{"scope": "publish", "site": "haihau", "section": None}]
    for who in ("publish", "admin:haihau:tin-tuc"):
        lower = await newsroom.browser(who)
        people = (await lower.call("GET", "/people")).json()
        assert people.get("people", []) == []
        assert (await lower.call("DELETE", f"/people/{own.id}")).status in (403, 404)


async def test_last_administrator_cannot_be_lost(newsroom: Newsroom) -> None:
    """Neither oneself nor the last one: somebody can always administer the installation."""
    admin = await newsroom.browser("admin")
    me = (await admin.call("GET", "/me")).json()["id"]
    assert (await admin.call("DELETE", f"/people/{me}")).json()["code"] == "own_account"
    assert (await admin.call("PATCH", f"/people/{me}", {"locked": True})).json()["code"] == "own_account"
    demoted = await admin.call("PATCH", f"/people/{me}", {"grants": [{"scope": "admin", "site": "haihau"}]})
    assert demoted.json()["code"] == "last_administrator"
    by_token = await newsroom.api.call("DELETE", f"/people/{me}", scope="admin")
    assert (by_token.status, by_token.json()["code"]) == (409, "last_administrator")
    assert (await admin.call("GET", "/people")).status == 200


async def test_people_with_odd_values_are_refused(newsroom: Newsroom) -> None:
    """Every field is checked, and nothing is created."""
    admin = await newsroom.browser("admin")
    odd: list[dict[str, Any]] = [
        {"email": "x"},
        {"email": "a@b.vn\r\nBcc: c@d.vn"},
        {"name": ""},
        {"name": "x" * 301},
        {"name": "\u202eLan"},
        {"language": "fr"},
        {"grants": [{"scope": "events"}]},
        {"grants": [{"scope": "read", "section": "tin-tuc"}]},
        {"grants": [{"scope": "read", "site": "haihau", "section": "nothing"}]},
        {"grants": [{"scope": "read", "site": "nowhere"}]},
        {"grants": [{"scope": "read", "role": "x"}]},
        {"grants": [{"scope": "read"}] * 201},
        {"grants": "admin"},
        {"password": "x"},
        {"id": "person-0000000000000000"},
    ]
    for change in odd:
        refused = await admin.call("POST", "/people", {**NEW, **change})
        assert refused.status == 422, change
    for person in ("x", "person-x", "person-0000000000000000", "%00", "..%2F", "' OR 1=1"):
        assert (await admin.call("GET", f"/people/{person}")).status == 404
    assert await newsroom.api.context.pool.fetchval("SELECT count(*) FROM ingest.people") == 1
