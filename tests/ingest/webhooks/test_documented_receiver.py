"""The receiver of docs/webhooks.md accepts what is sent, and nothing else."""

import re
import time
from pathlib import Path
from typing import Any

from services.ingest.webhooks.signatures import secret_text, signature

PAGE = (Path(__file__).parents[3] / "docs/webhooks.md").read_text(encoding="utf-8")
KEY = b"k" * 32


def test_documented_receiver_accepts_genuine_requests_only() -> None:
    """Run as it is printed: another body, ID, time, secret or signature is rejected; a rotated secret is accepted."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    is_genuine, now, body = names["is_genuine"], int(time.time()), b'{"type":"article.published"}'

    def headers(**changed: str) -> dict[str, str]:
        given = {"webhook-id": "msg_1", "webhook-timestamp": str(now)}
        given["webhook-signature"] = signature([b"old" * 9, KEY], "msg_1", now, body)
        return {**given, **{name.replace("_", "-"): value for name, value in changed.items()}}

    assert is_genuine(secret_text(KEY), headers(), body)
    assert is_genuine(secret_text(b"old" * 9), headers(), body)
    old = now - 400
    stale = signature([KEY], "msg_1", old, body)
    for secret, sent, content in (
        (secret_text(b"x" * 32), headers(), body),
        (secret_text(KEY), headers(), body + b" "),
        (secret_text(KEY), headers(webhook_id="msg_2"), body),
        (secret_text(KEY), headers(webhook_timestamp=str(now + 1)), body),
        (secret_text(KEY), headers(webhook_timestamp="hôm nay"), body),
        (secret_text(KEY), headers(webhook_timestamp=str(old), webhook_signature=stale), body),
        (secret_text(KEY), headers(webhook_signature=""), body),
        (secret_text(KEY), headers(webhook_signature="v1,"), body),
        (secret_text(KEY), {}, body),
    ):
        assert not is_genuine(secret, sent, content)
