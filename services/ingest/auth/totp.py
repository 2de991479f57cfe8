"""Time-based one-time passwords (RFC 6238, SHA-1, 30 s, 6 digits) and the recovery codes that replace one. Pure."""

import base64
import hashlib
import hmac
import re
import secrets
import struct
from urllib.parse import quote, urlencode

STEP_SECONDS = 30
STEPS_AROUND = 1
"""Of a clock that is wrong, and of the time to type."""
DIGITS = 6
SECRET_BYTES = 20
RECOVERY_CODES = 10
_CODE = re.compile(r"[0-9]{6}")
_RECOVERY_CODE = re.compile(r"[a-z2-7]{16}")


def new_totp_secret() -> bytes:
    """Return a new secret of 160 bits."""
    return secrets.token_bytes(SECRET_BYTES)


def secret_text(secret: bytes) -> str:
    """Return a secret as people type it into an app: base32."""
    return base64.b32encode(secret).decode().rstrip("=")


def secret_uri(secret: bytes, email: str, issuer: str) -> str:
    """Return the address that an app reads from a QR code."""
    label = f"{quote(issuer, safe='')}:{quote(email, safe='@')}"
    return f"otpauth://totp/{label}?{urlencode({'secret': secret_text(secret), 'issuer': issuer}, quote_via=quote)}"


def code_at(secret: bytes, step: int) -> str:
    """Return the code of a time step."""
    digest = hmac.digest(secret, struct.pack(">Q", step), hashlib.sha1)
    offset = digest[-1] & 15
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def matching_step(secret: bytes, code: str, at: float) -> int | None:
    """Return the time step, now or a moment before or after, whose code this is; None: the code is wrong.

    Args:
        secret: As `new_totp_secret` made it.
        code: Six digits, spaces between them allowed.
        at: The time in seconds since 1970.
    """
    digits = code.replace(" ", "")
    if not _CODE.fullmatch(digits):
        return None
    now = int(at) // STEP_SECONDS
    found = None
    for step in range(now - STEPS_AROUND, now + STEPS_AROUND + 1):  # all of them, so that the time shows nothing
        if hmac.compare_digest(code_at(secret, step), digits):
            found = step
    return found


def new_recovery_codes() -> list[str]:
    """Return new codes of 80 random bits, in groups of four characters."""
    texts = [base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES)]
    return ["-".join(text[start : start + 4] for start in range(0, 16, 4)) for text in texts]


def hash_recovery_code(code: str) -> bytes | None:
    """Return what is stored of a recovery code; None for any other text."""
    text = code.lower().replace("-", "").replace(" ", "")
    return hashlib.sha256(text.encode()).digest() if _RECOVERY_CODE.fullmatch(text) else None
