"""The check of ZIP archives, and of the documents that are archives: DOCX, XLSX and ODT."""

import re
import stat
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import IO

from services.ingest.files.rules import (
    ARCHIVE_EXTENSIONS,
    DOCX,
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

CHUNK_BYTES = 1024 * 1024
DOCUMENT_EXTENSIONS = ("pdf", "doc", "docx", "xls", "xlsx", "odt")
"""Documents in an archive that are checked as if they were uploaded themselves."""
_TYPES = "[Content_Types].xml"
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
_EXTERNAL = re.compile(rb"<(?:[\w]+:)?Relationship\b[^>]*>")
_HARMLESS_LINKS = (b"/hyperlink", b"/image", b"/externalLinkPath", b"/externalLink", b"/video", b"/audio", b"/media")
_INSTRUCTIONS = re.compile(rb"<w:instrText\b[^>]*>([^<]*)<|w:instr=\"([^\"]*)\"")
_DDE = re.compile(rb"\bDDE(?:AUTO)?\b", re.IGNORECASE)
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
    if ends[0][0] != 0 or len(archive.comment) > 1_000:
        raise refuse("has data before or after the archive", "polyglot")
    if any(end > begin for (_, end), (begin, _) in pairwise(ends)):
        raise refuse("has entries that overlap, as only archives have that attack", "bomb")
    if ends[-1][1] > archive.start_dir:
        raise refuse("is a damaged ZIP archive", "damaged")
    for one in entries:
        _check_entry(one)
    if len({one.filename for one in entries}) < len(entries):
        raise refuse("has two entries of the same name", "polyglot")


def _check_entry(entry: zipfile.ZipInfo) -> None:
    if entry.flag_bits & 0x41:  # encrypted, with or without strong encryption
        raise encrypted()
    name = entry.orig_filename
    if len(name.encode("utf-8", "replace")) > ENTRY_NAME_BYTES_MAX or re.search(r"[\x00-\x1f\x7f\u202a-\u202e]", name):
        raise refuse("has an entry with an invalid name", "entry-name")
    if name.startswith(("/", "\\")) or _DRIVE.match(name) or ".." in re.split(r"[/\\]", name):
        raise refuse(f"has an entry outside of its folder: {name[:100]!r}", "entry-name")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise refuse(f"has a symbolic link: {name[:100]!r}", "entry-name")


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
    findings = Findings(found[0])
    for name in sorted(names):
        if name.endswith(".rels"):
            _check_relationships(_part(archive, name), findings)
        elif name.startswith("word/") and name.endswith(".xml"):
            fields = b"".join(one or other for one, other in _INSTRUCTIONS.findall(_part(archive, name)))
            if _DDE.search(fields):
                raise refuse("has a field that starts programs (DDE)", "macros")
    if any("/embeddings/" in name for name in parts):
        findings.warnings.append("has other files embedded, which are not checked")
    return findings


def _check_relationships(part: bytes, findings: Findings) -> None:
    for one in _EXTERNAL.findall(part):
        if b'"External"' not in one and b"'External'" not in one:
            continue
        kind = re.search(rb"Type\s*=\s*[\"']([^\"']*)", one)
        if kind is None or not kind[1].endswith(_HARMLESS_LINKS):
            raise refuse("loads a template or object from elsewhere when it is opened", "external-content")
        if not kind[1].endswith(b"/hyperlink"):
            warning = "refers to pictures or workbooks elsewhere, which are loaded when it is opened"
            if warning not in findings.warnings:
                findings.warnings.append(warning)


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
    if any(name.startswith(("Basic/", "Scripts/")) and not name.endswith("/") for name in names):
        raise macros()
    findings = Findings(ODT)
    if any(name.startswith(("Object ", "ObjectReplacements/")) for name in names):
        findings.warnings.append("has other files embedded, which are not checked")
    return findings


def _check_plain(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], check_document: CheckDocument) -> Findings:
    for one in entries:
        path = PurePosixPath(one.filename.replace("\\", "/"))
        extension = path.suffix.lower().lstrip(".").strip()
        if extension in PROGRAM_EXTENSIONS or path.name.lower() == "autorun.inf":
            raise refuse(f"has a program or a page in it: {one.filename[:100]!r}", "programs")
        if extension in ARCHIVE_EXTENSIONS:
            raise refuse(f"has another archive in it: {one.filename[:100]!r}", "bomb")
        if extension in DOCUMENT_EXTENSIONS:
            with archive.open(one) as content:
                check_document(content, one.filename)
        elif not one.is_dir():
            with archive.open(one) as content:
                head = content.read(8)
            if head.startswith((b"MZ", b"\x7fELF", b"PK\x03\x04", b"\xcf\xfa\xed\xfe", b"#!")):
                raise refuse(f"has a program or archive under another name: {one.filename[:100]!r}", "programs")
    return Findings(ZIP)
