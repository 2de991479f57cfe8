"""The counting rules, one by one, and all together against a slow and plain model."""

import json
import uuid
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.stats.calendar import day_start
from services.stats.counting import Bucket, Deltas, Memory, Record, count
from shared.sites import Site, Sites

SITE = Site(slug="haihau", name="Hải Hậu", origins=["https://haihau.example"], timezone="Asia/Ho_Chi_Minh")
SITES = Sites(haihau=SITE)
NOON = 1_795_496_400_000  # 2026-11-24T12:00 in Hải Hậu
MINUTE = 60_000
ANN, BOB = "a" * 16, "b" * 16


def record(offset: int, *, arrived: int | None = None, **fields: Any) -> Record:
    event = {
        "id": str(uuid.UUID(int=offset)),
        "site": "haihau",
        "kind": "view",
        "path": "/",
        "at": NOON,
        "visitor": ANN,
    }
    event.update(fields)
    return Record(offset, event["at"] if arrived is None else arrived, json.dumps(event).encode())


def fold(*records: Record, memory: Memory | None = None) -> Deltas:
    return count(records, memory or Memory(), SITES)


def total(deltas: Deltas, measure: str = "views", article: str = "") -> int:
    return int(getattr(deltas, measure)[Bucket("haihau", article, "total", 0)])


def online(deltas: Deltas, article: str = "") -> int:
    return sum(change for (_, of, _), change in deltas.online.items() if of == article)


def outcomes(deltas: Deltas) -> dict[str, int]:
    summed: Counter[str] = Counter()
    for (_, _, outcome, reason), events in deltas.ledger.items():
        summed[f"{outcome}:{reason}" if reason else outcome] += events
    return dict(summed)


def test_a_view_counts_for_the_site_and_its_article() -> None:
    """A view is in the step, hour, day and total of the site and in the day and total of its article."""
    deltas = fold(record(0, article="bai-1"))
    grains = sorted((bucket.article, bucket.grain) for bucket in deltas.views)
    assert grains == [("", "day"), ("", "hour"), ("", "step"), ("", "total"), ("bai-1", "day"), ("bai-1", "total")]
    assert Bucket("haihau", "", "day", day_start(NOON, SITE.zone)) in deltas.views


def test_pings_and_leaves_are_no_views() -> None:
    """A ping keeps a reader online and a leave ends it; neither is a view or a visit."""
    deltas = fold(record(0, kind="ping"), record(1, kind="leave", at=NOON + 1))
    assert (total(deltas), total(deltas, "visits"), online(deltas)) == (0, 0, 0)
    assert outcomes(deltas) == {"counted": 2}


def test_a_visit_ends_after_thirty_quiet_minutes() -> None:
    """Thirty minutes without a sign end a visit, counted from the last view or ping; a millisecond less does not."""
    gaps = [0, 30 * MINUTE, 30 * MINUTE, 30 * MINUTE + 1]
    times = [NOON + sum(gaps[: n + 1]) for n in range(len(gaps))]
    assert total(fold(*(record(n, at=at) for n, at in enumerate(times))), "visits") == 2


def test_a_ping_keeps_a_visit_alive() -> None:
    """A reader who sat on one page for an hour, pinging, and reads on, is still on the same visit."""
    pings = [record(n, kind="ping", at=NOON + n * 10 * MINUTE) for n in range(1, 7)]
    assert total(fold(record(0), *pings, record(9, at=NOON + 65 * MINUTE)), "visits") == 1


def test_a_leave_does_not_begin_or_keep_a_visit() -> None:
    """A leave by somebody never seen leaves no trace: the view after it begins a visit."""
    assert total(fold(record(0, kind="leave"), record(1, at=NOON + MINUTE)), "visits") == 1


def test_the_same_id_counts_once() -> None:
    """A repeated id is a duplicate, in the same batch and in a later one."""
    memory = Memory()
    assert outcomes(fold(record(0), record(0), memory=memory)) == {"counted": 1, "duplicate": 1}
    again = fold(record(0), memory=memory)
    assert outcomes(again) == {"duplicate": 1}
    assert total(again) == 0


def test_bots_are_counted_beside_people() -> None:
    """A bot's events are in the ledger with their reason and in no count."""
    deltas = fold(record(0, bot="crawler"), record(1, bot="headless"), record(2))
    assert outcomes(deltas) == {"bot:crawler": 1, "bot:headless": 1, "counted": 1}
    assert (total(deltas), online(deltas), len(deltas.first_sights)) == (1, 1, 1)


def test_without_a_key_a_view_is_a_view_only() -> None:
    """A view without a visitor key counts as a view, and makes no visit, no visitor and nobody online."""
    deltas = fold(record(0, visitor=None))
    assert (total(deltas), total(deltas, "visits"), online(deltas), deltas.first_sights) == (1, 0, 0, [])


def test_midnight_neither_doubles_online_nor_makes_a_visit() -> None:
    """A reader whose key changes at midnight is one person online, on one visit, a visitor of both days."""
    midnight = day_start(NOON, SITE.zone) * 1000 + 86_400_000
    deltas = fold(
        record(0, at=midnight - 1000, visitor=ANN),
        record(1, at=midnight + 1000, visitor=BOB, visitor_prev=ANN),
        record(2, at=midnight + 2000, visitor=BOB, visitor_prev=ANN),
    )
    assert (online(deltas), total(deltas, "visits"), total(deltas)) == (1, 1, 3)
    assert [sight.visitor for sight in deltas.first_sights] == [ANN, BOB]


def test_online_on_an_article_follows_the_last_view() -> None:
    """A reader is online on the article viewed last, and on one article only."""
    deltas = fold(
        record(0, article="bai-1"),
        record(1, article="bai-2", at=NOON + 10_000),
        record(2, kind="ping", at=NOON + 20_000),
    )
    assert (online(deltas), online(deltas, "bai-1"), online(deltas, "bai-2")) == (1, 0, 1)


def test_what_cannot_be_read_is_a_dead_letter_and_the_rest_counts() -> None:
    """Each kind of bad record goes to the dead letters with its reason; the good ones around it are counted."""
    bad = {
        "null": Record(1, NOON, None),
        "not-json": Record(2, NOON, b"{"),
        "schema": Record(3, NOON, b'{"id":"x"}'),
        "unknown-site": record(4, site="khong-co"),
        "future": record(5, at=NOON + 6 * MINUTE, arrived=NOON),
        "too-old": record(6, at=NOON, arrived=NOON + 49 * 60 * MINUTE),
        "nul-character": record(7, article="x\0"),
    }
    deltas = fold(record(0), *bad.values(), record(8))
    assert [letter.reason for letter in deltas.dead_letters] == list(bad)
    assert [letter.offset for letter in deltas.dead_letters] == list(range(1, 8))
    assert total(deltas) == 2


def test_a_late_event_counts_in_the_bucket_of_its_own_time() -> None:
    """A view that arrived a day late is in yesterday's bucket, and in the ledger as late."""
    deltas = fold(record(0, at=NOON - 86_400_000, arrived=NOON))
    assert outcomes(deltas) == {"late": 1}
    assert deltas.views[Bucket("haihau", "", "day", day_start(NOON, SITE.zone) - 86_400)] == 1


signs = st.tuples(
    st.sampled_from(["view", "view", "ping", "leave"]),
    st.integers(0, 20 * MINUTE),  # time since the sign before
    st.sampled_from([ANN, BOB, "c" * 16, None]),
    st.sampled_from([None, "bai-1", "bai-2"]),
    st.sampled_from([None, None, None, "crawler"]),
    st.booleans(),  # is this id that of the sign before?
)


def history(drawn: list[tuple[Any, ...]]) -> list[Record]:
    at, records, number = NOON, [], 0
    for offset, (kind, gap, visitor, article, bot, repeated) in enumerate(drawn):
        at += gap
        number = number if repeated else offset
        fields = {"kind": kind, "at": at, "visitor": visitor, "article": article, "bot": bot}
        records.append(record(offset, id=str(uuid.UUID(int=number)), **fields))
    return records


def model(records: list[Record]) -> dict[str, int]:
    """Count the slow way: for each event, look at all events before it."""
    events = [json.loads(item.value or b"") for item in records]
    fresh = [event for n, event in enumerate(events) if all(event["id"] != before["id"] for before in events[:n])]
    people = [event for event in fresh if event["bot"] is None]
    views = [event for event in people if event["kind"] == "view"]
    visits = 0
    last_signs: dict[str, dict[str, Any]] = {}
    for n, event in enumerate(people):
        who = event["visitor"]
        if who is None:
            continue
        here = [one["at"] for one in people[:n] if one["visitor"] == who and one["kind"] != "leave"]
        if event["kind"] == "view" and not any(event["at"] - at <= 30 * MINUTE for at in here):
            visits += 1
        last_signs[who] = event
    now = newest(records)
    return {
        "views": len(views),
        "visits": visits,
        "visitor_days": len({(one["visitor"], day_start(one["at"], SITE.zone)) for one in views if one["visitor"]}),
        "online": sum(is_recent(one["at"] // 5_000, now) for one in last_signs.values() if one["kind"] != "leave"),
        "fresh": len(fresh),
    }


def newest(records: list[Record]) -> int:
    return max((json.loads(one.value or b"")["at"] for one in records), default=0)


def is_recent(step: int, now: int) -> bool:
    return step > (now - 300_000) // 5_000


def summary(batches: list[Deltas], now: int) -> dict[str, int]:
    changes = [(key, change) for deltas in batches for key, change in deltas.online.items()]
    return {
        "views": sum(total(deltas) for deltas in batches),
        "visits": sum(total(deltas, "visits") for deltas in batches),
        "visitor_days": len({(sight.visitor, sight.day) for deltas in batches for sight in deltas.first_sights}),
        "online": sum(change for (_, article, step), change in changes if not article and is_recent(step, now)),
        "fresh": sum(n for deltas in batches for name, n in outcomes(deltas).items() if name != "duplicate"),
    }


@settings(deadline=None, max_examples=300)
@given(st.lists(signs, max_size=40), st.integers(1, 7))
def test_random_histories_count_as_the_plain_model_counts(drawn: list[tuple[Any, ...]], batch: int) -> None:
    """Whatever happened, and however it was cut into batches, the counts are those of the slow model."""
    records = history(drawn)
    memory = Memory()
    batches = [count(records[n : n + batch], memory, SITES) for n in range(0, len(records), batch)]
    assert summary(batches, newest(records)) == model(records)


@settings(deadline=None, max_examples=200)
@given(st.lists(signs, min_size=2, max_size=60), st.integers(1, 7), st.data())
def test_a_rebuilt_memory_counts_on_as_the_lost_one(
    drawn: list[tuple[Any, ...]], batch: int, data: st.DataObject
) -> None:
    """After a restart anywhere, memory rebuilt from the log's last hour gives the same counts for what follows."""
    records = history(drawn)
    restart = data.draw(st.integers(1, len(records) - 1))
    memory = Memory()
    for start in range(0, restart, batch):
        count(records[start : min(start + batch, restart)], memory, SITES)
    rebuilt = Memory()
    count(records[memory.replay_from(restart) : restart], rebuilt, SITES)
    lost, after = count(records[restart:], memory, SITES), count(records[restart:], rebuilt, SITES)
    assert (lost.views, lost.visits, lost.ledger) == (after.views, after.visits, after.ledger)
    assert {step: change for step, change in lost.online.items() if change > 0} == {
        step: change for step, change in after.online.items() if change > 0
    }
