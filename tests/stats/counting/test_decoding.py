"""Kafka records to columns: valid events, rejections with their reasons, and the numbers of names."""

import json
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from services.stats.counting.decoding import CHUNK_RECORDS, LEAVE, PING, VIEW, RawBatch, RawRecord, decode
from shared.events import AGE_MS_MAX, AHEAD_MS_MAX
from shared.sites import Site, Sites

SITES = Sites(haihau=Site(slug="haihau", name="H", origins=["https://haihau.example"], timezone="Asia/Ho_Chi_Minh"))
NOON = 1_795_496_400_000


def value(number: int, **fields: Any) -> bytes:
    event = {"id": str(UUID(int=number)), "site": "haihau", "kind": "view", "path": "/", "at": NOON, **fields}
    return json.dumps(event).encode()


def batch(*values: bytes | None, arrived: int = NOON) -> RawBatch:
    return RawBatch.of([RawRecord(offset, arrived, one) for offset, one in enumerate(values, 100)])


def test_decode_valid_events_fills_every_column() -> None:
    """Kinds, sites, articles and bots are numbers of names, IDs are 64-bit numbers, and 0 means none."""
    decoded = decode(
        batch(
            value(1, article="bai-1", visitor="00000000000000ff", referrer="zalo.me"),
            value(2, kind="ping", article="bai-2", visitor="f" * 16, visitor_prev="0" * 15 + "1"),
            value(3, kind="leave", bot="crawler"),
        ),
        SITES,
    )
    assert decoded.offset.tolist() == [100, 101, 102]
    assert decoded.kind.tolist() == [VIEW, PING, LEAVE]
    assert [decoded.articles[number] for number in decoded.article.tolist()] == ["bai-1", "bai-2", None]
    assert [decoded.bots[number] for number in decoded.bot.tolist()] == [None, None, "crawler"]
    assert [decoded.referrers[number] for number in decoded.referrer.tolist()] == ["zalo.me", None, None]
    assert decoded.visitor.tolist()[:2] == [255, 2**64 - 1]
    assert decoded.has_visitor.tolist() == [True, True, False]
    assert decoded.visitor_prev.tolist()[1] == 1
    assert decoded.has_prev.tolist() == [False, True, False]
    assert decoded.rejections == []


@pytest.mark.parametrize(
    ("rejected", "reason", "site"),
    [
        (None, "null", None),
        (b"{", "not-json", None),
        (b"x" * 9_000, "oversize", None),
        (value(1, kind="open"), "schema", None),
        (value(1, id="z" * 36), "schema", None),
        (value(1, visitor="g" * 16), "schema", None),
        (value(1, site="elsewhere"), "unknown-site", None),
        (value(1, site="Not A Slug"), "schema", None),
        (value(1, article="a\0b"), "nul-character", "haihau"),
        (value(1, at=NOON + AHEAD_MS_MAX + 1), "future", "haihau"),
        (value(1, at=NOON - AGE_MS_MAX - 1), "too-old", "haihau"),
    ],
)
def test_decode_invalid_record_is_rejected_with_its_reason(
    rejected: bytes | None, reason: str, site: str | None
) -> None:
    """An invalid record is a rejection with its offset, reason and bytes; the records around it are events."""
    decoded = decode(batch(value(7), rejected, value(8)), SITES)
    assert decoded.offset.tolist() == [100, 102]
    (rejection,) = decoded.rejections
    assert rejection.dead_letter == (101, reason, rejected)
    assert (rejection.site, rejection.arrived) == (site, NOON)


def test_decode_events_at_the_limits_of_time_is_valid() -> None:
    """An event exactly as old, or as far ahead, as is allowed is valid."""
    decoded = decode(batch(value(1, at=NOON + AHEAD_MS_MAX), value(2, at=NOON - AGE_MS_MAX)), SITES)
    assert (len(decoded), decoded.rejections) == (2, [])


def test_decode_several_chunks_keeps_order_and_offsets() -> None:
    """Records beyond one chunk are decoded alike: rows and rejections have the offsets of their records, in order."""
    values = [None if number % 700 == 5 else value(number) for number in range(2 * CHUNK_RECORDS + 3)]
    decoded = decode(batch(*values), SITES)
    expected = [100 + number for number, one in enumerate(values) if one is not None]
    assert decoded.offset.tolist() == expected
    assert [one.dead_letter.offset for one in decoded.rejections] == [105, 805, 1505]
    assert len(np.unique(decoded.id_hash)) == len(expected)


def test_decode_without_valid_events_has_empty_columns() -> None:
    """A batch of rejections only has columns of length 0."""
    decoded = decode(batch(None, b"{"), SITES)
    assert (len(decoded), len(decoded.visitor), len(decoded.rejections)) == (0, 0, 2)


@pytest.mark.parametrize("offsets", [[5, 6, 7], [5, 9, 10]])
def test_raw_batch_fetched_with_and_without_gaps_has_the_offsets(offsets: list[int]) -> None:
    """Offsets are those of the records, also where compaction or transactions left gaps."""
    fetched = [SimpleNamespace(offset=offset, timestamp=offset * 10, value=b"v") for offset in offsets]
    records = RawBatch.fetched(fetched)
    assert records.offset.tolist() == offsets
    assert records.arrived.tolist() == [offset * 10 for offset in offsets]
    assert records[1:].offset.tolist() == offsets[1:]
