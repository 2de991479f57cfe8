"""Events on disk while Kafka is away: an append-only log that is forced to the disk before anybody is answered.

A spool is a folder of segments. A record is a mark, the payload's length, a CRC-32 of all that follows it, the
reader's place (`visitors.place_of`) and the event. A kill may leave half a record at the end, which nobody was told is
kept: it is cut off. A record damaged otherwise is passed over, counted, and its segment is set aside for a look.
Reading begins at the first segment; a segment is deleted when Kafka has all of it. After a kill some records are
therefore sent twice, with the same ids: the counter knows them.

All methods block: call those that touch the disk in a thread.
"""

import fcntl
import os
import struct
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from shared.logs import log

WINDOW_BYTES = 1024 * 1024
SEGMENT_BYTES = 16 * 1024 * 1024
MARK = b"\xf5pe\n"
_HEAD = struct.Struct("<4sII")  # mark, bytes of the payload, CRC-32 of place and payload
_PLACE = struct.Struct("<Q")
_OVERHEAD = _HEAD.size + _PLACE.size
PAYLOAD_BYTES_MAX = 64 * 1024


class SpoolFull(Exception):  # noqa: N818 - it names a state
    """The bound is reached, or the disk takes nothing more; nothing of this call is kept."""


class Entry(NamedTuple):
    """An event on its way."""

    place: int
    """64 bits that are the same for all events of a reader; modulo the partitions it is the partition."""
    value: bytes


class Spool:
    """One process's spool. Opening it takes a lock: two processes never share one.

    Args:
        folder: Is made if it is not there.
        bytes_max: Bound on all segments together.

    Raises:
        BlockingIOError: another process has it.
        OSError: the folder cannot be used.
    """

    def __init__(self, folder: Path, bytes_max: int) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self.corrupt_records = 0
        self._bytes_max = bytes_max
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise
        self._guard = threading.Lock()
        """One thread at a time: what is being written must not be taken for read."""
        self._sizes = {number: self._path(number).stat().st_size for number in self._numbers_on_disk()}
        self._bytes = sum(self._sizes.values())
        self._writing: int | None = None
        self._file = -1
        self._next_number = max(self._sizes, default=0) + 1
        self._read_number = min(self._sizes, default=self._next_number)
        self._read_at = 0
        self._damaged: set[int] = set()

    @property
    def bytes(self) -> int:
        """Size of all segments."""
        return self._bytes

    @property
    def has_room(self) -> bool:
        """Tell whether it takes another record."""
        return self._bytes < self._bytes_max

    def append(self, entries: Sequence[Entry]) -> None:
        """Keep entries: when this returns, they are on the disk.

        Raises:
            SpoolFull: nothing of them is kept.
        """
        data = b"".join(_record(entry) for entry in entries)
        with self._guard:
            if self._bytes + len(data) > self._bytes_max:
                raise SpoolFull(f"the spool holds {self._bytes} bytes, and may hold {self._bytes_max}")
            try:
                number = self._segment()
                _write_all(self._file, data)
                os.fdatasync(self._file)
            except OSError as error:
                self._give_up_segment()
                raise SpoolFull(f"the spool cannot be written: {error}") from error
            self._sizes[number] += len(data)
            self._bytes += len(data)

    def read(self, records_max: int) -> list[Entry]:
        """Return the next entries in order, and move on behind them; empty when everything was read."""
        entries: list[Entry] = []
        with self._guard:
            while len(entries) < records_max and not self._is_read():
                size = self._sizes.get(self._read_number)
                if size is None or self._read_at >= size:
                    self._read_number = min(number for number in self._sizes if number > self._read_number)
                    self._read_at = 0
                    continue
                entries += self._read_segment(size, records_max - len(entries))
        return entries

    def rewind(self) -> None:
        """Read again from the first record that is still here."""
        with self._guard:
            self._read_number = min(self._sizes, default=self._next_number)
            self._read_at = 0

    def drop_read(self) -> None:
        """Delete the segments of which everything was read: Kafka has it."""
        with self._guard:
            for number in sorted(self._sizes):
                if number > self._read_number or (number == self._read_number and self._read_at < self._sizes[number]):
                    break
                if number == self._writing:
                    self._close_segment()
                if number in self._damaged:
                    self._path(number).rename(self._path(number).with_suffix(".damaged"))
                else:
                    self._path(number).unlink()
                self._bytes -= self._sizes.pop(number)

    def _is_read(self) -> bool:
        return all(number <= self._read_number for number in self._sizes) and self._read_at >= self._sizes.get(
            self._read_number, 0
        )

    def close(self) -> None:
        """Close the files and give the lock back."""
        self._close_segment()
        os.close(self._lock)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:010}.spool"

    def _numbers_on_disk(self) -> list[int]:
        return sorted(int(path.stem) for path in self.folder.glob("*.spool"))

    def _segment(self) -> int:
        if self._writing is not None and self._sizes[self._writing] >= SEGMENT_BYTES:
            self._close_segment()
        if self._writing is None:
            number = self._next_number
            self._file = os.open(self._path(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            self._next_number += 1
            self._writing, self._sizes[number] = number, 0
            _sync_folder(self.folder)
        return self._writing

    def _give_up_segment(self) -> None:
        """After a failed write or sync nobody knows what is on the disk: cut off what was not acknowledged."""
        number = self._writing
        if number is None:
            return
        try:
            os.ftruncate(self._file, self._sizes[number])
        except OSError as error:  # reading stops at the known size all the same
            log.warning("A spool segment keeps what was not acknowledged", reason=repr(error))
        self._close_segment()

    def _close_segment(self) -> None:
        if self._writing is not None:
            os.close(self._file)
            self._writing = None

    def _read_segment(self, size: int, records_max: int, window_bytes: int = WINDOW_BYTES) -> list[Entry]:
        """Read whole records from where reading stands; pass over what is damaged."""
        with self._path(self._read_number).open("rb") as file:
            file.seek(self._read_at)
            data = file.read(min(window_bytes, size - self._read_at))
        is_last = self._read_at + len(data) >= size
        entries: list[Entry] = []
        at = 0
        while at < len(data) and len(entries) < records_max:
            entry = _entry_at(data, at)
            if entry is not None:
                entries.append(entry)
                at += _OVERHEAD + len(entry.value)
            elif not is_last:
                if at == 0:  # damaged, for a window holds several whole records: look at all that follows
                    return self._read_segment(size, records_max, size)
                break
            else:
                following = _next_record(data, at + 1)
                if following is not None or not _is_torn(data, at):
                    self._note_damage(self._read_at + at)
                at = len(data) if following is None else following
        self._read_at += at
        return entries

    def _note_damage(self, at: int) -> None:
        self.corrupt_records += 1
        self._damaged.add(self._read_number)
        log.error("A record of the spool is damaged and passed over", segment=self._read_number, position=at)


def _record(entry: Entry) -> bytes:
    payload = _PLACE.pack(entry.place) + entry.value
    return _HEAD.pack(MARK, len(entry.value), zlib.crc32(payload)) + payload


def _entry_at(data: bytes, at: int) -> Entry | None:
    """Return the whole and undamaged record that begins at `at`, or None."""
    if at + _OVERHEAD > len(data):
        return None
    mark, length, checksum = _HEAD.unpack_from(data, at)
    end = at + _OVERHEAD + length
    if mark != MARK or length > PAYLOAD_BYTES_MAX or end > len(data):
        return None
    payload = data[at + _HEAD.size : end]
    if zlib.crc32(payload) != checksum:
        return None
    return Entry(_PLACE.unpack_from(payload)[0], payload[_PLACE.size :])


def _next_record(data: bytes, begin: int) -> int | None:
    at = data.find(MARK, begin)
    while at >= 0 and _entry_at(data, at) is None:
        at = data.find(MARK, at + 1)
    return at if at >= 0 else None


def _is_torn(data: bytes, at: int) -> bool:
    """Tell whether the last record was merely cut off by a kill, and so never acknowledged."""
    if at + _HEAD.size > len(data):
        return True
    mark, length, _ = _HEAD.unpack_from(data, at)
    return bool(mark == MARK and length <= PAYLOAD_BYTES_MAX and at + _OVERHEAD + length > len(data))


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_spool(root: Path, bytes_max: int) -> Spool:
    """Open the first spool under `root` that no process has: replicas may share the folder.

    Raises:
        OSError: the folder cannot be used.
    """
    number = 0
    while True:
        try:
            return Spool(root / str(number), bytes_max)
        except BlockingIOError:
            number += 1


def open_left_spools(root: Path, bytes_max: int) -> list[Spool]:
    """Open the spools under `root` that hold something and that no process has: their collectors are gone."""
    found = []
    for folder in sorted(root.iterdir()):
        if folder.name.isdigit() and any(folder.glob("*.spool")):
            try:
                found.append(Spool(folder, bytes_max))
            except BlockingIOError:
                continue
    return found
