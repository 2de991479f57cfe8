"""Snapshots of partition state: the bytes give the same state, and other bytes give none."""

import msgspec

from services.stats.counting.rules import fold
from services.stats.counting.snapshots import from_bytes, to_bytes
from services.stats.counting.state import PartitionState
from tests.stats.counting.test_rules import BOB, SITES, record, snapshot


def counted_state() -> PartitionState:
    state = PartitionState()
    seen = record(0, article="bai-1", client="2" + "0" * 15)
    fold([seen, record(1, visitor=BOB), record(2, site="kathmandu")], state, SITES)
    return state


def test_snapshot_of_a_state_restores_it() -> None:
    """The restored state has the same ids, visitors, windows and presence."""
    state = counted_state()
    restored = from_bytes(to_bytes(state))
    assert restored is not None
    assert snapshot(restored) == snapshot(state)
    assert to_bytes(restored) == to_bytes(state)


def test_snapshot_keeps_the_names_of_format_2() -> None:
    """Snapshots that an earlier version wrote stay readable: the names in the bytes are part of format 2."""
    saved = msgspec.msgpack.decode(to_bytes(counted_state()))
    assert saved["format"] == 2
    assert set(saved) == {"format", "window_seq", "window_indexes", "seen_ids", "visitors", "evidence"}
    site = saved["visitors"]["haihau"]
    assert set(site) == {"columns", "articles", "ring_bucket", "activities", "closed", "sources", "marks"}
    assert (len(site["columns"]), len(site["activities"])) == (7, 4)


def test_snapshot_of_a_version_without_evidence_has_none() -> None:
    """What an earlier version wrote restores everything else, and no mark and no evidence."""
    saved = msgspec.msgpack.decode(to_bytes(counted_state()))
    del saved["evidence"]
    for site in saved["visitors"].values():
        del site["marks"]
    restored = from_bytes(msgspec.msgpack.encode(saved))
    assert restored is not None
    assert restored.evidence == {}
    assert restored.visitors["haihau"].marks.tolist() == [0, 0]
    assert restored.visitors["haihau"].visitor_id.tolist() == counted_state().visitors["haihau"].visitor_id.tolist()


def test_snapshot_that_is_not_one_is_ignored() -> None:
    """Truncated bytes and another structure give no state."""
    assert from_bytes(to_bytes(counted_state())[:-1]) is None
    assert from_bytes(msgspec.msgpack.encode({"format": 1})) is None
