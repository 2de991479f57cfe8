"""Where a partition stands after a batch, unless the batch is a flood of records that cannot be read."""

from services.stats.counting.decoding import Records
from services.stats.counting.rules import Deltas
from services.stats.counting.store import Position

WINDOW_RECORDS = 1_000


class TooManyDeadLetters(Exception):  # noqa: N818 - it names a state
    """So much cannot be read that the fault is more likely ours than the senders'."""


def position_after(position: Position, records: Records, deltas: Deltas, dead_letters_max: int) -> Position:
    """Return where a partition stands after a batch.

    Args:
        position: Where it stood.
        records: The batch; one at least.
        deltas: What the batch changes.
        dead_letters_max: Dead letters in a window, above which it is a flood if they are most of the window.

    Raises:
        TooManyDeadLetters: most of what came lately cannot be read.
    """
    window_records = position.window_records + len(records)
    window_dead = position.window_dead + len(deltas.dead_letters)
    if window_dead > dead_letters_max and window_dead * 2 > window_records:
        raise TooManyDeadLetters(
            f"{window_dead} of the last {window_records} records of page-views cannot be read "
            f"(the newest: {deltas.dead_letters[-1].reason}); nothing of them was committed. If the senders are at "
            f"fault and not this version, raise PRESSTALLY_DEAD_LETTERS_MAX"
        )
    if window_records >= WINDOW_RECORDS:
        window_records = window_dead = 0
    next_offset = int(records.offset[-1]) + 1
    return position._replace(
        next_offset=next_offset,
        newest_arrived=max(position.newest_arrived, deltas.newest_arrived),
        window_records=window_records,
        window_dead=window_dead,
        unledgered=position.unledgered + next_offset - position.next_offset - len(records),
    )
