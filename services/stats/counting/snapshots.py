"""Partition state as bytes, and back: a restart begins with a snapshot. Pure."""

from typing import Any

import msgspec
import numpy as np

from services.stats.counting.seen_ids import SeenIds
from services.stats.counting.state import PartitionState, VisitorTable

FORMAT = 1
"""Of snapshots. It increases when a rule changes the content of the state; then the log is read again."""


class _SavedVisitors(msgspec.Struct):
    columns: list[bytes]
    articles: list[str | None]
    ring_bucket: int = msgspec.field(name="ring_step")


class _Saved(msgspec.Struct):  # the names that format 1 has in the bytes are kept
    format: int
    window_seq: int = msgspec.field(name="turn")
    window_indexes: list[int] = msgspec.field(name="slots")
    seen_ids: list[bytes] = msgspec.field(name="ids")
    visitors: dict[str, _SavedVisitors] = msgspec.field(name="readers")


_VISITOR_COLUMNS = ("visitor_id", "id_row", "id_day", "last_seen", "bucket", "article", "window_seq")
_ID_COLUMNS = ("hash", "low", "window_seq")
_TYPES = {"visitor_id": np.uint64, "hash": np.uint64, "low": np.uint64, "id_day": np.int64, "last_seen": np.int64}


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
            )
            for site, visitors in state.visitors.items()
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
        visitors.articles = {name: number for number, name in enumerate(one.articles)}
        visitors.ring_bucket = one.ring_bucket
        visitors.rebuild_ring()
        state.visitors[site] = visitors
    return state


def _arrays(names: tuple[str, ...], columns: list[bytes]) -> dict[str, Any]:
    pairs = zip(names, columns, strict=True)
    return {name: np.frombuffer(column, _TYPES.get(name, np.int32)).copy() for name, column in pairs}
