"""The files next to the spool: a full disk costs nothing but their newest content."""

import errno
import json
import stat
from pathlib import Path

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


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe"])
def test_unreadable_content_is_no_content(tmp_path: Path, content: bytes) -> None:
    """A damaged file is ignored."""
    file = tmp_path / "secrets.json"
    file.write_bytes(content)
    assert DiskCache(file).read() is None
