"""`/api/people`: who may change whom, and what follows from it."""

import asyncio
from typing import Any

from services.ingest.auth.mail import Mailer, MailServer
from services.ingest.auth.people import lock_people
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
    lower = {"grants": [{"scope": "admin", "site": "haihau"}]}
    assert (await admin.call("PATCH", f"/people/{me}", lower)).json()["code"] == "own_account"
    demoted = await newsroom.api.call("PATCH", f"/people/{me}", lower, "admin")
    assert demoted.json()["code"] == "last_administrator"
    by_token = await newsroom.api.call("DELETE", f"/people/{me}", scope="admin")
    assert (by_token.status, by_token.json()["code"]) == (409, "last_administrator")
    assert (await admin.call("GET", "/people")).status == 200


async def test_administrator_who_was_only_invited_is_not_counted(newsroom: Newsroom) -> None:
    """Somebody who never set a password cannot administer: the last one who can log in stays."""
    admin = await newsroom.browser("admin")
    me = (await admin.call("GET", "/me")).json()["id"]
    invited = await newsroom.person("admin", password=None)
    for method, body in (("DELETE", None), ("PATCH", {"locked": True}), ("PATCH", {"grants": []})):
        refused = await newsroom.api.call(method, f"/people/{me}", body, "admin")
        assert (refused.status, refused.json()["code"]) == (409, "last_administrator"), (method, body)
    assert (await admin.call("DELETE", f"/people/{invited.id}")).status == 204
    await newsroom.person("admin")
    assert (await newsroom.api.call("DELETE", f"/people/{me}", None, "admin")).status == 204


async def test_own_credentials_need_the_password(newsroom: Newsroom) -> None:
    """A stolen session of an administrator changes neither the own address, nor password, second step or rights."""
    admin = await newsroom.browser("admin")
    await newsroom.person("admin")
    me = (await admin.call("GET", "/me")).json()
    path = f"/people/{me['id']}"
    attempts: list[tuple[str, str, Any]] = [
        ("PATCH", path, {"email": "ke-gian@evil.example"}),
        ("DELETE", f"{path}/totp", None),
        ("POST", f"{path}/password-reset", None),
        ("POST", f"{path}/invitation", None),
    ]
    for method, where, body in attempts:
        refused = await admin.call(method, where, body)
        assert (refused.status, refused.json()["code"]) == (403, "own_password_required"), (method, where)
        assert "/api/me" in refused.json()["detail"]
    rights = await admin.call("PATCH", path, {"grants": [{"scope": "admin"}, {"scope": "read", "site": "haihau"}]})
    assert (rights.status, rights.json()["code"]) == (409, "own_account")
    same = {"email": me["email"], "name": "Tên mới", "grants": [{"scope": "admin"}]}
    assert (await admin.call("PATCH", path, same)).json()["name"] == "Tên mới"
    assert await newsroom.api.context.pool.fetchval("SELECT count(*) FROM ingest.account_links") == 0


async def test_new_address_of_somebody_else_is_reported_to_the_former_one(newsroom: Newsroom) -> None:
    """An administrator changes the address; the person reads of it in the mailbox that the account had."""
    accounts = newsroom.api.context.accounts
    accounts.mailer = Mailer(MailServer("127.0.0.1", 1, False, True, "", "", "toasoan@haihau.example"))
    admin, person = await newsroom.browser("admin"), await newsroom.person("read")
    for email in (person.email, "moi@haihau.example"):
        assert (await admin.call("PATCH", f"/people/{person.id}", {"email": email})).status == 200
    assert [accounts.mailer._waiting.get_nowait()["To"]] == [person.email]
    assert accounts.mailer._waiting.empty()


async def test_administrators_cannot_remove_each_other_at_once(newsroom: Newsroom) -> None:
    """Of two changes that began together, the second is made with the rights that the first has left."""
    pool = newsroom.api.context.pool
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    demoted = {"grants": [{"scope": "read"}]}
    for method, body in (("DELETE", None), ("PATCH", demoted), ("PATCH", {"locked": True})):
        await newsroom.browser("admin")
        people = [await newsroom.person("admin") for _ in range(2)]
        first, second = [await newsroom.opened(one) for one in people]
        async with pool.acquire() as connection, connection.transaction():
            await lock_people(connection)
            changes = [
                asyncio.create_task(browser.call(method, f"/people/{other.id}", body))
                for browser, other in ((first, people[1]), (second, people[0]))
            ]
            async with asyncio.timeout(60):
                while await connection.fetchval(waiting) < 2:  # noqa: ASYNC110 - Postgres announces no waiting locks
                    await asyncio.sleep(0.01)
        done = await asyncio.gather(*changes)
        assert sorted(one.status for one in done)[1] == 401, (method, body)
        assert [one.json()["code"] for one in done if one.status == 401] == ["session_ended"]


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
