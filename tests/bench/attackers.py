"""Attackers on an installation, each with many connections, for as long as a measurement takes."""

import asyncio
import json
import os
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from tests.bench.load import SITE

CLIENTS = 60
"""Of attacks by requests."""
HOLDERS = 250
"""Connections of attacks that keep bodies incomplete."""
EDITORS_CLIENTS = 24
MARKDOWN_CHARACTERS = 249_000
YAML_BOMB = "---\na: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{former}'] * 9)}]\n" for former, name in zip("abcdefgh", "bcdefghi", strict=True)
)
NICENESS = 5
"""The attackers share the processors with the measured services, which real ones would not."""


@dataclass(frozen=True)
class Target:
    """The ports and tokens of an installation."""

    collector: int
    articles: int
    widget: int
    token: str
    """Of the hostile editor."""
    other_token: str
    article: str
    """Of the other editor."""
    photo: bytes


def attack_for(name: str, target: Target, seconds: float) -> dict[int, int]:
    """Run an attack; return its answers by status, 0 for none."""
    if os.nice(0) == 0:
        os.nice(NICENESS)
    return dict(asyncio.run(_attack(ATTACKERS[name], target, seconds)))


async def _attack(attacker: "Attacker", target: Target, seconds: float) -> Counter[int]:
    answers: Counter[int] = Counter()
    clients = attacker.clients
    tasks = [asyncio.create_task(_repeat(attacker.act, target, number, answers)) for number in range(clients)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return answers


async def _repeat(act: "Act", target: Target, number: int, answers: Counter[int]) -> None:
    while True:
        try:
            status = await act(target, number)
        except OSError:
            status = 0
        answers[status] += 1
        if status != 200:
            await asyncio.sleep(0.05)  # or the refusals would be most of the load


async def _request(
    port: int, method: str, path: str, *, token: str | None = None, body: bytes = b"", kind: str = "application/json"
) -> int:
    """Send a request on a connection of its own; return the status."""
    lines = [f"{method} {path} HTTP/1.1", "host: localhost", "connection: close"]
    lines += [f"authorization: Bearer {token}"] if token else []
    lines += [f"content-type: {kind}", f"content-length: {len(body)}"] if method == "POST" else []
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = await reader.readline()
        while await reader.read(65_536):
            pass
        return int(head.split()[1]) if head else 0
    finally:
        writer.close()


async def _hold(port: int, path: str, size: int, kind: str, *, byte_seconds: float | None) -> int:
    """Send a body without its end, at once or byte by byte, and wait for an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: {size}\r\n\r\n"
    try:
        writer.write(head.encode() + (b"x" * (size - 1) if byte_seconds is None else b""))
        answer = asyncio.create_task(reader.readline())
        while not answer.done():
            await asyncio.wait([answer], timeout=byte_seconds or 60)
            with suppress(OSError):
                writer.write(b"x" if byte_seconds is not None else b"")
        line = await answer
        return int(line.split()[1]) if line else 0
    finally:
        writer.close()


async def _hold_bodies(target: Target, number: int, byte_seconds: float | None = None) -> int:
    if number % 2:
        return await _hold(target.collector, "/e", 60_000, "text/plain", byte_seconds=byte_seconds)
    return await _hold(target.articles, "/api/articles", 2_000_000, "application/json", byte_seconds=byte_seconds)


async def _markdown(target: Target, number: int) -> int:
    fields = {"site": SITE, "section": "tin-tuc", "title": "Ngoặc", "body_format": "markdown"}
    body = json.dumps({**fields, "body": "[" * MARKDOWN_CHARACTERS}).encode()
    return await _request(target.articles, "POST", "/api/articles", token=target.token, body=body)


async def _yaml(target: Target, number: int) -> int:
    path = f"/api/imports?site={SITE}&section=tin-tuc&file_name=bom.md"
    body = f"{YAML_BOMB}---\nThân bài.\n".encode()
    return await _request(target.articles, "POST", path, token=target.token, body=body, kind="text/markdown")


async def _imports(target: Target, number: int) -> int:
    path = f"/api/imports?site={SITE}&section=tin-tuc"
    items = [
        {"external_id": f"{uuid.uuid4()}", "title": f"Bài {line}", "body": f"<p>{'Thân bài. ' * 200}</p>"}
        for line in range(1_000)
    ]
    body = "\n".join(json.dumps(item) for item in items).encode()
    return await _request(target.articles, "POST", path, token=target.token, body=body, kind="application/x-ndjson")


async def _search(target: Target, number: int) -> int:
    return await _request(target.articles, "GET", f"/api/articles?q={uuid.uuid4().hex[:3]}%20hai&full=true&limit=100")


async def _tokens(target: Target, number: int) -> int:
    token = f"pt_{uuid.uuid4().hex[:8]}_{'x' * 43}"
    return await _request(target.articles, "GET", "/api/articles", token=token)


async def _upload(target: Target, number: int) -> int:
    path = f"/api/media?site={SITE}"
    photo = target.photo + uuid.uuid4().bytes  # another file each time: a known one is not decoded
    return await _request(target.articles, "POST", path, token=target.token, body=photo, kind="image/jpeg")


async def _export(target: Target, number: int) -> int:
    day = f"20{number % 20 + 5:02}-01-01"
    return await _request(
        target.widget, "GET", f"/stats/{SITE}/history.xlsx?step=day&from={day}&to=20{number % 20 + 7:02}-12-31"
    )


Act = Callable[[Target, int], Awaitable[int]]


@dataclass(frozen=True)
class Attacker:
    """An attack: what each of its clients repeats."""

    clients: int
    act: Act


ATTACKERS: dict[str, Attacker] = {
    "held bodies": Attacker(HOLDERS, _hold_bodies),
    "slow bodies": Attacker(HOLDERS, partial(_hold_bodies, byte_seconds=1.0)),
    "Markdown brackets": Attacker(EDITORS_CLIENTS, _markdown),
    "YAML aliases": Attacker(EDITORS_CLIENTS, _yaml),
    "imports": Attacker(4, _imports),
    "title search": Attacker(CLIENTS, _search),
    "invented tokens": Attacker(CLIENTS, _tokens),
    "photos": Attacker(8, _upload),
    "statistics exports": Attacker(CLIENTS, _export),
}
