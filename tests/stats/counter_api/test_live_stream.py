"""Channels of live streams, without HTTP: what is sent, and when."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from services.stats.counter_api.counter_cache import CounterKey
from services.stats.counter_api.counter_query import SITE_VALID_SECONDS, CounterValues
from services.stats.counter_api.live_stream import (
    HEARTBEAT,
    HEARTBEAT_SECONDS,
    MESSAGE_SECONDS_MIN,
    POLL_SECONDS,
    UNCHANGED_SECONDS,
    Channel,
    LiveStreams,
    Subscriber,
    message_id,
)
from shared.http.problems import Problem
from shared.role import Process

KEY = CounterKey("haihau", None, "visits", "calendar")


def values(total: int, as_of: str = "2026-11-24T12:00:00+07:00") -> CounterValues:
    return CounterValues(
        site="haihau",
        online=1,
        today=2,
        week=3,
        total=total,
        measure="visits",
        window="calendar",
        timezone="Asia/Ho_Chi_Minh",
        as_of=as_of,
    )


async def subscriber(channel: Channel, sent: list[Any]) -> Subscriber:
    async def send(message: Any) -> None:
        sent.append(message)

    one = Subscriber(send, asyncio.timeout(None), 0.0)
    channel.subscribers.add(one)
    return one


def test_message_id_depends_on_values_and_not_on_the_time() -> None:
    """The same values at another time have the same id, so that any process recognises it."""
    assert message_id(values(5)) == message_id(values(5, as_of="2026-11-25T00:00:00+07:00"))
    assert message_id(values(5)) != message_id(values(6))


async def test_channel_sends_a_change_once_and_not_too_often() -> None:
    """A change is sent once to each subscriber, at most once in MESSAGE_SECONDS_MIN."""
    channel, sent = Channel(), []
    await subscriber(channel, sent)
    channel.update(values(5))
    assert await channel.send_due(0.5) == pytest.approx(MESSAGE_SECONDS_MIN)
    assert sent == []
    assert await channel.send_due(1.0) == pytest.approx(1.0 + MESSAGE_SECONDS_MIN)
    assert [message["body"].split(b"\n")[0] for message in sent] == [b"id: " + message_id(values(5)).encode()]
    channel.update(values(5, as_of="2026-11-25T00:00:00+07:00"))
    await channel.send_due(3.0)
    assert len(sent) == 1
    channel.update(values(6))
    await channel.send_due(4.0)
    assert len(sent) == 2
    assert b'"total":6' in sent[1]["body"]


async def test_channel_without_a_change_sends_heartbeats() -> None:
    """A silent stream gets a heartbeat after HEARTBEAT_SECONDS."""
    channel, sent = Channel(), []
    await subscriber(channel, sent)
    await channel.send_due(HEARTBEAT_SECONDS - 0.1)
    assert sent == []
    await channel.send_due(HEARTBEAT_SECONDS)
    assert sent == [HEARTBEAT]


async def test_open_stream_beyond_a_limit_is_a_problem() -> None:
    """The limit of an address is a 429, that of the process and a stop are a 503; each says when to retry."""
    process = Process()
    streams = LiveStreams(None, None, process, streams_max=2, per_address_max=1)  # type: ignore[arg-type]
    streams._streams.update({"192.0.2.1": 1, "192.0.2.2": 1})
    with pytest.raises(Problem) as of_address:
        streams.open_stream(KEY, "192.0.2.1", "", {})
    assert (of_address.value.status, of_address.value.headers["retry-after"]) == (429, "30")
    with pytest.raises(Problem) as of_process:
        streams.open_stream(KEY, "192.0.2.9", "", {})
    assert (of_process.value.status, of_process.value.detail) == (503, "Live stream limit reached; retry later.")
    streams._streams.clear()
    assert streams.open_stream(KEY, "192.0.2.9", "", {}).status_code == 200
    process.stop.set()
    with pytest.raises(Problem):
        streams.open_stream(KEY, "192.0.2.9", "", {})


class Watched:
    """A counter that somebody watches, and how far everything is counted."""

    def __init__(self) -> None:
        self.position: str | None = "1:0:0"
        self.total = 5
        self.reads = 0
        self.polls = 0

    async def read(self) -> str | None:
        self.polls += 1
        return self.position

    async def refresh(self, _: CounterKey) -> CounterValues:
        self.reads += 1
        return values(self.total)


async def test_counter_of_a_quiet_stream_is_read_when_something_is_counted() -> None:
    """It is read once a second while nothing is counted, and within two polls when something is."""
    process, watched, sent = Process(), Watched(), []
    streams = LiveStreams(watched, watched, process, streams_max=2, per_address_max=1)  # type: ignore[arg-type]
    await subscriber(streams._channel(KEY), sent)
    await asyncio.sleep(UNCHANGED_SECONDS + SITE_VALID_SECONDS + 3 * POLL_SECONDS)
    assert len(sent) == 1
    begun, reads = time.monotonic(), watched.reads
    await asyncio.sleep(0.6 * UNCHANGED_SECONDS)
    assert watched.reads - reads <= 1 + (time.monotonic() - begun) / UNCHANGED_SECONDS
    polls, watched.total, watched.position = watched.polls, 6, "1:0:1"
    await until(lambda: len(sent) == 2)
    assert b'"total":6' in sent[1]["body"]
    assert watched.polls - polls <= 2
    watched.total = 7  # the visitors of a page leave, and nothing is counted
    await until(lambda: len(sent) == 3)
    assert b'"total":7' in sent[2]["body"]
    streams._channels[KEY].subscribers.clear()
    await until(lambda: not streams._channels)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):  # before the first heartbeat
        while not condition():  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
