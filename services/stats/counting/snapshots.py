"""Memory as bytes, and back: what a restart begins with. Pure."""

from typing import Any

import msgspec
import numpy as np

from services.stats.counting.seen_ids import Ids
from services.stats.counting.state import Memory, Readers

FORMAT = 1
"""Of snapshots. It rises when a rule changes what is remembered; then the log is read again."""


class _SavedReaders(msgspec.Struct):
    columns: list[bytes]
    articles: list[str | None]
    ring_step: int


class _Saved(msgspec.Struct):
    format: int
    turn: int
    slots: list[int]
    ids: list[bytes]
    readers: dict[str, _SavedReaders]


_READER_COLUMNS = ("key", "key_row", "key_day", "at", "step", "article", "turn")
_ID_COLUMNS = ("hash", "low", "turn")
_KINDS = {"key": np.uint64, "hash": np.uint64, "low": np.uint64, "key_day": np.int64, "at": np.int64}


def to_bytes(memory: Memory) -> bytes:
    """Return a snapshot of the memory."""
    saved = _Saved(
        FORMAT,
        memory.turn,
        memory.slots,
        [getattr(memory.ids, name).tobytes() for name in _ID_COLUMNS],
        {
            site: _SavedReaders(
                [getattr(readers, name).tobytes() for name in _READER_COLUMNS],
                list(readers.articles),
                readers.ring_step,
            )
            for site, readers in memory.readers.items()
        },
    )
    return msgspec.msgpack.encode(saved)


def from_bytes(snapshot: bytes) -> Memory | None:
    """Return the memory of a snapshot, or None if it is of another format: then the log is read again."""
    try:
        saved = msgspec.msgpack.decode(snapshot, type=_Saved)
    except msgspec.DecodeError:
        return None
    if saved.format != FORMAT:
        return None
    memory = Memory(saved.turn, saved.slots, Ids(**_arrays(_ID_COLUMNS, saved.ids)))
    for site, one in saved.readers.items():
        readers = Readers(**_arrays(_READER_COLUMNS, one.columns))
        readers.articles = {name: number for number, name in enumerate(one.articles)}
        readers.ring_step = one.ring_step
        readers.refill()
        memory.readers[site] = readers
    return memory


def _arrays(names: tuple[str, ...], columns: list[bytes]) -> dict[str, Any]:
    pairs = zip(names, columns, strict=True)
    return {name: np.frombuffer(column, _KINDS.get(name, np.int32)).copy() for name, column in pairs}
