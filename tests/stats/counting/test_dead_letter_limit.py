"""The position after a batch, and the limit of dead letters."""

import pytest

from services.stats.counting.dead_letter_limit import WINDOW_RECORDS, DeadLetterLimitExceeded, next_position
from services.stats.counting.decoding import DeadLetter, RawBatch, RawRecord
from services.stats.counting.rules import CountDeltas
from services.stats.counting.store import Position

START = Position(generation=1, epoch=0, next_offset=100, newest_arrived=50, offsets_without_record=7)


def batch(*offsets: int) -> RawBatch:
    return RawBatch.of([RawRecord(offset, 60, b"") for offset in offsets])


def deltas(dead_letters: int = 0, newest_arrived: int = 60) -> CountDeltas:
    return CountDeltas(dead_letters=[DeadLetter(0, "schema", b"")] * dead_letters, newest_arrived=newest_arrived)


def unreadable(*offsets: int) -> CountDeltas:
    return CountDeltas(dead_letters=[DeadLetter(offset, "schema", b"") for offset in offsets], newest_arrived=60)


def test_next_position_counts_offsets_without_a_record() -> None:
    """The offset moves after the last record; offsets between records have no record and are counted."""
    after = next_position(START, batch(100, 101, 105), deltas(), 500)
    assert (after.next_offset, after.offsets_without_record, after.newest_arrived) == (106, 10, 60)
    assert (after.window_records, after.window_dead_letters) == (3, 0)
    older = next_position(START, batch(100), deltas(newest_arrived=40), 500)
    assert older.newest_arrived == 50


def test_next_position_with_a_full_window_begins_another() -> None:
    """After WINDOW_RECORDS records the numbers of the window begin at 0 again."""
    nearly_full = START._replace(window_records=WINDOW_RECORDS - 1, window_dead_letters=3)
    assert next_position(nearly_full, batch(100), deltas(1), 500)[4:6] == (0, 0)


def test_next_position_with_accepted_records_uses_them_up() -> None:
    """Accepted records are not in the window, whether they are readable or not; those after them are."""
    accepted = START._replace(window_dead_letters=-30)
    after = next_position(accepted, batch(*range(100, 120)), unreadable(*range(100, 120)), 10)
    assert (after.window_records, after.window_dead_letters) == (0, -10)
    last = next_position(after, batch(*range(120, 135)), unreadable(*range(121, 133)), 10)
    assert (last.window_records, last.window_dead_letters) == (5, 3)
    with pytest.raises(DeadLetterLimitExceeded, match="11 of the last 11 records"):
        next_position(after, batch(*range(120, 141)), unreadable(*range(120, 141)), 10)
    many = START._replace(window_dead_letters=-3 * WINDOW_RECORDS)
    records = range(100, 100 + WINDOW_RECORDS)
    assert next_position(many, batch(*records), unreadable(*records), 10).window_dead_letters == -2 * WINDOW_RECORDS


@pytest.mark.parametrize(("dead", "others", "is_exceeded"), [(11, 10, True), (10, 0, False), (11, 11, False)])
def test_next_position_with_mostly_dead_letters_is_refused(dead: int, others: int, is_exceeded: bool) -> None:
    """The limit is exceeded by more dead letters than allowed, if they are also more than half of the records."""
    records = batch(*range(100, 100 + dead + others))
    if is_exceeded:
        with pytest.raises(DeadLetterLimitExceeded, match=r"11 of the last 21 records .* \(the newest: schema\)"):
            next_position(START, records, deltas(dead), 10)
    else:
        assert next_position(START, records, deltas(dead), 10).window_dead_letters == dead
