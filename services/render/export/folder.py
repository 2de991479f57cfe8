"""A folder that any file server can serve: each file is replaced atomically, and only if it changed."""

import fcntl
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TextIO

from services.render.pages.document import HTML, Document

MANIFEST = ".presstally-export"
"""Lists the files that exports wrote: only these are ever removed."""
NEW = ".presstally-new"
"""A file that is being written, before it gets its name."""

BEGINNING_BYTES = 2_048

FileStamp = tuple[int, int]
"""Size and time of the last change, in nanoseconds: a file that has both as before was not touched."""


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
    """Writes documents into a folder, and removes stale files of former exports.

    Attributes:
        stamps: Of each file that this export wrote or kept.
    """

    def __init__(self, folder: Path, log: TextIO, before: set[str], *, with_gzip: bool) -> None:
        self._folder = folder
        self._root = f"{folder}/"
        self._log = log
        self._before = before
        self._with_gzip = with_gzip
        self._folders = {""}
        self.stamps: dict[str, FileStamp] = {}
        self.written = self.unchanged = self.removed = 0

    def has(self, name: str) -> bool:
        """Return whether a file exists already."""
        return (self._folder / name).exists()

    def begins_with(self, name: str, mark: str) -> bool:
        """Return whether the beginning of an existing file has a mark."""
        if name not in self._before:
            return False
        try:
            with (self._folder / name).open("rb") as file:
                return mark.encode() in file.read(BEGINNING_BYTES)
        except FileNotFoundError:
            return False

    def read(self, name: str) -> bytes:
        """Return the content of a file; nothing if there is none."""
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return b""

    def keep(self, name: str) -> None:
        """Keep an existing file as it is."""
        self._record(name, self._stamp(name))
        self.unchanged += 1

    def keep_untouched(self, names: Collection[str], before: Mapping[str, FileStamp]) -> bool:
        """Keep files, and the same compressed, if nobody touched any of them since they had these stamps."""
        every = [one for name in names for one in (name, f"{name}.gz") if one == name or one in before]
        if any(self._stamp(one) != before.get(one) for one in every):
            return False
        for one in every:
            self._record(one, before[one])
        self.unchanged += len(names)
        return True

    def put(self, name: str, document: Document, *, may_compress: bool = True) -> None:
        """Write a document, and next to it the same compressed, unless they exist already.

        Raises:
            OSError: it cannot be written.
        """
        zipped = f"{name}.gz"
        zips, was_zipped = self._with_gzip and may_compress and bool(document.codings), zipped in self._before
        if name in self._before and zips == (was_zipped and self.has(zipped)) and self._is_unchanged(name, document):
            self._record(name, self._stamp(name))
            if zips:
                self._record(zipped, self._stamp(zipped))
            self.unchanged += 1
            return
        if zips:  # first: an up-to-date page then implies an up-to-date compressed file
            self._replace(zipped, document.encoded("gzip"))
        elif was_zipped:
            (self._folder / zipped).unlink(missing_ok=True)
        self._replace(name, document.body)
        self.written += 1

    def remove_stale(self) -> None:
        """Remove files of former exports that this one did not write, and the folders that are then empty."""
        for name in sorted(self._before - self.stamps.keys()):
            path = self._folder / name
            path.unlink(missing_ok=True)
            self.removed += 1
            for parent in PurePosixPath(name).parents[:-1]:
                with suppress(OSError):  # not empty
                    (self._folder / parent).rmdir()
        self.write_own(MANIFEST, "".join(f"{name}\n" for name in sorted(self.stamps)).encode())

    def write_own(self, name: str, content: bytes) -> None:
        """Write a file of the export's own, which is not served."""
        self._write(name, content)

    def _record(self, name: str, stamp: FileStamp) -> None:
        if name not in self.stamps and name not in self._before:
            self._log.write(f"{name}\n")  # before the file itself: an export that is killed leaves no unlisted file
        self.stamps[name] = stamp

    def _stamp(self, name: str) -> FileStamp:
        try:
            found = os.stat(self._root + name)  # noqa: PTH116 - a third of the time of Path.stat, for each file
        except FileNotFoundError:
            return 0, 0
        return found.st_size, found.st_mtime_ns

    def _is_unchanged(self, name: str, document: Document) -> bool:
        return self._stamp(name)[0] == len(document.body) and self.read(name) == document.body

    def _replace(self, name: str, content: bytes) -> None:
        self._record(name, (0, 0))
        folder = name.rpartition("/")[0]
        if folder not in self._folders:
            (self._folder / folder).mkdir(parents=True, exist_ok=True)
            self._folders.add(folder)
        self.stamps[name] = self._write(name, content)

    def _write(self, name: str, content: bytes) -> FileStamp:
        """Write a file under another name, and rename it. Without `Path`, which takes longer than the system."""
        file = os.open(self._root + NEW, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            written = os.write(file, content)
            while written < len(content):  # a disk that is almost full takes a part, and refuses the next one
                written += os.write(file, memoryview(content)[written:])
            found = os.fstat(file)
        finally:
            os.close(file)
        os.replace(self._root + NEW, self._root + name)  # noqa: PTH105
        return found.st_size, found.st_mtime_ns


@contextmanager
def open_folder(path: Path, *, with_gzip: bool = False) -> Iterator[ExportFolder]:
    """Create a folder, lock it against a second export, and yield it; `with_gzip`: files also compressed.

    Raises:
        ExportFolderError: somebody is at work there, or it holds what no export wrote.
    """
    path.mkdir(parents=True, exist_ok=True)
    manifest = path / MANIFEST
    lock = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not manifest.exists() and any(path.iterdir()):
            raise ExportFolderError(f"{path} is not empty and has no {MANIFEST}: it is not an export")
        before = _read_manifest(manifest)
        with manifest.open("a", encoding="utf-8", buffering=1) as log:
            yield ExportFolder(path, log, before, with_gzip=with_gzip)
    except BlockingIOError as error:
        raise ExportFolderError(f"another export writes to {path}") from error
    finally:
        os.close(lock)


def _read_manifest(manifest: Path) -> set[str]:
    """Return the files that a manifest lists, without the beginning of a line that a full disk has cut.

    That one is cut off: the next name would be appended to it, and it may be the name of a folder. Its file was never
    written.
    """
    if not manifest.exists():
        return set()
    listed, newline, rest = manifest.read_bytes().rpartition(b"\n")
    if rest:
        os.truncate(manifest, len(listed + newline))
    return set(listed.decode().splitlines())
