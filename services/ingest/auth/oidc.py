"""Log-in by OpenID Connect: the authorization code flow with PKCE, state and nonce.

Authlib writes the requests and checks the claims, joserfc the signature. Both are imported at the first log-in, so that
an installation without a provider has neither in memory.
"""

import asyncio
import base64
import hmac
import json
import secrets
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from services.ingest.auth.callers import Grant
from shared.http.problems import Problem
from shared.logs import log
from shared.origins import is_loopback

ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA"]
"""Of ID tokens: signatures by a key that only the provider has; neither `none` nor the client's secret."""
METADATA_SECONDS = 3600.0
KEYS_AGAIN_SECONDS = 60.0
"""Keys are fetched again for a token with an unknown key, at most so often."""
RESPONSE_BYTES_MAX = 512 * 1024
TIMEOUT_SECONDS = 10.0
LEEWAY_SECONDS = 60
PENDING_SECONDS = 600.0
TEXT_CHARACTERS_MAX = 2_000

Fetch = Callable[[str, bytes | None, Mapping[str, str]], bytes]
"""URL, body of a POST or None, and headers → the body of a response with status 200. Blocks; raises OSError."""


@dataclass(frozen=True)
class ProviderConfig:
    """An OpenID Connect provider, as the settings name it."""

    issuer: str
    client_id: str
    client_secret: str
    name: str = "OpenID Connect"
    scopes: str = "openid email profile"
    claim: str = ""
    """The claim whose values give rights to people who are not invited."""
    grants: Mapping[str, frozenset[Grant]] = field(default_factory=dict)
    """The rights that each of these values gives."""

    def grants_of(self, values: Iterable[str]) -> frozenset[Grant]:
        """Return the rights that values of the claim give."""
        return frozenset(grant for value in values for grant in self.grants.get(value, ()))


class Pending(msgspec.Struct):
    """A log-in that has begun; it stays in the browser's cookie until the provider sends the browser back."""

    state: str
    nonce: str
    verifier: str
    return_to: str
    at: float

    def as_cookie(self) -> str:
        """Return it as the value of a cookie."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


def parse_pending(cookie: str | None, now: float) -> Pending:
    """Return the log-in of a cookie.

    Raises:
        Problem: 401 if there is none, or it is too old: the browser was sent back to something that it did not begin.
    """
    pending = None
    if cookie and len(cookie) < TEXT_CHARACTERS_MAX:
        try:
            content = base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4))
            pending = msgspec.json.decode(content, type=Pending)
        except (ValueError, msgspec.DecodeError):
            pending = None
    if pending is None or not -LEEWAY_SECONDS < now - pending.at < PENDING_SECONDS:
        raise refused("no_pending_login", "This browser has not begun a log-in, or too long ago; begin again.")
    return pending


@dataclass(frozen=True)
class Identity:
    """Whom the provider has identified."""

    issuer: str
    subject: str
    email: str | None
    """Only if the provider has verified it."""
    name: str
    values: tuple[str, ...]
    """Of the claim that gives rights."""


def refused(code: str, detail: str, status: int = 401) -> Problem:
    """Return the problem of a log-in that the provider's response does not allow."""
    return Problem(status, detail, code=code)


class Provider:
    """Logs people in at an OpenID Connect provider.

    Args:
        config: The provider.
        fetch: Fetches from it.
        clock: Seconds since 1970.
    """

    def __init__(
        self, config: ProviderConfig, fetch: Fetch | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.config = config
        self._fetch = fetch or fetch_from_provider
        self.clock = clock
        self._metadata: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, Any] | None = None

    async def begin(self, redirect_uri: str, return_to: str) -> tuple[str, Pending]:
        """Return the provider's address to which the browser is sent, and what it has to remember.

        Raises:
            Problem: 502 if the provider does not describe itself.
        """
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        endpoint = (await self._describe())["authorization_endpoint"]
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        pending = Pending(state, nonce, verifier, return_to, self.clock())
        url = prepare_grant_uri(
            endpoint,
            self.config.client_id,
            "code",
            redirect_uri,
            self.config.scopes,
            pending.state,
            nonce=pending.nonce,
            code_challenge=create_s256_code_challenge(pending.verifier),
            code_challenge_method="S256",
        )
        return str(url), pending

    async def finish(self, pending: Pending, sent: Mapping[str, str], redirect_uri: str) -> Identity:
        """Return whom the provider has identified.

        Args:
            pending: What the browser has remembered.
            sent: The parameters with which the provider has sent the browser back.
            redirect_uri: As at the beginning.

        Raises:
            Problem: 401 if the response is not one to this log-in, or its token is not valid; 502 if the provider
                cannot be asked.
        """
        if not hmac.compare_digest(sent.get("state", "").encode(), pending.state.encode()):
            raise refused("another_login", "The response belongs to another log-in; begin again.")
        metadata = await self._describe()
        issuer = sent.get("iss")  # RFC 9207: whose response it is
        is_required = metadata.get("authorization_response_iss_parameter_supported") is True
        if (issuer is None and is_required) or (issuer is not None and issuer != self.config.issuer):
            raise refused("wrong_issuer", "The response comes from another provider.")
        if "error" in sent or not sent.get("code"):
            log.warning("log-in refused by the provider", error=sent.get("error", "")[:60])
            raise refused("provider_refused", "The provider has refused the log-in.")
        token, access_token = await self._exchange(metadata, sent["code"], pending.verifier, redirect_uri)
        return self._identity(await self._claims(metadata, token, access_token, pending.nonce))

    async def _exchange(
        self, metadata: dict[str, Any], code: str, verifier: str, redirect_uri: str
    ) -> tuple[str, str | None]:
        from authlib.oauth2.rfc6749.parameters import prepare_token_request

        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        extra = {}
        methods = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        quote = urllib.parse.quote
        if self.config.client_secret and "client_secret_basic" in methods:
            pair = f"{quote(self.config.client_id, safe='')}:{quote(self.config.client_secret, safe='')}"
            headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            extra = {"client_id": self.config.client_id, "client_secret": self.config.client_secret}
        body = prepare_token_request(
            "authorization_code", redirect_uri=redirect_uri, code=code, code_verifier=verifier, **extra
        )
        answer = await self._json(metadata["token_endpoint"], str(body).encode(), headers, "token_refused")
        token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(token, str):
            raise refused("invalid_id_token", "The provider has sent no ID token.")
        return token, access_token if isinstance(access_token, str) else None

    async def _claims(
        self, metadata: dict[str, Any], token: str, access_token: str | None, nonce: str
    ) -> dict[str, Any]:
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import JoseError

        keys = await self._key_set(metadata, is_new=False)
        for attempt in (1, 2):
            try:
                decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
                break
            except (JoseError, ValueError, TypeError) as error:
                newer = await self._key_set(metadata, is_new=True) if attempt == 1 else keys
                if newer is keys:
                    log.warning("ID token refused", reason=type(error).__name__)
                    raise refused("invalid_id_token", "The provider's ID token is not valid.") from error
                keys = newer
        options: Any = {
            "iss": {"essential": True, "value": self.config.issuer},
            "aud": {"essential": True, "value": self.config.client_id},
            "sub": {"essential": True},
            "exp": {"essential": True},
        }
        params = {"nonce": nonce, "client_id": self.config.client_id, "access_token": access_token}
        claims = CodeIDToken(decoded.claims, decoded.header, options, params)
        try:
            claims.validate(now=int(self.clock()), leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            log.warning("ID token refused", reason=type(error).__name__, claim=getattr(error, "claim", None))
            raise refused("invalid_id_token", "The provider's ID token is not valid.") from error
        return dict(claims)

    def _identity(self, claims: dict[str, Any]) -> Identity:
        subject, email = claims["sub"], claims.get("email")
        if not isinstance(subject, str) or not 1 <= len(subject) <= 255 or "\0" in subject:
            raise refused("invalid_id_token", "The provider's ID token is not valid.")
        is_verified = claims.get("email_verified") is True and isinstance(email, str)
        name = next((claims[one] for one in ("name", "preferred_username") if isinstance(claims.get(one), str)), "")
        found = claims.get(self.config.claim) if self.config.claim else None
        values = found if isinstance(found, list) else [found]
        return Identity(
            self.config.issuer,
            subject,
            str(email) if is_verified else None,
            name,
            tuple(value for value in values if isinstance(value, str)),
        )

    async def _describe(self) -> dict[str, Any]:
        now = self.clock()
        if self._metadata is None or now - self._metadata[0] > METADATA_SECONDS:
            url = f"{self.config.issuer.rstrip('/')}/.well-known/openid-configuration"
            metadata = await self._json(url, None, {"accept": "application/json"}, "provider_unavailable")
            endpoints = [metadata.get(f"{name}_endpoint") for name in ("authorization", "token")]
            if metadata.get("issuer") != self.config.issuer:
                raise refused("wrong_issuer", "The provider describes itself as another issuer.", 502)
            if not all(isinstance(one, str) and is_safe_url(one) for one in (*endpoints, metadata.get("jwks_uri"))):
                raise refused("provider_unavailable", "The provider's description has no usable addresses.", 502)
            self._metadata = (now, metadata)
        return self._metadata[1]

    async def _key_set(self, metadata: dict[str, Any], *, is_new: bool) -> Any:
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        now = self.clock()
        limit = KEYS_AGAIN_SECONDS if is_new else METADATA_SECONDS
        if self._keys is None or now - self._keys[0] > limit:
            content = await self._json(
                metadata["jwks_uri"], None, {"accept": "application/json"}, "provider_unavailable"
            )
            try:
                self._keys = (now, KeySet.import_key_set(content))  # type: ignore[arg-type]
            except (JoseError, ValueError, TypeError, KeyError) as error:
                raise refused("provider_unavailable", "The provider's keys are not valid.", 502) from error
        return self._keys[1]

    async def _json(self, url: str, body: bytes | None, headers: Mapping[str, str], code: str) -> dict[str, Any]:
        try:
            content = json.loads(await asyncio.to_thread(self._fetch, url, body, headers))
        except (OSError, ValueError) as error:
            log.warning("the OpenID Connect provider did not answer as expected", reason=repr(error)[:200])
            raise refused(code, "The provider did not answer as expected; try again later.", 502) from error
        if not isinstance(content, dict):
            raise refused(code, "The provider did not answer as expected; try again later.", 502)
        return content


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: the client's secret must not follow it."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


def fetch_from_provider(url: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
    """Return the body of a response with status 200.

    Raises:
        OSError: another status, no response in time, or one that is too large.
    """
    request = urllib.request.Request(url, body, {**headers, "user-agent": "Presstally"})  # noqa: S310 - is_safe_url
    try:
        with _OPENER.open(request, timeout=TIMEOUT_SECONDS) as response:
            content: bytes = response.read(RESPONSE_BYTES_MAX + 1)
    except urllib.error.HTTPError as error:
        error.close()
        raise OSError(f"status {error.code}") from error
    if len(content) > RESPONSE_BYTES_MAX:
        raise OSError(f"more than {RESPONSE_BYTES_MAX:,} bytes")
    return content


def is_safe_url(url: str) -> bool:
    """Return whether a URL is https, or on a loopback address."""
    parts = urllib.parse.urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(f"http://{parts.netloc}"))
