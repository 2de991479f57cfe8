"""Uploads that are refused before they are read."""

import asyncio
from typing import Any

import pytest

from services.ingest.newsroom.pages import ROOT
from services.ingest.newsroom.unread_uploads import UnreadUploads
from tests.ingest.newsroom.conftest import Pages

CHUNK = bytes(64 * 1024)


class Upload:
    """A browser that sends a file in chunks, and notes when the answer begins.

    Args:
        chunks: How many; endless without a number.
        stalls: It then sends nothing more, and never ends.
    """

    def __init__(self, chunks: int | None, *, stalls: bool = False) -> None:
        self.left = chunks
        self.stalls = stalls
        self.sent = 0
        self.answered_after: int | None = None
        self.status = 0

    async def receive(self) -> dict[str, Any]:
        if self.left == 0 and self.stalls:
            await asyncio.Event().wait()
        self.sent += 1
        if self.left is not None:
            self.left -= 1
        return {"type": "http.request", "body": CHUNK, "more_body": self.stalls or self.left != 0}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.answered_after, self.status = self.sent, message["status"]

    async def post(self, app: Any, content_type: str = "multipart/form-data; boundary=b") -> None:
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "path": f"{ROOT}/anh",
            "raw_path": f"{ROOT}/anh".encode(),
            "root_path": ROOT,
            "query_string": b"",
            "headers": [(b"host", b"haihau.example"), (b"content-type", content_type.encode())],
            "scheme": "https",
            "server": ("haihau.example", 443),
            "client": ("203.0.113.7", 1),
        }
        await app(scope, self.receive, self.send)


async def refuse(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 401, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def test_upload_without_a_session_is_answered_once_it_was_sent(pages: Pages) -> None:
    """Four megabytes of somebody whose session has ended are read and dropped before the answer."""
    upload = Upload(64)
    await upload.post(pages.app)
    assert (upload.status, upload.answered_after) == (401, 64)


@pytest.mark.parametrize(
    ("upload", "content_type", "read"),
    [
        (Upload(None), "multipart/form-data; boundary=b", 17),
        (Upload(3, stalls=True), "multipart/form-data; boundary=b", 3),
        (Upload(8), "application/x-www-form-urlencoded", 0),
    ],
    ids=["endless", "stalls", "no-upload"],
)
async def test_rest_of_an_upload_is_read_within_bounds(upload: Upload, content_type: str, read: int) -> None:
    """Neither who sends without an end nor who stops in the middle keeps the answer waiting; other forms are small."""
    app = UnreadUploads(refuse, bytes_max=16 * len(CHUNK), seconds_max=0.2 if upload.stalls else 600)
    await upload.post(app, content_type)
    assert (upload.status, upload.answered_after) == (401, read)
