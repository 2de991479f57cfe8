"""The reference model, rule by rule: the fast code and the stored counts are compared with it."""

import json
import uuid
from collections import Counter
from datetime import datetime
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.stats.admin.reference_events import Bucket
from services.stats.admin.reference_model import recount
from services.stats.admin.reference_values import Expected, Totals
from shared.sites import Site, Sites

NAMES = {
    "haihau": "Asia/Ho_Chi_Minh",
    "kathmandu": "Asia/Kathmandu",
    "berlin": "Europe/Berlin",
    "beirut": "Asia/Beirut",
}
SITES = Sites(
    {
        slug: Site(slug=slug, name=slug, origins=[f"https://{slug}.example"], timezone=timezone)
        for slug, timezone in NAMES.items()
    }
)
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
ANN, BOB = "a" * 16, "b" * 16
Record = tuple[int, int, bytes | None]


def instant(text: str) -> int:
    """Milliseconds of an ISO time with its offset."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


NOON = instant("2026-11-24T12:00+07:00")


def record(number: int, *, arrived: int | None = None, **fields: Any) -> Record:
    event = {
        "id": str(uuid.UUID(int=number)),
        "site": "haihau",
        "kind": "view",
        "path": "/",
        "at": NOON,
        "visitor": ANN,
    }
    event.update(fields)
    return (number, event["at"] if arrived is None else arrived, json.dumps(event).encode())


def fold(*records: Record) -> Expected:
    return recount({0: records}, SITES)


def total(expected: Expected, article: str = "", site: str = "haihau") -> tuple[int, int, int]:
    numbers = expected.counts.get(Bucket(site, article, "total", 0), Totals())
    return numbers.views, numbers.visits, numbers.visitors


def days(expected: Expected, site: str = "haihau") -> dict[str, tuple[int, int, int]]:
    """{local time at which a day begins: (views, visits, visitors)}."""
    zone = ZoneInfo(NAMES[site])
    return {
        datetime.fromtimestamp(bucket.start, zone).isoformat(): (numbers.views, numbers.visits, numbers.visitors)
        for bucket, numbers in sorted(expected.counts.items())
        if (bucket.site, bucket.article, bucket.grain) == (site, "", "day")
    }


def outcomes(expected: Expected) -> dict[str, int]:
    summed: Counter[str] = Counter()
    for entry, events in expected.ledger.items():
        summed[f"{entry.outcome}:{entry.reason}" if entry.reason else entry.outcome] += events
    return dict(summed)


def test_view_counts_in_each_of_its_buckets() -> None:
    """A view is in the step, hour, day and total of the site and in the day and total of its article."""
    at = instant("2026-11-24T12:07:31+07:00")
    expected = fold(record(0, at=at, article="bai-1"))
    day = instant("2026-11-24T00:00+07:00") // 1000
    assert expected.counts == {
        Bucket("haihau", "", "5m", instant("2026-11-24T12:05+07:00") // 1000): Totals(1, 1, 1),
        Bucket("haihau", "", "hour", instant("2026-11-24T12:00+07:00") // 1000): Totals(1, 1, 1),
        Bucket("haihau", "", "day", day): Totals(1, 1, 1),
        Bucket("haihau", "", "total", 0): Totals(1, 1, 1),
        Bucket("haihau", "bai-1", "day", day): Totals(1, 1, 1),
        Bucket("haihau", "bai-1", "total", 0): Totals(1, 1, 1),
    }
    assert dict(expected.ledger) == {("haihau", day, "counted", ""): 1}
    assert expected.records == 1


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "null"),
        (b" " * 8_193, "oversize"),
        (b"{", "not-json"),
        (b"\xff", "not-json"),
        (b'{"id":"x"}', "schema"),
        (record(1, id="0" * 36)[2], "schema"),
        (record(1, id="00000000-0000-0000-0000-00000000000g")[2], "schema"),
        (record(1, visitor="z" * 16)[2], "schema"),
        (record(1, visitor_prev="\N{ARABIC-INDIC DIGIT ONE}" * 16)[2], "schema"),
        (record(1, site="khong-co")[2], "unknown-site"),
    ],
)
def test_unreadable_record_is_a_dead_letter_of_unknown_site(value: bytes | None, reason: str) -> None:
    """A record whose site is unknown is dead-lettered under the UTC day of its arrival."""
    arrived = instant("2026-11-24T03:00+07:00")
    expected = fold((0, arrived, value), record(2))
    utc_day = instant("2026-11-23T00:00+00:00") // 1000
    assert expected.ledger["unknown", utc_day, "dead_lettered", reason] == 1
    assert total(expected) == (1, 1, 1)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"article": "x\0"}, "nul-character"),
        ({"bot": "x\0"}, "nul-character"),
        ({"at": NOON + 5 * MINUTE + 1}, "future"),
        ({"at": NOON - 48 * HOUR - 1}, "too-old"),
        ({"at": NOON + DAY, "article": "\0"}, "nul-character"),
    ],
)
def test_invalid_event_is_a_dead_letter_of_its_site(fields: dict[str, Any], reason: str) -> None:
    """A readable event that cannot be counted is dead-lettered under its site's day of arrival, first reason first."""
    expected = fold(record(0, arrived=NOON, **fields))
    day = instant("2026-11-24T00:00+07:00") // 1000
    assert dict(expected.ledger) == {("haihau", day, "dead_lettered", reason): 1}
    assert not expected.counts


def test_events_at_the_limits_of_time_and_size_count() -> None:
    """An event 5 minutes ahead, one 48 hours old and one of 8192 bytes are not dead letters."""
    value = record(2)[2]
    assert value is not None
    expected = fold(
        record(0, at=NOON + 5 * MINUTE, arrived=NOON),
        record(1, at=NOON - 48 * HOUR, arrived=NOON),
        (2, NOON, value.ljust(8_192)),
    )
    assert outcomes(expected) == {"counted": 2, "late": 1}


def test_event_after_five_minutes_is_late_and_counts_in_its_own_time() -> None:
    """An event that took longer than 5 minutes is late in the ledger, and in the bucket of its own time."""
    expected = fold(
        record(0, arrived=NOON + 5 * MINUTE), record(1, arrived=NOON + DAY, visitor=BOB, at=NOON + 5 * MINUTE)
    )
    assert outcomes(expected) == {"counted": 1, "late": 1}
    assert days(expected) == {"2026-11-24T00:00:00+07:00": (2, 2, 2)}
    assert {entry.day for entry in expected.ledger} == {
        instant("2026-11-24T00:00+07:00") // 1000,
        instant("2026-11-25T00:00+07:00") // 1000,
    }


def test_id_in_another_case_or_site_counts_once() -> None:
    """The same id in capitals, or on another site, is a duplicate."""
    one = "abcdef00-0000-4000-8000-000000000000"
    expected = fold(record(0, id=one), record(1, id=one.upper()), record(2, id=one, site="berlin"))
    assert outcomes(expected) == {"counted": 1, "duplicate": 2}
    assert total(expected) == (1, 1, 1)


def test_id_of_a_dead_letter_is_not_a_duplicate() -> None:
    """An id that came in a dead letter is counted when it comes again in a good event."""
    expected = fold(record(0, at=NOON + DAY, arrived=NOON), record(0))
    assert outcomes(expected) == {"dead_lettered:future": 1, "counted": 1}


def at_turns(*slots: int) -> list[Record]:
    """The same id once in each of these half-hours (of arrival and of its own time)."""
    return [record(0, at=NOON + slot * 30 * MINUTE) for slot in slots]


def test_ids_are_known_for_two_windows_with_arrivals() -> None:
    """An id is known in its half-hour and the next two with arrivals; silence of any length does not count."""
    filler = [record(n, at=NOON + n * 30 * MINUTE, visitor=BOB) for n in range(1, 4)]
    assert outcomes(fold(*at_turns(0), *filler[:1], *at_turns(2)))["duplicate"] == 1
    assert "duplicate" not in outcomes(fold(*at_turns(0), *filler[:2], *at_turns(3)))
    assert outcomes(fold(*at_turns(0, 500)))["duplicate"] == 1


def test_duplicate_renews_its_id() -> None:
    """A duplicate renews the memory of its id."""
    filler = [record(n, at=NOON + n * 30 * MINUTE, visitor=BOB) for n in range(1, 7)]
    records = [*at_turns(0), filler[0], *at_turns(2), filler[2], *at_turns(4)]
    assert outcomes(fold(*records)) == {"counted": 3, "duplicate": 2}


def test_late_duplicate_is_found_for_forty_nine_hours() -> None:
    """An event half an hour late or more is compared with the ids of the last 98 windows."""
    filler = [record(n, at=NOON + n * 30 * MINUTE, visitor=BOB) for n in range(1, 100)]

    def sent_again(slot: int, at: int) -> dict[str, int]:
        again = record(0, at=at, arrived=NOON + slot * 30 * MINUTE)
        return outcomes(fold(record(0), *filler[: slot - 1], again))

    assert sent_again(90, NOON)["duplicate"] == 1
    assert sent_again(98, NOON + 2 * HOUR)["duplicate"] == 1
    assert "duplicate" not in sent_again(99, NOON + 2 * HOUR)
    assert sent_again(10, NOON + 10 * 30 * MINUTE - 30 * MINUTE)["duplicate"] == 1
    assert "duplicate" not in sent_again(10, NOON + 10 * 30 * MINUTE - 30 * MINUTE + 1)


def test_arrival_that_goes_backwards_opens_no_window() -> None:
    """Arrivals that jump back and forth over the start of a half-hour stay in the later one."""
    jumps = [record(n, at=NOON - (n % 2), visitor=BOB) for n in range(1, 9)]
    assert outcomes(fold(record(0, at=NOON - MINUTE), *jumps, record(0)))["duplicate"] == 1


def test_bots_are_in_the_ledger_only() -> None:
    """A bot's view is in the ledger with its reason, in no count, and makes no visitor known."""
    expected = fold(record(0, bot="crawler"), record(1, at=NOON + MINUTE))
    assert outcomes(expected) == {"bot:crawler": 1, "counted": 1}
    assert total(expected) == (1, 1, 1)


def test_visit_ends_after_thirty_minutes_of_inactivity() -> None:
    """Thirty minutes without view or ping do not end a visit, and a millisecond more does."""
    assert total(fold(record(0), record(1, at=NOON + 30 * MINUTE)))[1] == 1
    assert total(fold(record(0), record(1, at=NOON + 30 * MINUTE + 1)))[1] == 2


def test_pings_extend_a_visit_and_leaves_do_not() -> None:
    """A ping keeps a visit alive; a leave neither keeps one nor makes anybody known."""
    later = record(2, at=NOON + 40 * MINUTE)
    assert total(fold(record(0), record(1, kind="ping", at=NOON + 20 * MINUTE), later)) == (2, 1, 1)
    assert total(fold(record(0), record(1, kind="leave", at=NOON + 20 * MINUTE), later)) == (2, 2, 1)
    assert total(fold(record(0, kind="leave"), record(1, at=NOON + 1))) == (1, 1, 1)


def test_ping_before_any_view_makes_the_visitor_known() -> None:
    """A view within 30 minutes of a new visitor's ping begins no visit, but counts as a visitor."""
    assert total(fold(record(0, kind="ping"), record(1, at=NOON + MINUTE))) == (1, 0, 1)


def test_late_view_begins_the_visit_that_it_would_have_begun() -> None:
    """A view that arrives late begins a visit at its own time, and the view that it precedes begins none any more."""
    views = [record(0), record(1, at=NOON - 2 * HOUR, arrived=NOON), record(2, at=NOON + 30 * MINUTE, arrived=NOON)]
    assert total(fold(*views))[1] == 2
    earlier = record(3, at=NOON - 30 * MINUTE, arrived=NOON + HOUR, article="bai-1")
    assert (total(fold(*views, earlier))[1], total(fold(*views, earlier), "bai-1")[1]) == (2, 1)
    between = record(3, kind="ping", at=NOON - 30 * MINUTE, arrived=NOON + HOUR)
    assert total(fold(*views, between))[1] == 1


def test_visits_do_not_depend_on_the_order_of_arrival() -> None:
    """Views and pings of different times have the same visits in each order, however late they arrive."""
    minutes = [0, 20, 45, 80, 81, 110, 140, 171]
    kinds = ["view", "ping", "view", "view", "ping", "view", "ping", "view"]
    for _ in range(50):
        order = Random().sample(range(8), 8)
        records = [
            record(n, kind=kinds[one], at=NOON + minutes[one] * MINUTE, arrived=NOON + 3 * HOUR)
            for n, one in enumerate(order)
        ]
        assert total(fold(*records))[1] == 3, order


def test_view_without_visitor_id_is_a_view_only() -> None:
    """Without a visitor key a view makes no visit and no visitor."""
    assert total(fold(record(0, visitor=None), record(1, visitor=None))) == (2, 0, 0)


def test_visitor_id_in_capitals_is_the_same_visitor() -> None:
    """A visitor ID in capitals is the same visitor."""
    assert total(fold(record(0), record(1, visitor=ANN.upper()))) == (2, 1, 1)


def test_visitor_of_two_sites_is_separate_on_each() -> None:
    """The same visitor ID on another site is another visitor."""
    expected = fold(record(0), record(1, site="berlin"))
    assert (total(expected), total(expected, site="berlin")) == ((1, 1, 1), (1, 1, 1))


def test_visitor_counts_for_the_article_where_the_day_began() -> None:
    """The first view of the day in the log's order makes the visitor, for the site and for its article."""
    expected = fold(record(0, article="bai-1"), record(1, article="bai-2"), record(2, article="bai-1", at=NOON + DAY))
    assert (total(expected), total(expected, "bai-1"), total(expected, "bai-2")) == ((3, 2, 2), (2, 2, 2), (1, 0, 0))


def test_midnight_joins_the_ids_of_a_visitor() -> None:
    """Over midnight in Hải Hậu a visitor is on one visit, and a visitor of both days."""
    expected = fold(
        record(0, at=instant("2026-11-24T23:59:59+07:00")),
        record(1, at=instant("2026-11-25T00:00:01+07:00"), visitor=BOB, visitor_prev=ANN),
        record(2, at=instant("2026-11-25T00:10:00+07:00"), visitor=BOB, visitor_prev=ANN),
    )
    assert days(expected) == {"2026-11-24T00:00:00+07:00": (1, 1, 1), "2026-11-25T00:00:00+07:00": (2, 0, 1)}


def test_midnight_of_utc_changes_no_day() -> None:
    """Where UTC begins a day, at 07:00 in Hải Hậu, nothing begins."""
    expected = fold(
        record(0, at=instant("2026-11-24T06:59+07:00")),
        record(1, at=instant("2026-11-24T07:01+07:00")),
    )
    assert days(expected) == {"2026-11-24T00:00:00+07:00": (2, 1, 1)}
    assert {entry.day for entry in expected.ledger} == {instant("2026-11-24T00:00+07:00") // 1000}


def test_ids_of_two_days_in_either_order_are_one_visitor() -> None:
    """A view that names yesterday's ID continues its visit, whichever arrives first; a leave joins nobody."""
    both = record(0, visitor=BOB, visitor_prev=ANN, at=NOON + MINUTE)
    assert total(fold(both, record(1, visitor=ANN, arrived=NOON + MINUTE)))[1] == 1
    assert total(fold(record(1, visitor=ANN), both))[1] == 1
    leaves = record(0, visitor=BOB, visitor_prev=ANN, kind="leave")
    assert total(fold(leaves, record(1, visitor=ANN)))[1] == 1
    joins = record(1, visitor=BOB, visitor_prev=ANN, kind="leave")
    assert total(fold(record(0), joins, record(2, visitor=BOB)))[1] == 2
    apart = [record(0, visitor=ANN), record(1, visitor=BOB), record(2, visitor=BOB, visitor_prev=ANN, at=NOON + HOUR)]
    again = record(3, visitor=ANN, at=NOON + HOUR + 1)
    assert total(fold(*apart, again))[1] == 4


def test_visits_do_not_depend_on_what_is_evicted() -> None:
    """A view 90 minutes late continues a visit of its own time, also that of yesterday's ID."""
    filler = [record(n, at=NOON + n * 30 * MINUTE, visitor=None) for n in range(1, 3)]
    late = {"at": NOON + MINUTE, "arrived": NOON + 90 * MINUTE}
    assert total(fold(record(0), *filler, record(9, **late)))[1] == 1
    assert total(fold(record(0), *filler, record(9, visitor=BOB, visitor_prev=ANN, **late)))[1] == 1


def test_days_of_summer_time_have_their_length() -> None:
    """In Berlin the day of spring has 23 hours and the day of autumn 25."""
    spring = [
        record(n, site="berlin", at=instant(text))
        for n, text in enumerate(["2026-03-29T00:00+01:00", "2026-03-29T23:59:59+02:00", "2026-03-30T00:00+02:00"])
    ]
    assert days(fold(*spring), "berlin") == {
        "2026-03-29T00:00:00+01:00": (2, 2, 1),
        "2026-03-30T00:00:00+02:00": (1, 0, 1),
    }
    autumn = [
        record(n, site="berlin", at=instant(text))
        for n, text in enumerate(
            ["2026-10-25T00:00+02:00", "2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00", "2026-10-25T23:59:59+01:00"]
        )
    ]
    assert days(fold(*autumn), "berlin") == {"2026-10-25T00:00:00+02:00": (4, 4, 1)}


def test_day_without_midnight_begins_at_its_first_instant() -> None:
    """In Beirut summer time skips midnight: the day begins at one o'clock, which is the instant after 23:59:59."""
    at = instant("2026-03-29T01:00+03:00")
    expected = fold(record(0, site="beirut", at=at - 1), record(1, site="beirut", at=at))
    assert days(expected, "beirut") == {
        "2026-03-28T00:00:00+02:00": (1, 1, 1),
        "2026-03-29T01:00:00+03:00": (1, 0, 1),
    }


def test_zone_with_a_quarter_hour_offset_has_correct_days() -> None:
    """A day in Kathmandu begins at 18:15 UTC, and its hours are counted from there."""
    at = instant("2026-11-24T00:00+05:45")
    expected = fold(record(0, site="kathmandu", at=at - 1), record(1, site="kathmandu", at=at))
    assert days(expected, "kathmandu") == {
        "2026-11-23T00:00:00+05:45": (1, 1, 1),
        "2026-11-24T00:00:00+05:45": (1, 0, 1),
    }
    hours = [instant(f"2026-11-23T{time}+00:00") // 1000 for time in ("17:15", "18:15")]
    found = [expected.counts[Bucket("kathmandu", "", "hour", hour)] for hour in hours]
    assert found == [Totals(1, 1, 1), Totals(1, 0, 1)]


def test_partitions_add_up_and_visitors_are_distinct() -> None:
    """Partitions remember apart; a key on two of them is one visitor, whose place is open between the two views."""
    expected = recount({0: [record(0, article="bai-1")], 1: [record(0, article="bai-2"), record(1)]}, SITES)
    assert total(expected) == (3, 2, 1)
    assert outcomes(expected) == {"counted": 3}
    tolerance = {bucket: (one.fewer, one.more) for bucket, one in expected.tolerance.items() if bucket.grain == "total"}
    assert tolerance == {Bucket("haihau", "bai-1", "total", 0): (1, 0), Bucket("haihau", "bai-2", "total", 0): (0, 1)}
    assert total(recount({0: [record(0)], 1: [record(0, visitor=BOB)]}, SITES)) == (2, 2, 2)
    assert recount({}, SITES).counts == {}
