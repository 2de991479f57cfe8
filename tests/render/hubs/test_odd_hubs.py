"""Hubs that answer in ways that no hub should: they get the announcement again later, and delay nobody."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from services.render.hubs import announcer as module
from shared.http.guarded_sender import Sender
from tests.render.hubs.hub_server import Hub
from tests.render.hubs.test_announcer import LOOPBACK, Newsroom, eventually, hub, newsroom, other

__all__ = ["hub", "newsroom", "other"]
SECONDS_MAX = 1.0


@contextmanager
def answering(answer: bytes, *, drips: bool = False) -> Iterator[str]:
    """Run a server that gives each connection the same bytes; `drips`: again and again, until it is closed."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve(connection: socket.socket) -> None:
            with connection:
                try:
                    connection.recv(65_536)
                    connection.sendall(answer)
                    while drips and not ended.wait(0.05):
                        connection.sendall(answer)
                except OSError:
                    return

        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        ended = threading.Event()
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        finally:
            ended.set()
            listening.shutdown(socket.SHUT_RDWR)


async def test_hubs_that_answer_oddly_are_retried_and_delay_nobody(
    newsroom: Newsroom, hub: Hub, other: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No redirect is followed, no endless answer is waited for, and the reason of each is stored for its operator."""
    monkeypatch.setattr(module, "RETRY_SECONDS", (600,))
    answers = {
        "closes": b"",
        "no HTTP": b"220 smtp.example ESMTP\r\n",
        "redirect": f"HTTP/1.1 307 Elsewhere\r\nLocation: {other.url}\r\nContent-Length: 0\r\n\r\n".encode(),
        "no such status": b"HTTP/1.1 999 Never\r\n\r\n",
        "huge header": b"HTTP/1.1 204 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        "accepted": b"HTTP/1.1 202 Accepted\r\nContent-Length: 1000000\r\n\r\n",
    }
    with ExitStack() as stack:
        urls = {name: stack.enter_context(answering(answer)) for name, answer in answers.items()}
        urls["endless"] = stack.enter_context(answering(b"HTTP/1.1 100 Continue\r\n\r\n", drips=True))
        newsroom.declare([*list(urls.values())[:4], hub.url], [*list(urls.values())[4:], hub.url])
        await newsroom.publish("haihau", "Bão số 9")
        async with newsroom.announcing(Sender(LOOPBACK, SECONDS_MAX)):
            topic = newsroom.feed("haihau", "/rss.xml")
            await eventually(lambda: hub.titles(topic) == ["Bão số 9"])
            results = {}
            for name, url in urls.items():
                query = f"SELECT min(last_result) FROM render.announcements WHERE hub = '{url}' AND last_result > ''"
                await eventually(lambda query=query: newsroom.pool.fetchval(query))  # type: ignore[misc]
                results[name] = str(await newsroom.pool.fetchval(query))
            await asyncio.sleep(0.2)
    assert (results["redirect"], results["accepted"], results["no such status"]) == (
        "status 307",
        "status 202",
        "status 999",
    )
    assert "it took more than 1 s" in results["endless"]
    assert all("failed" in results[name] for name in ("closes", "no HTTP", "huge header")), results
    assert other.told == []
    accepted = "SELECT count(*) FROM render.announcements WHERE announced IS NOT NULL AND hub = $1"
    assert await newsroom.pool.fetchval(accepted, urls["accepted"]) > 0
    assert await newsroom.pool.fetchval(accepted, urls["redirect"]) == 0
