"""Kafka records → columns: decode, validate, and reject records that cannot be counted. Pure.

A batch is a table: one row for each valid event, one array for each field. Names (sites, articles, reasons) are
dictionary-encoded: numbers that are indexes of lists of names. Later code works on columns, never on single events.
"""

from binascii import unhexlify
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, get_type_hints

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.stats.counting.pages import page_of
from shared.events import AGE_MS_MAX, AHEAD_MS_MAX, PageEvent, SiteSlug
from shared.sites import Site

VALUE_BYTES_MAX = 8_192
"""Many times the size of the largest valid event; a larger value is not decoded."""
VIEW, PING, LEAVE = range(3)
NO_VISITOR = "0" * 16
NO_DIGIT = 255
CHUNK_RECORDS = 1_000
"""Events become columns while they are still in the processor's cache."""

Integers: TypeAlias = NDArray[np.int64]
Unsigned: TypeAlias = NDArray[np.uint64]
Flags: TypeAlias = NDArray[np.bool_]


class RawRecord(NamedTuple):
    """One Kafka record of `page-views`."""

    offset: int
    arrived: int
    """When Kafka received it: milliseconds since 1970 UTC."""
    value: bytes | None


@dataclass(slots=True, frozen=True)
class RawBatch:
    """RawBatch of one partition, in order, as columns: a tuple for each would take as long as decoding it."""

    offset: Integers
    arrived: Integers
    values: Sequence[bytes | None]

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.values)

    def __getitem__(self, rows: slice) -> "RawBatch":
        """Return a slice of the records."""
        return RawBatch(self.offset[rows], self.arrived[rows], self.values[rows])

    @classmethod
    def of(cls, records: Sequence[RawRecord]) -> "RawBatch":
        """Turn records into columns."""
        offsets, arrived, values = zip(*records, strict=True) if records else ((), (), ())
        return cls(np.array(offsets, np.int64), np.array(arrived, np.int64), values)

    @classmethod
    def fetched(cls, records: Sequence[Any], *, arrived_together: bool = False) -> "RawBatch":
        """Turn aiokafka's records of one partition into columns."""
        first, count = records[0].offset, len(records)
        if records[-1].offset - first + 1 == count:  # no holes, as compaction and transactions leave them
            offset = np.arange(first, first + count, dtype=np.int64)
        else:
            offset = np.array([record.offset for record in records], np.int64)
        if arrived_together:
            arrived = np.full(count, records[0].timestamp, np.int64)
        else:
            arrived = np.array([record.timestamp for record in records], np.int64)
        return cls(offset, arrived, [record.value for record in records])

    @classmethod
    def joined(cls, parts: Sequence["RawBatch"]) -> "RawBatch":
        """Return records that follow each other as one batch; there is at least one part."""
        if len(parts) == 1:
            return parts[0]
        values = [value for part in parts for value in part.values]
        offset, arrived = (np.concatenate([getattr(part, name) for part in parts]) for name in ("offset", "arrived"))
        return cls(offset, arrived, values)


UNKNOWN_SITE_REASON = "unknown-site"


class DeadLetter(NamedTuple):
    """A record that cannot be counted, and the reason."""

    offset: int
    reason: str
    value: bytes | None


class Rejection(NamedTuple):
    """A dead letter with the data of its ledger entry: site is None if it is unknown."""

    dead_letter: DeadLetter
    site: str | None
    arrived: int


@dataclass(slots=True, frozen=True)
class EventBatch:
    """Valid events of one partition, in order, as columns of equal length."""

    offset: Integers
    arrived: Integers
    at: Integers
    kind: Integers
    site: Integers
    article: Integers
    """0: no article. A human view without an article has the name of its page (`pages`)."""
    bot: Integers
    """0: a person."""
    id_hash: Unsigned
    """Together with `id_low` it is equivalent to the id; alone it is a good hash."""
    id_low: Unsigned
    visitor: Unsigned
    has_visitor: Flags
    visitor_prev: Unsigned
    has_prev: Flags
    referrer: Integers
    """0: none."""
    client: Unsigned
    has_client: Flags
    sites: list[Site]
    articles: list[str]
    bots: list[str]
    referrers: list[str | None]
    rejections: list[Rejection]

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.offset)


def _without_pattern(event: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """Return the same struct without the pattern of `site`, which takes a third of the decoding; `decode` checks it."""
    hints = get_type_hints(event, include_extras=True) | {"site": str}
    fields = [
        (one.name, hints[one.name]) if one.required else (one.name, hints[one.name], one.default)
        for one in msgspec.structs.fields(event)
    ]
    return msgspec.defstruct(event.__name__, fields, frozen=True, gc=False, kw_only=True)


_Decoded = _without_pattern(PageEvent)
_FIELDS = _Decoded.__struct_fields__
_astuple: Callable[[PageEvent], tuple[Any, ...]] = msgspec.structs.astuple
_decode: Callable[[bytes], PageEvent] = msgspec.json.Decoder(_Decoded).decode  # type: ignore[assignment]
_KINDS = {"view": VIEW, "ping": PING, "leave": LEAVE}

_NIBBLES = np.full(256, NO_DIGIT, np.uint8)
for _digit in range(16):
    _NIBBLES[ord(f"{_digit:x}")] = _NIBBLES[ord(f"{_digit:X}")] = _digit
_UUID_HYPHENS = [8, 13, 18, 23]
_UUID_DIGITS = [row for row in range(36) if row not in _UUID_HYPHENS]
_ID_MIXER = np.uint64(0x9E3779B97F4A7C15)


def decode(records: RawBatch, sites: Mapping[str, Site]) -> EventBatch:
    """Decode records of one partition; those that cannot be counted are in `rejections`."""
    rejections: list[Rejection] = []
    dictionaries = {name: _Dictionary() for name in ("site", "kind")}
    dictionaries |= {name: _Dictionary(None) for name in ("article", "bot", "referrer")}
    parts = []
    for begin in range(0, len(records), CHUNK_RECORDS):
        rows, events = _decode_all(records, begin, rejections)
        if events:
            parts.append(_columns(rows, events, dictionaries))
    if not parts:
        return _empty(rejections)
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    names = {name: list(numbers) for name, numbers in dictionaries.items()}
    rows, malformed = columns.pop("row"), columns.pop("malformed")
    columns |= {"offset": records.offset[rows], "arrived": records.arrived[rows]}
    columns["kind"] = np.array([_KINDS[kind] for kind in names["kind"]], np.int64)[columns["kind"]]
    unknown = [row for row, name in enumerate(names["site"]) if name not in sites]
    misnamed = [row for row in unknown if not _is_slug(names["site"][row])]
    invalid = {
        field: [row for row, name in enumerate(names[field]) if not _is_storable(name)] for field in ("article", "bot")
    }
    reasons = {  # the last one that applies is used
        "too-old": columns["at"] < columns["arrived"] - AGE_MS_MAX,
        "future": columns["at"] > columns["arrived"] + AHEAD_MS_MAX,
        "nul-character": _is_in(columns["article"], invalid["article"]) | _is_in(columns["bot"], invalid["bot"]),
        UNKNOWN_SITE_REASON: _is_in(columns["site"], unknown),
        "schema": malformed | _is_in(columns["site"], misnamed),
    }
    rejected = {int(row): reason for reason, bad in reasons.items() if bad.any() for row in np.flatnonzero(bad)}
    for row, reason in rejected.items():
        site = None if reason in ("schema", UNKNOWN_SITE_REASON) else names["site"][columns["site"][row]]
        rejections.append(_rejection(records, int(rows[row]), reason, site))
    if rejected:
        rejections.sort(key=lambda rejection: rejection.dead_letter.offset)
        valid = np.array([row not in rejected for row in range(len(rows))])
        columns = {name: column[valid] for name, column in columns.items()}
    if unknown:  # a faulty program may name any number of them, and later code has a row for each site
        is_known = np.array([name in sites for name in names["site"]])
        columns["site"] = (np.cumsum(is_known) - 1)[columns["site"]]
    return EventBatch(
        **columns,
        sites=[sites[name] for name in names["site"] if name in sites],
        articles=names["article"],
        bots=names["bot"],
        referrers=names["referrer"],
        rejections=rejections,
    )


def _is_slug(name: str) -> bool:
    try:
        msgspec.convert(name, SiteSlug)
    except msgspec.ValidationError:
        return False
    return True


def _rejection(records: RawBatch, row: int, reason: str, site: str | None) -> Rejection:
    letter = DeadLetter(int(records.offset[row]), reason, records.values[row])
    return Rejection(letter, site, int(records.arrived[row]))


def _decode_all(records: RawBatch, begin: int, rejections: list[Rejection]) -> tuple[Integers, list[PageEvent]]:
    """Decode a chunk; return the row numbers and the events of readable records."""
    values: Any = records.values[begin : begin + CHUNK_RECORDS]
    rows = np.arange(begin, begin + len(values))
    try:
        if max(map(len, values)) <= VALUE_BYTES_MAX:
            return rows, list(map(_decode, values))
    except (TypeError, msgspec.DecodeError, UnicodeDecodeError):
        pass
    decoded = [_decode_one(value) for value in values]
    rejections += [
        _rejection(records, begin + row, event, None) for row, event in enumerate(decoded) if isinstance(event, str)
    ]
    readable = [not isinstance(event, str) for event in decoded]
    return rows[readable], [event for event in decoded if not isinstance(event, str)]


def _decode_one(value: bytes | None) -> PageEvent | str:
    """Return the event, or the reason why it is rejected."""
    if value is None:
        return "null"
    if len(value) > VALUE_BYTES_MAX:
        return "oversize"
    try:
        return _decode(value)
    except msgspec.ValidationError:
        return "schema"
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "not-json"


class _Dictionary(dict[Any, int]):
    """Assigns a number to each name in the order of appearance; `first` are the first ones."""

    def __init__(self, *first: Any) -> None:
        super().__init__()
        for name in first:
            self[name]

    def __missing__(self, name: Any) -> int:
        number = self[name] = len(self)
        return number

    def column(self, names: Sequence[Any]) -> Integers:
        """Return the names' numbers."""
        if names.count(names[0]) == len(names):  # one site, no bot: the usual case needs no loop
            return np.full(len(names), self[names[0]], np.int64)
        return np.array(list(map(self.__getitem__, names)), np.int64)


def _columns(rows: Integers, events: list[PageEvent], dictionaries: dict[str, _Dictionary]) -> dict[str, Any]:
    """Return a chunk's columns, with its row numbers among the records, and which events are malformed."""
    fields = dict(zip(_FIELDS, zip(*map(_astuple, events), strict=True), strict=True))
    halves, malformed = _uuids(fields["id"])
    has_visitor, visitor, bad_visitors = _visitor_ids(fields["visitor"])
    has_prev, visitor_prev, bad_before = _visitor_ids(fields["visitor_prev"])
    has_client, client, bad_clients = _visitor_ids(fields["client"])
    if None in fields["article"]:
        fields["article"] = tuple(map(_article_or_page, events))
    return {
        "row": rows,
        "malformed": malformed | bad_visitors | bad_before | bad_clients,
        "at": np.array(fields["at"], np.int64),
        "site": dictionaries["site"].column(fields["site"]),
        "kind": dictionaries["kind"].column(fields["kind"]),
        "article": dictionaries["article"].column(fields["article"]),
        "bot": dictionaries["bot"].column(fields["bot"]),
        "id_hash": (halves[:, 0] * _ID_MIXER) ^ halves[:, 1],
        "id_low": halves[:, 1],
        "visitor": visitor,
        "has_visitor": has_visitor,
        "visitor_prev": visitor_prev,
        "has_prev": has_prev,
        "referrer": dictionaries["referrer"].column(fields["referrer"]),
        "client": client,
        "has_client": has_client,
    }


def _article_or_page(event: PageEvent) -> str | None:
    if event.article is None and event.kind == "view" and event.bot is None:
        return page_of(event.path)
    return event.article


def _uuids(texts: Sequence[str]) -> tuple[Unsigned, Flags]:
    """Return the halves of UUIDs as rows of two numbers, and which are malformed."""
    characters = _ascii_codes(texts, 36)
    malformed = (characters[:, _UUID_HYPHENS] != ord("-")).any(1)
    if not malformed.any():
        with suppress(ValueError):  # other hyphens, or no digits
            digits = unhexlify(characters.tobytes().translate(None, b"-"))
            return np.frombuffer(digits, ">u8").astype(np.uint64).reshape(-1, 2), malformed
    halves, bad = _parse_hex(characters[:, _UUID_DIGITS])
    return halves, malformed | bad


def _visitor_ids(visitors: Sequence[str | None]) -> tuple[Flags, Unsigned, Flags]:
    """Return which events have a visitor ID, the IDs as numbers, and which are malformed."""
    if not any(visitors):  # the usual case of visitor_prev, except in the hour after midnight
        none = np.zeros(len(visitors), np.bool_)
        return none, np.zeros(len(visitors), np.uint64), none
    has = np.ones(len(visitors), np.bool_)
    texts: Sequence[Any] = visitors
    if None in visitors:
        has = np.array([visitor is not None for visitor in visitors], np.bool_)
        texts = [visitor or NO_VISITOR for visitor in visitors]
    with suppress(ValueError):
        numbers = np.frombuffer(unhexlify("".join(texts)), ">u8").astype(np.uint64)
        return has, numbers, np.zeros(len(visitors), np.bool_)
    packed, bad = _parse_hex(_ascii_codes(texts, 16))
    return has, packed[:, 0], bad


def _ascii_codes(texts: Sequence[str], width: int) -> NDArray[np.uint8]:
    # The schema has checked the lengths; a character beyond ASCII becomes one "?".
    return np.frombuffer("".join(texts).encode("ascii", "replace"), np.uint8).reshape(len(texts), width)


def _parse_hex(characters: NDArray[np.uint8]) -> tuple[Unsigned, Flags]:
    """Parse rows of hexadecimal digits into rows of 64-bit numbers, and return which rows are invalid."""
    nibbles = _NIBBLES[characters]
    pairs = (nibbles[:, ::2] << 4) | nibbles[:, 1::2]
    numbers = np.ascontiguousarray(pairs).view(">u8").astype(np.uint64)
    return numbers, (nibbles == NO_DIGIT).any(1)


def _is_in(column: Integers, numbers: list[int]) -> Flags:
    return np.isin(column, numbers) if numbers else np.zeros(len(column), np.bool_)


def _is_storable(name: str | None) -> bool:
    """Return whether Postgres can store the text: JSON can contain characters that it cannot."""
    try:
        return name is None or b"\0" not in name.encode()
    except UnicodeEncodeError:
        return False


def _empty(rejections: list[Rejection]) -> EventBatch:
    integers, keys, flags = np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros(0, np.bool_)
    columns: dict[str, Any] = dict.fromkeys(
        ("offset", "arrived", "at", "kind", "site", "article", "bot", "referrer"), integers
    )
    columns |= dict.fromkeys(("id_hash", "id_low", "visitor", "visitor_prev", "client"), keys)
    columns |= dict.fromkeys(("has_visitor", "has_prev", "has_client"), flags)
    return EventBatch(
        **columns,
        sites=[],
        articles=[],
        bots=[],
        referrers=[],
        rejections=rejections,
    )
