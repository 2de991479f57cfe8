"""The counting rules, one by one, and all together against a slow and plain recount."""

import json
import uuid
from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.stats.admin.reference_model import recount
from services.stats.counting.decoding import VALUE_BYTES_MAX, RawRecord
from services.stats.counting.evicted_state import EvictedState
from services.stats.counting.known_articles import KnownArticles
from services.stats.counting.rules import CountDeltas, fold
from services.stats.counting.snapshots import from_bytes, to_bytes
from services.stats.counting.state import PartitionState, VisitorTable
from services.stats.local_calendar import day_start
from shared.events import OWN_TRAFFIC
from shared.sites import Site, Sites

SITE = Site(slug="haihau", name="Hải Hậu", origins=["https://haihau.example"], timezone="Asia/Ho_Chi_Minh")
KATHMANDU = Site(slug="kathmandu", name="Kathmandu", origins=["https://ktm.example"], timezone="Asia/Kathmandu")
SITES = Sites(haihau=SITE, kathmandu=KATHMANDU)
NOON = 1_795_496_400_000  # 2026-11-24T12:00 in Hải Hậu
MINUTE = 60_000
ANN, BOB = "a" * 16, "b" * 16


def record(offset: int, *, arrived: int | None = None, **fields: Any) -> RawRecord:
    event = {
        "id": str(uuid.UUID(int=offset)),
        "site": "haihau",
        "kind": "view",
        "path": "/",
        "at": NOON,
        "visitor": ANN,
    }
    event.update(fields)
    return RawRecord(offset, event["at"] if arrived is None else arrived, json.dumps(event).encode())


def fold_records(*records: RawRecord, state: PartitionState | None = None) -> CountDeltas:
    return fold(records, state or PartitionState(), SITES)


def total(deltas: CountDeltas, measure: str = "views", article: str = "") -> int:
    return sum(getattr(one, measure) for one in deltas.day_counts if one.article == article)


def online(state: PartitionState, now: int, article: str | None = None) -> int:
    """Return how many are online at `now`, from the stored presence."""
    visitors = state.visitors.get("haihau")
    if visitors is None or article not in visitors.articles:
        return 0
    first_bucket, counts = visitors.presence([visitors.articles[article]])[0]
    return sum(n for bucket, n in enumerate(counts, first_bucket) if bucket > (now - 300_000) // 5_000)


def outcomes(deltas: CountDeltas) -> dict[str, int]:
    summed: Counter[str] = Counter()
    for (_, _, outcome, reason), events in deltas.ledger.items():
        summed[f"{outcome}:{reason}" if reason else outcome] += events
    return dict(summed)


def test_view_counts_for_the_site_and_its_article() -> None:
    """A view is in the 5m bucket, hour and day of the site and in the day of its article."""
    deltas = fold_records(record(0, article="bai-1"))
    day = day_start(NOON, SITE.zone)
    assert sorted(deltas.day_counts) == [("haihau", "", day, 1, 1), ("haihau", "bai-1", day, 1, 1)]
    assert sorted(deltas.bucket_counts) == [
        ("haihau", "5m", NOON // 1000, 1, 1),
        ("haihau", "hour", NOON // 1000, 1, 1),
    ]


def test_pings_and_leaves_are_not_views() -> None:
    """A ping keeps a visitor online and a leave ends it; neither is a view or a visit."""
    state = PartitionState()
    deltas = fold_records(record(0, kind="ping"), record(1, kind="leave", at=NOON + 1), state=state)
    assert (total(deltas), total(deltas, "visits"), online(state, NOON)) == (0, 0, 0)
    assert outcomes(deltas) == {"counted": 2}


def test_visit_ends_after_thirty_minutes_of_inactivity() -> None:
    """Thirty minutes without an event keep a visit, counted from the last view or ping; a millisecond more ends it."""
    gaps = [0, 30 * MINUTE, 30 * MINUTE, 30 * MINUTE + 1]
    times = [NOON + sum(gaps[: n + 1]) for n in range(len(gaps))]
    assert total(fold_records(*(record(n, at=at) for n, at in enumerate(times))), "visits") == 2


def test_ping_extends_a_visit() -> None:
    """A visitor who stays on one page for an hour, pinging, and views another one, is still on the same visit."""
    pings = [record(n, kind="ping", at=NOON + n * 10 * MINUTE) for n in range(1, 7)]
    assert total(fold_records(record(0), *pings, record(9, at=NOON + 65 * MINUTE)), "visits") == 1


def test_leave_neither_starts_nor_extends_a_visit() -> None:
    """A leave by somebody never seen leaves no trace: the view after it begins a visit."""
    assert total(fold_records(record(0, kind="leave"), record(1, at=NOON + MINUTE)), "visits") == 1
    kept = fold_records(record(0), record(1, kind="leave", at=NOON + 20 * MINUTE), record(2, at=NOON + 40 * MINUTE))
    assert total(kept, "visits") == 2


def test_same_id_counts_once() -> None:
    """A repeated id is a duplicate, in the same batch and in a later one, however its letters are written."""
    state = PartitionState()
    assert outcomes(fold_records(record(0), record(0), state=state)) == {"counted": 1, "duplicate": 1}
    again = fold_records(record(0), state=state)
    assert (outcomes(again), total(again)) == ({"duplicate": 1}, 0)
    letters = "abcdefab-0000-4000-8000-abcdefabcdef"
    assert outcomes(fold_records(record(1, id=letters), record(2, id=letters.upper()))) == {
        "counted": 1,
        "duplicate": 1,
    }


def test_ids_with_one_hash_are_distinct() -> None:
    """Two ids that fall on the same hash are two ids, and each is found again."""
    mixer, low = 0x9E3779B97F4A7C15, 12_345
    other_low = (low ^ (mixer * 1)) % 2**64  # cancels a high half of 1 instead of 0
    ids = [str(uuid.UUID(int=low)), str(uuid.UUID(int=(1 << 64) | other_low))]
    state = PartitionState()
    assert outcomes(fold_records(record(0, id=ids[0]), record(1, id=ids[1]), state=state)) == {"counted": 2}
    assert len(set(state.seen_ids.hash.tolist())) == 1
    both = fold_records(record(2, id=ids[1]), record(3, id=ids[0]), record(4, id=ids[1]), state=state)
    assert outcomes(both) == {"duplicate": 3}


def test_outage_of_any_length_does_not_double_counts() -> None:
    """An id that comes again after hours in which nothing arrived is a duplicate: the outage does not count."""
    state = PartitionState()
    fold_records(record(0), record(1, visitor=BOB), state=state)
    after = fold_records(record(0, at=NOON, arrived=NOON + 47 * 60 * MINUTE), state=state)
    assert outcomes(after) == {"duplicate": 1}


def test_duplicate_from_a_collector_after_an_outage_counts_once() -> None:
    """An event that comes again hours later, while others went on, is found among the evicted ids."""
    state, past = PartitionState(), []
    others = [record(n, at=NOON + n * 10 * MINUTE, visitor=BOB) for n in range(1, 60)]
    left: list[EvictedState] = fold_records(record(0), *others, state=state).evicted
    assert left
    copy = record(0, at=NOON, arrived=NOON + 600 * MINUTE)._replace(offset=99)
    past += left
    assert outcomes(fold([copy], state, SITES, past)) == {"duplicate": 1}


def test_bots_are_in_the_ledger_only() -> None:
    """A bot's events are in the ledger with their reason and in no count."""
    state = PartitionState()
    deltas = fold_records(record(0, bot="crawler"), record(1, bot="headless"), record(2), state=state)
    assert outcomes(deltas) == {"bot:crawler": 1, "bot:headless": 1, "counted": 1}
    assert (total(deltas), online(state, NOON), len(deltas.daily_visitors)) == (1, 1, 1)


def test_view_without_visitor_id_is_a_view_only() -> None:
    """A view without a visitor key counts as a view, and makes no visit, no visitor and nobody online."""
    state = PartitionState()
    deltas = fold_records(record(0, visitor=None), state=state)
    seen = (total(deltas), total(deltas, "visits"), online(state, NOON), deltas.daily_visitors)
    assert seen == (1, 0, 0, [])


def test_midnight_neither_doubles_online_nor_starts_a_visit() -> None:
    """A visitor whose ID changes at midnight is one person online, on one visit, a visitor of both days."""
    midnight = day_start(NOON, SITE.zone) * 1000 + 86_400_000
    state = PartitionState()
    deltas = fold_records(
        record(0, at=midnight - 1000, visitor=ANN),
        record(1, at=midnight + 1000, visitor=BOB, visitor_prev=ANN),
        record(2, at=midnight + 2000, visitor=BOB, visitor_prev=ANN),
        record(3, at=midnight - 500, arrived=midnight + 3000, visitor=ANN),
        state=state,
    )
    assert (online(state, midnight), total(deltas, "visits"), total(deltas)) == (1, 1, 4)
    assert [f"{sight.visitor % 2**64:016x}" for sight in deltas.daily_visitors] == [ANN, BOB]


def test_midnight_of_utc_changes_nothing() -> None:
    """06:59 and 07:01 in Hải Hậu, on either side of midnight in UTC, are one visit on one day by one visitor."""
    utc_midnight = NOON // 86_400_000 * 86_400_000
    deltas = fold_records(record(0, at=utc_midnight - MINUTE), record(1, at=utc_midnight + MINUTE))
    assert [(one.article, one.views, one.visits) for one in deltas.day_counts] == [("/", 2, 1), ("", 2, 1)]
    assert len(deltas.daily_visitors) == 1


def test_online_on_an_article_follows_the_last_view() -> None:
    """A visitor is online on the article viewed last, and on one article only."""
    state = PartitionState()
    fold_records(
        record(0, article="bai-1"),
        record(1, article="bai-2", at=NOON + 10_000),
        record(2, kind="ping", at=NOON + 20_000),
        state=state,
    )
    assert [online(state, NOON, article) for article in (None, "bai-1", "bai-2")] == [1, 0, 1]


def test_online_decreases_without_events() -> None:
    """Who was last seen 300 seconds ago is online no more, though nobody wrote anything since."""
    state = PartitionState()
    fold_records(record(0), record(1, visitor=BOB, at=NOON + 200_000), state=state)
    assert [online(state, NOON + second * 1000) for second in (0, 294, 300, 494, 505)] == [2, 2, 1, 1, 0]


def test_unreadable_records_are_dead_letters_and_the_rest_counts() -> None:
    """Each kind of bad record goes to the dead letters with its reason; the good ones around it are counted."""
    bad = [
        ("null", RawRecord(1, NOON, None)),
        ("not-json", RawRecord(2, NOON, b"{")),
        ("schema", RawRecord(3, NOON, b'{"id":"x"}')),
        ("unknown-site", record(4, site="khong-co")),
        ("future", record(5, at=NOON + 6 * MINUTE, arrived=NOON)),
        ("too-old", record(6, at=NOON - 49 * 60 * MINUTE, arrived=NOON)),
        ("nul-character", record(7, article="x\0")),
        ("oversize", record(8, path="/" + "a" * VALUE_BYTES_MAX)),
        ("schema", record(9, id="g" * 36)),
        ("schema", record(10, visitor="không-phải-khóa!")),
    ]
    deltas = fold_records(record(0), *(one for _, one in bad), record(11))
    assert [letter.reason for letter in deltas.dead_letters] == [reason for reason, _ in bad]
    assert [letter.offset for letter in deltas.dead_letters] == list(range(1, 11))
    assert total(deltas) == 2
    assert sum(outcomes(deltas).values()) == 12


def test_late_event_counts_in_the_bucket_of_its_own_time() -> None:
    """A view that arrived a day late is in yesterday's bucket, and in the ledger as late."""
    deltas = fold_records(record(0, at=NOON - 86_400_000, arrived=NOON))
    assert outcomes(deltas) == {"late": 1}
    assert [one.day for one in deltas.day_counts] == 2 * [day_start(NOON, SITE.zone) - 86_400]


def test_late_view_of_an_earlier_time_starts_the_visit_that_it_would_have_started() -> None:
    """A view that comes late begins a visit in the bucket of its own time, and moves nobody."""
    state = PartitionState()
    deltas = fold_records(record(0), record(1, at=NOON - 50 * MINUTE, arrived=NOON + 1), state=state)
    assert (total(deltas), total(deltas, "visits"), online(state, NOON)) == (2, 2, 1)


KEYS = [ANN, BOB, "c" * 16, None]
events = st.tuples(
    st.sampled_from(["view", "view", "view", "ping", "leave"]),
    st.sampled_from([0, 1000, MINUTE, 10 * MINUTE, 29 * MINUTE, 31 * MINUTE, 200 * MINUTE]),  # since the one before
    st.sampled_from([0, 0, 0, 0, 5000, 4 * MINUTE, 35 * MINUTE, 90 * MINUTE, 47 * 60 * MINUTE, -MINUTE]),  # its delay
    st.sampled_from(KEYS),
    st.sampled_from([None, None, *KEYS]),
    st.sampled_from([None, "bai-1", "bai-2", "bai-3", "bai-4"]),
    st.sampled_from([None, None, None, "crawler", OWN_TRAFFIC]),
    st.sampled_from(["haihau", "haihau", "haihau", "kathmandu", "khong-co"]),
    st.sampled_from([None, None, "www.google.com", "Zalo.ME", "haihau.example", "x", "a b.vn", "\0.vn"]),
    st.integers(0, 12),  # how far back the event is that this one repeats; 0: none
    st.sampled_from([None, "2" + 15 * "0", "2" + 14 * "0" + "1", "f" * 16]),
)


def history(drawn: Sequence[tuple[Any, ...]]) -> list[RawRecord]:
    arrived, records = NOON, []
    for offset, (kind, gap, delay, visitor, before, article, bot, site, referrer, repeats, client) in enumerate(drawn):
        arrived += gap
        if repeats and repeats <= offset:
            records.append(RawRecord(offset, arrived, records[offset - repeats].value))
            continue
        fields = {"kind": kind, "visitor": visitor, "visitor_prev": before, "article": article, "bot": bot}
        fields |= {"referrer": referrer, "client": client}
        records.append(record(offset, at=arrived - delay, arrived=arrived, site=site, **fields))
    return records


def fold_in_cuts(
    records: list[RawRecord], cuts: Sequence[int], state: PartitionState, past: list[EvictedState]
) -> list[CountDeltas]:
    edges = [0, *sorted(cuts), len(records)]
    return [fold(records[a:b], state, SITES, past) for a, b in pairwise(edges)]


def summed(batches: list[CountDeltas]) -> dict[str, Any]:
    """What a history of batches leaves behind in the store."""
    known = [one for deltas in batches for one in deltas.accepted_articles]
    views, visits, ledger, referrers = Counter(), Counter(), Counter(), Counter()
    sights, stored_online, dead, evidence = {}, {}, [], []
    for deltas in batches:
        for site, article, day, day_views, day_visits in deltas.day_counts:
            for place in ((site, article, "day", day), (site, article, "total", 0)):
                views[place] += day_views
                visits[place] += day_visits
        for site, grain, start, span_views, span_visits in deltas.bucket_counts:
            views[site, "", grain, start] += span_views
            visits[site, "", grain, start] += span_visits
        for sight in deltas.daily_visitors:
            sights.setdefault(sight[:3], sight)
        ledger.update(deltas.ledger)
        referrers.update(deltas.referrers)
        dead += deltas.dead_letters
        evidence += deltas.evidence
        stored_online.update({(one.site, one.article): one[2:] for one in deltas.presence})
    counts = {"views": +views, "visits": +visits, "referrers": referrers}
    return {**counts, "sights": sights, "ledger": ledger, "dead": dead, "known": known, "evidence": evidence}


def activities(table: VisitorTable) -> tuple[dict[int, Any], list[Any]]:
    """Return the newest activity of each ID, and the closed ones, with the names of their sources."""
    names = [*table.activities.sources, None]  # the last one is for NO_VISIT
    one = table.activities
    columns = (table.visitor_id, one.start, one.end, one.previous, one.source)
    newest = {
        visitor: (start, end, previous, names[source])
        for visitor, start, end, previous, source in zip(*(column.tolist() for column in columns), strict=True)
    }
    closed = [(*row[:4], names[row[4]] or ("", ""), row[5]) for row in one.closed.tolist()]
    return newest, sorted(closed)


def snapshot(state: PartitionState) -> dict[str, Any]:
    """Return the content of a state, however its rows are numbered."""
    tables = {}
    for site, one in state.visitors.items():
        names = list(one.articles)
        rows = [
            (int(one.last_seen[row]), int(one.bucket[row]), names[one.article[row]], int(one.window_seq[row]))
            for row in range(len(one.last_seen))
        ]
        ids = zip(*(column.tolist() for column in (one.visitor_id, one.id_day, one.marks, one.id_row)), strict=True)
        visitors = {visitor: (day, marks, rows[row]) for visitor, day, marks, row in ids}
        presence = {}
        oldest = state.window_indexes[-1] * 360 - 60
        for number in {0, *one.article.tolist()}:
            first_bucket, counts = one.presence([number])[0]
            presence[names[number]] = {
                bucket: n for bucket, n in enumerate(counts, first_bucket) if n and bucket >= oldest
            }
        tables[site] = (visitors, presence, activities(one))
    seen = state.seen_ids
    seen_ids = sorted(zip(seen.hash.tolist(), seen.low.tolist(), seen.window_seq.tolist(), strict=True))
    return {
        "window_seq": state.window_seq,
        "window_indexes": state.window_indexes,
        "seen_ids": seen_ids,
        "visitors": tables,
        "evidence": [row for site, table in sorted(state.evidence.items()) for row in table.rows(site, 0)],
    }


histories = st.lists(events, max_size=50)
cuts = st.lists(st.integers(0, 50), max_size=6)
limits = st.sampled_from([0, 1, 2, 2_000])


def limited(new_articles_max: int) -> PartitionState:
    return PartitionState(known_articles=KnownArticles(new_articles_max=new_articles_max))


@settings(max_examples=400)
@given(histories, cuts, limits)
def test_batches_split_anywhere_give_the_same_counts_and_state(
    drawn: list[tuple[Any, ...]], where: list[int], limit: int
) -> None:
    """However a history is cut into batches, the counts and the state are the same."""
    records = history(drawn)
    whole, parts = limited(limit), limited(limit)
    at_once = fold_in_cuts(records, [], whole, [])
    in_parts = fold_in_cuts(records, [min(cut, len(records)) for cut in where], parts, [])
    assert summed(in_parts) == summed(at_once)
    assert snapshot(parts) == snapshot(whole)


@settings(max_examples=300)
@given(histories, st.integers(0, 50), st.integers(0, 50), limits)
def test_restored_state_continues_like_the_lost_one(
    drawn: list[tuple[Any, ...]], saved: int, restart: int, limit: int
) -> None:
    """After a restart anywhere, a snapshot and the records since then give the same state and the same counts."""
    records = history(drawn)
    saved, restart = sorted((min(saved, len(records)), min(restart, len(records))))
    state, past = limited(limit), []
    fold(records[:saved], state, SITES, past)
    kept = to_bytes(state)
    fold(records[saved:restart], state, SITES, past)
    rebuilt = from_bytes(kept)
    assert rebuilt is not None
    rebuilt.known_articles = replace(state.known_articles, decided_before=restart)
    rebuilt.known_articles.accepted_at = deepcopy(state.known_articles.accepted_at)
    rebuilt.known_articles.accepted_on_day = Counter(state.known_articles.accepted_on_day)
    stored = list(past)
    fold(records[saved:restart], rebuilt, SITES, stored[:])
    assert snapshot(rebuilt) == snapshot(state)
    lost = fold(records[restart:], state, SITES, past)
    after = fold(records[restart:], rebuilt, SITES, stored)
    assert summed([lost]) == summed([after])


@settings(max_examples=400)
@given(histories, cuts, limits)
def test_random_history_equals_the_reference_model(drawn: list[tuple[Any, ...]], where: list[int], limit: int) -> None:
    """Whatever happened, and however it was cut into batches, every counter and the ledger are the slow model's."""
    records = history(drawn)
    stored = summed(fold_in_cuts(records, [min(cut, len(records)) for cut in where], limited(limit), []))
    visitors: Counter[tuple[str, str, str, int]] = Counter()
    for site, day, _, article, step, hour in stored["sights"].values():
        visitors.update([(site, "", "5m", step), (site, "", "hour", hour)])
        for name in {"", article}:
            visitors.update([(site, name, "day", day), (site, name, "total", 0)])
    expected = recount({0: records}, SITES, new_articles_max=limit)
    known = {(one.site, one.article): (one.accepted_at_offset, one.day) for one in stored["known"]}
    assert known == {tuple(key): tuple(one) for key, one in expected.partitions[0].known_articles.items()}
    for measure, counted in (("views", stored["views"]), ("visits", stored["visits"]), ("visitors", visitors)):
        wanted = {tuple(place): getattr(numbers, measure) for place, numbers in expected.counts.items()}
        assert counted == {place: number for place, number in wanted.items() if number}, measure
    wanted = {tuple(origin): visits for origin, visits in expected.referrers.items()}
    assert {origin: visits for origin, visits in stored["referrers"].items() if visits} == wanted
    assert stored["ledger"] == {tuple(entry): events for entry, events in expected.ledger.items()}


def test_visit_is_attributed_to_the_referrer_of_its_first_view() -> None:
    """The view that starts a visit determines its host; later views of the visit, pings and bots do not."""
    deltas = fold_records(
        record(0, referrer="www.google.com"),
        record(1, referrer="zalo.me", at=NOON + MINUTE),
        record(2, referrer="zalo.me", visitor=BOB, bot="crawler"),
        record(3, referrer="haihau.example", visitor=BOB),
        record(4, referrer="không phải máy", visitor="c" * 16),
    )
    day = day_start(NOON, SITE.zone)
    assert deltas.referrers == {
        ("haihau", day, "google.com"): 1,
        ("haihau", day, ""): 1,
        ("haihau", day, "(other)"): 1,
        ("haihau", day, "zalo.me"): 0,
    }


def test_snapshot_of_another_format_is_ignored() -> None:
    """What another version remembered differently is not trusted: the log is read instead."""
    assert from_bytes(b"") is None
    assert from_bytes(to_bytes(PartitionState()).replace(b"\xa6format\x02", b"\xa6format\x01")) is None
