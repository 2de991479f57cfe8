"""The files next to the spool: a full disk costs nothing but their newest content."""

import errno
import json
import os
import stat
from pathlib import Path
from typing import IO

import pytest

from services.ingest.collector.disk_cache import DiskCache


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A disk that takes no bytes until the patch is undone."""

    def write(content: object, output: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(json, "dump", write)
    return monkeypatch


async def test_written_content_is_read_again_by_this_account_only(tmp_path: Path) -> None:
    """The content is replaced as a whole, and nobody else may read it."""
    file = tmp_path / "secrets.json"
    cache = DiskCache(file)
    for content in ({"a": 1}, {"a": 2}):
        await cache.write(content)
        assert DiskCache(file).read() == content
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


async def test_full_disk_keeps_the_former_content_and_is_tried_again(
    tmp_path: Path, full_disk: pytest.MonkeyPatch
) -> None:
    """A refused write raises nothing and leaves no file, and the same content is written once there is space."""
    file = tmp_path / "secrets.json"
    file.write_text("[1]")
    cache = DiskCache(file)
    assert cache.read() == [1]
    await cache.write([2])
    assert (file.read_text(), list(tmp_path.iterdir())) == ("[1]", [file])
    full_disk.undo()
    await cache.write([2])
    assert DiskCache(file).read() == [2]


def test_two_processes_with_one_id_write_whole_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A collector that writes while another one does, each process 1 of its container, leaves one of both contents."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    file, dump = tmp_path / "secrets.json", json.dump
    longer = list(range(100))

    def interrupted(content: object, output: IO[str]) -> None:
        if content != longer:
            DiskCache(file)._replace(longer)
        dump(content, output)

    monkeypatch.setattr(json, "dump", interrupted)
    DiskCache(file)._replace([1])
    assert DiskCache(file).read() == [1]
    assert list(tmp_path.iterdir()) == [file]


def test_file_of_a_killed_process_is_removed(tmp_path: Path) -> None:
    """What a killed process left half written is deleted by the next write, and what another one writes now is not."""
    file = tmp_path / "secrets.json"
    left, written = tmp_path / "secrets.0a.tmp", tmp_path / "secrets.0b.tmp"
    for one in (left, written):
        one.write_text("[")
    os.utime(left, (0, 0))
    DiskCache(file)._replace([1])
    assert sorted(tmp_path.iterdir()) == [written, file]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe"])
def test_unreadable_content_is_no_content(tmp_path: Path, content: bytes) -> None:
    """A damaged file is ignored."""
    file = tmp_path / "secrets.json"
    file.write_bytes(content)
    assert DiskCache(file).read() is None
