"""Log-in by OpenID Connect, against a real provider on loopback: what it says well, and what a hostile one says."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from services.ingest.auth.oidc import Pending, Provider, ProviderConfig, is_safe_url, parse_pending
from shared.http.problems import Problem
from tests.ingest.auth.oidc_provider import CLIENT, SECRET, FakeProvider, forged_key, rsa_key, unsigned

BACK = "https://haihau.example/api/sessions/oidc/callback"


@pytest.fixture
def fake() -> Iterator[FakeProvider]:
    """A provider."""
    provider = FakeProvider()
    yield provider
    provider.close()


def provider_of(fake: FakeProvider, **changed: Any) -> Provider:
    return Provider(ProviderConfig(fake.issuer, CLIENT, SECRET, claim="groups", **changed))


async def log_in(provider: Provider, fake: FakeProvider, **changed: str) -> Any:
    url, pending = await provider.begin(BACK, "/ban-bien-tap/")
    return await provider.finish(pending, fake.authorize(url, **changed), BACK)


async def code_of(provider: Provider, fake: FakeProvider, **changed: str) -> str:
    with pytest.raises(Problem) as refused:
        await log_in(provider, fake, **changed)
    return str(refused.value.extensions["code"])


async def test_log_in_identifies_the_person(fake: FakeProvider) -> None:
    """The code is exchanged once, with PKCE, the client's secret and the same address."""
    fake.claims = {"groups": ["bien-tap", 7, None]}
    found = await log_in(provider_of(fake), fake)
    assert (found.issuer, found.subject, found.email) == (fake.issuer, "subject-1", "lan@haihau.example")
    assert (found.name, found.values) == ("Trần Lan", ("bien-tap",))
    assert fake.requests == ["/.well-known/openid-configuration", "/token", "/keys"]


@pytest.mark.parametrize(
    ("claims", "email"),
    [
        ({"email_verified": False}, None),
        ({"email_verified": None}, None),
        ({"email_verified": "true"}, None),
        ({"email": None}, None),
        ({"email": ["lan@haihau.example"]}, None),
        ({"groups": "one"}, "lan@haihau.example"),
        ({"aud": [CLIENT], "azp": CLIENT}, "lan@haihau.example"),
    ],
)
async def test_log_in_takes_verified_addresses_only(
    fake: FakeProvider, claims: dict[str, Any], email: str | None
) -> None:
    """An address that the provider has not verified is not used to find anybody."""
    fake.claims = claims
    assert (await log_in(provider_of(fake), fake)).email == email


HOSTILE: list[tuple[dict[str, Any], str]] = [
    ({"claims": {"iss": "https://evil.example"}}, "invalid_id_token"),
    ({"claims": {"iss": None}}, "invalid_id_token"),
    ({"claims": {"aud": "another"}}, "invalid_id_token"),
    ({"claims": {"aud": [CLIENT, "another"]}}, "invalid_id_token"),
    ({"claims": {"aud": None}}, "invalid_id_token"),
    ({"claims": {"azp": "another"}}, "invalid_id_token"),
    ({"claims": {"nonce": "another"}}, "invalid_id_token"),
    ({"claims": {"nonce": None}}, "invalid_id_token"),
    ({"claims": {"exp": 1}}, "invalid_id_token"),
    ({"claims": {"exp": None}}, "invalid_id_token"),
    ({"claims": {"exp": "soon"}}, "invalid_id_token"),
    ({"claims": {"nbf": 4_000_000_000}}, "invalid_id_token"),
    ({"claims": {"iat": 4_000_000_000}}, "invalid_id_token"),
    ({"claims": {"sub": None}}, "invalid_id_token"),
    ({"claims": {"sub": ""}}, "invalid_id_token"),
    ({"claims": {"sub": 7}}, "invalid_id_token"),
    ({"claims": {"sub": "x" * 256}}, "invalid_id_token"),
    ({"claims": {"at_hash": "x"}}, "invalid_id_token"),
    ({"change_token": unsigned}, "invalid_id_token"),
    ({"change_token": lambda token: token + "x"}, "invalid_id_token"),
    ({"change_token": lambda token: token.rpartition(".")[0] + "."}, "invalid_id_token"),
    ({"change_token": lambda _: "a.b.c"}, "invalid_id_token"),
    ({"change_token": lambda _: ""}, "invalid_id_token"),
    ({"change_token": lambda _: None}, "invalid_id_token"),
    ({"change_token": lambda _: ["x"]}, "invalid_id_token"),
    ({"signing_key": forged_key(), "header": {"alg": "HS256"}}, "invalid_id_token"),
    ({"signing_key": rsa_key("two")}, "invalid_id_token"),
    ({"header": {"kid": "two"}}, "invalid_id_token"),
    ({"header": {"jku": "https://evil.example/keys", "kid": "evil"}}, "invalid_id_token"),
    ({"token_status": 400}, "token_refused"),
    ({"token_status": 302}, "token_refused"),
    ({"metadata": {"issuer": "https://evil.example"}}, "wrong_issuer"),
    ({"metadata": {"token_endpoint": "http://evil.example/token"}}, "provider_unavailable"),
    ({"metadata": {"jwks_uri": "file:///etc/passwd"}}, "provider_unavailable"),
    ({"metadata": {"jwks_uri": None}}, "provider_unavailable"),
    ({"metadata": {"authorization_response_iss_parameter_supported": True}}, "wrong_issuer"),
]


async def test_hostile_answers_identify_nobody(fake: FakeProvider) -> None:
    """Wrong issuers, audiences, nonces and times, no signature, or one by another key: each is refused."""
    for changed, code in HOSTILE:
        for name, value in {**FakeProvider.__dataclass_fields__}.items():
            if name in ("claims", "header", "metadata"):
                setattr(fake, name, {})
            elif name in ("token_status", "signing_key"):
                setattr(fake, name, value.default)
        fake.change_token = lambda token: token
        for name, value in changed.items():
            setattr(fake, name, value)
        assert await code_of(provider_of(fake), fake) == code, changed


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"state": "another"}, "another_login"),
        ({"state": ""}, "another_login"),
        ({"iss": "https://evil.example"}, "wrong_issuer"),
        ({"error": "access_denied"}, "provider_refused"),
        ({"code": ""}, "provider_refused"),
        ({"code": "code-of-another"}, "token_refused"),
    ],
)
async def test_response_to_another_log_in_is_refused(fake: FakeProvider, changed: dict[str, str], code: str) -> None:
    """A response with another state, issuer or code is not the one to this browser's request (mix-up, injection)."""
    assert await code_of(provider_of(fake), fake, **changed) == code


async def test_code_of_another_browser_is_refused(fake: FakeProvider) -> None:
    """A stolen code is useless without the verifier of the browser that began."""
    provider = provider_of(fake)
    stolen = fake.authorize((await provider.begin(BACK, "/ban-bien-tap/"))[0])
    url, pending = await provider.begin(BACK, "/ban-bien-tap/")
    own = fake.authorize(url)
    with pytest.raises(Problem) as refused:
        await provider.finish(pending, {**own, "code": stolen["code"]}, BACK)
    assert refused.value.extensions["code"] == "token_refused"


async def test_new_keys_of_the_provider_are_fetched(fake: FakeProvider) -> None:
    """A token by a key that is not known yet makes it ask again, at most once a minute."""
    now = time.time()
    provider = Provider(ProviderConfig(fake.issuer, CLIENT, SECRET), clock=lambda: now)
    await log_in(provider, fake)
    fake.key = rsa_key("two")
    fake.header = {"kid": "two"}
    assert await code_of(provider, fake) == "invalid_id_token"
    now += 61
    assert (await log_in(provider, fake)).subject == "subject-1"
    assert fake.requests.count("/keys") == 2


@pytest.mark.parametrize(
    "answer",
    [b"", b"[]", b"{", b"\xff", b"null", b'{"issuer": 1}', b"x" * 600_000, json.dumps({"issuer": "x"}).encode()],
)
async def test_provider_that_describes_nothing_is_502(answer: bytes) -> None:
    """Whatever comes instead of a description is a problem with a code, and no error of the server."""
    provider = Provider(ProviderConfig("https://id.example", CLIENT, SECRET), lambda *_: answer)
    with pytest.raises(Problem) as refused:
        await provider.begin(BACK, "/ban-bien-tap/")
    assert refused.value.status == 502


def test_pending_log_in_is_read_from_its_cookie() -> None:
    """What a browser has remembered is read for ten minutes; other cookies are no log-ins."""
    pending = Pending("s", "n", "v", "/ban-bien-tap/", 1_000.0)
    cookie = pending.as_cookie()
    assert parse_pending(cookie, 1_100) == pending
    for bad in (None, "", "x", "e30", cookie[:-4], "é", "x" * 3_000, cookie + "="):
        with pytest.raises(Problem):
            parse_pending(bad, 1_100 if bad != cookie + "=" else 2_000)
    for late in (1_601, 900):
        with pytest.raises(Problem):
            parse_pending(cookie, late)


def test_urls_of_the_provider_are_https() -> None:
    """Plain http is for loopback alone."""
    assert [is_safe_url(url) for url in ("https://id.example/x", "http://127.0.0.1:9/x", "http://localhost/x")] == [
        True
    ] * 3
    assert not any(is_safe_url(url) for url in ("http://id.example", "file:///etc/passwd", "ftp://x", "", "//x"))
