"""A folder of files that any server of files can serve: each file replaced whole, and only if it changed."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TextIO

from services.render.pages.document import COMPRESSED_FROM_BYTES, HTML, Document

MANIFEST = ".presstally-export"
"""Names the files that exports wrote: they alone are ever removed."""


class FolderError(Exception):
    """The folder cannot be used; the text is the sentence for the operator."""


def file_name(address: str, media_type: str) -> str:
    """Return the file, relative to the folder, that a server of files serves at a path.

    Raises:
        ValueError: no file may stand there.
    """
    if any(part in ("", ".", "..") for part in address.strip("/").split("/")) and address != "/":
        raise ValueError(f"{address!r} is no place for a file")
    is_page = media_type == HTML and not address.endswith(".html")
    return f"{address}/index.html".replace("//", "/").lstrip("/") if is_page else address.lstrip("/")


class Folder:
    """Puts documents into a folder, and knows which files are not needed any more."""

    def __init__(self, folder: Path, log: TextIO, before: set[str]) -> None:
        self._folder = folder
        self._log = log
        self._before = before
        self._now: set[str] = set()
        self.written = self.same = self.removed = 0

    def has(self, name: str) -> bool:
        """Tell whether a file is there already."""
        return (self._folder / name).exists()

    def keep(self, name: str) -> None:
        """Note that a file is needed as it is."""
        self._note(name)
        self.same += 1

    def put(self, name: str, document: Document, *, may_compress: bool = True) -> None:
        """Write a document, and beside it the same compressed, if it is not there already.

        Raises:
            OSError: it cannot be written.
        """
        zips = may_compress and len(document.body) >= COMPRESSED_FROM_BYTES
        path, zipped = self._folder / name, self._folder / f"{name}.gz"
        self._note(name)
        if zips:
            self._note(f"{name}.gz")
        if zips == zipped.exists() and _has(path, document.body):
            self.same += 1
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if zips:  # first, so that a page which is as it should be says that its compressed form is, too
            _replace(zipped, document.encoded("gzip"))
        else:
            zipped.unlink(missing_ok=True)
        _replace(path, document.body)
        self.written += 1

    def remove_the_rest(self) -> None:
        """Remove what former exports wrote and this one did not, and the folders that are empty then."""
        for name in sorted(self._before - self._now):
            path = self._folder / name
            path.unlink(missing_ok=True)
            self.removed += 1
            for parent in PurePosixPath(name).parents[:-1]:
                with suppress(OSError):  # it is not empty
                    (self._folder / parent).rmdir()
        _replace(self._folder / MANIFEST, "".join(f"{name}\n" for name in sorted(self._now)).encode())

    def _note(self, name: str) -> None:
        if name not in self._now and name not in self._before:
            self._log.write(f"{name}\n")  # before it is written: what is killed leaves nothing unnamed
        self._now.add(name)


def _replace(path: Path, content: bytes) -> None:
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(content)
    new.replace(path)


def _has(path: Path, content: bytes) -> bool:
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except FileNotFoundError:
        return False


@contextmanager
def open_folder(path: Path) -> Iterator[Folder]:
    """Make a folder, hold it against a second export, and yield it.

    Raises:
        FolderError: somebody is at work there, or it holds what no export wrote.
    """
    path.mkdir(parents=True, exist_ok=True)
    manifest = path / MANIFEST
    held = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not manifest.exists() and any(path.iterdir()):
            raise FolderError(f"{path} is not empty, and is no copy that this command wrote: it has no {MANIFEST}")
        before = set(manifest.read_text(encoding="utf-8").splitlines()) if manifest.exists() else set()
        with manifest.open("a", encoding="utf-8", buffering=1) as log:
            yield Folder(path, log, before)
    except BlockingIOError as error:
        raise FolderError(f"another export writes to {path}") from error
    finally:
        os.close(held)
