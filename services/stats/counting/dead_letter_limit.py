"""The position of a partition after a batch, unless too many of its latest records are dead letters."""

from services.stats.counting.decoding import RawBatch
from services.stats.counting.rules import CountDeltas
from services.stats.counting.store import Position
from shared.kafka.last_record import record_checksum

WINDOW_RECORDS = 1_000


class DeadLetterLimitExceeded(Exception):  # noqa: N818 - it names a state
    """So many records are unreadable that an error of this version is more likely than one of the senders."""


def next_position(position: Position, records: RawBatch, deltas: CountDeltas, dead_letters_max: int) -> Position:
    """Return the position of a partition after a batch.

    Args:
        position: Before the batch.
        records: The batch; at least one record.
        deltas: The changes of the batch.
        dead_letters_max: Dead letters in a window of 1,000 records; the limit is exceeded when there are more and
            they are most of the window. Records that `dlq accept` has accepted are not in it.

    Raises:
        DeadLetterLimitExceeded: most of the latest records are unreadable.
    """
    accepted = max(0, -position.window_dead_letters)  # records that `dlq accept` has accepted
    window_records = position.window_records + max(0, len(records) - accepted)
    window_dead_letters = position.window_dead_letters + len(deltas.dead_letters)
    if accepted:
        accepted_until = int(records.offset[min(accepted, len(records)) - 1])
        unaccepted = sum(one.offset > accepted_until for one in deltas.dead_letters)
        window_dead_letters = min(0, len(records) - accepted) + unaccepted
    if window_dead_letters > dead_letters_max and window_dead_letters * 2 > window_records:
        raise DeadLetterLimitExceeded(
            f"{window_dead_letters} of the last {window_records} records of page-views are unreadable "
            f"(the newest: {deltas.dead_letters[-1].reason}); none of this batch was committed. If the error is in "
            f"this version, run another one; if it is in the senders, `presstally stats dlq accept` continues"
        )
    if window_records >= WINDOW_RECORDS and window_dead_letters >= 0:
        window_records = window_dead_letters = 0
    next_offset = int(records.offset[-1]) + 1
    return position._replace(
        next_offset=next_offset,
        newest_arrived=max(position.newest_arrived, deltas.newest_arrived),
        window_records=window_records,
        window_dead_letters=window_dead_letters,
        offsets_without_record=(position.offsets_without_record + next_offset - position.next_offset - len(records)),
        last_record=record_checksum(int(records.arrived[-1]), records.values[-1]),
    )
