"""Signatures of events, and secrets as receivers get them."""

import base64
import hashlib
import hmac

from services.ingest.webhooks.signatures import secret_text, signature

SECRET = b"k" * 32


def test_signature_is_that_of_standard_webhooks() -> None:
    """The test vector of the specification's libraries; each valid secret adds one signature."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert secret_text(key) == "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    one, two = signature([SECRET, key], "m", 1, b"x").split(" ")
    assert one == "v1," + base64.b64encode(hmac.new(SECRET, b"m.1.x", hashlib.sha256).digest()).decode()
    assert two == signature([key], "m", 1, b"x")
