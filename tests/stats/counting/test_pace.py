"""The pause before a counter's next batch: none alone, none under load, and short between."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.stats.counting.pace import (
    BUSY_PER_SECOND,
    GATHER_FROM_PER_SECOND,
    GATHER_SECONDS,
    PAUSE_SECONDS_MAX,
    QUIET_PER_SECOND,
    Pace,
)


def test_pace_of_the_first_records_is_no_pause() -> None:
    """What was fetched at the start may be the beginning of a long backlog."""
    pace = Pace()
    assert pace.pause_seconds(5.0) == 0
    pace.note(1, 5.0)
    assert pace.pause_seconds(5.0) == 0


def test_pace_after_a_quiet_while_lets_the_next_views_wait_for_each_other() -> None:
    """A single view is taken at once; what follows soon after it waits for the rest of the pause, and no longer."""
    pace = Pace()
    pace.note(1, 0.0)
    pace.note(1, 1_000.0)
    assert pace.pause_seconds(1_000.0) == pytest.approx(PAUSE_SECONDS_MAX, rel=0.01)
    assert pace.pause_seconds(1_000.0 + PAUSE_SECONDS_MAX / 2) == pytest.approx(PAUSE_SECONDS_MAX / 2, rel=0.01)
    assert pace.pause_seconds(1_002.0) == 0


@pytest.mark.parametrize(
    ("rate", "pause"),
    [(BUSY_PER_SECOND, 0), (GATHER_FROM_PER_SECOND, 0), (1_300, 0.025), (5_000, 0.05), (200_000, 0.05)],
)
def test_pace_of_a_busy_counter_is_a_moment_at_most(rate: float, pause: float) -> None:
    """From the busy rate on nothing waits, until so many records come that a moment spares most transactions."""
    pace = Pace()
    pace.note(1, 0.0)
    pace.note(int(rate), 1.0)
    assert pace.pause_seconds(1.0) == pytest.approx(pause)
    assert pace.pause_seconds(1.0 + GATHER_SECONDS) == 0


def test_pace_at_a_steady_rate_falls_with_the_rate() -> None:
    """The more views a second, the shorter is the pause."""
    pauses = [steady(rate) for rate in (5, 20, 50, QUIET_PER_SECOND, 130, 180, BUSY_PER_SECOND, 250)]
    assert pauses == sorted(pauses, reverse=True)
    assert pauses[:4] == pytest.approx([PAUSE_SECONDS_MAX] * 4, abs=0.03)
    assert pauses[4] == pytest.approx(PAUSE_SECONDS_MAX / 2, abs=0.1)
    assert pauses[-1] == 0


def steady(rate: float) -> float:
    """Return the pause after some seconds of views that arrive one by one."""
    pace, now, counted = Pace(), 0.0, 0
    pace.note(1, now)
    while now < 20:
        now += max(pace.pause_seconds(now), 1 / rate)
        arrived = int(now * rate)
        pace.note(arrived - counted, now)
        counted = arrived
    return pace.pause_seconds(now)


def test_pace_of_a_load_in_bursts_is_that_of_its_mean() -> None:
    """Two hundred views once a second beside two hundred single ones are a busy counter, also between the bursts."""
    pace, now, pauses = Pace(), 0.0, []
    pace.note(1, now)
    for step in range(1, 401):
        now += 0.05
        pace.note(10 + 200 * (step % 20 == 0), now)
        pauses.append(pace.pause_seconds(now))
    assert max(pauses[40:]) < 0.15
    assert sum(pauses[40:]) / len(pauses[40:]) < 0.05


@given(st.lists(st.tuples(st.integers(0, 50_000), st.floats(0, 100)), max_size=30))
def test_pace_of_anything_is_within_its_bound(taken: list[tuple[int, float]]) -> None:
    """Whatever is taken whenever, also twice at one time, the pause is from 0 to its maximum."""
    pace, now = Pace(), 10.0
    for records, seconds in taken:
        now += seconds
        pace.note(records, now)
        assert 0 <= pace.pause_seconds(now) <= PAUSE_SECONDS_MAX
