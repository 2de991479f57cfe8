"""Events on disk while Kafka is unavailable: an append-only log that is synced before requests are acknowledged.

A spool is a folder of segments. A record is a magic number, the length of the event, a CRC-32 of the bytes after it,
the partition hash (`visitors.derive_partition_hash`) and the event. A kill may leave an incomplete record at the end,
which was never acknowledged: it is ignored. Any other corrupt record is skipped and counted, and its segment is kept
as `.damaged`. Reading starts at the first segment; a segment is deleted when Kafka has all of it. After a kill some
records are therefore sent twice, with the same event IDs, and the counter drops the duplicates.

A disk that is full leaves nothing behind: a refused write is cut off again, and a segment without any record is
removed. The spool is only as many files as its records need, and reading it takes one step for each file.

All methods block: call those that access the disk in a thread.
"""

import fcntl
import os
import struct
import threading
import zlib
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from shared.logs import log

WINDOW_BYTES = 1024 * 1024
SEGMENT_BYTES = 16 * 1024 * 1024
MAGIC = b"\xf5pe\n"
_HEADER = struct.Struct("<4sII")  # magic number, bytes of the event, CRC-32 of partition hash and event
_PARTITION_HASH = struct.Struct("<Q")
_OVERHEAD = _HEADER.size + _PARTITION_HASH.size
PAYLOAD_BYTES_MAX = 64 * 1024


class SpoolFull(Exception):  # noqa: N818 - names a state
    """The size limit is reached, or the disk rejects writes; no event of the call is stored."""


class SpooledEvent(NamedTuple):
    """An encoded event with its partition hash."""

    partition_hash: int
    """64 bits, the same for all events of a visitor; modulo the number of partitions it is the partition."""
    value: bytes


class Spool:
    """The spool of one process. It is locked while open, so that two processes never share one.

    Args:
        folder: Created if missing.
        bytes_max: Size limit of all segments together.

    Raises:
        BlockingIOError: another process has locked it.
        OSError: the folder is not usable.
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
        self._mutex = threading.Lock()
        """Serialises threads: a record that is being written must not be read."""
        numbers = self._numbers_on_disk()
        self._next_number = max(numbers, default=0) + 1
        self._sizes = {number: size for number in numbers if (size := self._size_on_disk(number))}
        """Acknowledged bytes of each segment, in the order of their numbers."""
        self._bytes = sum(self._sizes.values())
        self._writing: int | None = None
        self._file = -1
        self._read: set[int] = set()
        """Segments that were read completely, and not deleted yet."""
        self._unread = deque(self._sizes)
        """All others, in order; reading goes on in the first, at `_read_at`."""
        self._read_at = 0
        self._quarantined: set[int] = set()

    @property
    def bytes(self) -> int:
        """Size of all segments."""
        return self._bytes

    @property
    def has_room(self) -> bool:
        """Whether it accepts another record."""
        return self._bytes < self._bytes_max

    def append(self, events: Sequence[SpooledEvent]) -> None:
        """Append events and sync them to disk.

        Raises:
            SpoolFull: none of them is stored.
        """
        data = b"".join(_record(event) for event in events)
        with self._mutex:
            if self._bytes + len(data) > self._bytes_max:
                raise SpoolFull(f"the spool has {self._bytes} bytes of at most {self._bytes_max}")
            number = self._segment()
            try:
                _write_all(self._file, data)
                os.fdatasync(self._file)
            except OSError as error:
                self._seal_segment()
                raise SpoolFull(f"cannot write to the spool: {error}") from error
            self._sizes[number] += len(data)
            self._bytes += len(data)

    def read(self, records_max: int) -> list[SpooledEvent]:
        """Return the next events in order, and advance the read position; empty at the end."""
        events: list[SpooledEvent] = []
        with self._mutex:
            while len(events) < records_max and self._unread:
                number = self._unread[0]
                if self._read_at < self._sizes[number]:
                    events += self._read_segment(number, records_max - len(events))
                elif number == self._writing:
                    break
                else:
                    self._read.add(self._unread.popleft())
                    self._read_at = 0
        return events

    def rewind(self) -> None:
        """Move the read position back to the first remaining record."""
        with self._mutex:
            self._read.clear()
            self._unread = deque(self._sizes)
            self._read_at = 0

    def delete_read_segments(self) -> None:
        """Delete the segments that were read completely."""
        with self._mutex:
            if self._unread and self._read_at and self._read_at >= self._sizes[self._unread[0]]:
                if self._unread[0] == self._writing:
                    self._close_segment()
                self._read.add(self._unread.popleft())
                self._read_at = 0
            for number in sorted(self._read):
                if number in self._quarantined:
                    self._path(number).rename(self._path(number).with_suffix(".damaged"))
                else:
                    self._path(number).unlink()
                self._bytes -= self._sizes.pop(number)
                self._read.discard(number)

    def close(self) -> None:
        """Close the files and release the lock."""
        self._close_segment()
        os.close(self._lock)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:010}.spool"

    def _numbers_on_disk(self) -> list[int]:
        return sorted(int(path.stem) for path in self.folder.glob("*.spool"))

    def _size_on_disk(self, number: int) -> int:
        """Return the size of a segment, and delete it if it is empty."""
        path = self._path(number)
        size = path.stat().st_size
        if not size:
            path.unlink()
        return size

    def _segment(self) -> int:
        """Return the segment to write to, and begin one if necessary.

        Raises:
            SpoolFull: it cannot be created.
        """
        if self._writing is not None and self._sizes[self._writing] >= SEGMENT_BYTES:
            self._close_segment()
        if self._writing is not None:
            return self._writing
        number = self._next_number
        try:
            self._file = os.open(self._path(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        except OSError as error:
            raise SpoolFull(f"cannot create a file of the spool: {error}") from error
        self._next_number += 1
        self._writing, self._sizes[number] = number, 0
        self._unread.append(number)
        try:
            _sync_folder(self.folder)
        except OSError as error:
            self._seal_segment()
            raise SpoolFull(f"cannot create a file of the spool: {error}") from error
        return number

    def _seal_segment(self) -> None:
        """After a failed write or sync, cut off unacknowledged bytes and close the segment; delete it if it is empty.

        What a failed sync leaves on the disk is unknown, so that nothing is written behind it.
        """
        number = self._writing
        assert number is not None, "it was written to"
        try:
            os.ftruncate(self._file, self._sizes[number])
        except OSError as error:  # reading stops at the known size anyway
            log.warning("cannot truncate unacknowledged bytes of a spool segment", reason=repr(error))
        self._close_segment()
        if not self._sizes[number]:
            try:
                self._path(number).unlink()
            except OSError as error:  # it is deleted when it is read, or at the next start
                log.warning("cannot delete an empty segment of the spool", reason=repr(error))
                return
            del self._sizes[number]
            self._unread.remove(number)

    def _close_segment(self) -> None:
        if self._writing is not None:
            os.close(self._file)
            self._writing = None

    def _read_segment(self, number: int, records_max: int, window_bytes: int = WINDOW_BYTES) -> list[SpooledEvent]:
        """Read complete records of a segment from the read position; skip corrupt ones."""
        size = self._sizes[number]
        with self._path(number).open("rb") as file:
            file.seek(self._read_at)
            data = file.read(min(window_bytes, size - self._read_at))
        is_last = self._read_at + len(data) >= size
        events: list[SpooledEvent] = []
        at = 0
        while at < len(data) and len(events) < records_max:
            event = _event_at(data, at)
            if event is not None:
                events.append(event)
                at += _OVERHEAD + len(event.value)
            elif not is_last:
                if at == 0:  # corrupt, because a window holds several records: search all that follows
                    return self._read_segment(number, records_max, size)
                break
            else:
                following = _next_record(data, at + 1)
                if following is not None or not _is_torn(data, at):
                    self._quarantine(number, self._read_at + at)
                at = len(data) if following is None else following
        self._read_at += at
        return events

    def _quarantine(self, number: int, at: int) -> None:
        self.corrupt_records += 1
        self._quarantined.add(number)
        log.error("skipped a corrupt spool record", segment=number, position=at)


def _record(event: SpooledEvent) -> bytes:
    payload = _PARTITION_HASH.pack(event.partition_hash) + event.value
    return _HEADER.pack(MAGIC, len(event.value), zlib.crc32(payload)) + payload


def _event_at(data: bytes, at: int) -> SpooledEvent | None:
    """Return the event of the valid record at offset `at`, or None."""
    if at + _OVERHEAD > len(data):
        return None
    mark, length, checksum = _HEADER.unpack_from(data, at)
    end = at + _OVERHEAD + length
    if mark != MAGIC or length > PAYLOAD_BYTES_MAX or end > len(data):
        return None
    payload = data[at + _HEADER.size : end]
    if zlib.crc32(payload) != checksum:
        return None
    return SpooledEvent(_PARTITION_HASH.unpack_from(payload)[0], payload[_PARTITION_HASH.size :])


def _next_record(data: bytes, begin: int) -> int | None:
    at = data.find(MAGIC, begin)
    while at >= 0 and _event_at(data, at) is None:
        at = data.find(MAGIC, at + 1)
    return at if at >= 0 else None


def _is_torn(data: bytes, at: int) -> bool:
    """Return whether the last record is incomplete after a kill, and so never acknowledged."""
    if at + _HEADER.size > len(data):
        return True
    mark, length, _ = _HEADER.unpack_from(data, at)
    return bool(mark == MAGIC and length <= PAYLOAD_BYTES_MAX and at + _OVERHEAD + length > len(data))


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
    """Open the first unlocked spool under `root`: replicas may share the folder.

    Raises:
        OSError: the folder is not usable.
    """
    number = 0
    while True:
        try:
            return Spool(root / str(number), bytes_max)
        except BlockingIOError:
            number += 1


def open_orphaned_spools(root: Path, bytes_max: int) -> list[Spool]:
    """Open the non-empty unlocked spools under `root`: their collectors no longer run."""
    found = []
    for folder in sorted(root.iterdir()):
        if folder.name.isdigit() and any(folder.glob("*.spool")):
            try:
                found.append(Spool(folder, bytes_max))
            except BlockingIOError:
                continue
    return found
