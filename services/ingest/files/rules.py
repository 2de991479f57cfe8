"""What is common to the checks of uploaded documents: types, bounds and findings. Pure.

A newsroom passes on what agencies send it, and its readers open it. So a file is accepted only if its structure is that
of a type without programs: what cannot be checked, such as an encrypted file, is refused like what is known to be bad.
"""

from dataclasses import dataclass, field

import msgspec

PDF = "application/pdf"
DOC = "application/msword"
XLS = "application/vnd.ms-excel"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODT = "application/vnd.oasis.opendocument.text"
ZIP = "application/zip"
EXTENSIONS = {PDF: "pdf", DOC: "doc", XLS: "xls", DOCX: "docx", XLSX: "xlsx", ODT: "odt", ZIP: "zip"}
"""The types that are accepted, with the extensions of their names."""
SUPPORTED = "supported types are PDF, DOC, DOCX, XLS, XLSX, ODT and ZIP"

ENTRIES_MAX = 10_000
UNPACKED_BYTES_MAX = 1024**3
RATIO_MAX = 100
"""Unpacked by packed bytes. Text is packed to a tenth, a table of zeros to a thirtieth."""
RATIO_FREE_BYTES = 10 * 1024**2
"""An archive that unpacks to less may have any ratio: a small form may consist of empty cells."""
ENTRY_NAME_BYTES_MAX = 1_000
PART_BYTES_MAX = 64 * 1024**2
"""Of a part of a document that is read."""

WARNINGS = {
    "has other files attached, which are not checked": "có tệp khác đính kèm, không được kiểm tra",
    "has a form that some programs do not show": "có biểu mẫu mà một số chương trình không hiện",
    "refers to pictures or workbooks elsewhere, which are loaded when it is opened": "dùng ảnh hoặc bảng tính ở nơi "
    "khác, được tải về khi mở tệp",
    "has other files embedded, which are not checked": "có tệp khác nhúng bên trong, không được kiểm tra",
}
"""What an editor should know of an accepted file: {in English, as it is stored: in Vietnamese}."""
ATTACHED, FORM, LOADED, EMBEDDED = WARNINGS

HTML_MARKS = (b"<html", b"<!doctype html", b"<script", b"<svg", b"<head", b"<body", b"<iframe", b"<?php")
"""What makes a browser or server that guesses types take a file for a page."""
_PROGRAM_EXTENSIONS = """
accdb ade adp apk app appcontent-ms application appref-ms appx asp aspx bash bat cdxml cer chm class cmd com command
cpl crt crx csh deb desktop diagcab dll dmg docm dot dotm dqy exe fileloc fodt fxp gadget grp hlp hta htm html img
inetloc inf ipa iqy iso its jar jnlp js jse jsp ksh library-ms lnk mad maf mdb mde mht mhtml mjs msc msi msix msp
msu odc one onepkg oqy osd pcd php phtml pif pkg pl potm ppa ppam pps pptm printerexport ps1 ps1xml psc1 psd1 psm1
py pyw rb rdp reg rpm rqy rtf scf scr sct search-ms settingcontent-ms sh shb shs shtml sldm slk svg svgz swf
terminal theme themepack url vb vbe vbs vhd vhdx vsto vxd wbk webloc website wiz workflow ws wsc wsf wsh xbap xht
xhtml xla xlam xll xlm xlsb xlsm xlt xltm xml xpi xsl xslt
"""
PROGRAM_EXTENSIONS = frozenset(_PROGRAM_EXTENSIONS.split())
"""Files that run, or that browsers show as pages, in an archive."""
ARCHIVE_EXTENSIONS = frozenset(
    ("zip", "rar", "7z", "gz", "tgz", "bz2", "xz", "zst", "tar", "cab", "arj", "lzh", "ace", "z")
)


class FileError(ValueError):
    """A refused file; the message continues "The file …"."""

    def __init__(
        self, message: str, code: str, status: int = 422, limit: int | None = None, size: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        """A stable name of the reason, such as `macros`."""
        self.status = status
        self.limit = limit
        self.size = size


@dataclass
class Findings:
    """What is found out about an accepted file: its type, and what its editor should know."""

    type: str
    warnings: list[str] = field(default_factory=list)


def refuse(message: str, code: str) -> FileError:
    """Return the error of a file that is dangerous or damaged."""
    return FileError(message, code)


def macros() -> FileError:
    """Return the error of a document with a program in it."""
    return FileError("has macros; save it as a document without macros, such as .docx, .xlsx or PDF", "macros")


def encrypted() -> FileError:
    """Return the error of a file that needs a password."""
    return FileError(
        "is encrypted or protected by a password: it cannot be checked, and visitors could not open it", "encrypted"
    )


def unsupported(what: str) -> FileError:
    """Return the error of another type of file."""
    return FileError(f"is {what}; {SUPPORTED}", "unsupported-type", 415)


class InspectedFile(msgspec.Struct, frozen=True):
    """An accepted file: its type, and what its editor should know."""

    type: str
    warnings: list[str] = []


class RejectedFile(msgspec.Struct, frozen=True):
    """Why a file was refused; the message continues "The file …"."""

    error: str
    code: str
    status: int
    limit: int | None = None
    size: int | None = None
