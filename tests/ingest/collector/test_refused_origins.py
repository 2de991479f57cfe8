"""Origins that no site declares."""

import asyncio
import contextlib

import msgspec
import pytest
import structlog
from prometheus_client import REGISTRY

from services.ingest.collector import refused_origins
from services.ingest.collector.refused_origins import ORIGINS_MAX, OTHER, RefusedOrigins, run_reports
from shared.events import RefusedOrigin
from shared.kafka.producer import KafkaUnavailable


def count(origin: str) -> float:
    return REGISTRY.get_sample_value("presstally_collect_refused_origins_total", {"origin": origin}) or 0.0


def test_refused_origin_is_logged_once_and_counted() -> None:
    """The owner of an undeclared website finds its address in the log and in the metric."""
    origins = RefusedOrigins()
    before = count("https://huyen.example")
    with structlog.testing.capture_logs() as logs:
        for origin in ("https://huyen.example", "https://Huyen.example", "https://huyen.example"):
            origins.add(origin, "haihau")
    assert count("https://huyen.example") == before + 3
    (line,) = logs
    assert (line["origin"], line["site"], line["log_level"]) == ("https://huyen.example", "haihau", "warning")


def test_claimed_origins_are_bounded() -> None:
    """Anybody can claim any origin: neither series nor log lines grow with them."""
    origins = RefusedOrigins()
    before = count(OTHER)
    with structlog.testing.capture_logs() as logs:
        for number in range(500):
            origins.add(f"https://claimed-{number}.example", "haihau")
    assert len(logs) == ORIGINS_MAX
    assert count(OTHER) == before + 500 - ORIGINS_MAX


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "another site",
        "an unreadable referrer",
        "https://a.example/x",
        "https://" + "a" * 300,
        'https://a"}',
        "",
    ],
)
def test_what_is_no_origin_is_not_named(origin: str) -> None:
    """A label is an address of a website, or `other`."""
    before = count(OTHER)
    with structlog.testing.capture_logs() as logs:
        RefusedOrigins().add(origin, "haihau")
    assert (count(OTHER), logs) == (before + 1, [])


def reported(origins: RefusedOrigins) -> dict[tuple[str, str | None], int]:
    return {(one.site, one.origin): one.views for one in origins.take_reports()}


def test_reports_name_some_origins_of_each_site_and_count_all() -> None:
    """One site's flood takes no name from another site; what is no origin, and what is too much, has no name."""
    origins = RefusedOrigins()
    for number in range(ORIGINS_MAX + 5):
        origins.add(f"https://claimed-{number}.example", "haihau")
    origins.add("https://Own.example", "giao-thuy")
    origins.add("null", "giao-thuy")
    origins.add("https://own.example", "giao-thuy")
    found = reported(origins)
    assert found["haihau", None] == 5
    assert len(found) == ORIGINS_MAX + 1 + 2
    assert (found["giao-thuy", "https://own.example"], found["giao-thuy", None]) == (2, 1)
    assert reported(origins) == {}


def test_names_are_free_again_on_the_next_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that were used up on one day are available on the next one."""
    origins, now = RefusedOrigins(), [1_795_000_000.0]
    monkeypatch.setattr("services.ingest.collector.refused_origins.time.time", lambda: now[0])
    for number in range(ORIGINS_MAX):
        origins.add(f"https://claimed-{number}.example", "haihau")
    now[0] += 86_400
    origins.add("https://own.example", "haihau")
    assert ("haihau", "https://own.example") in reported(origins)


class Unreliable:
    """A producer whose second message fails once."""

    def __init__(self) -> None:
        self.starts = 0
        self.sent: list[RefusedOrigin] = []
        self._failures = 1

    def start(self) -> None:
        self.starts += 1

    async def send(self, topic: str, value: bytes, *, key: bytes) -> None:
        assert topic == "refused-origins"
        report = msgspec.json.decode(value, type=RefusedOrigin)
        assert key == report.site.encode()
        if self.sent and self._failures:
            self._failures -= 1
            raise KafkaUnavailable("away")
        self.sent.append(report)


async def test_reports_are_repeated_until_kafka_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that could not be sent comes with the next ones, and without any no connection is made."""
    monkeypatch.setattr(refused_origins, "REPORT_SECONDS", 0.01)
    origins, producer = RefusedOrigins(), Unreliable()
    task = asyncio.create_task(run_reports(origins, producer))  # type: ignore[arg-type]
    await asyncio.sleep(0.05)
    assert producer.starts == 0
    origins.add("https://a.example", "haihau")
    origins.add("https://b.example", "haihau")
    async with asyncio.timeout(60):
        while len(producer.sent) < 2:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.02)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert {(one.origin, one.views) for one in producer.sent} == {("https://a.example", 1), ("https://b.example", 1)}
    assert producer.starts == 1
