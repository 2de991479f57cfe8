"""Limits on reads of the editor API: strangers and editors, callers among each other, polls apart."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from services.ingest.api import read_limits as module
from services.ingest.api.read_limits import ReadLimitMiddleware
from shared.http.fair_limit import CALLER
from shared.http.problems import Problem


class KnownCallers:
    """Tokens whose prefix is the bearer itself; "bad" is invalid."""

    async def find(self, request: Request) -> Any:
        authorization = request.headers.get("authorization")
        if authorization is None:
            return None
        if authorization == "bad":
            raise Problem(401, "Unknown token.")
        return SimpleNamespace(id=authorization)


class Reads:
    """Requests to an application that answers when it is released."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.running = 0
        self.limited = ReadLimitMiddleware(self.app, KnownCallers())  # type: ignore[arg-type]

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.running += 1
        await self.release.wait()
        self.running -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def get(self, address: str, token: str | None = None, path: str = "/articles", method: str = "GET") -> Any:
        CALLER.set(address)
        headers = [] if token is None else [(b"authorization", token.encode())]
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            raise AssertionError

        scope = {"type": "http", "method": method, "path": path, "headers": headers, "query_string": b""}
        await self.limited(scope, receive, send)
        return sent[0]["status"], dict(sent[0]["headers"]).get(b"retry-after")

    def start(self, count: int, *arguments: Any) -> list[asyncio.Task[Any]]:
        return [asyncio.create_task(self.get(*arguments)) for _ in range(count)]


@pytest.fixture
async def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """An application with small limits."""
    for name, value in (("READS_OF_ADDRESS_MAX", 4), ("STRANGERS_READS_MAX", 6), ("POLLS_OF_ADDRESS_MAX", 3)):
        monkeypatch.setattr(module, name, value)
    return Reads()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_strangers_never_take_the_turns_of_editors(reads: Reads) -> None:
    """However many strangers wait, an editor is served at once; an invented token is refused before anything else."""
    strangers = [*reads.start(4, "203.0.113.1"), *reads.start(2, "203.0.113.2")]
    await settle()
    assert reads.running == module.STRANGERS_RUNNING_MAX
    assert await reads.get("203.0.113.1") == (429, b"2")
    assert await reads.get("203.0.113.3") == (503, b"2")
    assert await reads.get("203.0.113.3", "bad") == (401, None)
    editor = reads.start(1, "203.0.113.1", "An")
    await settle()
    assert reads.running == module.STRANGERS_RUNNING_MAX + 1
    reads.release.set()
    assert {status for status, _ in await asyncio.gather(*strangers, *editor)} == {200}


async def test_polls_take_no_turns_of_reads(reads: Reads) -> None:
    """Requests that wait for a publication are counted apart."""
    polls = reads.start(3, "203.0.113.1", None, "/articles/a/publication")
    await settle()
    assert reads.running == 3
    assert await reads.get("203.0.113.1", None, "/articles/a/publication") == (429, b"2")
    read = reads.start(1, "203.0.113.1")
    await settle()
    assert reads.running == 4
    reads.release.set()
    assert {status for status, _ in await asyncio.gather(*polls, *read)} == {200}


async def test_requests_with_a_body_have_other_limits(reads: Reads) -> None:
    """Changes are not counted here."""
    changes = reads.start(20, "203.0.113.1", None, "/articles", "POST")
    await settle()
    assert reads.running == 20
    reads.release.set()
    await asyncio.gather(*changes)
