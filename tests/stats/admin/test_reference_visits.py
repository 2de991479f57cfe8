"""Which views begin visits, by the definition."""

from services.stats.admin.reference_visits import VISIT_TIMEOUT_MS, View, VisitorEvent, find_visits

ANN, BOB = "a" * 16, "b" * 16


def view(at: int, order: int, visitor: str = ANN, previous: str | None = None) -> VisitorEvent:
    return VisitorEvent(at, order, View("haihau", None, at, 0, "", visitor, previous))


def begun(*activities: VisitorEvent, later: tuple[VisitorEvent, ...] = ()) -> list[int]:
    """Return when visits begin: of the activities of one visitor, and of another one."""
    found = find_visits({("haihau", ANN): list(activities), ("haihau", BOB): list(later)})
    return sorted(one.at for one in found)


def test_view_begins_a_visit_unless_something_is_in_the_half_hour_before() -> None:
    """Exactly 30 minutes continue a visit and a millisecond more begins one, in any order in the log."""
    assert begun(view(0, 1), view(VISIT_TIMEOUT_MS, 2)) == [0]
    assert begun(view(VISIT_TIMEOUT_MS, 1), view(0, 2)) == [0]
    assert begun(view(VISIT_TIMEOUT_MS + 1, 1), view(0, 2)) == [0, VISIT_TIMEOUT_MS + 1]


def test_ping_before_a_view_leaves_it_without_a_visit() -> None:
    """A ping in the half hour before counts like a view; at the same time the first one in the log is before."""
    assert begun(view(5, 1), VisitorEvent(0, 2, None)) == []
    assert begun(view(5, 1), VisitorEvent(5, 2, None)) == [5]
    assert begun(view(5, 2), VisitorEvent(5, 1, None)) == []


def test_view_that_names_an_active_id_of_the_day_before_begins_none() -> None:
    """The other ID's events count until the same time; a view that names its own ID names none."""
    for at, expected in ((0, [0]), (VISIT_TIMEOUT_MS, [0]), (VISIT_TIMEOUT_MS + 1, [0, VISIT_TIMEOUT_MS + 1])):
        assert begun(view(0, 1), later=(view(at, 2, BOB, ANN),)) == expected
    assert begun(view(1, 1), later=(view(0, 2, BOB, ANN),)) == [0, 1]
    assert begun(view(0, 1, previous=ANN)) == [0]
