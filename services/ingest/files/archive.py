"""The check of ZIP archives, and of the documents that are archives: DOCX, XLSX and ODT."""

import re
import stat
import struct
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import IO

from services.ingest.files.rules import (
    ARCHIVE_EXTENSIONS,
    DOCX,
    EMBEDDED,
    ENTRIES_MAX,
    ENTRY_NAME_BYTES_MAX,
    ODT,
    PART_BYTES_MAX,
    PROGRAM_EXTENSIONS,
    RATIO_FREE_BYTES,
    RATIO_MAX,
    UNPACKED_BYTES_MAX,
    XLSX,
    ZIP,
    FileError,
    Findings,
    encrypted,
    macros,
    refuse,
    unsupported,
)
from services.ingest.files.xml_parts import PartCheck, is_xml

CHUNK_BYTES = 1024 * 1024
END_BYTES = 22
"""Of the record that ends an archive, without its comment."""
DOCUMENT_EXTENSIONS = ("pdf", "doc", "docx", "xls", "xlsx", "odt")
"""Documents in an archive that are checked as if they were uploaded themselves."""
_MACRO_EXTENSIONS = (".docm", ".dotm", ".xlsm", ".xltm", ".xlam", ".xlsb", ".pptm", ".ppam", ".sldm")
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PACKED = "\x01Ole10Native".encode("utf-16-le")
_PROJECT = "_VBA_PROJECT".encode("utf-16-le")
_PROGRAMS = (b"MZ", b"\x7fELF", b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"\xcf\xfa\xed\xfe", b"#!", b"ITSF")
_PROGRAM_FILES = (b"MZ", b"\x7fELF", b"\xcf\xfa\xed\xfe")
"""In an Office document, which may have archives in it: other documents."""
_ARCHIVES = (b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"MSCF", b"L\0\0\0\x01\x14\x02\0")
_UNICODE_PATH = 0x7075
"""An extra field with another name of the entry, which some programs use instead."""
_TYPES = "[Content_Types].xml"
_OPEN_DOCUMENT = frozenset(("mimetype", "META-INF/manifest.xml"))
"""By which programs know an OpenDocument file, whatever else is in it."""
_OVERRIDE = re.compile(rb"<(?:\w+:)?Override\s[^>]*>")
_PART_NAME = re.compile(rb"PartName\s*=\s*[\"']([^\"']+)")
_MAIN_PARTS = {
    b"wordprocessingml.document.main+xml": DOCX,
    b"spreadsheetml.sheet.main+xml": XLSX,
}
_OTHER_PARTS = {
    b"presentationml.": "a PowerPoint presentation",
    b"template.main+xml": "a template of Office",
    b"spreadsheetml.sheet.binary": "a binary workbook (.xlsb)",
    b"ms-package.xps": "an XPS document",
}
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What no name has, and what shows it in another order."""
_DRIVE = re.compile(r"^[A-Za-z]:")
CheckDocument = Callable[[IO[bytes], str], None]
"""Checks a document in an archive, by its content and name."""


def check_archive(file: Path, check_document: CheckDocument | None = None) -> Findings:
    """Check a ZIP archive, or a document that is one.

    Args:
        file: Begins with the signature of a ZIP archive.
        check_document: Checks each document in it; None: a plain archive is refused, as it is in another one.

    Raises:
        FileError: it is of another type, damaged, encrypted, too large when unpacked, or has programs.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            _check_directory(archive, entries, file.stat().st_size)
            names = {one.filename for one in entries}
            if _TYPES in names and names & _OPEN_DOCUMENT:
                raise refuse("is an Office document and an OpenDocument file at once", "polyglot")
            if _TYPES in names:
                found = _check_office(archive, names)
            elif "mimetype" in names:
                found = _check_open_document(archive, entries, names)
            elif check_document is None:
                raise unsupported("an archive in an archive")
            else:
                found = _check_plain(archive, entries, check_document)
            _check_contents(archive, entries)
            return found
    except FileError:
        raise
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise refuse("is a damaged ZIP archive or Office document", "damaged") from error


def _check_directory(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], size: int) -> None:
    """Check what the archive says about its entries, before anything is unpacked."""
    if len(entries) > ENTRIES_MAX:
        raise FileError(
            f"must have at most {ENTRIES_MAX:,} entries (got {len(entries):,})", "bomb", 422, ENTRIES_MAX, len(entries)
        )
    if not entries:
        raise refuse("is an empty archive", "damaged")
    unpacked = sum(one.file_size for one in entries)
    if unpacked > UNPACKED_BYTES_MAX:
        message = f"must have at most {UNPACKED_BYTES_MAX:,} bytes when unpacked (got {unpacked:,})"
        raise FileError(message, "bomb", 422, UNPACKED_BYTES_MAX, unpacked)
    if unpacked > RATIO_FREE_BYTES and unpacked > RATIO_MAX * size:
        raise FileError(f"is packed more than {RATIO_MAX} times, as only archives are that attack", "bomb")
    ends = sorted((one.header_offset, one.header_offset + 30 + one.compress_size) for one in entries)
    if ends[0][0] != 0 or len(archive.comment) > 1_000 or not _is_at_end(archive, size):
        raise refuse("has data before or after the archive", "polyglot")
    if any(end > begin for (_, end), (begin, _) in pairwise(ends)):
        raise refuse("has entries that overlap, as only archives have that attack", "bomb")
    if ends[-1][1] > archive.start_dir:
        raise refuse("is a damaged ZIP archive", "damaged")
    for one in entries:
        _check_entry(one)
    if len({one.filename for one in entries}) < len(entries):
        raise refuse("has two entries of the same name", "polyglot")


def _is_at_end(archive: zipfile.ZipFile, size: int) -> bool:
    """Return whether the file ends with the archive: what reads it looks for the last directory, whatever follows."""
    assert archive.fp is not None
    archive.fp.seek(size - END_BYTES - len(archive.comment))
    return archive.fp.read(4) == b"PK\x05\x06"


def _check_entry(entry: zipfile.ZipInfo) -> None:
    if entry.flag_bits & 0x41:  # encrypted, with or without strong encryption
        raise encrypted()
    name = entry.orig_filename
    if len(name.encode("utf-8", "replace")) > ENTRY_NAME_BYTES_MAX or _UNSAFE.search(name):
        raise refuse("has an entry with an invalid name", "entry-name")
    if entry.filename != _extra_name(entry):
        raise refuse(f"has an entry with two names: {name[:100]!r}", "entry-name")
    if name.startswith(("/", "\\")) or _DRIVE.match(name) or ".." in re.split(r"[/\\]", name):
        raise refuse(f"has an entry outside of its folder: {name[:100]!r}", "entry-name")
    if ":" in name:
        raise refuse(f"has an entry with a colon in its name: {name[:100]!r}", "entry-name")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise refuse(f"has a symbolic link: {name[:100]!r}", "entry-name")


def _extra_name(entry: zipfile.ZipInfo) -> str:
    """Return the name of an entry in its extra field, which some programs use; without one, its name."""
    extra, position = entry.extra, 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, position)
        if kind == _UNICODE_PATH:
            return extra[position + 9 : position + 4 + length].decode("utf-8", "replace")
        position += 4 + length
    return entry.filename


def _check_contents(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> None:
    """Unpack everything, to nowhere: sizes and checksums are true, or it is damaged."""
    total = 0
    for one in entries:
        with archive.open(one) as content:
            while chunk := content.read(CHUNK_BYTES):
                total += len(chunk)
                if total > UNPACKED_BYTES_MAX:
                    raise FileError("is larger when unpacked than its directory says", "bomb")


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as content:
        part = content.read(PART_BYTES_MAX + 1)
    if len(part) > PART_BYTES_MAX:
        raise FileError(f"has a part of more than {PART_BYTES_MAX:,} bytes", "too-large")
    return part


def _check_office(archive: zipfile.ZipFile, names: set[str]) -> Findings:
    types = _part(archive, _TYPES)
    if b"<!DOCTYPE" in types or b"<!ENTITY" in types:
        raise refuse("has a document type in its XML, which Office never writes", "damaged")
    lowered = types.lower()
    parts = {name.lower() for name in names}
    if (
        b"macroenabled" in lowered
        or b"ms-office.vbaproject" in lowered
        or b"macrosheet" in lowered
        or any(name.endswith(("vbaproject.bin", "vbadata.xml")) or "/macrosheets/" in name for name in parts)
    ):
        raise macros()
    if any("/activex/" in name for name in parts):
        raise refuse("has ActiveX controls, which are programs", "macros")
    found = [kind for mark, kind in _MAIN_PARTS.items() if mark in types]
    if len(found) != 1:
        raise unsupported(next((what for mark, what in _OTHER_PARTS.items() if mark in types), "an unknown document"))
    main = "word/" if found[0] == DOCX else "xl/"
    if not any(name.startswith(main) for name in parts):
        raise refuse("is a damaged Office document", "damaged")
    for name in _main_parts(types):
        _check_main_part(archive, name, names)
    findings = Findings(found[0])
    check = PartCheck(findings)
    for name in sorted(names):
        if name.lower().endswith(_MACRO_EXTENSIONS):
            raise macros()
        _check_office_part(archive, name, check)
    if any("/embeddings/" in name for name in parts) and EMBEDDED not in findings.warnings:
        findings.warnings.append(EMBEDDED)
    return findings


def _main_parts(types: bytes) -> list[str]:
    """Return the names of the parts that have the text of a document, or the sheets of a workbook."""
    overrides = [one for one in _OVERRIDE.findall(types) if any(mark in one for mark in _MAIN_PARTS)]
    return [found[1].decode("utf-8", "replace").lstrip("/") for one in overrides if (found := _PART_NAME.search(one))]


def _check_main_part(archive: zipfile.ZipFile, name: str, names: set[str]) -> None:
    present = next((one for one in names if one.lower() == name.lower()), None)  # names of parts have no case
    if present is None:
        raise refuse("is a damaged Office document", "damaged")
    with archive.open(present) as content:
        if not is_xml(content.read(64)):
            raise refuse("has a part that is not XML, so it cannot be checked", "damaged")


def _check_office_part(archive: zipfile.ZipFile, name: str, check: PartCheck) -> None:
    """Check a part of an Office document, whatever its name: names are declared by other parts."""
    with archive.open(name) as content:
        head = content.read(64)
    is_required = name.lower().endswith((".xml", ".rels"))
    if is_required or is_xml(head):
        check.check_office(_part(archive, name), is_required=is_required)
    elif head.startswith(_PROGRAM_FILES) and not name.lower().endswith(".odttf"):  # a font that is made unreadable
        raise refuse("has other files packed into it, which may be programs", "embedded-files")
    elif head.startswith(_COMPOUND):
        embedded = _part(archive, name)
        if _PACKED in embedded:
            raise refuse("has other files packed into it, which may be programs", "embedded-files")
        if _PROJECT in embedded:
            raise macros()


def _check_open_document(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], names: set[str]) -> Findings:
    first = min(entries, key=lambda one: one.header_offset)
    kind = _part(archive, "mimetype").strip()
    if first.filename != "mimetype" or first.compress_type != zipfile.ZIP_STORED:
        raise refuse("is a damaged OpenDocument file", "damaged")
    if kind != ODT.encode():
        known = {b"spreadsheet": "an OpenDocument spreadsheet", b"presentation": "an OpenDocument presentation"}
        raise unsupported(next((what for end, what in known.items() if kind.endswith(end)), "an unknown document"))
    if "content.xml" not in names or "META-INF/manifest.xml" not in names:
        raise refuse("is a damaged OpenDocument file", "damaged")
    if b"encryption-data" in _part(archive, "META-INF/manifest.xml"):
        raise encrypted()
    if any(name.lower().startswith(("basic/", "scripts/")) and not name.endswith("/") for name in names):
        raise macros()
    findings = Findings(ODT)
    check = PartCheck(findings)
    for name in sorted(names):
        if name.endswith(("content.xml", "styles.xml")):
            check.check_open_document(_part(archive, name))
    if any(name.startswith(("Object ", "ObjectReplacements/")) for name in names):
        findings.warnings.append(EMBEDDED)
    return findings


def _check_plain(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], check_document: CheckDocument) -> Findings:
    for one in entries:
        path = PurePosixPath(one.filename.replace("\\", "/").rstrip(". "))  # Windows drops them
        extension = path.suffix.lower().lstrip(".").strip()
        if extension in PROGRAM_EXTENSIONS or path.name.lower() in ("autorun.inf", "desktop.ini"):
            raise refuse(f"has a program or a page in it: {one.filename[:100]!r}", "programs")
        if extension in ARCHIVE_EXTENSIONS:
            raise refuse(f"has another archive in it: {one.filename[:100]!r}", "bomb")
        if one.is_dir():
            continue
        with archive.open(one) as content:
            head = content.read(8)
        if extension in DOCUMENT_EXTENSIONS or head == _COMPOUND:
            with archive.open(one) as content:
                check_document(content, one.filename)
        elif head.startswith((*_PROGRAMS, *_ARCHIVES)):
            raise refuse(f"has a program or archive under another name: {one.filename[:100]!r}", "programs")
    return Findings(ZIP)
