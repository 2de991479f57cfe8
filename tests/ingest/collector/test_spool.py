"""The spool: what it was given is there after any end, in order, and damage costs only what is damaged."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.collector import spool as module
from services.ingest.collector.spool import Entry, Spool, SpoolFull, open_left_spools, open_spool

MEGABYTE = 1024 * 1024


def entries(begin: int, count: int, size: int = 200) -> list[Entry]:
    return [Entry(2**63 + n, f"event {n} ".encode().ljust(size, b".")) for n in range(begin, begin + count)]


def read_all(spool: Spool, at_once: int = 7) -> list[Entry]:
    found: list[Entry] = []
    while part := spool.read(at_once):
        found += part
    return found


def test_what_was_kept_comes_back_in_order_after_a_kill(tmp_path: Path) -> None:
    """A spool that was never closed gives back all entries, in the order in which they came."""
    first = Spool(tmp_path, MEGABYTE)
    for begin in range(0, 100, 10):
        first.append(entries(begin, 10))
    first.close()
    second = Spool(tmp_path, MEGABYTE)
    second.append(entries(100, 5))
    assert read_all(second) == entries(0, 105)
    second.drop_read()
    assert second.bytes == 0
    assert list(tmp_path.glob("*.spool")) == []
    second.close()


def test_what_is_not_dropped_is_read_again(tmp_path: Path) -> None:
    """After a rewind or a kill, everything that Kafka was not said to have is read again."""
    spool = Spool(tmp_path, MEGABYTE)
    spool.append(entries(0, 20))
    spool.read(12)
    spool.drop_read()
    spool.rewind()
    assert read_all(spool) == entries(0, 20)
    spool.close()
    again = Spool(tmp_path, MEGABYTE)
    assert read_all(again) == entries(0, 20)
    again.close()


def test_a_full_spool_refuses_and_keeps_nothing_of_it(tmp_path: Path) -> None:
    """At its bound it raises, what it has stays, and there is room again once that is dropped."""
    spool = Spool(tmp_path, 10_000)
    spool.append(entries(0, 30))
    with pytest.raises(SpoolFull):
        spool.append(entries(30, 30))
    assert spool.has_room
    assert read_all(spool) == entries(0, 30)
    spool.drop_read()
    spool.append(entries(30, 30))
    assert read_all(spool) == entries(30, 30)
    spool.close()


def test_segments_go_as_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many segments are read in order while more are written, and only unread ones stay."""
    monkeypatch.setattr(module, "SEGMENT_BYTES", 2_000)
    monkeypatch.setattr(module, "WINDOW_BYTES", 70_000)
    spool = Spool(tmp_path, MEGABYTE)
    found: list[Entry] = []
    for begin in range(0, 200, 10):
        spool.append(entries(begin, 10))
        found += spool.read(8)
        spool.drop_read()
        assert spool.bytes == sum(path.stat().st_size for path in tmp_path.glob("*.spool"))
    found += read_all(spool)
    assert found == entries(0, 200)
    spool.close()


def test_a_window_never_cuts_an_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading through small windows gives the same entries as reading at once."""
    monkeypatch.setattr(module, "WINDOW_BYTES", 1_000)
    spool = Spool(tmp_path, MEGABYTE)
    spool.append(entries(0, 50, 333) + entries(50, 1, 5_000) + entries(51, 50, 10))
    assert read_all(spool, 1_000) == entries(0, 50, 333) + entries(50, 1, 5_000) + entries(51, 50, 10)
    assert spool.corrupt_records == 0
    spool.close()


@given(st.data())
def test_half_a_record_at_the_end_is_cut_off(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """A kill in the middle of a write loses only what nobody was told is kept, and counts no damage."""
    folder = tmp_path_factory.mktemp("spool")
    spool = Spool(folder, MEGABYTE)
    spool.append(entries(0, 5))
    kept = spool.bytes
    spool.append(entries(5, 1))
    spool.close()
    (segment,) = folder.glob("*.spool")
    whole = segment.read_bytes()
    segment.write_bytes(whole[: data.draw(st.integers(kept, len(whole) - 1))])
    again = Spool(folder, MEGABYTE)
    assert read_all(again) == entries(0, 5)
    assert again.corrupt_records == 0
    again.close()


@given(st.integers(0, 20 * 216 - 1), st.binary(min_size=1, max_size=40))
def test_damage_costs_what_is_damaged(tmp_path_factory: pytest.TempPathFactory, place: int, garbage: bytes) -> None:
    """Overwritten bytes lose the records that they hit and no other, and the segment is set aside for a look."""
    folder = tmp_path_factory.mktemp("spool")
    spool = Spool(folder, MEGABYTE)
    spool.append(entries(0, 20))
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
    assert read_all(again) == [entry for number, entry in enumerate(entries(0, 20)) if number not in hit]
    again.drop_read()
    # A length that points behind the end looks like half a record; everything else is told.
    assert bool(list(folder.glob("*.damaged"))) == bool(again.corrupt_records)
    assert again.corrupt_records or not hit or max(hit) == 19
    again.close()


def test_replicas_share_a_folder_without_sharing_a_spool(tmp_path: Path) -> None:
    """Each process takes a spool of its own, and what a gone one left is found by those that live."""
    first, second = open_spool(tmp_path, MEGABYTE), open_spool(tmp_path, MEGABYTE)
    assert first.folder != second.folder
    second.append(entries(0, 3))
    assert open_left_spools(tmp_path, 0) == []
    second.close()
    (left,) = open_left_spools(tmp_path, 0)
    assert read_all(left) == entries(0, 3)
    left.drop_read()
    left.close()
    assert open_left_spools(tmp_path, 0) == []
    first.close()


def test_reading_and_writing_at_once_lose_nothing(tmp_path: Path) -> None:
    """While one thread writes, another reads and drops: all that was kept comes out, once and in order."""
    spool = Spool(tmp_path, 100 * MEGABYTE)
    found: list[Entry] = []
    with ThreadPoolExecutor(1) as writer:
        writing = writer.submit(lambda: [spool.append(entries(begin, 3)) for begin in range(0, 1_500, 3)])
        while not writing.done() or len(found) < 1_500:
            found += spool.read(5)
            spool.drop_read()
            assert len(found) < 1_500 or writing.result()
    assert found == entries(0, 1_500)
    assert spool.bytes == 0
    spool.close()
