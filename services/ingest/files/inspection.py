"""Checks an uploaded document: `python -m services.ingest.files.inspection FILE`.

It runs in a process of its own, with bounds on memory and processor time, as decoders of images do. The type is that of
the content; the name and the type that a client declares mean nothing.
"""

import mmap
import re
import resource
import sys
import tempfile
from pathlib import Path
from typing import IO

import msgspec

from services.ingest.files.archive import check_archive
from services.ingest.files.compound_file import check_compound_file
from services.ingest.files.pdf import check_pdf
from services.ingest.files.rules import (
    PART_BYTES_MAX,
    FileError,
    Findings,
    InspectedFile,
    RejectedFile,
    refuse,
    unsupported,
)

MEMORY_BYTES_MAX = 800_000_000
CPU_SECONDS_MAX = 60
HEAD_BYTES = 1_024
_OTHERS = (
    (re.compile(rb"^\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<svg", re.IGNORECASE | re.DOTALL), "an SVG drawing"),
    (
        re.compile(
            rb"^[\s\xef\xbb\xbf]*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|script|iframe|meta|a\b)",
            re.IGNORECASE | re.DOTALL,
        ),
        "an HTML page",
    ),
    (re.compile(rb"^\s*<\?(?:xml|php)", re.IGNORECASE), "XML or a script"),
    (re.compile(rb"^\{\\rtf"), "RTF; save it as DOCX"),
    (re.compile(rb"^(?:MZ|\x7fELF|#!|\xcf\xfa\xed\xfe|\xca\xfe\xba\xbe)"), "a program"),
    (re.compile(rb"^(?:Rar!|7z\xbc\xaf|\x1f\x8b|BZh|\xfd7zXZ)"), "another archive; pack it as ZIP"),
    (re.compile(rb"^(?:\xff\xd8\xff|\x89PNG|GIF8|RIFF....WEBP)", re.DOTALL), "an image; upload it to /api/media"),
    (re.compile(rb"^PK(?:\x05\x06|\x07\x08)"), "an empty or split archive"),
)


def inspect(file: Path, *, is_in_archive: bool = False) -> Findings:
    """Check a file by its content.

    Raises:
        FileError: it is refused: 415 for another type, 422 for one that is damaged or dangerous.
    """
    with file.open("rb") as opened:
        head = opened.read(HEAD_BYTES)
        if head.startswith(b"%PDF-"):
            with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return check_pdf(content)
    if head.startswith(b"PK\x03\x04"):
        return check_archive(file, None if is_in_archive else _check_document)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return check_compound_file(file)
    if b"%PDF-" in head:
        raise refuse("has something else before the PDF; save it again as PDF", "polyglot")
    what = next((name for pattern, name in _OTHERS if pattern.search(head)), None)
    raise unsupported(what or "of an unknown type")


def _check_document(content: IO[bytes], name: str) -> None:
    """Check a document in an archive as if it were uploaded itself.

    Raises:
        FileError: as `inspect`, with the name of the entry.
    """
    with tempfile.NamedTemporaryFile(prefix="presstally-entry-") as copy:
        size = 0
        while chunk := content.read(1024 * 1024):
            size += len(chunk)
            if size > PART_BYTES_MAX:
                raise FileError(f"has an entry of more than {PART_BYTES_MAX:,} bytes: {name[:100]!r}", "too-large")
            copy.write(chunk)
        copy.flush()
        try:
            inspect(Path(copy.name), is_in_archive=True)
        except FileError as error:
            raise FileError(
                f"has an entry that is refused, {name[:100]!r}: it {error}", error.code, error.status
            ) from error


def main(file: str) -> int:
    """Check a file, and print the result as a line of JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_MAX, CPU_SECONDS_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        found = inspect(Path(file))
        result: InspectedFile | RejectedFile = InspectedFile(found.type, found.warnings)
    except FileError as error:
        result = RejectedFile(str(error), error.code, error.status, error.limit, error.size)
    except MemoryError:
        result = RejectedFile("exceeds the memory limit for its check", "too-large", 422)
    sys.stdout.buffer.write(msgspec.json.encode(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
