"""Which events share a batch: those of independent senders, and never those of one that waits for each response."""

import random

import pytest

from services.ingest.collector.group_commit import (
    BUSY_GATHER_SECONDS_MAX,
    GATHER_SECONDS_MAX,
    RESPONSE_SECONDS,
    GroupCommit,
)

FLIGHT_SECONDS = 0.004


def batches_of(arrivals: list[float], flight_seconds: float = FLIGHT_SECONDS) -> list[tuple[float, int]]:
    """Return the batches of events that arrive at these times, as times of their begin and numbers of events."""
    group_commit, batches, number, now = GroupCommit(), [], 0, 0.0
    while number < len(arrivals):
        first = max(now, arrivals[number])
        group_commit.note_first_event(max(now, arrivals[number]))
        began_at = first + group_commit.pause_seconds(first)
        events = sum(at <= began_at for at in arrivals[number : number + 10_000])
        number += events
        now = began_at + flight_seconds
        group_commit.note_batch(events, began_at, now)
        batches.append((began_at, events))
    return batches


def independent(per_second: float, seconds: float, seed: int) -> list[float]:
    source, now, arrivals = random.Random(seed), 0.0, []
    while now < seconds:
        now += source.expovariate(per_second)
        arrivals.append(now)
    return arrivals


@pytest.mark.parametrize("seed", range(5))
def test_group_commit_independent_senders_at_50_a_second_share_batches(seed: int) -> None:
    """A third as many batches as events, and no event waits longer than the limit."""
    arrivals = independent(50, 60, seed)
    batches = batches_of(arrivals)
    assert len(batches) < len(arrivals) / 2.5
    number = 0
    for began_at, events in batches:
        assert began_at - arrivals[number] <= GATHER_SECONDS_MAX + FLIGHT_SECONDS
        number += events
    assert number == len(arrivals)


@pytest.mark.parametrize("flight_seconds", [0.001, 0.02, 0.04, 0.1])
def test_group_commit_slow_batches_gather_less(flight_seconds: float) -> None:
    """An event is gathered and sent within RESPONSE_SECONDS, or as soon as two batches are sent."""
    arrivals, number = independent(50, 60, 1), 0
    for began_at, events in batches_of(arrivals, flight_seconds):
        if arrivals[number] > 5.0:
            took = began_at + flight_seconds - arrivals[number]
            assert took <= max(RESPONSE_SECONDS, 2 * flight_seconds) + 1e-9
        number += events


@pytest.mark.parametrize("seed", range(3))
def test_group_commit_busy_collector_never_waits(seed: int) -> None:
    """At 1,000 events a second batches fill while the one before is in flight."""
    arrivals = independent(1_000, 10, seed)
    number = 0
    for began_at, events in batches_of(arrivals):
        if arrivals[number] > 2.0:
            assert began_at - arrivals[number] <= FLIGHT_SECONDS + 1e-9
        number += events


@pytest.mark.parametrize("seed", range(3))
def test_group_commit_batches_of_many_events_gather_for_milliseconds(seed: int) -> None:
    """With flights of a millisecond and 20,000 events a second, batches have four times the events of a flight."""
    arrivals = independent(20_000, 3, seed)
    number, late = 0, []
    for began_at, events in batches_of(arrivals, 0.001):
        assert began_at - arrivals[number] <= 0.001 + BUSY_GATHER_SECONDS_MAX
        if arrivals[number] > 1.0:
            late.append(events)
        number += events
    assert 70 < sum(late) / len(late) < 130


@pytest.mark.parametrize("senders", [1, 2, 5])
@pytest.mark.parametrize("think_seconds", [0.0005, 0.002])
def test_group_commit_senders_that_wait_for_responses_are_not_slowed(senders: int, think_seconds: float) -> None:
    """Each sends its next event right after the response: hardly any batch gathers, also not after a quiet time."""
    group_commit, now, pauses = GroupCommit(), 0.0, []
    for number in range(400):
        now += think_seconds
        if number % 100 == 0:
            now += 30.0
        group_commit.note_first_event(now)
        pauses.append(group_commit.pause_seconds(now + think_seconds / 2))
        now += pauses[-1]
        group_commit.note_batch(senders, now, now + FLIGHT_SECONDS)
        now += FLIGHT_SECONDS
    assert sum(pause > 0 for pause in pauses) <= len(pauses) / 10


def test_group_commit_first_event_after_a_quiet_second_leaves_at_once() -> None:
    """However the load was before."""
    group_commit = GroupCommit()
    for number in range(200):
        at = number / 50
        group_commit.note_first_event(at)
        group_commit.note_batch(1, at, at + 0.001)
    assert group_commit.pause_seconds(199 / 50 + 0.02) > 0
    assert group_commit.pause_seconds(199 / 50 + 1.0) == 0


def test_group_commit_begins_without_a_pause() -> None:
    """Nothing is known of the load yet."""
    group_commit = GroupCommit()
    group_commit.note_first_event(5.0)
    assert group_commit.pause_seconds(5.0) == 0
    group_commit.note_batch(0, 5.0, 5.1)
    assert group_commit.pause_seconds(5.2) == 0
