"""Excluded visitors in the fold: their events are those of bots, and who they are is found in the log."""

from random import Random

import numpy as np
import pytest

from services.stats.admin.reference_exclusions import ExclusionRow, excluded_visitors
from services.stats.counting import exclusions
from services.stats.counting.decoding import RawBatch, decode
from services.stats.counting.exclusions import Exclusion, ExclusionSearch, with_exclusions
from services.stats.counting.rules import fold
from services.stats.counting.state import PartitionState
from tests.stats.counting.test_rules import ANN, BOB, MINUTE, NOON, SITES, outcomes, record, total

PHONE, COMPUTER = "2" + "0" * 15, "3" + "0" * 15
HOUR = 3_600
PAGE, AGAIN = (f"0191f0de-0000-7000-8000-00000000000{number}" for number in (1, 2))


def excluding(*visitors: str) -> PartitionState:
    ids = np.array(sorted(int(one, 16) for one in visitors), np.uint64)
    return PartitionState(excluded={"haihau": ids, "kathmandu": np.zeros(0, np.uint64)})


def test_events_of_an_excluded_visitor_are_those_of_a_bot() -> None:
    """They count in no human number, and in the ledger as bots with their reason; others count as before."""
    events = [
        record(0, visitor=ANN, client=PHONE),
        record(1, visitor=ANN, kind="ping"),
        record(2, visitor=BOB),
        record(3, visitor=None),
        record(4, visitor=ANN, bot="crawler"),
        record(5, visitor=ANN, site="kathmandu"),
    ]
    deltas = fold(events, excluding(ANN), SITES)
    assert outcomes(deltas) == {"counted": 3, "bot:excluded": 2, "bot:crawler": 1}
    assert (total(deltas), total(deltas, "visits"), len(deltas.daily_visitors)) == (3, 2, 2)
    assert fold([record(9, at=NOON + 30 * MINUTE)], excluding(ANN), SITES).evidence == []


def test_batch_without_excluded_visitors_stays_the_same() -> None:
    """Nothing is copied for nothing, and a batch that has the reason already gets it once."""
    batch = decode(RawBatch.of([record(0, visitor=BOB), record(1, visitor=ANN, bot="excluded")]), SITES)
    assert with_exclusions(batch, excluding(ANN).excluded) is batch
    changed = with_exclusions(batch, excluding(BOB).excluded)
    assert (changed.bots, changed.bot.tolist()) == ([None, "excluded"], [1, 1])


def test_search_finds_visitors_of_the_group_that_never_answered() -> None:
    """A view of the group in the span is needed, and no answer before the exclusion was made, on any partition."""
    silent, answered, late, early, other, bot = (f"{number:016x}" for number in range(1, 7))
    begin = NOON // 1000
    events = [
        record(0, visitor=silent, client=PHONE),
        record(1, visitor=answered, client=PHONE),
        record(2, visitor=late, client=PHONE),
        record(3, visitor=early, client=PHONE, at=NOON - 1),
        record(4, visitor=other, client=COMPUTER),
        record(5, visitor=bot, client=PHONE, bot="crawler"),
        record(6, visitor=None, client=PHONE),
        record(7, visitor=late, client=PHONE, kind="leave", at=NOON + 20 * MINUTE),
    ]
    elsewhere = [record(0, visitor=answered, client=PHONE, kind="ping", at=NOON + MINUTE)]
    one = Exclusion("x", "haihau", 0x20000000, begin, begin + HOUR, NOON + 20 * MINUTE)
    search = ExclusionSearch([one, one._replace(id="y", site="kathmandu")])
    for part in (events[:3], events[3:], elsewhere):
        search.add(decode(RawBatch.of(part), SITES))
    found = search.found()
    assert found["x"].tolist() == [int(silent, 16), int(late, 16)]
    assert found["y"].tolist() == []


def test_search_leaves_people_with_the_agent_of_a_fleet() -> None:
    """Who opened several pages stays, and who comes from a network in which pages of many more visitors answered."""
    begin = NOON // 1000
    shared, home = "0000000a", "0000000b"
    mine = "20000000"
    events = [
        record(0, visitor=f"{1:016x}", client=mine + home),
        record(1, visitor=f"{2:016x}", client=mine + home),
        record(2, visitor=f"{2:016x}", client=mine + home, id=PAGE, path="/b"),
        record(3, visitor=f"{3:016x}", client=mine + shared),
        record(4, visitor=f"{4:016x}", client=mine + home, id=AGAIN),
        record(5, visitor=f"{4:016x}", client=mine + home, id=AGAIN, at=NOON + 1),  # the same view, sent twice
    ]
    for number in range(11):
        client = "3000000" + f"{number:x}"
        events.append(record(10 + number, visitor=f"{10 + number:016x}", client=client + shared, kind="ping"))
        if number < 10:
            events.append(record(30 + number, visitor=f"{30 + number:016x}", client=client + "0000000c", kind="leave"))
    events.append(record(60, visitor=f"{5:016x}", client=mine + "0000000c"))
    search = ExclusionSearch([Exclusion("x", "haihau", 0x20000000, begin, begin + HOUR, NOON + 20 * MINUTE)])
    for part in (events[:4], events[4:11], events[11:]):
        search.add(decode(RawBatch.of(part), SITES))
    assert search.found()["x"].tolist() == [1, 4, 5]
    rows = [ExclusionRow("x", "haihau", 0x20000000, begin, begin + HOUR, NOON + 20 * MINUTE)]
    assert excluded_visitors({0: events}, rows) == {"x": {("haihau", f"{number:016x}") for number in (1, 4, 5)}}


def test_rows_that_are_merged_in_parts_are_distinct(monkeypatch: pytest.MonkeyPatch) -> None:
    """However a log is cut, each row is kept once."""
    monkeypatch.setattr(exclusions, "MERGE_ROWS", 3)
    chance = Random(3)
    pairs = [(chance.randrange(9), chance.randrange(9)) for _ in range(200)]
    rows = exclusions._Rows(2)
    for begin in range(0, 200, 7):
        part = np.array(pairs[begin : begin + 7], np.uint64)
        rows.add(part[:, 0], part[:, 1])
    assert sorted(map(tuple, rows.distinct().tolist())) == sorted(set(pairs))
