"""Two widgets behind a balancer that alternates between them, while views are counted: no number may fall.

With a cache of its own in each widget, the total fell for a visitor in every two hundredth poll.
"""

import asyncio
import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.conftest import answers, free_ports
from tests.stats.support import SITE, count_views, running_widget
from tests.streams import open_stream

POLLS = 3_000
COUNTER = f"/stats/{SITE}/counter"


@asynccontextmanager
async def alternating(folder: Path, *ports: int) -> AsyncIterator[int]:
    """Run Caddy as a balancer that sends each request to the next server, and yield its port."""
    port = free_ports(1)
    servers = " ".join(f"127.0.0.1:{one}" for one in ports)
    balancer = f"reverse_proxy {servers} {{\n lb_policy round_robin\n }}"
    file = folder / "Caddyfile"
    file.write_text(f"{{\n admin off\n auto_https off\n}}\nhttp://127.0.0.1:{port} {{\n {balancer}\n}}\n")
    caddy = str(Path(sys.executable).parent / "caddy")
    homes = {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "HOME": str(folder)}
    with (folder / "caddy.log").open("wb") as log:
        process = await asyncio.to_thread(
            subprocess.Popen,
            [caddy, "run", "--adapter", "caddyfile", "--config", str(file)],
            env={**os.environ, **homes},
            stdout=log,
            stderr=log,
        )
        try:
            while not await asyncio.to_thread(answers, f"http://127.0.0.1:{port}{COUNTER}"):
                assert process.poll() is None, (folder / "caddy.log").read_text()
                await asyncio.sleep(0.05)
            yield port
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait, 60)


@asynccontextmanager
async def counting(database: str, article: str = "") -> AsyncIterator[None]:
    """Commit one view after the other."""
    connection = await asyncpg.connect(database)

    async def count() -> None:
        while True:
            async with connection.transaction():
                await count_views(connection, 1)
                if article:
                    await count_views(connection, 1, article)
            await asyncio.sleep(0.001)

    task = asyncio.create_task(count())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        await connection.close()


def poll(
    port: int, forms: list[tuple[str, Callable[[bytes], int]]], polls: int, different: int = 1
) -> dict[str, list[int]]:
    """Return the totals that one visitor gets, on one connection, by the form of the answer."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    totals: list[int] = []
    names: dict[str, list[int]] = {}
    for path, total_of in cycle(forms):
        if len(totals) >= polls and len(set(totals)) >= different:
            break
        client.request("GET", path)
        answer = client.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        totals.append(total_of(body))
        names.setdefault(path, []).append(totals[-1])
    client.close()
    return {**names, "all": totals}


def json_total(body: bytes) -> int:
    numbers = json.loads(body)
    assert numbers["today"] <= numbers["week"] <= numbers["total"]
    return int(numbers["total"])


def picture_total(body: bytes) -> int:
    found = re.search(r">([0-9,]+)</text></svg>", body.decode())
    assert found
    return int(found[1].replace(",", ""))


def fragment_total(body: bytes) -> int:
    found = re.search(r'data-counter="total">([0-9,]+)<', body.decode())
    assert found
    return int(found[1].replace(",", ""))


def falls(totals: list[int]) -> list[tuple[int, int]]:
    return [(before, after) for before, after in pairwise(totals) if after < before]


@pytest.fixture
async def two_widgets(database: str, tmp_path: Path) -> AsyncIterator[tuple[int, int, int]]:
    """The port of a balancer, and those of its two widgets."""
    folders = [tmp_path / name for name in ("one", "two", "caddy")]
    for folder in folders:
        folder.mkdir()
    async with (
        running_widget(database, folders[0]) as one,
        running_widget(database, folders[1]) as two,
        alternating(folders[2], one.port, two.port) as port,
    ):
        yield port, one.port, two.port


async def test_total_of_alternating_widgets_never_falls(database: str, two_widgets: tuple[int, int, int]) -> None:
    """A visitor polls the counter 3,000 times in all its forms, and each total is at least the one before."""
    port, *_ = two_widgets
    forms = [
        (COUNTER, json_total),
        (f"{COUNTER}?window=calendar", json_total),
        (f"{COUNTER}.svg", picture_total),
        (f"{COUNTER}.html", fragment_total),
        (COUNTER, json_total),
    ]
    async with counting(database):
        totals = await asyncio.to_thread(poll, port, forms, POLLS, 11)  # it is counted meanwhile
    assert falls(totals["all"]) == []


async def test_total_of_an_article_never_falls(database: str, two_widgets: tuple[int, int, int]) -> None:
    """The counter of an article, which nobody had read before, does not fall either."""
    port, *_ = two_widgets
    path = f"/stats/{SITE}/articles/bai-1/counter"
    before = await asyncio.to_thread(poll, port, [(path, json_total)], 20)
    assert set(before["all"]) == {0}
    async with counting(database, "bai-1"):
        totals = await asyncio.to_thread(poll, port, [(path, json_total)], POLLS, 2)
    assert falls(totals["all"]) == []


async def test_stream_and_polls_never_fall(database: str, two_widgets: tuple[int, int, int]) -> None:
    """A visitor whose live stream is replaced by polls and by a stream of the other widget sees no fall."""
    port, one, two = two_widgets
    totals: list[int] = []
    async with counting(database):
        for number in range(12):
            stream = await open_stream((one, two)[number % 2], f"/stats/{SITE}/live")
            await stream.until(lambda stream: stream.messages)
            totals += [message.numbers["total"] for message in stream.messages]
            stream.close()
            totals += (await asyncio.to_thread(poll, port, [(COUNTER, json_total)], 4))["all"]
    assert falls(totals) == []


async def test_expired_reads_of_articles_are_deleted(database: str, two_widgets: tuple[int, int, int]) -> None:
    """A counter is one row, and that of an unknown article has no row."""
    port, *_ = two_widgets
    connection: Any = await asyncpg.connect(database)
    await count_views(connection, 1, "bai-1")
    for number in range(20):
        path = f"/stats/{SITE}/articles/{('bai-1', f'khong-{number}')[number % 2]}/counter"
        await asyncio.to_thread(poll, port, [(path, json_total)], 2)
    keys = await connection.fetch("SELECT key FROM stats.shared_reads WHERE key LIKE '%bai-1%' OR key LIKE '%khong%'")
    assert len(keys) == 1
    await connection.close()
