"""The bounds that keep one caller from starving the others, on the running system: 401, 408, 413, 429 and 503."""

import asyncio
import json
import re
import select
import socket
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from services.ingest.api.body_limits import REQUESTS_MAX, REQUESTS_OF_CALLER_MAX, STRANGERS_ROUTES
from services.stats.statistics.routes import REQUESTS_OF_CALLER_MAX as STATISTICS_OF_CALLER_MAX
from tests.conftest import wait_for
from tests.speed import assert_takes_at_most

RETRY_AFTER = re.compile(rb"\r\nretry-after: \d+\r\n", re.IGNORECASE)


@pytest.fixture
def hold(system: Any) -> Iterator[Callable[..., socket.socket]]:
    """Open a request to the editor API whose body does not come, and return its connection."""
    opened: list[socket.socket] = []

    def open_one(method: str, path: str, length: int, token: str | None = None) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", system.port("articles")), 10)
        opened.append(connection)
        connection.settimeout(60)
        lines = [f"{method} {path} HTTP/1.1", "host: localhost", f"content-length: {length}"]
        lines += ["content-type: application/json", *([f"authorization: Bearer {token}"] if token else [])]
        connection.sendall("\r\n".join([*lines, "", "{"]).encode())
        return connection

    yield open_one
    for connection in opened:
        connection.close()


def head(connection: socket.socket) -> bytes:
    """Return the status line and headers of a response."""
    received = b""
    while b"\r\n\r\n" not in received and (chunk := connection.recv(4_096)):
        received += chunk
    return received


def assert_served(system: Any, editors: Any) -> None:
    """A view is accepted and an article read, each soon."""

    def seconds() -> float:
        begun = time.monotonic()
        view = {"id": str(uuid.uuid4()), "site": "haihau", "kind": "view", "path": "/starving.html"}
        assert system.post_events(view, user_agent=system.another_person()).status == 202
        assert editors.call("GET", "/articles?limit=1", scope="read").status == 200
        return time.monotonic() - begun

    assert_takes_at_most(3, seconds)


def test_strangers_are_refused_before_their_bodies(
    system: Any, editors: Any, hold: Callable[..., socket.socket]
) -> None:
    """Each route with a body answers 401, or 413 for a log-in, before it has come; 200 such bodies delay nobody."""
    paths = json.loads(system.get("/api/openapi.json").body)["paths"]
    routes = [(method, path) for path, one in paths.items() for method in one if method in ("post", "put", "patch")]
    assert len(routes) >= 15
    held = [
        (path, hold(method.upper(), "/api" + re.sub(r"\{\w+\}", "a", path), 2_000_000))
        for method, path in routes * max(1, 200 // len(routes))
    ]
    assert_served(system, editors)
    for path, connection in held:
        status = b"413" if path in STRANGERS_ROUTES else b"401"
        assert head(connection).startswith(b"HTTP/1.1 %s " % status), path


def test_caller_and_all_callers_have_bounds(system: Any, editors: Any, hold: Callable[..., socket.socket]) -> None:
    """A token's 49th request with a body is 429, the 129th of all is 503; views and reads go on, and then all does."""
    fields = {"site": "haihau", "section": "tin-tuc", "title": "Bài", "body": "<p>x</p>"}
    for number in range(REQUESTS_MAX):
        hold(
            "POST",
            "/api/articles",
            1_000,
            editors.token(("write", "publish", "admin")[number // REQUESTS_OF_CALLER_MAX]),
        )
    time.sleep(0.5)  # all are received then, as a rule: a further request could take the place of one
    for scope, status in (("write", 429), ("admin", 503)):
        refused = wait_for(lambda scope=scope: refusal(editors, fields, scope), what="all of them are received")
        assert (refused.status, refused.json()["status"]) == (status, status)
        assert refused.headers["retry-after"].isdigit()
    assert_served(system, editors)


def refusal(editors: Any, fields: dict[str, str], scope: str) -> Any:
    answer = editors.call("POST", "/articles", fields, scope)
    return answer if answer.status >= 400 else None


def test_bytes_of_a_caller_have_a_bound(system: Any, editors: Any, hold: Callable[..., socket.socket]) -> None:
    """Two large uploads of a caller may run, a third is 429, and that of another caller runs."""
    wait_until_free(editors)
    uploads = [hold("POST", "/api/media", 33 * 1024 * 1024, editors.token("write")) for _ in range(3)]
    (answered, *_), *_ = select.select(uploads, [], [], 20)  # whichever was received last
    refused = head(answered)
    assert refused.startswith(b"HTTP/1.1 429 ")
    assert RETRY_AFTER.search(refused)
    other = hold("POST", "/api/media", 33 * 1024 * 1024, editors.token("publish"))
    assert select.select([*(one for one in uploads if one is not answered), other], [], [], 1) == ([], [], [])


def wait_until_free(editors: Any) -> None:
    """Wait until a change is accepted again: the server has noticed that the held connections are closed."""
    fields = {"site": "haihau", "section": "tin-tuc", "title": "Bài sau đó", "body": "<p>x</p>"}
    wait_for(lambda: editors.call("POST", "/articles", fields).status == 201)


def test_sizes_have_bounds(system: Any, editors: Any) -> None:
    """What is too large is 413, from the gateway or a service."""
    assert system.post_events(b"[" + b" " * 70_000 + b"]").status == 413
    assert editors.call("POST", "/articles", b"x" * 2_200_000).status == 413
    assert system.post_events(b"x" * 600_000).status == 413


async def _get_all(port: int, path: str, count: int) -> list[bytes]:
    """Send the same request on many connections at once, and return all responses."""
    opened = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", port) for _ in range(count)))
    for _, writer in opened:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
    responses = await asyncio.gather(*(reader.read() for reader, _ in opened))
    for _, writer in opened:
        writer.close()
    return list(responses)


async def test_exports_of_one_address_have_a_bound_and_counters_do_not_wait(system: Any) -> None:
    """Of 150 workbooks at once some are 429 with Retry-After, none fails; a counter is answered meanwhile."""
    path = "/stats/haihau/history.xlsx?step=day&from=2024-01-01&to=2026-12-31"

    async def seconds_beside_exports() -> float:
        exports = asyncio.create_task(_get_all(system.port("stats"), path, 150))
        await asyncio.sleep(0.1)
        begun = time.monotonic()
        (counter,) = await _get_all(system.port("stats"), "/stats/haihau/counter", 1)
        took = time.monotonic() - begun
        assert counter.startswith(b"HTTP/1.1 200 ")
        responses = await exports
        statuses = Counter(response[9:12] for response in responses)
        assert set(statuses) == {b"200", b"429"}, statuses
        assert statuses[b"200"] >= STATISTICS_OF_CALLER_MAX
        assert all(RETRY_AFTER.search(response) for response in responses if response[9:12] == b"429")
        return took

    await asyncio.to_thread(assert_takes_at_most, 1.5, lambda: asyncio.run(seconds_beside_exports()))


async def test_searches_of_strangers_do_not_delay_editors(system: Any, editors: Any) -> None:
    """While 120 strangers list and search, an editor's read is served; they get 200, 429 or 503."""
    path = f"/api/articles?full=true&limit=100&q=a{uuid.uuid4().hex[:4]}"

    async def seconds_beside_strangers() -> float:
        strangers = asyncio.create_task(_get_all(system.port("articles"), path, 120))
        await asyncio.sleep(0.05)
        begun = time.monotonic()
        answer = await asyncio.to_thread(editors.call, "GET", "/articles?limit=1", None, "read")
        took = time.monotonic() - begun
        assert answer.status == 200
        assert {response[9:12] for response in await strangers} <= {b"200", b"429", b"503"}
        return took

    await asyncio.to_thread(assert_takes_at_most, 2, lambda: asyncio.run(seconds_beside_strangers()))
