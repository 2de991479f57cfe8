"""Origins that no site declares."""

import pytest
import structlog
from prometheus_client import REGISTRY

from services.ingest.collector.refused_origins import ORIGINS_MAX, OTHER, RefusedOrigins


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
