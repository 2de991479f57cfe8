"""The widget's HTTP side: a real process, on a real Postgres."""

import asyncio
import gzip
import time
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import asyncpg
import pytest

from services.stats.counter_api.live_stream import MESSAGE_SECONDS_MIN
from tests.chaos.proxy import Proxy
from tests.stats.support import SITE, WidgetProcess, count_views, running_widget
from tests.streams import Stream, open_stream

FIELDS = {"site", "online", "today", "week", "total", "measure", "window", "timezone", "as_of"}


@pytest.fixture
async def counted(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture
async def widget(database: str, tmp_path: Path, counted: asyncpg.Connection) -> AsyncIterator[WidgetProcess]:
    async with running_widget(database, tmp_path, PRESSTALLY_LIVE_STREAMS_PER_ADDRESS="5") as running:
        yield running


async def test_counter_forms_have_the_same_values(widget: WidgetProcess, counted: asyncpg.Connection) -> None:
    """JSON, picture and fragment show the same numbers, of a site and of an article, and may be read from anywhere."""
    await count_views(counted, 1_234)
    await count_views(counted, 1_234, "bai-1")
    for path in (f"/stats/{SITE}/counter", f"/stats/{SITE}/articles/bai-1/counter"):
        numbers = await widget.get_until(lambda answer: answer.json()["total"] > 0, path)
        assert numbers.headers["content-type"] == "application/json"
        assert set(numbers.json()) - {"article"} == FIELDS
        assert [numbers.json()[name] for name in ("online", "today", "week", "total")] == [1_234] * 4
        picture = await widget.get(f"{path}.svg?show=all&theme=dark")
        assert picture.headers["content-type"].startswith("image/svg+xml")
        assert [text.text for text in ET.fromstring(picture.text).findall("{*}text")].count("1,234") == 4
        piece = await widget.get(f"{path}.html")
        assert piece.headers["content-type"] == "text/html; charset=utf-8"
        assert piece.text.count(">1,234</b>") == 4
        for answer in (numbers, picture, piece):
            assert answer.headers["access-control-allow-origin"] == "*"
            assert answer.headers["cache-control"] == "public, max-age=1, stale-while-revalidate=10"


@pytest.mark.parametrize("form", ["", ".svg", ".html"])
async def test_counter_with_a_known_etag_is_not_modified(widget: WidgetProcess, form: str) -> None:
    """The tag turns into 304 from memory as from Postgres, and another tag does not."""
    path = f"/stats/{SITE}/counter{form}"
    first = await widget.get(path)
    for _ in range(2):
        for known in (first.headers["etag"], f'"other", {first.headers["etag"]}', "*"):
            answer = await widget.get(path, if_none_match=known)
            assert (answer.status, answer.body) == (304, b"")
            assert answer.headers["etag"] == first.headers["etag"]
        assert (await widget.get(path, if_none_match='W/"0123456789abcdef"')).status == 200
        await asyncio.sleep(1.1)  # now it is read again
    head = await widget.get(path, "HEAD")
    assert (head.status, head.body, head.headers["etag"]) == (200, b"", first.headers["etag"])


async def test_counter_change_changes_the_etag(widget: WidgetProcess, counted: asyncpg.Connection) -> None:
    """After a new count the old tag gets the new values."""
    before = await widget.get(f"/stats/{SITE}/counter")
    await count_views(counted, 1)
    known = before.headers["etag"]
    after = await widget.get_until(lambda answer: answer.status != 304, f"/stats/{SITE}/counter", if_none_match=known)
    assert (after.status, after.json()["total"]) == (200, before.json()["total"] + 1)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/stats/khong-co/counter", 404, "no site 'khong-co'"),
        ("/stats/khong-co/counter.svg", 404, "no site"),
        ("/stats/khong-co/live", 404, "no site"),
        (f"/stats/{SITE}/counter?measure=hits", 422, "measure must be one of views, visits, visitors"),
        (f"/stats/{SITE}/counter?window=month", 422, "window must be one of calendar, rolling"),
        (f"/stats/{SITE}/counter.svg?show=year", 422, "show must be one of online, today, week, total, all"),
        (f"/stats/{SITE}/counter.svg?theme=pink", 422, "theme must be one of auto, light, dark"),
        (f"/stats/{SITE}/counter.html?show=year", 422, "show"),
        (f"/stats/{SITE}/live?measure=hits", 422, "measure"),
        (f"/stats/{SITE}/articles/{'x' * 65}/counter", 404, "No article"),
        (f"/stats/{SITE}/articles/a%00b/counter", 404, "No article"),
        (f"/stats/{SITE}/counter.png", 404, "Not Found"),
    ],
)
async def test_invalid_request_is_a_clear_problem(widget: WidgetProcess, path: str, status: int, words: str) -> None:
    """Unknown sites and values are problem documents that say why, readable from any page."""
    answer = await widget.get(path)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in answer.json()["detail"]


@pytest.mark.parametrize("article", ["chưa-ai-xem", "<script>", "a b", "%", "'", "x" * 64])
async def test_counter_of_an_unseen_article_is_zero(widget: WidgetProcess, article: str) -> None:
    """Whatever an article is called, its counter is there, escaped, with zeros."""
    path = f"/stats/{SITE}/articles/{quote(article, safe='')}/counter"
    answer = await widget.get(path)
    assert (answer.status, answer.json()["total"], answer.json()["article"]) == (200, 0, article)
    for form in (".svg", ".html"):
        assert "<script>" not in (await widget.get(path + form)).text


async def test_unknown_parameters_are_not_cached(widget: WidgetProcess) -> None:
    """Unknown parameters are ignored."""
    for number in range(50):
        answer = await widget.get(f"/stats/{SITE}/counter?_={number}")
        assert (answer.status, set(answer.json())) == (200, FIELDS)
    metrics = (await widget.get("/metrics")).text
    reads = float(metrics.split('presstally_widget_reads_total{result="read"} ')[1].split()[0])
    assert reads < 50


async def test_script_is_small(widget: WidgetProcess) -> None:
    """The component is one script of at most 3 KB gzipped, and can be cached."""
    script = await widget.get("/stats/widget.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert len(gzip.compress(script.body, 9)) <= 3_072
    assert "max-age=3600" in script.headers["cache-control"]
    assert (await widget.get("/stats/widget.js", if_none_match=script.headers["etag"])).status == 304


async def test_counter_during_an_outage_is_stale(database: str, tmp_path: Path, counted: asyncpg.Connection) -> None:
    """With Postgres away a known counter is served with its time and a mark, and streams stay open."""
    proxy = Proxy(urlsplit(database).port or 0)
    through = database.replace(f":{urlsplit(database).port}/", f":{await proxy.start()}/")
    async with running_widget(through, tmp_path) as widget:
        fresh = await widget.get(f"/stats/{SITE}/counter")
        stream = await open_stream(widget.port, f"/stats/{SITE}/live")
        await stream.until(lambda stream: stream.messages)
        await proxy.stop()
        old = await widget.get_until(lambda answer: "stale" in answer.json(), f"/stats/{SITE}/counter")
        assert (old.status, old.json()) == (200, {**old.json(), "stale": True})
        assert old.headers["x-presstally-stale"] == old.json()["as_of"]
        assert "stale" not in fresh.json()
        assert "x-presstally-stale" not in fresh.headers
        unknown = await widget.get(f"/stats/{SITE}/articles/bai-1/counter")
        assert (unknown.status, unknown.headers["retry-after"]) == (503, "2")
        await widget.get_until(lambda ready: ready.status == 503 and "cannot be read" in ready.text, "/readyz")
        assert not stream.ended
        newcomer = await open_stream(widget.port, f"/stats/{SITE}/live")
        messages = await newcomer.until(lambda stream: stream.messages)
        assert messages[0].numbers["stale"] is True
        assert not stream.ended
        for one in (stream, newcomer):
            one.close()


async def test_stream_sends_changes_once_a_second(widget: WidgetProcess, counted: asyncpg.Connection) -> None:
    """While views arrive continuously, a stream sends the newest values at most once a second; then it is silent."""
    begun = time.monotonic()
    stream = await open_stream(widget.port, f"/stats/{SITE}/live")
    await stream.until(lambda stream: stream.messages)
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.headers["x-accel-buffering"] == "no"
    assert "no-transform" in stream.headers["cache-control"]
    for _ in range(50):
        await count_views(counted, 1)
        await asyncio.sleep(0.05)
    await stream.until(lambda stream: stream.messages[-1].numbers["total"] == 50)
    # Some may have been received late, and so soon before the next one, but none before it may have been sent.
    assert all(message.at - begun >= MESSAGE_SECONDS_MIN * number for number, message in enumerate(stream.messages))
    quiet = len(stream.messages)
    await asyncio.sleep(1.5)
    assert len(stream.messages) == quiet
    stream.close()


async def test_stream_after_reconnect_does_not_repeat_a_message(
    widget: WidgetProcess, counted: asyncpg.Connection
) -> None:
    """With Last-Event-ID nothing is repeated; changes since then are sent at once, by any process."""
    first = await open_stream(widget.port, f"/stats/{SITE}/live")
    message = (await first.until(lambda stream: stream.messages))[-1]
    first.close()
    again = await open_stream(widget.port, f"/stats/{SITE}/live", last_event_id=message.id)
    await again.until(lambda stream: stream.status == 200)
    await asyncio.sleep(0.5)
    assert not again.messages
    await count_views(counted, 1)
    new = (await again.until(lambda stream: stream.messages))[-1]
    assert new.numbers["total"] == message.numbers["total"] + 1
    assert new.id != message.id
    again.close()


async def test_stream_has_the_requested_measure_and_window(widget: WidgetProcess) -> None:
    """A stream sends the requested counter."""
    stream = await open_stream(widget.port, f"/stats/{SITE}/live?measure=views&window=rolling")
    message = (await stream.until(lambda stream: stream.messages))[-1].numbers
    assert (message["measure"], message["window"]) == ("views", "rolling")
    stream.close()


async def test_streams_of_one_address_are_limited(widget: WidgetProcess) -> None:
    """The streams of one address, or one IPv6 network, are limited, as the trusted proxy reports it; others are not."""
    streams = [await _opened(widget, "203.0.113.7") for _ in range(5)]
    assert {stream.status for stream in streams} == {200}
    refused = await widget.get(f"/stats/{SITE}/live", x_forwarded_for="198.51.100.1, 203.0.113.7")
    assert (refused.status, refused.headers["content-type"]) == (429, "application/problem+json")
    assert int(refused.headers["retry-after"]) > 0
    networked = [await _opened(widget, f"2001:db8::{number}") for number in range(1, 7)]
    assert [stream.status for stream in networked] == [200] * 5 + [429]
    streams[0].close()
    async with asyncio.timeout(60):
        while (again := await _opened(widget, "203.0.113.7")).status != 200:
            again.close()
            await asyncio.sleep(0.1)
    again.close()
    for stream in [*streams, *networked]:
        stream.close()


async def _opened(widget: WidgetProcess, address: str) -> Stream:
    stream = await open_stream(widget.port, f"/stats/{SITE}/live", x_forwarded_for=address)
    await stream.until(lambda stream: stream.status)
    return stream


async def test_many_streams_leave_capacity_for_requests(database: str, tmp_path: Path) -> None:
    """With hundreds of open streams requests are answered; at the process's bound only streams are refused."""
    many = {"PRESSTALLY_LIVE_STREAMS_PER_ADDRESS": "1000", "PRESSTALLY_LIVE_STREAMS_MAX": "600"}
    async with running_widget(database, tmp_path, **many) as widget:
        streams = await asyncio.gather(*(open_stream(widget.port, f"/stats/{SITE}/live") for _ in range(600)))
        await asyncio.gather(*(stream.until(lambda stream: stream.messages) for stream in streams))
        assert (await widget.get("/readyz")).status == 200
        assert (await widget.get(f"/stats/{SITE}/counter")).status == 200
        refused = await widget.get(f"/stats/{SITE}/live")
        assert (refused.status, refused.headers["retry-after"]) == (503, "30")
        assert "presstally_live_streams 600.0" in (await widget.get("/metrics")).text
    await asyncio.gather(*(stream.until(lambda stream: stream.ended) for stream in streams))
