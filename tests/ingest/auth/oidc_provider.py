"""A small OpenID Connect provider on loopback, over real HTTP, which can be hostile."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

CLIENT, SECRET = "presstally", "a client's secret: 100%"


@cache
def rsa_key(name: str) -> RSAKey:
    """Return the key of a name; making one takes a moment."""
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig"})


@dataclass
class FakeProvider:
    """Signs the ID tokens of one person; tests change what it says."""

    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    change_token: Callable[[str], Any] = lambda token: token
    token_status: int = 200
    signing_key: Any = None
    requests: list[str] = field(default_factory=list)
    issuer: str = ""

    def __post_init__(self) -> None:
        """Start serving."""
        self.key = rsa_key("one")
        self.codes: dict[str, dict[str, str]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.requests.append(self.path)
                self.answer(*provider.get(self.path))

            def do_POST(self) -> None:
                provider.requests.append(self.path)
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                self.answer(*provider.exchange(dict(parse_qsl(body)), self.headers["authorization"] or ""))

            def answer(self, status: int, content: Any) -> None:
                body = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                if status in (301, 302):
                    self.send_header("location", f"{provider.issuer}/elsewhere")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self.server.shutdown()
        self.server.server_close()

    def get(self, path: str) -> tuple[int, Any]:
        """Answer a GET: the description, or the keys."""
        if path == "/.well-known/openid-configuration":
            described = {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            }
            return 200, {**described, **self.metadata}
        if path == "/keys":
            return 200, KeySet([self.key]).as_dict(private=False)
        return 404, {}

    def authorize(self, url: str, **changed: str) -> dict[str, str]:
        """Log the person in, and return the parameters with which the browser is sent back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert (asked["response_type"], asked["client_id"], asked["code_challenge_method"]) == ("code", CLIENT, "S256")
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return {"code": code, "state": asked["state"], **changed}

    def exchange(self, sent: dict[str, str], authorization: str) -> tuple[int, Any]:
        """Answer at the token endpoint, as strictly as providers do."""
        if self.token_status != 200:
            return self.token_status, {"error": "invalid_grant"}
        asked = self.codes.pop(sent.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(sent.get("code_verifier", "").encode()).digest())
        basic = base64.b64encode(b"presstally:a%20client%27s%20secret%3A%20100%25").decode()
        if (
            asked is None
            or challenge.decode().rstrip("=") != asked["code_challenge"]
            or sent.get("redirect_uri") != asked["redirect_uri"]
            or authorization != f"Basic {basic}"
        ):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": "subject-1",
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "email": "lan@haihau.example",
            "email_verified": True,
            "name": "Trần Lan",
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": "RS256", "kid": "one", **self.header}
        key = self.signing_key or self.key
        token = jwt.encode(header, claims, key, algorithms=["RS256", "HS256", "none"])
        return 200, {"access_token": "opaque", "token_type": "Bearer", "id_token": self.change_token(token)}


def unsigned(token: str) -> str:
    """Return a token with the algorithm `none` and without a signature."""
    header = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    return f"{header}.{token.split('.')[1]}."


def forged_key() -> OctKey:
    """Return a key of the client's secret, which is no signature of the provider."""
    return OctKey.import_key(SECRET)
