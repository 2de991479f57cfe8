"""The spool: stored events survive any end of the process, in order, and corruption loses only corrupt records."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.collector import spool as module
from services.ingest.collector.spool import Spool, SpooledEvent, SpoolFull, open_orphaned_spools, open_spool

MEGABYTE = 1024 * 1024


def make_events(begin: int, count: int, size: int = 200) -> list[SpooledEvent]:
    return [SpooledEvent(2**63 + n, f"event {n} ".encode().ljust(size, b".")) for n in range(begin, begin + count)]


def read_all(spool: Spool, at_once: int = 7) -> list[SpooledEvent]:
    found: list[SpooledEvent] = []
    while part := spool.read(at_once):
        found += part
    return found


def test_reopened_spool_returns_all_events_in_order(tmp_path: Path) -> None:
    """A spool that was not emptied returns all events in their order when it is opened again."""
    first = Spool(tmp_path, MEGABYTE)
    for begin in range(0, 100, 10):
        first.append(make_events(begin, 10))
    first.close()
    second = Spool(tmp_path, MEGABYTE)
    second.append(make_events(100, 5))
    assert read_all(second) == make_events(0, 105)
    second.delete_read_segments()
    assert second.bytes == 0
    assert list(tmp_path.glob("*.spool")) == []
    second.close()


def test_rewind_or_reopen_reads_undeleted_events_again(tmp_path: Path) -> None:
    """After a rewind or a kill, all events that were not deleted are read again."""
    spool = Spool(tmp_path, MEGABYTE)
    spool.append(make_events(0, 20))
    spool.read(12)
    spool.delete_read_segments()
    spool.rewind()
    assert read_all(spool) == make_events(0, 20)
    spool.close()
    again = Spool(tmp_path, MEGABYTE)
    assert read_all(again) == make_events(0, 20)
    again.close()


def test_append_to_full_spool_raises_and_stores_nothing(tmp_path: Path) -> None:
    """At its limit append raises, stored events stay, and there is room again once they are deleted."""
    spool = Spool(tmp_path, 10_000)
    spool.append(make_events(0, 30))
    with pytest.raises(SpoolFull):
        spool.append(make_events(30, 30))
    assert spool.has_room
    assert read_all(spool) == make_events(0, 30)
    spool.delete_read_segments()
    spool.append(make_events(30, 30))
    assert read_all(spool) == make_events(30, 30)
    spool.close()


def test_segments_are_deleted_once_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many segments are read in order while more are written, and only unread ones stay."""
    monkeypatch.setattr(module, "SEGMENT_BYTES", 2_000)
    monkeypatch.setattr(module, "WINDOW_BYTES", 70_000)
    spool = Spool(tmp_path, MEGABYTE)
    found: list[SpooledEvent] = []
    for begin in range(0, 200, 10):
        spool.append(make_events(begin, 10))
        found += spool.read(8)
        spool.delete_read_segments()
        assert spool.bytes == sum(path.stat().st_size for path in tmp_path.glob("*.spool"))
    found += read_all(spool)
    assert found == make_events(0, 200)
    spool.close()


def test_read_through_small_windows_returns_complete_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading through small windows gives the same events as reading everything."""
    monkeypatch.setattr(module, "WINDOW_BYTES", 1_000)
    spool = Spool(tmp_path, MEGABYTE)
    spool.append(make_events(0, 50, 333) + make_events(50, 1, 5_000) + make_events(51, 50, 10))
    assert read_all(spool, 1_000) == make_events(0, 50, 333) + make_events(50, 1, 5_000) + make_events(51, 50, 10)
    assert spool.corrupt_records == 0
    spool.close()


@given(st.data())
def test_incomplete_last_record_is_ignored(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """A kill during a write loses only the unacknowledged event, and counts no corruption."""
    folder = tmp_path_factory.mktemp("spool")
    spool = Spool(folder, MEGABYTE)
    spool.append(make_events(0, 5))
    kept = spool.bytes
    spool.append(make_events(5, 1))
    spool.close()
    (segment,) = folder.glob("*.spool")
    whole = segment.read_bytes()
    segment.write_bytes(whole[: data.draw(st.integers(kept, len(whole) - 1))])
    again = Spool(folder, MEGABYTE)
    assert read_all(again) == make_events(0, 5)
    assert again.corrupt_records == 0
    again.close()


@given(st.integers(0, 20 * 216 - 1), st.binary(min_size=1, max_size=40))
def test_corrupt_bytes_lose_only_the_records_hit(
    tmp_path_factory: pytest.TempPathFactory, place: int, garbage: bytes
) -> None:
    """Overwritten bytes lose the records that they hit and no other, and the segment is kept as damaged."""
    folder = tmp_path_factory.mktemp("spool")
    spool = Spool(folder, MEGABYTE)
    spool.append(make_events(0, 20))
    spool.close()
    (segment,) = folder.glob("*.spool")
    size = segment.stat().st_size // 20
    damaged = bytearray(segment.read_bytes())
    before = bytes(damaged)
    damaged[place : place + len(garbage)] = garbage
    damaged = damaged[: len(before)]
    segment.write_bytes(damaged)
    hit = {at // size for at in range(len(before)) if before[at] != damaged[at]}
    again = Spool(folder, MEGABYTE)
    assert read_all(again) == [event for number, event in enumerate(make_events(0, 20)) if number not in hit]
    again.delete_read_segments()
    # A length beyond the end looks like an incomplete record; any other corruption is counted.
    assert bool(list(folder.glob("*.damaged"))) == bool(again.corrupt_records)
    assert again.corrupt_records or not hit or max(hit) == 19
    again.close()


def test_replicas_in_one_folder_open_separate_spools(tmp_path: Path) -> None:
    """Each process opens a spool of its own, and orphaned spools are found."""
    first, second = open_spool(tmp_path, MEGABYTE), open_spool(tmp_path, MEGABYTE)
    assert first.folder != second.folder
    second.append(make_events(0, 3))
    assert open_orphaned_spools(tmp_path, 0) == []
    second.close()
    (left,) = open_orphaned_spools(tmp_path, 0)
    assert read_all(left) == make_events(0, 3)
    left.delete_read_segments()
    left.close()
    assert open_orphaned_spools(tmp_path, 0) == []
    first.close()


def test_concurrent_reads_and_writes_lose_nothing(tmp_path: Path) -> None:
    """While one thread writes, another reads and deletes: all events are read once and in order."""
    spool = Spool(tmp_path, 100 * MEGABYTE)
    found: list[SpooledEvent] = []
    with ThreadPoolExecutor(1) as writer:
        writing = writer.submit(lambda: [spool.append(make_events(begin, 3)) for begin in range(0, 1_500, 3)])
        while not writing.done() or len(found) < 1_500:
            found += spool.read(5)
            spool.delete_read_segments()
            assert len(found) < 1_500 or writing.result()
    assert found == make_events(0, 1_500)
    assert spool.bytes == 0
    spool.close()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """A disk on which `free` bytes are free for events; creating a file needs none, as on most file systems."""
    free = {"bytes": 0}
    write = os.write

    def limited(file: int, data: bytes) -> int:
        if not free["bytes"]:
            raise OSError(28, "No space left on device")
        written = write(file, data[: free["bytes"]])
        free["bytes"] -= written
        return written

    monkeypatch.setattr(module.os, "write", limited)
    return free


def test_full_disk_leaves_no_file_for_refused_events(tmp_path: Path, disk: dict[str, int]) -> None:
    """Refused events leave nothing, whether none or half of a write fitted, and there is room when space is back."""
    spool = Spool(tmp_path, MEGABYTE)
    for free in (0, 1, 100, 4_000):
        disk["bytes"] = free
        with pytest.raises(SpoolFull, match="No space left"):
            spool.append(make_events(0, 30))
        assert list(tmp_path.glob("*.spool")) == []
    disk["bytes"] = MEGABYTE
    spool.append(make_events(0, 30))
    disk["bytes"] = 100
    with pytest.raises(SpoolFull):
        spool.append(make_events(30, 30))
    disk["bytes"] = MEGABYTE
    spool.append(make_events(60, 5))
    assert read_all(spool) == [*make_events(0, 30), *make_events(60, 5)]
    spool.delete_read_segments()
    assert (spool.bytes, list(tmp_path.glob("*.spool"))) == (0, [])
    spool.close()


def test_failed_sync_leaves_no_event_of_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a failed sync leaves on the disk is unknown: the events are refused, and later ones go to another file."""

    def failing(file: int) -> None:
        raise OSError(5, "Input/output error")

    spool = Spool(tmp_path, MEGABYTE)
    spool.append(make_events(0, 3))
    for _ in range(50):
        with monkeypatch.context() as patched:
            patched.setattr(module.os, "fdatasync", failing)
            with pytest.raises(SpoolFull):
                spool.append(make_events(3, 3))
    spool.append(make_events(6, 3))
    assert len(list(tmp_path.glob("*.spool"))) == 2
    assert read_all(spool) == [*make_events(0, 3), *make_events(6, 3)]
    spool.close()


def test_unwritable_folder_refuses_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be created, or whose folder cannot be synced, is a refusal and no other error."""
    spool = Spool(tmp_path, MEGABYTE)
    real = os.open

    def failing(path: object, *arguments: int) -> int:
        if str(path).endswith(".spool"):
            raise OSError(28, "No space left on device")
        return real(path, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(module.os, "open", failing)
        with pytest.raises(SpoolFull, match="cannot create"):
            spool.append(make_events(0, 1))
    with monkeypatch.context() as patched:
        patched.setattr(module.os, "fsync", lambda _: failing("x.spool"))
        with pytest.raises(SpoolFull, match="cannot create"):
            spool.append(make_events(0, 1))
    spool.append(make_events(5, 1))
    assert read_all(spool) == make_events(5, 1)
    spool.close()


def test_many_segments_are_drained_in_linear_time(tmp_path: Path) -> None:
    """Empty segments of an older version are deleted at once, and many small ones are read in one step each."""
    for number in range(1, 4_001):
        (tmp_path / f"{number:010}.spool").touch()
    for number in range(4_001, 4_401):
        event = make_events(number, 1, 10)
        (tmp_path / f"{number:010}.spool").write_bytes(module._record(event[0]))
    begun = time.process_time()
    spool = Spool(tmp_path, MEGABYTE)
    assert len(list(tmp_path.glob("*.spool"))) == 400
    assert read_all(spool, 5_000) == [make_events(number, 1, 10)[0] for number in range(4_001, 4_401)]
    spool.delete_read_segments()
    assert time.process_time() - begun < 3
    assert (spool.bytes, list(tmp_path.glob("*.spool"))) == (0, [])
    spool.close()
