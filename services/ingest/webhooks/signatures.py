"""The secret of a webhook, and the signature of a request, as Standard Webhooks defines them.

`webhook-id`, `webhook-timestamp`, and `webhook-signature` with an HMAC-SHA256 of `ID.TIMESTAMP.BODY` for each valid
secret.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence

SECRET_PREFIX = "whsec_"  # noqa: S105 - not a secret


def secret_text(secret: bytes) -> str:
    """Return a secret as its receiver gets it."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def signature(secrets: Sequence[bytes], message: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`: one signature for each secret."""
    signed = f"{message}.{timestamp}.".encode() + body
    digests = [hmac.new(secret, signed, hashlib.sha256).digest() for secret in secrets]
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)
