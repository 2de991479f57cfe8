"""Asking ingest for a version: answers of every kind, within bounds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from services.render.site.preview_source import BODY_BYTES_MAX, PreviewSource, PreviewUnavailableError
from shared.previews import PreviewedVersion

SIGNED = "A" * 22 + "." + "B" * 43
EXPIRES = datetime(2100, 1, 1, tzinfo=UTC)


@asynccontextmanager
async def ingest(answer: bytes, seen: list[bytes] | None = None, *, stays_open: bool = False) -> AsyncIterator[str]:
    """Serve one answer to every request, and yield the address."""
    serving: list[Any] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        request = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(request)
        writer.write(answer)
        if stays_open:
            await reader.read()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await asyncio.gather(*serving)  # their connections are closed before the loop is


def response(status: str, body: bytes, **headers: str) -> bytes:
    named = {"content-length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in named.items()), "", ""]
    return "\r\n".join(lines).encode() + body


async def test_version_of_a_valid_link_is_returned(portal: Any) -> None:
    """The signed value is in a header, and in no path; an unknown link is None."""
    article, seen = portal.article(1), []
    body = msgspec.json.encode(PreviewedVersion(article, True, EXPIRES))
    async with ingest(response("200 OK", body), seen) as url:
        found = await PreviewSource(url).fetch(SIGNED)
    assert found is not None
    assert (found.article, found.follows) == (article, True)
    assert SIGNED.encode() not in seen[0].split(b"\r\n")[0]
    async with ingest(response("404 Not Found", b"{}")) as url:
        assert await PreviewSource(url).fetch(SIGNED) is None


async def test_requests_that_follow_one_another_use_one_connection(portal: Any) -> None:
    """The connection is kept; when ingest has closed it meanwhile, the next request opens another."""
    body = msgspec.json.encode(PreviewedVersion(portal.article(1), True, EXPIRES))
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            connections[-1] += 1
            writer.write(response("200 OK", body))
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    source = PreviewSource(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    for _ in range(4):
        assert await source.fetch(SIGNED) is not None
        await asyncio.sleep(0.05)
    server.close()
    assert connections == [2, 2]


BAD = {
    "server error": response("500 Oops", b"{}"),
    "redirect": response("302 Found", b"", location="http://127.0.0.1/"),
    "not JSON": response("200 OK", b"<html>"),
    "other JSON": response("200 OK", b'{"article": 1}'),
    "no length": b"HTTP/1.1 200 OK\r\n\r\n{}",
    "cut off": b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}",
    "negative length": b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n",
    "huge body": response("200 OK", b" " * (BODY_BYTES_MAX + 1)),
    "huge length": f"HTTP/1.1 200 OK\r\ncontent-length: {BODY_BYTES_MAX + 1}\r\n\r\n".encode(),
    "length of words": b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
    "huge head": b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n",
    "not HTTP": b"220 smtp ready\r\n\r\n",
    "empty": b"",
}


async def test_answers_that_are_not_as_they_should_be_are_unavailable() -> None:
    """Nothing of a strange answer is shown, and the reason does not name the link."""
    for name, answer in BAD.items():
        async with ingest(answer) as url:
            with pytest.raises(PreviewUnavailableError) as raised:
                await PreviewSource(url).fetch(SIGNED)
        assert SIGNED not in str(raised.value), name


async def test_ingest_that_is_silent_or_missing_is_unavailable() -> None:
    """The time is bounded; a closed port and a missing setting are the same to the visitor."""
    async with ingest(b"", stays_open=True) as url:
        with pytest.raises(PreviewUnavailableError):
            await PreviewSource(url, 0.2).fetch(SIGNED)
    for gone in ("", "http://127.0.0.1:9", "http://khong-co.invalid:80"):
        with pytest.raises(PreviewUnavailableError):
            await PreviewSource(gone).fetch(SIGNED)
