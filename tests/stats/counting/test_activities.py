"""Visits by the time of events: whatever arrives when, each visit is where its first view is."""

import uuid
from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from services.stats.admin.reference_model import recount
from services.stats.counting.decoding import RawBatch, RawRecord, decode
from services.stats.counting.evicted_state import EvictedState
from services.stats.counting.rules import CountDeltas, fold_batch, needs_evicted_state
from services.stats.counting.snapshots import from_bytes, to_bytes
from services.stats.counting.state import PartitionState
from services.stats.local_calendar import day_start
from tests.stats.counting.test_rules import ANN, BOB, MINUTE, NOON, SITE, SITES, record, snapshot, summed

HOUR = 60 * MINUTE


def count(
    records: Sequence[RawRecord], cuts: Sequence[int], random: Random | None = None
) -> tuple[Any, PartitionState]:
    """Count records in batches as the counter does: evicted state is read when it is needed, sometimes it restarts."""
    state, stored, batches = PartitionState(), list[EvictedState](), list[CountDeltas]()
    for begin, end in pairwise([0, *sorted(cuts), len(records)]):
        if begin == end:
            continue
        raw = RawBatch.of(records[begin:end])
        batch = decode(raw, SITES)
        evicted = stored[:] if needs_evicted_state(batch, state, raw) else None
        batches.append(fold_batch(batch, state, raw, evicted))
        stored += batches[-1].evicted
        if random is not None and random.random() < 0.3:
            restored = from_bytes(to_bytes(state))
            assert restored is not None
            state = restored
    return summed(batches), state


def visits(records: Sequence[RawRecord]) -> dict[tuple[str, int], int]:
    """Return {(article, hour): visits}, of the site for an empty article; counted one by one, as the model does."""
    counted, _ = count(records, range(1, len(records)))
    by_model = recount({0: records}, SITES).counts
    for place, numbers in by_model.items():
        assert counted["visits"][tuple(place)] == numbers.visits, place
    found = {}
    for (_, article, grain, start), number in counted["visits"].items():
        if grain == ("day" if article else "hour") and number:
            found[article, start] = number
    return found


def busy(offset: int, since: int, until: int) -> list[RawRecord]:
    """Return pings of others, so that windows begin and the state evicts."""
    times = range(since, until + 1, 10 * MINUTE)
    return [record(offset + n, at=at, kind="ping", visitor=BOB) for n, at in enumerate(times)]


@pytest.mark.parametrize("hours", [0.2, 1, 2, 5, 47])
def test_view_that_arrives_after_its_pings_begins_their_visit(hours: float) -> None:
    """However late the view is, in memory or evicted, the visit is in its hour and of its article."""
    pings = [record(n, kind="ping", at=NOON + n * 10 * MINUTE) for n in range(1, 4)]
    late = NOON + int(hours * HOUR)
    records = [*pings, *busy(10, NOON + 31 * MINUTE, late), record(999, at=NOON, arrived=late, article="bai-1")]
    day = day_start(NOON, SITE.zone)
    assert visits(records) == {("", NOON // 1000): 1, ("bai-1", day): 1}


@pytest.mark.parametrize("hours", [0.7, 1, 2, 5, 47])
def test_ping_that_arrives_late_joins_two_visits(hours: float) -> None:
    """Two views 45 minutes apart are two visits, until a ping between them arrives."""
    late = NOON + int(hours * HOUR)
    views = [record(0, at=NOON), record(1, at=NOON + 45 * MINUTE, arrived=NOON + 45 * MINUTE, article="bai-1")]
    between = busy(10, NOON + 45 * MINUTE, late)
    assert sum(n for (article, _), n in visits([*views, *between]).items() if not article) == 2
    ping = record(999, kind="ping", at=NOON + 20 * MINUTE, arrived=max(late, NOON + 45 * MINUTE))
    assert visits([*views, *between, ping]) == {("", NOON // 1000): 1, ("/", day_start(NOON, SITE.zone)): 1}


@pytest.mark.parametrize("hours", [0.2, 1, 2, 5, 30])
def test_view_of_yesterday_that_arrives_late_takes_back_the_visit_after_midnight(hours: float) -> None:
    """A visitor who stays over midnight has one visit, on the day before, also if that day's view comes last."""
    midnight = day_start(NOON, SITE.zone) * 1000 + 24 * HOUR
    late = midnight + int(hours * HOUR)
    after = record(0, at=midnight + 5 * MINUTE, visitor="c" * 16, visitor_prev=ANN, article="bai-2")
    others = busy(10, midnight + 10 * MINUTE, late)
    before = record(999, at=midnight - 10 * MINUTE, arrived=max(late, midnight + 5 * MINUTE), article="bai-1")
    assert visits([after, *others, before]) == {
        ("", midnight // 1000 - 3600): 1,
        ("bai-1", day_start(NOON, SITE.zone)): 1,
    }


def test_visit_that_moves_takes_its_referrer_along() -> None:
    """The host of the view that begins the visit counts, and no longer that of the view that began it before."""
    records = [
        record(0, at=NOON, referrer="www.google.com"),
        record(1, at=NOON - MINUTE, arrived=NOON + MINUTE, referrer="zalo.me"),
    ]
    for cuts in ([], [1]):
        counted, _ = count(records, cuts)
        day = day_start(NOON, SITE.zone)
        assert counted["referrers"] == {("haihau", day, "google.com"): 0, ("haihau", day, "zalo.me"): 1}


@pytest.mark.parametrize("cuts", [[], [1], [3], [1, 2, 3]])
def test_activity_that_continues_and_closes_in_one_batch_keeps_its_end(cuts: list[int]) -> None:
    """A late view joins a later visit to one that a ping of the same batch had continued."""
    records = [
        record(0, at=NOON - 45 * MINUTE),
        record(1, at=NOON - 20 * MINUTE, arrived=NOON, kind="ping"),
        record(2, at=NOON + 15 * MINUTE),
        record(3, at=NOON - 2 * MINUTE, arrived=NOON + 31 * MINUTE),
    ]
    counted, _ = count(records, cuts)
    by_model = recount({0: records}, SITES).counts
    assert {place: number for place, number in counted["visits"].items() if number} == {
        tuple(place): numbers.visits for place, numbers in by_model.items() if numbers.visits
    }
    assert sum(counted["referrers"].values()) == 1


GAPS = [
    (0, 1000, MINUTE, 10 * MINUTE, 31 * MINUTE),
    (0, MINUTE, 29 * MINUTE, 30 * MINUTE, 200 * MINUTE),
    (MINUTE, 5 * MINUTE),
    (10 * MINUTE, 25 * MINUTE, 900 * MINUTE),
]
DELAYS = [
    (0, 0, 0, 5000, -MINUTE),
    (0, 0, *(minutes * MINUTE for minutes in (20, 29, 35, 61, 90))),
    (0, 0, HOUR, 3 * HOUR, 47 * HOUR),
    tuple(range(0, 3 * HOUR, 7 * MINUTE)),
]


def disordered_history(random: Random) -> list[RawRecord]:
    """Few visitors, many late events, IDs of the day before, and arrivals that go backwards or are far ahead."""
    ids = [f"{n * 0x3333333333333333 % 2**64:016x}" for n in range(random.choice((2, 3, 6, 15)))]
    gaps, delays, linked = random.choice(GAPS), random.choice(DELAYS), random.choice((0, 0.1, 0.5))
    backwards = random.choice(((0,), (0,), (0, 0, MINUTE, 10 * MINUTE, 45 * MINUTE)))
    now, records = NOON + random.randrange(24 * HOUR), list[RawRecord]()
    for offset in range(random.choice((20, 80, 200))):
        now += random.choice(gaps)
        arrived = now - random.choice(backwards)
        if len(backwards) > 1 and random.random() < 0.005:
            arrived += 400 * 24 * HOUR
        if records and random.random() < 0.05:
            records.append(RawRecord(offset, arrived, random.choice(records).value))
            continue
        records.append(
            record(
                offset,
                id=str(uuid.UUID(int=offset)),
                at=arrived - random.choice(delays) + random.choice((0, 0, 0, 1, -1)),
                arrived=arrived,
                kind=random.choice(("view", "view", "ping", "leave")),
                visitor=random.choice((*ids, None)),
                visitor_prev=random.choice(ids) if random.random() < linked else None,
                article=random.choice((None, "bai-1", "bai-2")),
                referrer=random.choice((None, "www.google.com", "zalo.me", "x", "haihau.example")),
                site=random.choice(("haihau",) * 8 + ("kathmandu",)),
            )
        )
    return records


@pytest.mark.parametrize("number", range(12))
def test_disordered_history_has_the_visits_of_the_reference_model(number: int) -> None:
    """However the log is cut, and wherever the counter restarts, visits and state are the same, and the model's."""
    seed = Random().randrange(10**9)
    print(f"seed {seed}")  # shown when it fails
    random = Random(seed)
    records = disordered_history(random)
    model = recount({0: records}, SITES)
    expected = {tuple(place): one.visits for place, one in model.counts.items() if one.visits}
    _, whole = count(records, [])
    for cuts in ([], [random.randrange(len(records) + 1) for _ in range(5)], range(1, len(records))):
        counted, state = count(records, cuts, random)
        assert {place: number for place, number in counted["visits"].items() if number} == expected
        hosts = {place: number for place, number in counted["referrers"].items() if number}
        assert hosts == {tuple(place): number for place, number in model.referrers.items()}
        assert snapshot(state) == snapshot(whole)
