"""The activities of one visitor ID while events arrive in any order."""

from itertools import permutations

from services.stats.counting.evicted_state import NO_VISIT, PastActivity
from services.stats.counting.late_events import UNCHANGED, VISIT_TIMEOUT_MS, Activity, VisitorActivities

ANN, WINDOW = 7, 3
MINUTE = 60_000


def spans(one: VisitorActivities) -> list[tuple[int, int, bool]]:
    """Return (begin, end, whether it has a visit) of each activity, in minutes."""
    return [
        (activity.start // MINUTE, activity.end // MINUTE, activity.source != NO_VISIT) for activity in one.activities
    ]


def test_add_in_any_order_gives_the_same_activities() -> None:
    """Views and a ping that are one activity, and a view that is another one, are these two in each order."""
    events = [(0, NO_VISIT), (25, 1), (50, 2), (81, 3)]
    for order in permutations(events):
        one = VisitorActivities(ANN, [], WINDOW)
        begun = sum(one.add(minute * MINUTE, ANN, source) and source != NO_VISIT for minute, source in order)
        assert spans(one) == [(0, 50, False), (81, 81, True)], order
        assert begun - len(one.ended) == 1, order


def test_add_at_the_timeout_continues_and_a_millisecond_later_begins() -> None:
    """Exactly 30 minutes join two events, before and after an activity; a millisecond more does not."""
    for sign in (1, -1):
        one = VisitorActivities(ANN, [Activity(0, 0, ANN, 1, WINDOW)], WINDOW)
        one.add(sign * VISIT_TIMEOUT_MS, ANN, 2)
        assert len(one.activities) == 1
        two = VisitorActivities(ANN, [Activity(0, 0, ANN, 1, WINDOW)], WINDOW)
        assert two.add(sign * (VISIT_TIMEOUT_MS + 1), ANN, 2)
        assert len(two.activities) == 2


def test_add_before_an_activity_takes_its_visit_back() -> None:
    """An earlier view begins the visit instead; an earlier ping leaves none."""
    for source in (2, NO_VISIT):
        one = VisitorActivities(ANN, [Activity(0, 5, ANN, 1, WINDOW)], WINDOW)
        assert one.add(-MINUTE, ANN, source)
        assert one.ended == [(1, 0)]
        assert (one.activities[0].start, one.activities[0].source) == (-MINUTE, source)


def test_add_at_the_time_of_the_first_event_changes_nothing() -> None:
    """Of two events of one time the first in the log decides."""
    one = VisitorActivities(ANN, [Activity(0, 0, ANN, NO_VISIT, WINDOW)], WINDOW)
    assert not one.add(0, ANN, 2)
    assert spans(one) == [(0, 0, False)]


def test_admit_ignores_what_the_state_has_replaced() -> None:
    """An evicted activity that the state has extended is not added again; others are, and are unchanged."""
    one = VisitorActivities(ANN, [Activity(0, 10, ANN, 1, WINDOW)], WINDOW)
    past = [
        (PastActivity(ANN, 2, 8, ANN, None), NO_VISIT),
        (PastActivity(ANN, -9 * VISIT_TIMEOUT_MS, -1, ANN, None), 5),
    ]
    one.admit(past, -2)
    assert [activity.window_seq for activity in one.activities] == [UNCHANGED, WINDOW]
    newest, rows = one.close()
    assert (newest.start, rows) == (0, [])


def test_close_keeps_changed_activities_only() -> None:
    """What the evicted state has as it is needs no second row; what has changed does."""
    one = VisitorActivities(ANN, [Activity(100 * MINUTE, 100 * MINUTE, ANN, 1, 1)], WINDOW)
    one.admit([(PastActivity(ANN, 0, 0, ANN, None), NO_VISIT)], 0)
    assert one.close()[1] == []
    one.add(MINUTE, ANN, 2)
    assert one.close()[1] == [(ANN, 0, MINUTE, ANN, NO_VISIT, WINDOW)]
