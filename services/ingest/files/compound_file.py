"""The check of DOC and XLS: compound files (OLE), with one stream for the text and others for programs."""

import re
import struct
from pathlib import Path

import olefile

from services.ingest.files.rules import DOC, XLS, FileError, Findings, encrypted, macros, refuse, unsupported

STREAM_BYTES_MAX = 64 * 1024**2
ENTRIES_MAX = 10_000
_MACRO_PARTS = {"macros", "vba", "_vba_project", "_vba_project_cur", "vbaproject", "project", "projectwm"}
_OTHER_TYPES = {"powerpoint document": "a PowerPoint presentation", "visiodocument": "a Visio drawing"}
_MESSAGE = "__properties_version1.0"
_BOUND_SHEET, _FILE_PASS, _END, _OBJECT_PROJECT = 0x85, 0x2F, 0x0A, 0xD3
_LINKED_BOOK = 0x1AE
_DDE = re.compile(rb"\x13[ \t]*DDE|\x13\0(?:[ \t]\0)*D\0D\0E\0", re.IGNORECASE)
"""The beginning of a field that starts programs, in one byte a character or in two."""
_MACRO_SHEETS = (1, 6)
"""Kinds of sheets: macros of Excel 4, and modules of Visual Basic."""


def check_compound_file(file: Path) -> Findings:
    """Check a compound file.

    Raises:
        FileError: it is of another type, damaged or encrypted, or has macros or packed programs.
    """
    try:
        with olefile.OleFileIO(str(file)) as opened:
            return _check(opened)
    except FileError:
        raise
    except Exception as error:
        raise refuse("is a damaged Office document", "damaged") from error


def _check(opened: olefile.OleFileIO) -> Findings:
    paths = opened.listdir(streams=True, storages=True)
    if len(paths) > ENTRIES_MAX:
        raise FileError(f"must have at most {ENTRIES_MAX:,} parts (got {len(paths):,})", "too-large")
    names = {part.lower() for path in paths for part in path}
    if "encryptedpackage" in names or "encryptioninfo" in names:
        raise encrypted()
    if names & _MACRO_PARTS:
        raise macros()
    if any(name.endswith("ole10native") for name in names):
        raise refuse("has other files packed into it, which may be programs", "embedded-files")
    top = {path[0].lower(): path[0] for path in paths if len(path) == 1}
    if "worddocument" in top:
        return _check_word(_read(opened, top["worddocument"]))
    for name in ("workbook", "book"):
        if name in top:
            return _check_workbook(_read(opened, top[name]))
    if _MESSAGE in names:
        raise unsupported("an e-mail message of Outlook")
    known = next((what for name, what in _OTHER_TYPES.items() if name in names), "an unknown Office document")
    raise unsupported(known)


def _read(opened: olefile.OleFileIO, name: str) -> bytes:
    if opened.get_size(name) > STREAM_BYTES_MAX:
        raise FileError(f"has a part of more than {STREAM_BYTES_MAX:,} bytes", "too-large")
    content: bytes = opened.openstream(name).read()
    return content


def _check_word(stream: bytes) -> Findings:
    if len(stream) < 32 or struct.unpack_from("<H", stream)[0] not in (0xA5EC, 0xA5DC):
        raise refuse("is a damaged Word document", "damaged")
    flags = struct.unpack_from("<H", stream, 10)[0]
    if flags & 0x0100:
        raise encrypted()
    if _DDE.search(stream):
        raise refuse("has a field that starts programs (DDE)", "macros")
    return Findings(DOC)


def _check_workbook(stream: bytes) -> Findings:
    """Check the records of a workbook's first part, which list its sheets."""
    position, is_first = 0, True
    while position + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, position)
        if is_first and kind not in (0x809, 0x409, 0x209, 0x009):
            raise refuse("is a damaged Excel document", "damaged")
        is_first = False
        record = stream[position + 4 : position + 4 + length]
        if kind == _FILE_PASS:
            raise encrypted()
        if kind == _OBJECT_PROJECT or (kind == _BOUND_SHEET and len(record) > 5 and record[5] in _MACRO_SHEETS):
            raise macros()
        if kind == _LINKED_BOOK and _starts_programs(record):
            raise refuse("has a link that starts programs (DDE)", "macros")
        if kind == _END:
            return Findings(XLS)
        position += 4 + length
    raise refuse("is a damaged Excel document", "damaged")


def _starts_programs(record: bytes) -> bool:
    """Return whether a link leads to a program and its topic, and not to the path of another workbook."""
    if len(record) < 6 or record[2:4] in (b"\x01\x04", b"\x01\x3a"):  # this workbook, or an add-in's functions
        return False
    target = record[5:].decode("utf-16-le" if record[4] & 1 else "latin-1", "replace")
    return "\x03" in target and not target.startswith("\x01")
