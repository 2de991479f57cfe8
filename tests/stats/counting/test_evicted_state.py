"""Evicted ids and activities: encoding, and what late events find."""

import numpy as np

from services.stats.counting.evicted_state import (
    ACTIVITY,
    NO_VISIT,
    EvictedActivities,
    EvictedState,
    PastActivity,
    Source,
    encode_activities,
)

ANN, BOB, EVE = 2**64 - 1, 2, 3
SOURCES = [Source("", ""), Source("bai-1", "zalo.me"), Source("bai-2", "")]


def evicted(offset: int, *rows: tuple[int, ...]) -> EvictedState:
    """Return a state that was evicted at an offset; a row is (visitor, start, end, previous, source)."""
    activities = np.array([(*row, 1) for row in rows], ACTIVITY)
    encoded = encode_activities({"haihau": (activities, SOURCES), "other": (activities[:0], SOURCES)})
    return EvictedState(offset, 1, np.zeros(0, np.uint64), np.zeros(0, np.uint64), encoded)


def found(states: list[EvictedState], *visitors: int, offset: int = 100, ended_from: int = 0) -> list[PastActivity]:
    one = EvictedActivities(states, "haihau", offset).of(np.array(sorted(visitors), np.uint64), ended_from)
    return [activity for activities in one.values() for activity in activities]


def test_encoded_activities_are_read_as_they_were() -> None:
    """Each site's activities are found by visitor ID, with the sources that they use."""
    one = evicted(1, (ANN, 10, 20, ANN, 1), (BOB, 5, 6, ANN, NO_VISIT))
    assert set(one.by_site) == {"haihau"}
    assert one.by_site["haihau"].sources == [SOURCES[1]]
    assert found([one], ANN) == [PastActivity(ANN, 10, 20, ANN, SOURCES[1])]
    assert found([one], BOB) == [PastActivity(BOB, 5, 6, ANN, None)]
    assert found([one], EVE) == []
    assert encode_activities({}) == b""


def test_activity_that_was_evicted_again_replaces_the_former_one() -> None:
    """The longer one counts, and of two of one length that without a visit, in whatever order they are read."""
    first = evicted(1, (ANN, 10, 20, ANN, 1), (ANN, 100, 110, ANN, 2))
    longer = evicted(2, (ANN, 5, 30, ANN, 2))
    none = evicted(3, (ANN, 100, 110, ANN, NO_VISIT))
    expected = [PastActivity(ANN, 5, 30, ANN, SOURCES[2]), PastActivity(ANN, 100, 110, ANN, None)]
    assert found([first, longer, none], ANN) == found([none, longer, first], ANN) == expected


def test_later_evictions_and_earlier_activities_are_not_found() -> None:
    """A record sees only what was evicted up to its offset, and what ended late enough."""
    states = [evicted(1, (ANN, 10, 20, ANN, 1)), evicted(50, (ANN, 90, 95, ANN, 1))]
    assert [one.start for one in found(states, ANN, offset=49)] == [10]
    assert [one.start for one in found(states, ANN, ended_from=21)] == [90]


def test_linked_to_finds_visits_that_name_an_id() -> None:
    """Visits whose first view names an ID as that of the day before are found by it; others are not."""
    states = [evicted(1, (BOB, 10, 20, ANN, 1), (EVE, 10, 20, ANN, NO_VISIT), (ANN, 1, 2, ANN, 1))]
    one = EvictedActivities(states, "haihau", 1)
    assert one.linked_to(np.array([ANN], np.uint64)).tolist() == [BOB]
    assert one.linked_to(np.array([BOB], np.uint64)).tolist() == []
    assert EvictedActivities([], "haihau", 1).linked_to(np.array([ANN], np.uint64)).tolist() == []
