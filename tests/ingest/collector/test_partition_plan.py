"""The partition plan: which number is in effect when, and which events are near a change."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.collector.partition_plan import REPEAT_MS, PartitionPlan, PlanEntry

HOUR = 3_600_000
ENTRIES = st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 100)), max_size=5)


@settings(max_examples=50)
@given(ENTRIES, st.integers(-10, 2 * 10**6))
def test_number_in_effect_is_that_of_the_last_change_before(entries: list[tuple[int, int]], at: int) -> None:
    """At each instant the number is that of the newest entry that is not later; before the first it is the first."""
    found = PartitionPlan().merged([PlanEntry(0, 12), *(PlanEntry(*one) for one in entries)])
    effective = [one for one in found.entries if one.effective_at <= at]
    assert found.partitions_at(at) == (effective[-1] if effective else found.entries[0]).partitions
    assert found.merged(found.entries) == found


def test_recorded_change_wins_and_an_unrecorded_one_stays() -> None:
    """Postgres decides about a time that it has, and what it lacks is kept."""
    found = PartitionPlan((PlanEntry(0, 12), PlanEntry(5, 16))).merged([PlanEntry(0, 6), PlanEntry(9, 24)])
    assert found.entries == (PlanEntry(0, 6), PlanEntry(5, 16), PlanEntry(9, 24))


def test_numbers_near_a_change_are_those_of_an_hour_around_it() -> None:
    """An event within an hour of a change could be the copy of one on its other side."""
    found = PartitionPlan((PlanEntry(0, 12), PlanEntry(10 * HOUR, 16)))
    for distance in (-REPEAT_MS, -1, 0, 1, REPEAT_MS - 1):
        assert found.numbers_near(10 * HOUR + distance) == (12, 16)
    for distance in (-REPEAT_MS - 1, REPEAT_MS):
        assert found.numbers_near(10 * HOUR + distance) is None
