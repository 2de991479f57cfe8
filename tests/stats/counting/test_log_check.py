"""The comparison of a stored position with the log."""

import pytest

from services.stats.counting.log_check import find_mismatch
from services.stats.counting.store import Position
from shared.kafka.last_record import record_checksum
from shared.kafka.topic_identity import TopicIdentity

LOG = TopicIdentity("cluster", "topic-id")
POSITION = Position(1, 0, 10, identity=LOG)


def test_record_checksum_distinguishes_arrival_and_value() -> None:
    """Records that differ in their time of arrival or in their value have different checksums, which fit a bigint."""
    records = [(1, b"a"), (2, b"a"), (1, b"b"), (1, b""), (1, None), (11, b"a"), (1, b"1a"), (-1, b"a"), (1, b"-")]
    checksums = {record_checksum(*one) for one in records}
    assert len(checksums) == len(records)
    assert all(0 <= one < 2**63 for one in checksums)
    assert record_checksum(1, b"a") == record_checksum(1, b"a")


@pytest.mark.parametrize("end", [10, 11, 2**40])
def test_find_mismatch_accepts_the_counted_log(end: int) -> None:
    """The same topic whose log ends at the position or behind it is the one that was counted."""
    assert find_mismatch(POSITION, LOG, end) is None


@pytest.mark.parametrize(
    ("identity", "end", "kind", "command"),
    [
        (TopicIdentity("cluster", "another"), 20, "other topic", "rebuild --new-log"),
        (TopicIdentity("another", "topic-id"), 20, "other topic", "rebuild --new-log"),
        (TopicIdentity("cluster", "another"), 0, "other topic", "rebuild --new-log"),
        (LOG, 9, "lost records", "rebuild --lost-records"),
        (LOG, 0, "lost records", "rebuild --lost-records"),
    ],
)
def test_find_mismatch_names_the_command_of_the_case(
    identity: TopicIdentity, end: int, kind: str, command: str
) -> None:
    """Each case has a command of its own that keeps all counts; none advises a plain rebuild."""
    mismatch = find_mismatch(POSITION, identity, end)
    assert mismatch is not None
    assert mismatch.kind == kind
    assert f"python -m services.stats {command}`" in mismatch.message
    assert "Restore Kafka" in mismatch.message
