"""The counter's read side through the gateway, while events flow through the real stack."""

import asyncio
import re
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from tests.streams import open_stream

Wait = Callable[..., Any]


def views(system: Any, new_id: Callable[[], str], number: int) -> None:
    events = [{"id": new_id(), "site": "giao-thuy", "kind": "view", "path": "/"} for _ in range(number)]
    assert system.post_events(events, user_agent=system.another_person()).status == 202


async def test_stream_follows_views_through_the_gateway(system: Any, new_id: Callable[[], str]) -> None:
    """Every change comes through the gateway at once, nothing is buffered, once a second at most."""
    stream = await open_stream(system.base_port, "/stats/giao-thuy/live")
    first = (await stream.until(lambda stream: stream.messages))[0].numbers["total"]
    begun = time.monotonic()
    for _ in range(30):
        await asyncio.to_thread(views, system, new_id, 10)
        await asyncio.sleep(0.1)
    await stream.until(lambda stream: stream.messages[-1].numbers["total"] == first + 300)
    times = [message.at for message in stream.messages]
    assert len(times) >= 3
    assert len(times) <= time.monotonic() - begun + 3
    assert all(after - before > 0.8 for before, after in pairwise(times))
    stream.close()


def test_every_counter_form_passes_the_gateway(system: Any) -> None:
    """Picture, fragment and script come through the gateway with their types, and known ones turn into 304."""
    for path, media_type in (
        ("/stats/giao-thuy/counter.svg?show=all&theme=dark", "image/svg+xml"),
        ("/stats/giao-thuy/counter.html", "text/html"),
        ("/stats/giao-thuy/articles/nobody/counter.svg", "image/svg+xml"),
        ("/stats/widget.js", "text/javascript"),
    ):
        answer = system.get(path)
        assert (answer.status, answer.headers["content-type"].split(";")[0]) == (200, media_type)
        assert system.get(path, if_none_match="*" if "widget" not in path else answer.headers["etag"]).status == 304


def test_prometheus_has_the_public_values(system: Any, new_id: Callable[[], str], wait: Wait) -> None:
    """The sites' counters on the stats service's metrics follow the counter."""
    views(system, new_id, 3)
    page = f"http://127.0.0.1:{system.port('stats')}/metrics"
    pattern = re.compile(
        r'^presstally_site_traffic\{measure="views",site="giao-thuy",window="total"\} (\S+)', re.MULTILINE
    )

    def agree() -> bool:
        found = pattern.search(system.get(page).text)
        return bool(found) and float(found[1]) == system.counter("giao-thuy", measure="views")["total"]

    wait(agree, 40, "the same number in Prometheus")
