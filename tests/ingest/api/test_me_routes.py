"""`/api/me`: rights, and the person's own name, password and two-step verification."""

from typing import Any

from services.ingest.auth.login_throttle import DEVICE
from services.ingest.auth.mail import Mailer, MailServer
from services.ingest.auth.totp import STEP_SECONDS, code_at
from tests.ingest.conftest import PASSWORD, Browser, Newsroom

NOW = 1_800_000_000.0


def code_of(secret: str, steps: int = 0) -> str:
    import base64

    return code_at(base64.b32decode(secret + "=" * (-len(secret) % 8)), int(NOW) // STEP_SECONDS + steps)


async def test_me_has_the_rights_on_each_site_and_section(newsroom: Newsroom) -> None:
    """Sites and sections without any right are left out, and what is allowed in each is named."""
    browser = await newsroom.browser("publish:giao-thuy:bien-dong", "read:giao-thuy", name="Lan")
    me = (await browser.call("GET", "/me")).json()
    assert (me["name"], me["email"], me["has_two_steps"], len(me["sessions"])) == (
        "Lan",
        "nguoi1@haihau.example",
        False,
        1,
    )
    (site,) = me["sites"]
    assert (site["slug"], site["scopes"]) == ("giao-thuy", ["read"])
    assert {one["slug"]: one["scopes"] for one in site["sections"]} == {
        "tin-tuc": ["read"],
        "bien-dong": ["read", "write", "publish"],
    }
    assert {"scope": "publish", "site": "giao-thuy", "section": "bien-dong"} in me["grants"]
    token = (await newsroom.api.call("GET", "/me", scope="write", at="haihau")).json()
    assert (token["kind"], [one["slug"] for one in token["sites"]], "email" in token) == ("token", ["haihau"], False)
    assert (await newsroom.api.call("GET", "/me", scope="events")).status == 200


async def test_programs_have_no_account_to_change(newsroom: Newsroom) -> None:
    """What belongs to a person's session is closed to tokens, with a code that says why."""
    for method, path in (
        ("PATCH", "/me"),
        ("GET", "/sessions"),
        ("DELETE", "/sessions/current"),
        ("DELETE", "/sessions/others"),
        ("DELETE", "/sessions/1"),
        ("POST", "/me/totp"),
        ("PUT", "/me/totp"),
        ("DELETE", "/me/totp"),
        ("POST", "/me/recovery-codes"),
    ):
        body = {"current_password": "x", "code": "1"} if "totp" in path or "codes" in path else {}
        refused = await newsroom.api.call(method, path, None if method == "GET" else body, "admin")
        assert (refused.status, refused.json()["code"]) == (403, "people_only"), path


async def test_new_password_needs_the_current_one_and_closes_other_sessions(newsroom: Newsroom) -> None:
    """The own session goes on under a new cookie; the former cookie, other sessions and devices are closed."""
    person = await newsroom.person("read")
    browser = Browser(newsroom.api)
    await browser.log_in(person.email)
    other = await newsroom.opened(person)
    stolen = Browser(newsroom.api)
    stolen.cookies, stolen.csrf = dict(browser.cookies), browser.csrf
    new = "một mật khẩu mới tinh"
    refused: list[Any] = [
        await browser.call("PATCH", "/me", {"password": new}),
        await browser.call("PATCH", "/me", {"password": new, "current_password": "sai mật khẩu"}),
    ]
    assert {(one.status, one.json()["code"]) for one in refused} == {(403, "wrong_current_password")}
    weak = await browser.call("PATCH", "/me", {"password": "ngắn", "current_password": PASSWORD})
    assert weak.status == 422
    changed = await browser.call("PATCH", "/me", {"password": new, "current_password": PASSWORD, "name": "Lan"})
    assert (changed.status, changed.json()["name"]) == (200, "Lan")
    for closed in (other, stolen):
        assert (await closed.call("GET", "/me")).json()["code"] == "session_ended"
    assert (await browser.call("PATCH", "/me", {"language": "en"})).json()["language"] == "en"
    assert (await Browser(newsroom.api).log_in(person.email)).status == 401
    assert (await Browser(newsroom.api).log_in(person.email, new)).status == 201
    for wrong in ({"name": ""}, {"language": "fr"}, {"email": "a@b"}, {"grants": []}, {"name": "\x00"}):
        assert (await browser.call("PATCH", "/me", wrong)).status == 422
    entries = (await newsroom.api.call("GET", "/audit?kind=person", scope="admin")).json()["entries"]
    assert {"set-password", "change"} <= {one["action"] for one in entries}
    assert new not in str(entries)


async def test_new_address_needs_the_current_password_and_is_reported_to_the_former_one(newsroom: Newsroom) -> None:
    """The own session goes on, all others are closed, and the person logs in with the new address alone."""
    accounts = newsroom.api.context.accounts
    accounts.mailer = Mailer(MailServer("127.0.0.1", 1, False, True, "", "", "toasoan@haihau.example"))
    person, taken = await newsroom.person("read"), await newsroom.person("read")
    browser, other = await newsroom.opened(person), await newsroom.opened(person)
    new = {"email": "Moi@HaiHau.example"}
    for password in ({}, {"current_password": "sai mật khẩu"}):
        refused = await browser.call("PATCH", "/me", {**new, **password})
        assert (refused.status, refused.json()["code"]) == (403, "wrong_current_password")
    conflict = await browser.call("PATCH", "/me", {"email": taken.email, "current_password": PASSWORD})
    assert (conflict.status, conflict.json()["code"]) == (409, "email_taken")
    assert (await browser.call("PATCH", "/me", {"email": person.email})).status == 200, "no change"
    assert accounts.mailer._waiting.qsize() == 0
    changed = await browser.call("PATCH", "/me", {**new, "current_password": PASSWORD})
    assert (changed.status, changed.json()["email"]) == (200, "moi@haihau.example")
    assert [accounts.mailer._waiting.get_nowait()["To"]] == [person.email]
    assert (await browser.call("GET", "/me")).json()["email"] == "moi@haihau.example"
    assert (await other.call("GET", "/me")).json()["code"] == "session_ended"
    assert (await Browser(newsroom.api).log_in(person.email)).status == 401
    assert (await Browser(newsroom.api).log_in("moi@haihau.example")).status == 201


async def test_current_password_cannot_be_guessed_in_an_open_session(newsroom: Newsroom) -> None:
    """Who finds an open browser has a few guesses."""
    browser = await newsroom.browser("read")
    body = {"password": "một mật khẩu mới tinh", "current_password": "sai mật khẩu"}
    statuses = [(await browser.call("PATCH", "/me", body)).status for _ in range(DEVICE.failures_max + 1)]
    assert statuses == [403] * DEVICE.failures_max + [429]


async def test_two_steps_are_switched_on_and_off(newsroom: Newsroom) -> None:
    """A secret works after its first code; recovery codes replace one, each once; switching off needs both."""
    person = await newsroom.person("read")
    newsroom.api.context.accounts.login._clock = lambda: NOW
    browser, other = await newsroom.opened(person), await newsroom.opened(person)
    assert (await browser.call("PUT", "/me/totp", {"current_password": PASSWORD, "code": "123456"})).status == 409
    assert (await browser.call("POST", "/me/totp", {"current_password": "sai"})).status == 403
    begun = (await browser.call("POST", "/me/totp", {"current_password": PASSWORD})).json()
    assert begun["secret"] in begun["uri"]
    wrong = await browser.call("PUT", "/me/totp", {"current_password": PASSWORD, "code": "000000"})
    assert (wrong.status, wrong.json()["code"]) == (403, "wrong_code")
    assert (await Browser(newsroom.api).log_in(person.email)).status == 201, "not confirmed yet"
    code = code_of(begun["secret"], -1)
    confirmed = await browser.call("PUT", "/me/totp", {"current_password": PASSWORD, "code": code})
    codes = confirmed.json()["recovery_codes"]
    assert (confirmed.status, len(codes)) == (200, 10)
    assert (await other.call("GET", "/me")).status == 401
    browser.csrf = (await browser.call("GET", "/me")).json()["csrf_token"]
    assert (await Browser(newsroom.api).log_in(person.email, code=code)).json()["code"] == "wrong_code"
    assert (await Browser(newsroom.api).log_in(person.email, code=codes[0].upper())).status == 201
    assert (await Browser(newsroom.api).log_in(person.email, code=codes[0])).json()["code"] == "wrong_code"
    me = (await browser.call("GET", "/me")).json()
    assert (me["has_two_steps"], me["recovery_codes_left"]) == (True, 9)
    for method in ("POST", "PUT"):  # the session and the password alone cannot put another phone in its place
        refused = await browser.call(
            method,
            "/me/totp",
            {"current_password": PASSWORD, "code": code} if method == "PUT" else {"current_password": PASSWORD},
        )
        assert (refused.status, refused.json()["code"]) == (409, "two_steps_on")
    sent = {"current_password": PASSWORD, "code": codes[1]}
    renewed = (await browser.call("POST", "/me/recovery-codes", sent)).json()["recovery_codes"]
    assert not set(renewed) & set(codes)
    assert (await browser.call("DELETE", "/me/totp", {"current_password": PASSWORD, "code": codes[2]})).status == 403
    off = await browser.call("DELETE", "/me/totp", {"current_password": PASSWORD, "code": renewed[0]})
    assert off.status == 204
    assert (await Browser(newsroom.api).log_in(person.email)).status == 201
    assert await newsroom.api.context.pool.fetchval("SELECT count(*) FROM ingest.recovery_codes") == 0
