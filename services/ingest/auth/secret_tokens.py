"""Random secrets of sessions, devices and links: 256 bits, of which only the SHA-256 is stored. Pure."""

import base64
import hashlib
import re
import secrets

SECRET_BYTES = 32
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


def new_secret() -> str:
    """Return a new secret, as 43 characters of base64url."""
    return secrets.token_urlsafe(SECRET_BYTES)


def is_secret(text: str) -> bool:
    """Return whether a text has the form of a secret; anything else is not looked up."""
    return _SECRET.fullmatch(text) is not None


def hash_secret(secret: str) -> bytes:
    """Return what is stored of a secret. It has 256 random bits, so a slower hash is not needed."""
    return hashlib.sha256(secret.encode()).digest()


def csrf_token(session_secret: str) -> str:
    """Return the token that a page sends with each change, derived from the session's cookie, which no script reads."""
    digest = hashlib.sha256(b"csrf\0" + session_secret.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
