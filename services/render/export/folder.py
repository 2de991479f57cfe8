"""A folder that any file server can serve: each file is replaced atomically, and only if it changed."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TextIO

from services.render.pages.document import HTML, Document

MANIFEST = ".presstally-export"
"""Lists the files that exports wrote: only these are ever removed."""

BEGINNING_BYTES = 2_048


class ExportFolderError(Exception):
    """The folder cannot be used; the text is the message for the operator."""


def file_name(url: str, media_type: str) -> str:
    """Return the file, relative to the folder, that a file server serves at a path.

    Raises:
        ValueError: the path has empty, "." or ".." parts.
    """
    if any(part in ("", ".", "..") for part in url.strip("/").split("/")) and url != "/":
        raise ValueError(f"{url!r} is not a path of a file")
    is_page = media_type == HTML and not url.endswith(".html")
    return f"{url}/index.html".replace("//", "/").lstrip("/") if is_page else url.lstrip("/")


class ExportFolder:
    """Writes documents into a folder, and removes stale files of former exports."""

    def __init__(self, folder: Path, log: TextIO, before: set[str]) -> None:
        self._folder = folder
        self._log = log
        self._before = before
        self._now: set[str] = set()
        self.written = self.unchanged = self.removed = 0

    def has(self, name: str) -> bool:
        """Return whether a file exists already."""
        return (self._folder / name).exists()

    def begins_with(self, name: str, mark: str) -> bool:
        """Return whether the beginning of an existing file has a mark."""
        try:
            with (self._folder / name).open("rb") as file:
                return mark.encode() in file.read(BEGINNING_BYTES)
        except FileNotFoundError:
            return False

    def mark_current(self, name: str) -> None:
        """Keep an existing file as it is."""
        self._record(name)
        self.unchanged += 1

    def put(self, name: str, document: Document, *, may_compress: bool = True) -> None:
        """Write a document, and next to it the same compressed, unless they exist already.

        Raises:
            OSError: it cannot be written.
        """
        zips = may_compress and bool(document.codings)
        path, zipped = self._folder / name, self._folder / f"{name}.gz"
        self._record(name)
        if zips:
            self._record(f"{name}.gz")
        if zips == zipped.exists() and _is_unchanged(path, document.body):
            self.unchanged += 1
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if zips:  # first: an up-to-date page then implies an up-to-date compressed file
            _replace(zipped, document.encoded("gzip"))
        else:
            zipped.unlink(missing_ok=True)
        _replace(path, document.body)
        self.written += 1

    def remove_stale(self) -> None:
        """Remove files of former exports that this one did not write, and the folders that are then empty."""
        for name in sorted(self._before - self._now):
            path = self._folder / name
            path.unlink(missing_ok=True)
            self.removed += 1
            for parent in PurePosixPath(name).parents[:-1]:
                with suppress(OSError):  # not empty
                    (self._folder / parent).rmdir()
        _replace(self._folder / MANIFEST, "".join(f"{name}\n" for name in sorted(self._now)).encode())

    def _record(self, name: str) -> None:
        if name not in self._now and name not in self._before:
            self._log.write(f"{name}\n")  # before the file itself: an export that is killed leaves no unlisted file
        self._now.add(name)


def _replace(path: Path, content: bytes) -> None:
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(content)
    new.replace(path)


def _is_unchanged(path: Path, content: bytes) -> bool:
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except FileNotFoundError:
        return False


@contextmanager
def open_folder(path: Path) -> Iterator[ExportFolder]:
    """Create a folder, lock it against a second export, and yield it.

    Raises:
        FolderError: somebody is at work there, or it holds what no export wrote.
    """
    path.mkdir(parents=True, exist_ok=True)
    manifest = path / MANIFEST
    lock = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not manifest.exists() and any(path.iterdir()):
            raise ExportFolderError(f"{path} is not empty and has no {MANIFEST}: it is not an export")
        before = set(manifest.read_text(encoding="utf-8").splitlines()) if manifest.exists() else set()
        with manifest.open("a", encoding="utf-8", buffering=1) as log:
            yield ExportFolder(path, log, before)
    except BlockingIOError as error:
        raise ExportFolderError(f"another export writes to {path}") from error
    finally:
        os.close(lock)
