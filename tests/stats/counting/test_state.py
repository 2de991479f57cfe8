"""The state of a partition: windows, visitors and presence."""

from dataclasses import fields
from typing import Any

import numpy as np

from services.stats.counting.activities import NEVER
from services.stats.counting.decoding import LEAVE, PING, VIEW
from services.stats.counting.evicted_state import EvictedActivities, Source
from services.stats.counting.late_events import VISIT_TIMEOUT_MS
from services.stats.counting.rules import fold
from services.stats.counting.state import (
    DEDUP_WINDOWS,
    PRESENCE_BUCKET_MS,
    PartitionState,
    VisitorEvents,
    VisitorTable,
)
from tests.conftest import ROOT
from tests.stats.counting.test_rules import SITES, record

NOW = 1_795_496_400_000


def events(*rows: tuple[int, int, int], **columns: Any) -> VisitorEvents:
    """Return events of (time after NOW, kind, visitor)."""
    at, kind, visitor = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    previous = columns.get("previous", [None] * len(rows))
    return VisitorEvents(
        at=at + NOW,
        kind=kind,
        article=np.array(columns.get("article", [0] * len(rows)), np.int64),
        day=np.array(columns.get("day", [1] * len(rows)), np.int64),
        visitor=visitor.astype(np.uint64),
        visitor_prev=np.array([one or 0 for one in previous], np.uint64),
        has_prev=np.array([one is not None for one in previous]),
        source=np.zeros(len(rows), np.int64),
        source_names=lambda codes: [Source("", "") for _ in codes],
        in_evidence=np.ones(len(rows), np.bool_),
    )


def update(table: VisitorTable, these: VisitorEvents) -> tuple[list[bool], list[bool]]:
    """Apply events that touch nothing evicted; return which start a visit, and which are the first of an ID's day."""
    changes = table.update(these, 1, NEVER, EvictedActivities([], "haihau", 0))
    return changes.starts_visit.tolist(), changes.is_first_of_day.tolist()


def online(table: VisitorTable, article: int = 0) -> int:
    (_, visitors) = table.presence([article])[0]
    return sum(visitors)


def test_update_view_after_the_timeout_starts_a_visit() -> None:
    """A visit starts with a view more than 30 minutes after the last view or ping, and not earlier."""
    table = VisitorTable()
    starts, first = update(
        table, events((0, VIEW, 1), (VISIT_TIMEOUT_MS, VIEW, 1), (2 * VISIT_TIMEOUT_MS + 1, VIEW, 1))
    )
    assert starts == [True, False, True]
    assert first == [True, False, False]


def test_update_linked_id_shares_the_row_of_its_predecessor() -> None:
    """An ID that names a known one as its predecessor continues its visit, and is a visitor of its own day."""
    table = VisitorTable()
    no_evicted = EvictedActivities([], "haihau", 0)
    table.update(events((0, VIEW, 1)), 1, NEVER, no_evicted)
    changes = table.update(events((1_000, VIEW, 2), previous=[1], day=[2]), 1, NEVER, no_evicted)
    assert int(changes.starts_visit.sum()) - len(changes.ended) == 0
    assert changes.is_first_of_day.tolist() == [True]
    assert len(table.last_seen) == 1
    assert table.visitor_id.tolist() == [1, 2]


def test_update_leave_of_an_unknown_visitor_adds_no_row() -> None:
    """A leave of a visitor who was never here has no effect."""
    table = VisitorTable()
    starts, first = update(table, events((0, LEAVE, 1)))
    assert (starts, first, len(table.visitor_id)) == ([False], [False], 0)


def test_presence_follows_pings_articles_and_leaves() -> None:
    """A visitor is in one bucket and on one article; a leave removes it from both."""
    table = VisitorTable()
    table.advance_ring(NOW)
    one, two = table.article_numbers(["bai-1", "bai-2"]).tolist()
    update(table, events((0, VIEW, 1), (0, VIEW, 2), article=[one, one]))
    assert (online(table), online(table, one)) == (2, 2)
    update(table, events((PRESENCE_BUCKET_MS, VIEW, 2), (6_000, PING, 1), article=[two, two]))
    assert (online(table), online(table, one), online(table, two)) == (2, 1, 1)
    update(table, events((7_000, LEAVE, 1), article=[0]))
    assert (online(table), online(table, one), online(table, two)) == (1, 0, 1)


def test_rebuild_ring_equals_the_updated_ring() -> None:
    """The ring that is recomputed from the rows has the same presence as the one that was updated."""
    table = VisitorTable()
    table.advance_ring(NOW)
    article = int(table.article_numbers(["bai-1"])[0])
    update(table, events(*((number * 3_000, VIEW, number) for number in range(1, 9)), article=[article] * 8))
    before = table.presence([0, article])
    table.rebuild_ring()
    assert table.presence([0, article]) == before


def test_open_window_evicts_entries_after_two_windows_with_arrivals() -> None:
    """Ids and visitors stay for two further windows; a window without arrivals is never opened and does not count."""
    state = PartitionState()
    assert state.open_window(10, 0) is None
    state.seen_ids.add(np.array([1], np.uint64), np.array([2], np.uint64), state.window_seq)
    state.visitors["haihau"] = VisitorTable()
    update(state.visitors["haihau"], events((0, VIEW, 1)))
    assert state.entries == 2
    for number in range(DEDUP_WINDOWS):
        assert state.open_window(90 + number, 100 + number) is None
    evicted = state.open_window(200, 300)
    assert evicted is not None
    assert (evicted.evicted_at_offset, evicted.window_index) == (300, 10)
    assert (evicted.id_hash.tolist(), evicted.id_low.tolist()) == ([1], [2])
    assert state.entries == 0
    assert state.window_indexes == [90, 91, 200]


def columns_of_size(table: Any, rows: int) -> int:
    """Return the bytes of an entry in the columns of a table that have so many rows."""
    columns = [getattr(table, one.name) for one in fields(table)]
    return sum(one.itemsize for one in columns if isinstance(one, np.ndarray) and one.shape == (rows,))


def test_state_has_72_bytes_for_a_visitor_and_20_for_an_event() -> None:
    """The figures of docs/benchmarks.md and docs/decisions/counting.md are those of the columns."""
    state = PartitionState()
    fold([record(n, visitor=f"{n:016x}") for n in range(100)], state, SITES)
    visitors = state.visitors["haihau"]
    assert columns_of_size(visitors, 100) + columns_of_size(visitors.activities, 100) == 72
    assert columns_of_size(state.seen_ids, 100) == 20
    for page in ("benchmarks.md", "decisions/counting.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert "92 bytes" in text
        assert "72 for the visitor ID" in text
