"""The counter's read side through the gateway, while events flow through the real stack."""

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any

from services.stats.counter_api.live_stream import MESSAGE_SECONDS_MIN
from tests.settled import settled_counter
from tests.streams import open_stream

Wait = Callable[..., Any]


def views(system: Any, new_id: Callable[[], str], number: int) -> None:
    events = [{"id": new_id(), "site": "giao-thuy", "kind": "view", "path": "/"} for _ in range(number)]
    assert system.post_events(events, user_agent=system.another_person()).status == 202


async def test_stream_follows_views_through_the_gateway(system: Any, new_id: Callable[[], str]) -> None:
    """Every change comes through the gateway at once, nothing is buffered, once a second at most."""
    before = await asyncio.to_thread(settled_counter, system, "giao-thuy")
    begun = time.monotonic()
    stream = await open_stream(system.base_port, "/stats/giao-thuy/live")
    await stream.until(lambda stream: stream.messages)
    sent = 0
    while sent < 300 or len(stream.messages) < 3:
        await asyncio.to_thread(views, system, new_id, 10)
        sent += 10
        await asyncio.sleep(0.1)
    await stream.until(lambda stream: stream.messages[-1].numbers["total"] == before["total"] + sent)
    # Some may have been received late, and so soon before the next one, but none before it may have been sent.
    assert all(message.at - begun >= MESSAGE_SECONDS_MIN * number for number, message in enumerate(stream.messages))
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

    wait(agree, what="the same number in Prometheus")
