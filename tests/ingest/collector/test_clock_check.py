"""The comparison of clocks: which of them is wrong, by how much, and that a set clock is noticed at once."""

import time

import pytest

from services.ingest.collector import clock_check as module
from services.ingest.collector.clock_check import ClockCheck, since_boot


def broker_says(clock: ClockCheck, ahead_seconds: float, partition: int = 0, took_seconds: float = 0.0) -> None:
    clock.observe_broker(partition, int((time.time() + ahead_seconds) * 1000), since_boot() - took_seconds)


@pytest.mark.parametrize(
    ("ahead", "message"),
    [(0, None), (50, None), (-50, None), (90, "90 s behind Kafka's"), (-90, "90 s ahead of Kafka's")],
)
def test_offset_beyond_the_limit_is_a_problem(ahead: float, message: str | None) -> None:
    """Up to a minute the clocks agree; beyond it the message says which one is ahead."""
    clock = ClockCheck()
    broker_says(clock, ahead)
    assert clock.offset_seconds == pytest.approx(-ahead, abs=0.1)
    assert (message in str(clock.problem)) if message else (clock.problem is None)


def test_slow_acknowledgement_is_not_taken_for_an_offset() -> None:
    """The broker appended at any time between the request and its acknowledgement."""
    clock = ClockCheck()
    broker_says(clock, -100, took_seconds=120)
    assert (clock.offset_seconds, clock.problem) == (0.0, None)


def test_one_of_several_brokers_with_a_wrong_clock_is_a_warning() -> None:
    """If only one leader differs, its clock is wrong and not this one; if all do, this one is."""
    clock = ClockCheck()
    broker_says(clock, 0, partition=0)
    broker_says(clock, 300, partition=7)
    assert clock.problem is None
    assert clock.warning == "the clock of the broker that leads partition 7 is 300 s ahead of this one"
    broker_says(clock, 290, partition=0)
    assert "290 s behind" in str(clock.problem)
    assert clock.warning is None


def test_clock_that_is_set_is_right_without_another_observation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The difference follows this machine's clock, so that a collector without traffic becomes ready again."""
    clock = ClockCheck()
    broker_says(clock, 3_600)
    assert clock.problem is not None
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3_600)
    assert clock.problem is None
    monkeypatch.setattr(time, "time", lambda: real() - 100)
    assert clock.problem is not None


def test_without_events_the_clock_of_postgres_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first event, and long after the last one, Postgres's time is the reference."""
    clock = ClockCheck()
    assert (clock.offset_seconds, clock.problem) == (None, None)
    clock.observe_postgres((time.time() + 500) * 1000, since_boot())
    assert "500 s behind Postgres's" in str(clock.problem)
    broker_says(clock, 0)
    assert clock.problem is None
    monkeypatch.setattr(module, "OBSERVATION_SECONDS_MAX", 0.0)
    assert clock.problem is not None
