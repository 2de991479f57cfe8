"""The XML in Office and OpenDocument files: what in it starts programs, or loads something when a file is opened. Pure.

The parts are parsed, not searched: a prefix, an entity, a character reference or UTF-16 would hide from a search what
Office and LibreOffice read.
"""

import re
from collections.abc import Mapping
from typing import Any
from xml.parsers import expat

from services.ingest.files.rules import EMBEDDED, LOADED, FileError, Findings, macros, refuse

MARKS = (b"<", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\0<")
"""How a part of XML may begin, white space aside."""
_HARMLESS_LINKS = ("/hyperlink", "/image", "/externalLinkPath", "/externalLink", "/video", "/audio", "/media")
_FIELDS = frozenset(("instrText", "delInstrText"))
_DDE = re.compile(r"\bDDE(?:AUTO)?\b", re.IGNORECASE)
_QUOTE = re.compile(r"\bQUOTE((?:\s+\d{2,3})+)", re.IGNORECASE)
"""A field that writes characters by their numbers, such as `DDE`."""
_LOADING = re.compile(r"\b(?:LINK \S+|INCLUDETEXT|RD) \"? ?(?P<target>[^ \"]+)", re.IGNORECASE)
"""Fields that show a part of another file."""
_PICTURES = re.compile(r"\b(?:INCLUDEPICTURE|INCLUDE|IMPORT) \"? ?(?P<target>[^ \"]+)", re.IGNORECASE)
_ON_A_SERVER = re.compile(r"(?:https?|ftp|file|webdav):|//|\\\\", re.IGNORECASE)
_ELSEWHERE = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*:|//|\\\\)", re.IGNORECASE)
_SCRIPT = re.compile(r"\s*(?:vnd\.sun\.star\.(?:script|expand)|macro|javascript|service):", re.IGNORECASE)
_MATTER = (b"<!", b"Relationship", b"nstrText", b"fldSimple", b"ddeLink", b"oleLink", b"connection")
"""In what an Office document has: what is checked, and declarations of entities."""
_RUN = frozenset(("event-listener", "plugin", "applet", "dde-source", "dde-connection-decl"))
_LOAD = frozenset(("object", "object-ole", "floating-frame", "section-source"))


def is_xml(head: bytes) -> bool:
    """Return whether the beginning of a part may be that of XML."""
    return head.lstrip(b" \t\r\n").startswith(MARKS)


class PartCheck:
    """The check of the parts of one document.

    Args:
        findings: Gets the warnings.
    """

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._fields: list[str] = []

    def check_office(self, content: bytes, *, is_required: bool) -> None:
        """Check a part of a Word document or a workbook.

        Args:
            content: The part.
            is_required: It has to be XML. Otherwise it may be something else that looks like it.

        Raises:
            FileError: it starts programs, loads a template or object from elsewhere, or is damaged.
        """
        if not _may_matter(content):
            return
        self._fields = []
        _parse(content, self._office_element, self._fields, is_required=is_required)
        self._check_fields("".join(self._fields))

    def _check_fields(self, fields: str) -> None:
        """Check the instructions of all fields of a part. A field may write another one with `QUOTE`."""
        written = ["".join(chr(int(one)) for one in found[1].split()) for found in _QUOTE.finditer(fields)]
        if _DDE.search(fields) or any("DDE" in one.upper() for one in written):
            raise refuse("has a field that starts programs (DDE)", "macros")
        shown = _QUOTE.sub(lambda found: "".join(chr(int(one)) for one in found[1].split()), fields)
        shown = " ".join(shown.split())
        if any(_ON_A_SERVER.match(found["target"]) for found in _LOADING.finditer(shown)):
            raise refuse("loads a part of another file from a server when it is opened", "external-content")
        if any(_ON_A_SERVER.match(found["target"]) for found in _PICTURES.finditer(shown)):
            self._warn(LOADED)

    def check_open_document(self, content: bytes) -> None:
        """Check a part of an OpenDocument file.

        Raises:
            FileError: like `check_office`.
        """
        _parse(content, self._open_document_element, [], is_required=True)

    def _office_element(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "Relationship":
            self._check_relationship(attributes)
        elif name == "fldSimple":
            self._fields.append(attributes.get("instr", ""))
        elif name == "ddeLink":
            raise refuse("has a link that starts programs (DDE)", "macros")
        elif name == "oleLink":
            raise refuse("loads an object from elsewhere when it is opened", "external-content")
        elif name == "connection":
            self._warn(LOADED)

    def _check_relationship(self, attributes: Mapping[str, str]) -> None:
        kind = attributes.get("Type", "")
        if kind.lower().endswith("vbaproject"):
            raise macros()
        if kind.endswith("/aFChunk"):
            self._warn(EMBEDDED)
        if attributes.get("TargetMode", "").strip().lower() != "external":
            return
        if not kind.endswith(_HARMLESS_LINKS):
            raise refuse("loads a template or object from elsewhere when it is opened", "external-content")
        if not kind.endswith("/hyperlink"):
            self._warn(LOADED)

    def _open_document_element(self, name: str, attributes: Mapping[str, str]) -> None:
        target = attributes.get("href", "")
        if name in _RUN or _SCRIPT.match(target):
            raise macros()
        if target and name in _LOAD and _ELSEWHERE.match(target):
            raise refuse("loads an object from elsewhere when it is opened", "external-content")
        if target and name.endswith("image") and _ELSEWHERE.match(target):
            self._warn(LOADED)

    def _warn(self, message: str) -> None:
        if message not in self._findings.warnings:
            self._findings.warnings.append(message)


def _may_matter(content: bytes) -> bool:
    """Return whether a part may have one of the elements that matter; sheets of a hundred megabytes have none.

    Names of elements have no character references, so they are found as they are unless the encoding is another one.
    """
    head = content[:200].lower()
    is_utf8 = not head.startswith(MARKS[2:4]) and b"\0" not in head
    if b"encoding" in head:
        is_utf8 = is_utf8 and b"utf-8" in head
    return not is_utf8 or any(name in content for name in _MATTER)


def _parse(content: bytes, on_element: Any, fields: list[str], *, is_required: bool) -> None:
    """Call `on_element` with the name and attributes of each element, both without prefixes; collect texts of fields.

    Raises:
        FileError: as `on_element` raises, and for XML with a document type, or for no XML where it is required.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.ordered_attributes = True
    is_field = False

    def start(tag: str, attributes: list[str]) -> None:
        nonlocal is_field
        name = tag.rpartition(":")[2]
        is_field = name in _FIELDS
        named = {key.rpartition(":")[2]: one for key, one in zip(attributes[::2], attributes[1::2], strict=True)}
        on_element(name, named)

    def end(_: str) -> None:
        nonlocal is_field
        is_field = False

    def text(found: str) -> None:
        if is_field:
            fields.append(found)

    def refuse_entities(*_: Any) -> None:
        raise refuse("has entities in its XML, which Office never writes", "damaged")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.EntityDeclHandler = refuse_entities
    try:
        parser.Parse(content, True)
    except FileError:
        raise
    except (expat.ExpatError, LookupError, ValueError) as error:
        if is_required:
            raise refuse("has a part that is not XML, so it cannot be checked", "damaged") from error
