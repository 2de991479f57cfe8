"""Partition state as bytes, and back: a restart begins with a snapshot. Pure."""

from typing import Any

import msgspec
import numpy as np

from services.stats.counting.activities import ActivityTable
from services.stats.counting.evicted_state import ACTIVITY, Source
from services.stats.counting.evidence import MEASURES, NETWORK_BITS, EvidenceTable
from services.stats.counting.seen_ids import SeenIds
from services.stats.counting.state import PartitionState, VisitorTable

FORMAT = 2
"""Of snapshots. It increases when a rule changes the content of the state; then the log is read again."""


class _SavedVisitors(msgspec.Struct):
    columns: list[bytes]
    articles: list[str | None]
    ring_bucket: int
    activities: list[bytes]
    closed: bytes
    sources: list[Source]
    marks: bytes = b""
    """Empty in snapshots of versions without evidence: no mark."""


class _SavedEvidence(msgspec.Struct):
    groups: list[tuple[int, int]]
    counts: bytes
    networks: bytes


class _Saved(msgspec.Struct):
    format: int
    window_seq: int
    window_indexes: list[int]
    seen_ids: list[bytes]
    visitors: dict[str, _SavedVisitors]
    evidence: dict[str, _SavedEvidence] = {}


_VISITOR_COLUMNS = ("visitor_id", "id_row", "id_day", "last_seen", "bucket", "article", "window_seq")
_ACTIVITY_COLUMNS = ("start", "end", "previous", "source")
_ID_COLUMNS = ("hash", "low", "window_seq")
_UNSIGNED = dict.fromkeys(("visitor_id", "previous", "hash", "low"), np.uint64)
_TYPES = {**_UNSIGNED, **dict.fromkeys(("id_day", "last_seen", "start", "end"), np.int64)}


def to_bytes(state: PartitionState) -> bytes:
    """Return a snapshot of the state."""
    saved = _Saved(
        FORMAT,
        state.window_seq,
        state.window_indexes,
        [getattr(state.seen_ids, name).tobytes() for name in _ID_COLUMNS],
        {
            site: _SavedVisitors(
                [getattr(visitors, name).tobytes() for name in _VISITOR_COLUMNS],
                list(visitors.articles),
                visitors.ring_bucket,
                [getattr(visitors.activities, name).tobytes() for name in _ACTIVITY_COLUMNS],
                visitors.activities.closed.tobytes(),
                list(visitors.activities.sources),
                visitors.marks.tobytes(),
            )
            for site, visitors in state.visitors.items()
        },
        {
            site: _SavedEvidence(
                list(table.groups),
                table.counts[: len(table.groups)].tobytes(),
                table.networks[: len(table.groups)].tobytes(),
            )
            for site, table in state.evidence.items()
        },
    )
    return msgspec.msgpack.encode(saved)


def from_bytes(snapshot: bytes) -> PartitionState | None:
    """Return the state of a snapshot, or None if it is of another format: then the log is read again."""
    try:
        saved = msgspec.msgpack.decode(snapshot, type=_Saved)
    except msgspec.DecodeError:
        return None
    if saved.format != FORMAT:
        return None
    state = PartitionState(saved.window_seq, saved.window_indexes, SeenIds(**_arrays(_ID_COLUMNS, saved.seen_ids)))
    for site, one in saved.visitors.items():
        visitors = VisitorTable(**_arrays(_VISITOR_COLUMNS, one.columns))
        marks = np.frombuffer(one.marks, np.int32) if one.marks else np.zeros(len(visitors.visitor_id), np.int32)
        visitors.marks = marks.copy()
        visitors.articles = {name: number for number, name in enumerate(one.articles)}
        visitors.ring_bucket = one.ring_bucket
        activities = ActivityTable(**_arrays(_ACTIVITY_COLUMNS, one.activities))
        activities.closed = np.frombuffer(one.closed, ACTIVITY).copy()
        activities.source_numbers(one.sources)
        activities.find_newest_link(visitors.visitor_id)
        visitors.activities = activities
        visitors.rebuild_ring()
        state.visitors[site] = visitors
    for site, table in saved.evidence.items():
        state.evidence[site] = EvidenceTable(
            {group: row for row, group in enumerate(table.groups)},
            np.frombuffer(table.counts, np.int64).reshape(-1, len(MEASURES)).copy(),
            np.frombuffer(table.networks, np.uint8).reshape(-1, NETWORK_BITS // 8).copy(),
        )
    return state


def _arrays(names: tuple[str, ...], columns: list[bytes]) -> dict[str, Any]:
    pairs = zip(names, columns, strict=True)
    return {name: np.frombuffer(column, _TYPES.get(name, np.int32)).copy() for name, column in pairs}
