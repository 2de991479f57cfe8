"""Log-in, log-out, sessions, and the links that open an account: what works, and what attackers try."""

import asyncio
import os
import unicodedata
from datetime import timedelta
from typing import Any

from services.ingest.auth.account_links import create_link
from services.ingest.auth.actors import Actor
from services.ingest.auth.login_throttle import ACCOUNT, ADDRESS, DEVICE
from services.ingest.auth.mail import Mailer, MailServer
from services.ingest.auth.people import change_person, find_person
from services.ingest.auth.totp import STEP_SECONDS, code_at
from services.ingest.queries import ACCOUNTS
from tests.ingest.conftest import HTTPS, PASSWORD, Browser, Newsroom

SESSION = "__Host-presstally_session"
GUESSES = int(os.environ.get("PRESSTALLY_TEST_GUESSES", "300"))
"""Ten thousand take minutes."""


def secret_of(url: str) -> str:
    return url.partition("#")[2]


async def link_of(newsroom: Newsroom, person: Any, purpose: str) -> str:
    async with newsroom.api.context.pool.acquire() as connection, connection.transaction():
        return secret_of((await create_link(connection, person.id, purpose, HTTPS)).url)


async def with_totp(newsroom: Newsroom, person: Any, secret: bytes = b"x" * 20) -> bytes:
    query = "UPDATE ingest.people SET totp_secret = $2, totp_step = 0 WHERE id = $1"
    await newsroom.api.context.pool.execute(query, person.id, secret)
    return secret


async def test_log_in_opens_a_session_with_strict_cookies(newsroom: Newsroom) -> None:
    """The cookies are for this host alone, unreadable for scripts, and the session works until it is closed."""
    person = await newsroom.person("write:haihau")
    browser = Browser(newsroom.api)
    response = await browser.log_in("NGUOI1@HaiHau.example ")
    assert (response.status, response.json()["person"]) == (201, person.id)
    assert len(response.cookies) == 2
    for cookie in response.cookies:
        pair, *attributes = cookie.split("; ")
        assert pair.startswith("__Host-presstally_")
        assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} <= set(attributes)
        assert "Domain" not in cookie
    assert response.headers["cache-control"] == "no-store"
    me = (await browser.call("GET", "/me")).json()
    assert (me["id"], me["kind"], me["csrf_token"]) == (person.id, "person", browser.csrf)
    assert (await browser.call("DELETE", "/sessions/current")).status == 204
    assert SESSION not in browser.cookies
    assert (await browser.call("GET", "/me")).status == 401


async def test_session_on_loopback_has_plain_cookies(newsroom: Newsroom) -> None:
    """Over http on this machine the cookies have no prefix; elsewhere such names are ignored, and http is refused."""
    await newsroom.person("read")
    local = Browser(newsroom.api, origin="http://localhost:8080")
    assert (await local.log_in("nguoi1@haihau.example")).status == 201
    assert set(local.cookies) == {"presstally_session", "presstally_device"}
    assert (await local.call("GET", "/me")).status == 200
    planted = Browser(newsroom.api)
    planted.cookies = dict(local.cookies)
    assert (await planted.call("GET", "/me")).json()["code"] == "not_authenticated"
    plain = Browser(newsroom.api, origin="http://haihau.example")
    refused = await plain.log_in("nguoi1@haihau.example")
    assert (refused.status, refused.json()["code"]) == (403, "foreign_origin")


async def test_log_in_ends_the_session_that_the_browser_had(newsroom: Newsroom) -> None:
    """A session cookie that somebody has planted is not the one after a log-in, and stops working (fixation)."""
    await newsroom.person("read")
    attacker = await newsroom.browser("read", name="Kẻ gian")
    victim = Browser(newsroom.api)
    victim.cookies[SESSION] = attacker.cookies[SESSION]
    assert (await victim.log_in("nguoi1@haihau.example")).status == 201
    assert victim.cookies[SESSION] != attacker.cookies[SESSION]
    assert (await attacker.call("GET", "/me")).json()["code"] == "session_ended"
    victim.cookies[SESSION] = "x" * 43
    assert (await victim.log_in("nguoi1@haihau.example")).status == 201


FORGED: list[tuple[dict[str, str | None], str]] = [
    ({"origin": "https://evil.example"}, "foreign_origin"),
    ({"origin": "null"}, "foreign_origin"),
    ({"origin": None}, "foreign_origin"),
    ({"origin": None, "sec_fetch_site": None}, "foreign_origin"),
    ({"origin": "https://giaothuy.example"}, "foreign_origin"),
    ({"origin": "https://haihau.example.evil.example"}, "foreign_origin"),
    ({"origin": "https://haihau.example:8443"}, "foreign_origin"),
    ({"sec_fetch_site": "cross-site"}, "foreign_origin"),
    ({"sec_fetch_site": "same-site"}, "foreign_origin"),
    ({"sec_fetch_site": "none"}, "foreign_origin"),
    ({"host": "evil.example", "origin": "https://evil.example"}, "foreign_origin"),
    ({"x_csrf_token": None}, "wrong_csrf_token"),
    ({"x_csrf_token": ""}, "wrong_csrf_token"),
    ({"x_csrf_token": "x" * 43}, "wrong_csrf_token"),
    ({"x_csrf_token": "é"}, "wrong_csrf_token"),
]


async def test_change_by_a_forged_request_is_refused(newsroom: Newsroom) -> None:
    """A session's change comes from a page of this host and repeats the token; everything else is 403."""
    browser = await newsroom.browser("write:haihau")
    draft = {"site": "haihau", "section": "tin-tuc", "title": "Bài", "body": "<p>x</p>"}
    log_in = {"email": "nguoi1@haihau.example", "password": PASSWORD}
    for headers, code in FORGED:
        refused = await browser.call("POST", "/articles", draft, **headers)
        assert (refused.status, refused.json()["code"]) == (403, code), headers
        if code == "foreign_origin":
            assert (await browser.call("POST", "/sessions", log_in, **headers)).json()["code"] == code, headers
    assert await newsroom.api.context.pool.fetchval("SELECT count(*) FROM ingest.articles") == 0
    assert (await browser.call("POST", "/articles", draft)).status == 201


async def test_change_from_an_older_browser_needs_its_origin_alone(newsroom: Newsroom) -> None:
    """Browsers without Sec-Fetch-Site are known by Origin, with the token."""
    browser = await newsroom.browser("write:haihau")
    draft = {"site": "haihau", "section": "tin-tuc", "title": "Bài", "body": "<p>x</p>"}
    assert (await browser.call("POST", "/articles", draft, sec_fetch_site=None)).status == 201


async def test_token_beside_a_cookie_decides_alone(newsroom: Newsroom) -> None:
    """With an Authorization header no cookie is read: a token gets no further rights, and an invalid one is refused."""
    admin = await newsroom.browser("admin")
    reader = await newsroom.api.token("read", "haihau")
    me = await admin.call("GET", "/me", authorization=f"Bearer {reader}")
    assert (me.status, me.json()["kind"]) == (200, "token")
    assert (await admin.call("GET", "/people", authorization=f"Bearer {reader}")).status == 403
    for bad in ("Bearer x", "", "Basic YTpi", f"Bearer pt_{'0' * 8}_{'x' * 43}"):
        assert (await admin.call("GET", "/me", authorization=bad)).status == 401
        assert (await admin.call("DELETE", "/sessions/current", authorization=bad)).status == 401
    assert (await admin.call("GET", "/me")).status == 200


async def test_two_session_cookies_are_refused(newsroom: Newsroom) -> None:
    """Which of two cookies is the person's own cannot be known."""
    one, other = await newsroom.browser("read"), await newsroom.browser("admin")
    both = f"{SESSION}={one.cookies[SESSION]}; {SESSION}={other.cookies[SESSION]}"
    refused = await one.call("GET", "/me", cookie=both)
    assert (refused.status, refused.json()["code"]) == (400, "ambiguous_cookie")


async def test_invented_session_is_401_and_deletes_the_cookie(newsroom: Newsroom) -> None:
    """An invented cookie opens nothing, and the browser drops it, so that public reads work again."""
    browser = Browser(newsroom.api)
    injections = ["../../etc", "%00", "' OR 1=1 --", '"' + "x" * 43 + '"', "é", "pt_1_2"]
    for cookie in ["", "x", "x" * 43, "x" * 5_000, *injections]:
        response = await browser.call("GET", "/me", cookie=f"{SESSION}={cookie}")
        assert response.status == 401
        if response.json()["code"] == "session_ended":
            assert "Max-Age=0" in response.cookies[0]
        assert (await browser.call("GET", "/articles", cookie=f"{SESSION}={cookie}")).status == (401 if cookie else 200)


ENDINGS = [
    "UPDATE ingest.sessions SET used_at = clock_timestamp() - interval '12 hours 1 minute'",
    "UPDATE ingest.sessions SET expires_at = clock_timestamp() - interval '1 second'",
    "UPDATE ingest.people SET locked_at = clock_timestamp()",
    "DELETE FROM ingest.sessions",
    "DELETE FROM ingest.people",
    "UPDATE ingest.sessions SET hash = sha256('x')",
]


async def test_session_that_has_ended_is_refused_at_once(newsroom: Newsroom) -> None:
    """Idle, expired, locked, closed and removed: the next request of a stolen or forgotten cookie is 401."""
    for change in ENDINGS:
        browser = await newsroom.browser("admin")
        assert (await browser.call("GET", "/people")).status == 200
        await newsroom.api.context.pool.execute(change)
        cookies = dict(browser.cookies)
        for method in ("GET", "POST"):
            browser.cookies = dict(cookies)
            assert (await browser.call(method, "/people", {})).json()["code"] == "session_ended", change


async def test_session_stays_open_while_it_is_used(newsroom: Newsroom) -> None:
    """A request renews the time without requests, at most once a minute, and never the time of the whole session."""
    browser = await newsroom.browser("read")
    pool = newsroom.api.context.pool
    await pool.execute("UPDATE ingest.sessions SET used_at = clock_timestamp() - interval '11 hours'")
    before = await pool.fetchrow("SELECT used_at, expires_at FROM ingest.sessions")
    assert (await browser.call("GET", "/me")).status == 200
    after = await pool.fetchrow("SELECT used_at, expires_at FROM ingest.sessions")
    assert after["used_at"] - before["used_at"] > timedelta(hours=10)
    assert after["expires_at"] == before["expires_at"]


async def test_grants_of_a_session_are_those_of_now(newsroom: Newsroom) -> None:
    """What an administrator changes holds for the next request in every process: nothing is cached."""
    person = await newsroom.person("admin")
    await newsroom.person("admin")
    browser = await newsroom.opened(person)
    assert (await browser.call("GET", "/people")).status == 200
    query = "DELETE FROM ingest.person_grants WHERE person = $1"
    await newsroom.api.context.pool.execute(query, person.id)
    assert (await browser.call("GET", "/people")).status == 403


async def test_sessions_are_listed_and_closed(newsroom: Newsroom) -> None:
    """A person sees the own sessions with browser, network and times, closes one or all others, and nobody else's."""
    person = await newsroom.person("read")
    first, second, third = [await newsroom.opened(person) for _ in range(3)]
    stranger = await newsroom.browser("admin")
    listed = (await first.call("GET", "/sessions")).json()
    assert len(listed["sessions"]) == 3
    assert {one["network"] for one in listed["sessions"]} == {"203.0.113.0/24"}
    assert "203.0.113.7" not in str(listed)
    second_id = (await second.call("GET", "/sessions")).json()["current"]
    assert (await stranger.call("DELETE", f"/sessions/{second_id}")).status == 404
    assert (await first.call("DELETE", f"/sessions/{second_id}")).status == 204
    assert (await second.call("GET", "/me")).status == 401
    assert (await first.call("DELETE", "/sessions/others")).status == 204
    assert (await third.call("GET", "/me")).status == 401
    assert (await first.call("GET", "/me")).status == 200
    for wrong in ("0", "-1", str(2**63), "x"):
        assert (await first.call("DELETE", f"/sessions/{wrong}")).status in (404, 422)


async def test_wrong_credentials_say_nothing_about_the_account(newsroom: Newsroom) -> None:
    """An unknown address, a wrong password, an account without one and a locked one get the same response."""
    await newsroom.person("read")
    await newsroom.person("read", password=None)
    locked = await newsroom.person("read")
    await newsroom.api.context.pool.execute("UPDATE ingest.people SET locked_at = now() WHERE id = $1", locked.id)
    answers = []
    tries = [
        "nguoi1@haihau.example",
        "nguoi2@haihau.example",
        locked.email,
        "ai-do@haihau.example",
        "@",
        "a b@c",
        "é@é.vn",
    ]
    for number, email in enumerate(tries):
        browser = Browser(newsroom.api, f"198.51.100.{number}")
        answers.append(await browser.log_in(email, "sai mật khẩu rồi"))
        assert not answers[-1].cookies
    assert {(one.status, one.body) for one in answers} == {(401, answers[0].body)}
    known = await Browser(newsroom.api).log_in(locked.email)
    assert (known.status, known.json()["code"]) == (403, "account_locked")


async def test_password_is_the_same_in_composed_and_decomposed_letters(newsroom: Newsroom) -> None:
    """Keyboards of different systems send the same Vietnamese letters in one part or in several."""
    await newsroom.person("read")
    for form in ("NFC", "NFD"):
        typed = unicodedata.normalize(form, PASSWORD)  # type: ignore[arg-type]
        assert (await Browser(newsroom.api).log_in("nguoi1@haihau.example", typed)).status == 201


async def test_guesses_from_many_addresses_leave_the_owner_able_to_log_in(newsroom: Newsroom) -> None:
    """From many addresses few guesses are evaluated; the owner's browser, and a link to the mailbox, still work."""
    person = await newsroom.person("read")
    own = Browser(newsroom.api, "192.0.2.1")
    assert (await own.log_in(person.email)).status == 201
    verified = 0
    for number in range(GUESSES):
        guess = Browser(newsroom.api, f"10.{number // 250}.{number % 250}.1")
        response = await guess.log_in(person.email, f"đoán thử lần {number}")
        verified += response.status == 401
        assert response.status in (401, 429)
    refused = await Browser(newsroom.api, "192.0.2.99").log_in(person.email)
    assert (refused.status, refused.json()["code"]) == (429, "too_many_attempts")
    assert 0 < int(refused.headers["retry-after"]) <= ACCOUNT.seconds + 1
    own.cookies.pop(SESSION)
    assert (await own.log_in(person.email)).status == 201
    link = await link_of(newsroom, person, "login")
    elsewhere = Browser(newsroom.api, "192.0.2.98")
    assert (await elsewhere.log_in(person.email, link=link)).status == 201
    assert (await Browser(newsroom.api, "192.0.2.97").log_in(person.email, link=link)).json()["code"] == "unknown_link"
    elsewhere.cookies.pop(SESSION)
    assert (await elsewhere.log_in(person.email)).status == 201, "the new browser is known now"


async def test_guesses_for_an_unknown_account_are_throttled_alike(newsroom: Newsroom) -> None:
    """After as many guesses as for a real account the refusal is the same, so that it names no account."""
    answers = [
        await Browser(newsroom.api, f"10.9.{number}.1").log_in("khong-co@haihau.example")
        for number in range(ACCOUNT.failures_max + 1)
    ]
    assert [one.status for one in answers] == [401] * ACCOUNT.failures_max + [429]


async def test_guesses_of_one_address_leave_others_alone(newsroom: Newsroom) -> None:
    """An address that guesses is refused for all accounts; colleagues at other addresses are not."""
    people = [await newsroom.person("read") for _ in range(3)]
    statuses = []
    for number in range(ADDRESS.failures_max + 1):
        guess = Browser(newsroom.api, "10.1.1.1")
        statuses.append((await guess.log_in(people[number % 2].email, "sai mật khẩu rồi")).status)
    assert statuses == [401] * ADDRESS.failures_max + [429]
    assert (await Browser(newsroom.api, "10.1.1.1").log_in(people[2].email)).status == 429
    assert (await Browser(newsroom.api, "10.1.2.1").log_in(people[2].email)).status == 201


async def test_known_browser_is_limited_by_its_own_count(newsroom: Newsroom) -> None:
    """A stolen device cookie gives a few guesses, and does not use up those of others."""
    person = await newsroom.person("read")
    own, thief = Browser(newsroom.api), Browser(newsroom.api, "10.2.2.2")
    assert (await own.log_in(person.email)).status == 201
    thief.cookies["__Host-presstally_device"] = own.cookies["__Host-presstally_device"]
    statuses = [(await thief.log_in(person.email, "sai mật khẩu rồi")).status for _ in range(DEVICE.failures_max + 1)]
    assert statuses == [401] * DEVICE.failures_max + [429]
    assert (await Browser(newsroom.api, "10.2.2.3").log_in(person.email)).status == 201


async def test_successful_log_ins_are_not_counted(newsroom: Newsroom) -> None:
    """An office behind one address logs in as often as it likes."""
    person = await newsroom.person("read")
    for _ in range(ADDRESS.failures_max + 5):
        assert (await Browser(newsroom.api, "10.3.3.3").log_in(person.email)).status == 201


async def test_two_steps_need_a_fresh_code(newsroom: Newsroom) -> None:
    """Without a code it is asked for; a used one is refused, in the same second, too, and so is one of an hour ago."""
    person = await newsroom.person("read")
    secret = await with_totp(newsroom, person)
    login = newsroom.api.context.accounts.login
    now = 1_800_000_000.0
    login._clock = lambda: now
    asked = await Browser(newsroom.api).log_in(person.email)
    assert (asked.status, asked.json()["code"]) == (401, "code_required")
    wrong_password = await Browser(newsroom.api).log_in(person.email, "sai mật khẩu rồi")
    assert wrong_password.json()["code"] == "wrong_credentials"
    code = code_at(secret, int(now) // STEP_SECONDS)
    two = [Browser(newsroom.api).log_in(person.email, code=code) for _ in range(2)]
    assert sorted(one.status for one in await asyncio.gather(*two)) == [201, 401]
    for bad in (
        code,
        code_at(secret, int(now) // STEP_SECONDS - 1),
        code_at(secret, 1),
        "000000x",
        "",
        "12345",
        "é" * 6,
    ):
        again = await Browser(newsroom.api).log_in(person.email, code=bad)
        assert again.json()["code"] == ("wrong_code" if bad else "code_required"), bad
    now += STEP_SECONDS
    fresh = code_at(secret, int(now) // STEP_SECONDS)
    assert (await Browser(newsroom.api).log_in(person.email, code=f"{fresh[:3]} {fresh[3:]}")).status == 201


async def test_codes_cannot_be_guessed(newsroom: Newsroom) -> None:
    """Who knows the password has as few guesses of the code as of the password, from all addresses together."""
    person = await newsroom.person("read")
    await with_totp(newsroom, person)
    statuses = []
    for number in range(ACCOUNT.failures_max + 3):
        guess = Browser(newsroom.api, f"10.4.{number}.4")
        statuses.append((await guess.log_in(person.email, code=f"{number:06}")).status)
    assert statuses.count(401) <= ACCOUNT.failures_max
    assert statuses[-1] == 429


async def test_locked_account_stays_closed_with_every_key(newsroom: Newsroom) -> None:
    """A lock closes sessions, ends links, and refuses the right password, code and device."""
    await newsroom.person("admin")
    person = await newsroom.person("write:haihau")
    browser = Browser(newsroom.api)
    assert (await browser.log_in(person.email)).status == 201
    links = [await link_of(newsroom, person, purpose) for purpose in ("invitation", "reset", "login")]
    async with newsroom.api.context.pool.acquire() as connection, connection.transaction():
        found = await find_person(connection, id=person.id)
        assert found is not None
        await change_person(connection, Actor("test"), found, locked=True)
    assert (await browser.call("GET", "/me")).status == 401
    assert (await browser.log_in(person.email)).json()["code"] == "account_locked"
    for link in links:
        sent = {"link": link, "password": "một mật khẩu mới tinh"}
        assert (await browser.call("POST", "/passwords", sent)).json()["code"] == "unknown_link"


async def test_link_sets_a_password_once(newsroom: Newsroom) -> None:
    """An invitation gives name and password; reused, expired, replaced and invented links are 404 alike."""
    person = await newsroom.person("write:haihau", password=None)
    browser = Browser(newsroom.api)
    former = await link_of(newsroom, person, "invitation")
    link = await link_of(newsroom, person, "invitation")
    seen = await browser.call("POST", "/account-links", {"link": link})
    assert seen.json() == {"purpose": "invitation", "email": person.email, "name": person.name}
    accepted = await browser.call("POST", "/passwords", {"link": link, "password": PASSWORD, "name": "  Lê   Nam "})
    assert accepted.status == 204
    assert (await browser.log_in(person.email)).status == 201
    assert (await browser.call("GET", "/me")).json()["name"] == "Lê Nam"
    expired = await link_of(newsroom, person, "reset")
    await newsroom.api.context.pool.execute(
        "SET LOCAL ROLE NONE; UPDATE ingest.account_links SET expires_at = now() - interval '1 s'"
    )
    login = await link_of(newsroom, person, "login")
    for bad in (link, former, expired, login, "x" * 43, "", "' OR '1'='1", link[:-1], link + "x", link.upper()):
        refused = await browser.call("POST", "/passwords", {"link": bad, "password": "một mật khẩu khác"})
        assert (refused.status, refused.json()["code"]) == (404, "unknown_link"), bad
    assert (await browser.log_in(person.email)).status == 201


async def test_link_is_used_by_one_of_two_requests(newsroom: Newsroom) -> None:
    """Of two requests at once with the same link, one sets the password."""
    person = await newsroom.person("read", password=None)
    link = await link_of(newsroom, person, "reset")
    sent = [{"link": link, "password": f"mật khẩu thứ {number} đây"} for number in range(3)]
    answers = await asyncio.gather(*(Browser(newsroom.api).call("POST", "/passwords", one) for one in sent))
    assert sorted(one.status for one in answers) == [204, 404, 404]


async def test_new_password_closes_everything_that_was_open(newsroom: Newsroom) -> None:
    """After a reset a thief's session, device and links are worth nothing, and two-step verification stays on."""
    person = await newsroom.person("read")
    await with_totp(newsroom, person)
    thief = await newsroom.opened(person)
    login = await link_of(newsroom, person, "login")
    link = await link_of(newsroom, person, "reset")
    sent = {"link": link, "password": "một mật khẩu mới tinh"}
    assert (await Browser(newsroom.api).call("POST", "/passwords", sent)).status == 204
    assert (await thief.call("GET", "/me")).status == 401
    refused = await thief.log_in(person.email, "một mật khẩu mới tinh", link=login)
    assert refused.json()["code"] == "unknown_link"
    assert (await thief.log_in(person.email, "một mật khẩu mới tinh")).json()["code"] == "code_required"


WEAK = [
    "ngắn quá",
    "x" * 9,
    "x" * 201,
    "1234567890",
    "aaaaaaaaaaaa",
    "QWERTYUIOP",
    "Matkhau123",
    "nguoi1@haihau.example",
    "Người 12345",
    "người 1",
    "",
    "ab" * 20,
    "\0" * 5 + "abcdefghij",
]


async def test_weak_password_is_refused_with_the_reason(newsroom: Newsroom) -> None:
    """Short, common and repeated passwords, and the own name and address, are refused; the link still works."""
    person = await newsroom.person("read", password=None)
    link = await link_of(newsroom, person, "reset")
    browser = Browser(newsroom.api)
    for password in WEAK:
        refused = await browser.call("POST", "/passwords", {"link": link, "password": password})
        assert (refused.status, refused.json()["errors"][0]["field"]) == (422, "password"), password
    assert (await browser.call("POST", "/passwords", {"link": link, "password": PASSWORD})).status == 204


async def test_request_for_a_link_says_nothing_about_the_account(newsroom: Newsroom) -> None:
    """Known, unknown, locked and malformed addresses get the same 202; one mail is sent, to the known one."""
    accounts = newsroom.api.context.accounts
    accounts.mailer = Mailer(MailServer("127.0.0.1", 1, False, True, "", "", "toasoan@haihau.example"))
    await newsroom.person("read")
    locked = await newsroom.person("read")
    await accounts.pool.execute("UPDATE ingest.people SET locked_at = now() WHERE id = $1", locked.id)
    addresses = ["nguoi1@haihau.example", locked.email, "ai-do@haihau.example", "@", "a\r\nBcc: x@evil.example", "é"]
    for path in ("/password-resets", "/login-links"):
        answers = [await Browser(newsroom.api).call("POST", path, {"email": one}) for one in addresses]
        assert {(one.status, one.body, tuple(sorted(one.headers))) for one in answers} == {
            (202, b"", tuple(sorted(answers[0].headers)))
        }
    await accounts.finish()
    mails = [accounts.mailer._waiting.get_nowait() for _ in range(accounts.mailer._waiting.qsize())]
    assert [mail["To"] for mail in mails] == ["nguoi1@haihau.example"] * 2
    assert f"{HTTPS}/ban-bien-tap/mat-khau#" in mails[0].get_content()
    count = await accounts.pool.fetchval("SELECT count(*) FROM ingest.account_links")
    assert count == 2


async def test_requests_for_links_are_limited(newsroom: Newsroom) -> None:
    """Nobody's mailbox is filled: an account gets five links an hour, and an address may ask for twenty."""
    accounts = newsroom.api.context.accounts
    accounts.mailer = Mailer(MailServer("127.0.0.1", 1, False, True, "", "", "toasoan@haihau.example"))
    person = await newsroom.person("read")
    statuses = []
    for _ in range(22):
        browser = Browser(newsroom.api)
        statuses.append((await browser.call("POST", "/password-resets", {"email": person.email})).status)
    await accounts.finish()
    assert statuses == [202] * 20 + [429] * 2
    assert accounts.mailer._waiting.qsize() == 5


async def test_link_without_a_mail_server_is_501(newsroom: Newsroom) -> None:
    """Where no mail can be sent, the page says so, to everybody."""
    for path in ("/password-resets", "/login-links"):
        refused = await Browser(newsroom.api).call("POST", path, {"email": "ai-do@haihau.example"})
        assert (refused.status, refused.json()["code"]) == (501, "mail_not_configured")
    methods = (await Browser(newsroom.api).call("GET", "/sessions/methods")).json()
    assert methods == {"password": True, "provider": None, "mail": False}


async def test_log_in_reads_a_bounded_body_of_strangers(newsroom: Newsroom) -> None:
    """Without a caller a body has 8 KiB, and fields their bounds: no memory for strangers."""
    browser = Browser(newsroom.api)
    assert (await browser.call("POST", "/sessions", b"x" * 9_000)).status == 413
    for body in (
        b"",
        b"[]",
        b"{",
        b'{"email": 1, "password": []}',
        b'{"email": "a@b.vn"}',
        b'{"email":"a","password":"\\ud800"}',
    ):
        assert (await browser.call("POST", "/sessions", body)).status in (400, 401, 422), body
    too_long = {"email": "a@b.vn", "password": "x" * 1_001}
    assert (await browser.call("POST", "/sessions", too_long)).status == 422


async def test_log_in_with_another_spelling_of_the_address_is_refused(newsroom: Newsroom) -> None:
    """Ports, letters whose lower case is ASCII, and NUL are wrong credentials, neither an alias nor an error."""
    person = await newsroom.person("read")
    await newsroom.api.context.pool.execute(
        "UPDATE ingest.people SET email = 'sao.kim@haihau.example' WHERE id = $1", person.id
    )
    others = ("sao.kim@haihau.example:443", "\u017fao.kim@haihau.example", "sao.\u212aim@haihau.example", "sao\0@a.vn")
    for email in others:
        refused = await Browser(newsroom.api).log_in(email)
        assert (refused.status, refused.json()["code"]) == (401, "wrong_credentials"), email
    assert (await Browser(newsroom.api).log_in("SAO.KIM@HaiHau.example")).status == 201


async def test_expired_rows_are_deleted(newsroom: Newsroom) -> None:
    """What has expired is deleted: sessions, links, counts of failures and browsers of a year ago."""
    person = await newsroom.person("read")
    browser = Browser(newsroom.api)
    assert (await browser.log_in(person.email)).status == 201
    await browser.log_in(person.email, "sai mật khẩu rồi")
    await link_of(newsroom, person, "reset")
    pool = newsroom.api.context.pool
    await newsroom.api.context.accounts.clean_up()
    tables = ("sessions", "account_links", "login_attempts", "known_devices")
    assert [await pool.fetchval(f"SELECT count(*) FROM ingest.{one}") for one in tables] == [1, 1, 4, 1]
    await pool.execute("UPDATE ingest.sessions SET expires_at = now() - interval '1 s'")
    await pool.execute("SET LOCAL ROLE NONE; UPDATE ingest.account_links SET expires_at = now() - interval '1 s'")
    await pool.execute("UPDATE ingest.login_attempts SET until = now() - interval '1 s'")
    await pool.execute("UPDATE ingest.known_devices SET used_at = now() - interval '401 days'")
    await newsroom.api.context.accounts.clean_up()
    assert [await pool.fetchval(f"SELECT count(*) FROM ingest.{one}") for one in tables] == [0] * 4
    assert await pool.fetchval(ACCOUNTS["count_administrators"], False) == 0
