"""Splits exports in JSON into the items of their lists, each parsed by itself: a fault costs only its item. Pure.

A file is never decoded as a whole: the positions of its items are found by their brackets, 16 bytes for each item, so
that an export of any size takes little memory. What precedes a fault or the end of a file that is cut off is read.
"""

import json
import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from services.ingest.imports.item import Content, FormatError, ImportItem, ItemOrError, ReadContext, read_one
from services.ingest.imports.limits import JSON_BYTES_PER_VALUE, check_json_values
from services.ingest.imports.text_repair import (
    DecodingError,
    decode_text,
    repair_value,
    repair_warnings,
    value_to_unicode,
)
from services.ingest.imports.warnings import ItemWarning

ITEM_BYTES_MAX = 32 * 1024 * 1024
DEPTH_MAX = 1_000
ITEMS_MAX = 200_000
"""A file may have more in proportion to its size: articles consist of long texts."""
HEAD_BYTES_MAX = 64 * 1024
KEY_BYTES_MAX = 300
_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z))*+([\[\]{}])', re.DOTALL)
_KEY = re.compile(rb'"((?:[^"\\]|\\.)*)"\s*:\s*\Z', re.DOTALL)
_TABLE_COMMENT = re.compile(rb"//[^\n]*?[.]([\w-]+)\s*\Z")
"""What phpMyAdmin before 4.8 writes above each table."""


@dataclass
class JsonList:
    """A list of a file."""

    name: str
    """Its key, or the table in the comment above it; "" for none."""
    head: bytes = b""
    """What precedes it in the object that has it, from the opening bracket."""
    starts: "array[int]" = field(default_factory=lambda: array("Q"))
    ends: "array[int]" = field(default_factory=lambda: array("Q"))


@dataclass
class JsonFile:
    """The lists of a file."""

    content: Content
    lists: list[JsonList]
    is_cut_off: bool = False

    def items(self, one: JsonList) -> Iterator[bytes]:
        """Yield the items of a list, as they are in the file."""
        for start, end in zip(one.starts, one.ends, strict=True):
            yield self.content[start:end]

    def rows(self, *names: str) -> Iterator[dict[str, Any]]:
        """Yield the objects of the lists with one of the names; those that cannot be read are left out."""
        for one in self.lists:
            if one.name in names:
                for raw in self.items(one):
                    try:
                        row = decode(raw)
                    except FormatError:
                        continue
                    if isinstance(row, dict):
                        yield row


def as_utf8(content: Content) -> Content:
    """Return content without a byte order mark and in UTF-8, unless it is in an encoding of one byte.

    Raises:
        FormatError: its encoding is unknown.
    """
    if content[:3] == b"\xef\xbb\xbf":
        return content[3:]
    if b"\0" not in content[:200] and content[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        return content
    try:
        return decode_text(content[:]).text.encode("utf-8", "replace")
    except DecodingError as error:
        raise FormatError(str(error)) from error


def open_json(content: Content, names: frozenset[str]) -> JsonFile:
    """Find the lists with some names and their items.

    Args:
        content: A file.
        names: Keys of lists; "" for one that is in no object.

    Raises:
        FormatError: it is not JSON, or has too many items.
    """
    content = as_utf8(content)
    if not content[:HEAD_BYTES_MAX].strip():
        raise FormatError("is empty")
    scan = _Scan(content, names)
    position = 0
    while (found := _BRACKET.match(content, position)) is not None:
        position = found.end()
        scan.bracket(found[1], position - 1)
    if not scan.is_begun:
        raise FormatError("is not JSON: it has neither an object nor a list")
    return JsonFile(content, scan.lists, scan.is_open)


class _Scan:
    """Keeps track of the brackets of a file, from its beginning."""

    def __init__(self, content: Content, names: frozenset[str]) -> None:
        self.lists: list[JsonList] = []
        self.is_begun = False
        self._content = content
        self._names = names
        self._items_max = max(ITEMS_MAX, len(content) // JSON_BYTES_PER_VALUE)
        self._items = 0
        self._opened: list[int] = []
        self._list: JsonList | None = None
        self._depth = 0
        self._from = 0

    @property
    def is_open(self) -> bool:
        """Whether brackets are missing."""
        return self._list is not None or bool(self._opened)

    def bracket(self, one: bytes, position: int) -> None:
        """Take note of the next bracket."""
        self.is_begun = True
        if self._list is not None:
            self._of_list(self._list, one, position)
        elif one in b"]}":
            if self._opened:
                self._opened.pop()
        elif one == b"[" and self._is_wanted(name := self._name(position)):
            head = self._content[self._opened[-1] : position][:HEAD_BYTES_MAX] if self._opened else b""
            self._list, self._from = JsonList(name, head), position + 1
            self.lists.append(self._list)
        else:
            self._opened.append(position)
            if len(self._opened) > DEPTH_MAX:
                raise FormatError("is not JSON that can be read: it is nested too deep")

    def _is_wanted(self, name: str) -> bool:
        return name in self._names or ("" in self._names and not self._opened)

    def _of_list(self, found: JsonList, one: bytes, position: int) -> None:
        if one in b"[{":
            if self._depth == 0:
                self._add_other(found, position)
                self._from = position
            self._depth += 1
        elif self._depth == 0:
            self._add_other(found, position)
            self._list = None
        else:
            self._depth -= 1
            if self._depth == 0:
                self._add(found, self._from, position + 1)
                self._from = position + 1

    def _add_other(self, found: JsonList, position: int) -> None:
        """Add what is between two items and is more than a comma: an item that is no object."""
        if position - self._from > 1 or self._from == position - 1:
            between = self._content[self._from : min(position, self._from + HEAD_BYTES_MAX)]
            if between.strip(b", \t\r\n"):
                self._add(found, self._from, position)

    def _add(self, found: JsonList, start: int, end: int) -> None:
        self._items += 1
        if self._items > self._items_max:
            raise FormatError(f"must have at most {self._items_max:,} items; split it")
        found.starts.append(start)
        found.ends.append(end)

    def _name(self, position: int) -> str:
        before = self._content[max(0, position - KEY_BYTES_MAX) : position]
        found = _KEY.search(before) if self._opened else _TABLE_COMMENT.search(before)
        return found[1].decode("utf-8", "replace") if found else ""


def decode(content: Content) -> Any:
    """Return JSON. Control characters and half surrogate pairs are accepted: the items are repaired.

    Raises:
        FormatError: it is not JSON, or has too many values.
    """
    content = content[:]
    if len(content) > ITEM_BYTES_MAX:
        raise FormatError(f"must have at most {ITEM_BYTES_MAX:,} bytes (got {len(content):,})")
    check_json_values(content)
    try:
        return msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = error
    try:
        return json.loads(decode_text(content).text, strict=False)
    except (DecodingError, ValueError, RecursionError) as error:
        named = error if isinstance(error, DecodingError) else f"is not JSON: {reason}"
        raise FormatError(str(named)) from error


def read_items(
    file: JsonFile,
    items: Iterator[bytes],
    read: Callable[[object, str], ImportItem],
    unit: str,
    context: ReadContext | None = None,
) -> Iterator[ItemOrError]:
    """Read items one by one; an unreadable one does not prevent the others."""
    for number, raw in enumerate(items, 1):
        if context is not None:
            context.bytes_read += len(raw)
        yield read_one(raw, lambda one, place: read(decode(one), place), f"{unit} {number}")  # type: ignore[arg-type]


def repaired(
    read: Callable[[Any, str, list[ItemWarning]], ImportItem],
) -> Callable[[object, str], ImportItem]:
    """Return a function that repairs the texts of an item before it reads it, with a warning about each repair."""

    def read_repaired(item: object, place: str) -> ImportItem:
        removed: list[str] = []
        item, of_fonts = value_to_unicode(item)
        return read(repair_value(item, removed), place, [*of_fonts, *repair_warnings(removed)])

    return read_repaired
