"""Requests to receivers: addresses that are refused, and answers of every kind within bounds."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_network

import pytest

from shared.http.guarded_sender import Sender
from shared.http.targets import RequestError

LOOPBACK = (ip_network("127.0.0.0/8"),)


@asynccontextmanager
async def receiver(answer: bytes, seen: list[bytes] | None = None, *, stays_open: bool = False) -> AsyncIterator[str]:
    """Serve one answer to every request, and yield the address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(request + await reader.read(1_000))
        writer.write(answer)
        if stays_open:
            await reader.read()  # until the sender gives up
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks?x=1"
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.05)  # connections that were cut end


async def test_request_is_sent_as_it_was_signed() -> None:
    """Method, path with its query, host, headers and the bytes of the body; any status is returned."""
    seen: list[bytes] = []
    async with receiver(b"HTTP/1.1 204 No Content\r\n\r\n", seen) as url:
        status = await Sender(LOOPBACK).send(url, {"webhook-id": "msg_1", "Connection": "close"}, b'{"a":"\xc4\x91"}')
    assert status == 204
    assert seen[0].startswith(b"POST /hooks?x=1 HTTP/1.1\r\n")
    assert b"\r\nwebhook-id: msg_1\r\n" in seen[0]
    assert seen[0].endswith(b'\r\n\r\n{"a":"\xc4\x91"}')


STATUSES = {
    b"HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n" + b"x" * 100_000: 200,
    b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\n\r\n": 302,
    b"HTTP/1.1 410 Gone\r\n\r\n": 410,
    b"HTTP/1.1 500 Oops\r\n\r\n": 500,
}
BROKEN = (
    b"",
    b"\r\n\r\n",
    b"220 smtp ready\r\n",
    b"HTTP/1.1 abc\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
)


async def test_answers_of_receivers_are_read_as_far_as_their_status() -> None:
    """A redirect is not followed, a huge body is not read, and what is not HTTP is a failure with a reason."""
    for answer, status in STATUSES.items():
        async with receiver(answer) as url:
            assert await Sender(LOOPBACK).send(url, {}, b"{}") == status
    for answer in BROKEN:
        async with receiver(answer) as url:
            with pytest.raises(RequestError):
                await Sender(LOOPBACK, 60).send(url, {}, b"{}")


async def test_slow_and_dead_receivers_end_in_time() -> None:
    """A receiver that accepts and says nothing, one that drips, and one that does not listen."""
    for answer in (b"", b"HTTP/1.1 200"):
        async with receiver(answer, stays_open=True) as url:
            begun = time.monotonic()
            with pytest.raises(RequestError, match=r"took more than|did not answer"):
                await Sender(LOOPBACK, 0.3).send(url, {}, b"{}")
            assert time.monotonic() - begun < 60
    with pytest.raises(RequestError, match="does not answer"):
        await Sender(LOOPBACK).send("http://127.0.0.1:9/", {}, b"{}")


PRIVATE = (
    "https://127.0.0.1/",
    "https://localhost/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[fe80::1]/",
    "https://[fc00::1]/",
    "https://0.0.0.0/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/",
    "https://168.63.129.16/",
    "https://224.0.0.1/",
)


async def test_private_addresses_in_every_form_are_refused_without_a_connection() -> None:
    """Loopback, private networks and metadata services, also mapped, decimal and octal: nothing is connected to."""
    connected: list[str] = []

    def connect(address: str, port: int, timeout_seconds: float) -> socket.socket:
        connected.append(address)
        raise OSError("no")

    for url in PRIVATE:
        with pytest.raises(RequestError):
            await Sender(connect=connect).send(url, {}, b"{}")
    assert connected == []


async def test_name_that_changes_its_address_is_connected_to_the_checked_one() -> None:
    """A host is resolved once; one private address among public ones refuses it."""
    answers = [["93.184.215.14"], ["127.0.0.1"]]
    connected: list[str] = []

    def connect(address: str, port: int, timeout_seconds: float) -> socket.socket:
        connected.append(address)
        raise OSError("no")

    sender = Sender(resolve=lambda *_: answers.pop(0), connect=connect)
    with pytest.raises(RequestError, match="does not answer"):
        await sender.send("https://doi.example/", {}, b"{}")
    assert connected == ["93.184.215.14"]
    mixed = Sender(resolve=lambda *_: ["93.184.215.14", "10.0.0.1"], connect=connect)
    with pytest.raises(RequestError, match="not public"):
        await mixed.send("https://doi.example/", {}, b"{}")
    assert connected == ["93.184.215.14"]


async def test_allowed_networks_are_those_of_the_operator_only() -> None:
    """An allowed network may be called without TLS; other private ones, and public ones without TLS, may not."""
    sender = Sender((ip_network("10.1.0.0/16"),), resolve=lambda host, _: [host])
    for url in ("http://10.2.0.1/", "http://127.0.0.1/", "http://93.184.215.14/", "https://93.184.215.14:25/"):
        with pytest.raises(RequestError):
            await sender.send(url, {}, b"{}")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "ftp://example.org/",
        "file:///etc/passwd",
        "https://user:pass@example.org/",
        "https://example.org:22/",
        "https://example.org:99999/",
        "https://exa mple.org/",
        "https://example.org/\r\nX: y",
        "https://example.org\\@127.0.0.1/",
        "https:///x",
        "https://",
        "//example.org/",
        "javascript:alert(1)",
        "gopher://example.org/",
        "https://example.org/" + "a" * 3_000,
        "https://[::1",
        "https://exa_mple..org/",
        "https://.example.org/",
        "x",
        "",
    ],
)
def test_url_that_cannot_be_called_is_refused_before_it_is_stored(url: str) -> None:
    """Schemes, ports, users, blanks and everything that is no URL."""
    with pytest.raises(RequestError):
        Sender().check_url(url)
