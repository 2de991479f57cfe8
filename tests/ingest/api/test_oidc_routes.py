"""`/api/sessions/oidc`: the whole flow of a browser, against a real provider on loopback."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from services.ingest.auth.oidc import Provider, ProviderConfig
from services.ingest.auth.people import parse_grants
from tests.ingest.auth.oidc_provider import CLIENT, SECRET, FakeProvider
from tests.ingest.conftest import Browser, Newsroom

PAGE = {"accept": "text/html", "sec_fetch_site": "cross-site"}


@pytest.fixture
def fake(newsroom: Newsroom) -> Iterator[FakeProvider]:
    """A provider that the newsroom uses."""
    provider = FakeProvider(claims={"groups": ["bien-tap"]})
    grants = {"bien-tap": frozenset(parse_grants(["publish:haihau:tin-tuc"]))}
    config = ProviderConfig(provider.issuer, CLIENT, SECRET, "Đăng nhập chung", claim="groups", grants=grants)
    newsroom.api.context.accounts.provider = Provider(config)
    yield provider
    provider.close()


async def test_log_in_at_the_provider_opens_a_session(newsroom: Newsroom, fake: FakeProvider) -> None:
    """The browser goes to the provider and comes back with a session; a replay fails."""
    browser = Browser(newsroom.api)
    assert (await browser.call("GET", "/sessions/methods")).json()["provider"] == "Đăng nhập chung"
    begun = await browser.call("GET", "/sessions/oidc?return_to=/ban-bien-tap/bai-viet?x=1", **PAGE)
    assert (begun.status, begun.headers["cache-control"]) == (303, "no-store")
    assert "__Host-presstally_oidc" in browser.cookies
    back = urlencode({**fake.authorize(begun.headers["location"]), "session_state": "x", "scope": "openid"})
    former = dict(browser.cookies)
    done = await browser.call("GET", f"/sessions/oidc/callback?{back}", **PAGE)
    assert (done.status, done.headers["location"]) == (303, "/ban-bien-tap/bai-viet?x=1")
    assert set(browser.cookies) == {"__Host-presstally_session", "__Host-presstally_device"}
    me = (await browser.call("GET", "/me")).json()
    assert (me["name"], me["email"]) == ("Trần Lan", "lan@haihau.example")
    assert me["grants"] == [{"scope": "publish", "site": "haihau", "section": "tin-tuc"}]
    replay = Browser(newsroom.api)
    replay.cookies = {"__Host-presstally_oidc": former["__Host-presstally_oidc"]}
    again = await replay.call("GET", f"/sessions/oidc/callback?{back}", **PAGE)
    assert again.headers["location"] == "/ban-bien-tap/dang-nhap?error=token_refused"
    assert replay.cookies == {}


async def test_response_without_a_begun_log_in_is_refused(newsroom: Newsroom, fake: FakeProvider) -> None:
    """Nobody is logged in to an attacker's account by a link: the browser has to have begun (log-in CSRF)."""
    attacker, victim = Browser(newsroom.api), Browser(newsroom.api)
    begun = await attacker.call("GET", "/sessions/oidc")
    back = urlencode(fake.authorize(begun.headers["location"]))
    refused = await victim.call("GET", f"/sessions/oidc/callback?{back}")
    assert (refused.status, refused.json()["code"]) == (401, "no_pending_login")
    assert not victim.cookies
    await victim.call("GET", "/sessions/oidc")
    assert (await victim.call("GET", f"/sessions/oidc/callback?{back}")).json()["code"] == "another_login"


async def test_return_leads_into_the_newsroom_only(newsroom: Newsroom, fake: FakeProvider) -> None:
    """No parameter makes the log-in lead to another page (open redirect)."""
    paths = ["/ban-bien-tap/../api", "/ban-bien-tap/\\evil", "/ban-bien-tap//x", "", "/x"]
    for return_to in ["https://evil.example/", "//evil.example", *paths]:
        browser = Browser(newsroom.api)
        begun = await browser.call("GET", f"/sessions/oidc?{urlencode({'return_to': return_to})}")
        back = urlencode(fake.authorize(begun.headers["location"]))
        done = await browser.call("GET", f"/sessions/oidc/callback?{back}")
        assert done.headers["location"] == "/ban-bien-tap/", return_to


async def test_log_in_at_the_provider_needs_one(newsroom: Newsroom) -> None:
    """Without a provider there is nothing to begin, and a host that no site declares is refused."""
    browser = Browser(newsroom.api)
    for path in ("/sessions/oidc", "/sessions/oidc/callback"):
        assert (await browser.call("GET", path)).json()["code"] == "no_provider"


async def test_unknown_host_is_no_return_address(newsroom: Newsroom, fake: FakeProvider) -> None:
    """A forged Host does not become the address to which the provider sends the code."""
    refused = await Browser(newsroom.api).call("GET", "/sessions/oidc", host="evil.example")
    assert (refused.status, refused.json()["code"]) == (403, "foreign_origin")
