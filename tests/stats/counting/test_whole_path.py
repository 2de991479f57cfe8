"""RawBatch → fold → SQL → what readers get, on a real Postgres, against the reference model.

The fold alone is independent of how a history is cut into batches; the SQL with several windows in one commit was not,
so a rebuild counted a visitor several times. These histories take the whole path.
"""

import asyncio
import json
import uuid
from collections.abc import Callable, Collection, Sequence
from datetime import UTC
from random import Random
from typing import Any

import asyncpg
import pytest

from services.stats.admin import reference_evidence
from services.stats.admin.reference_exclusions import ExcludedVisitor, excluded_visitors
from services.stats.admin.reference_model import recount
from services.stats.admin.verify.command import drift_message
from services.stats.admin.verify.comparison import compare
from services.stats.admin.verify.settled_days import LogBegin
from services.stats.admin.verify.values import LogSpan
from services.stats.counting import evidence, known_articles
from services.stats.counting.decoding import RawBatch, RawRecord, decode
from services.stats.counting.rules import CountDeltas, fold_batch, needs_evicted_state
from services.stats.counting.snapshots import from_bytes, to_bytes
from services.stats.counting.state import PartitionState
from services.stats.counting.store import (
    Position,
    commit_batch,
    find_known_articles,
    read_evicted_state,
    read_known_articles,
    read_positions,
)
from services.stats.local_calendar import day_start
from shared.kafka.last_record import record_checksum
from shared.kafka.topic_identity import TopicIdentity
from shared.postgres import open_pool
from tests.stats.admin.verify.reading import read_all
from tests.stats.counting.test_rules import MINUTE, NOON, SITES, record

TABLES = (
    "counts",
    "online",
    "visitor_days",
    "ledger",
    "dead_letters",
    "evicted_state",
    "referrers",
    "offsets",
    "known_articles",
    "evidence",
)
EVIDENCE = """SELECT partition, site, window_index, hour, agent, views, arrivals, confirmed, pings, leaves, home_views,
    article_views, direct_views, networks::text FROM stats.evidence"""


async def count_all(
    pool: asyncpg.Pool, partition: int, records: Sequence[RawRecord], cuts: Sequence[tuple[int, bool]]
) -> None:
    """Count a partition in batches; a cut is (place, whether the counter restarts there).

    It restarts from the snapshot of the cut before, and replays what came since then.
    """
    state, snapshots = PartitionState(), [(0, to_bytes(PartitionState()))]
    position = (await read_positions(pool, "page-views", {partition: 0}, TopicIdentity("c", "t")))[partition]
    edges = sorted((min(place, len(records)), restart) for place, restart in cuts)
    begin = 0
    for end, restart in [*edges, (len(records), False)]:
        if end > begin:
            position = await count_one(pool, partition, RawBatch.of(records[begin:end]), state, position)
            begin = end
        if restart:
            saved, snapshot = snapshots[-1]
            restored = from_bytes(snapshot)
            assert restored is not None
            state = restored
            known = await read_known_articles(pool, partition, position.generation, position.next_offset)
            state.known_articles = known
            if saved < begin:
                await fold_one(pool, partition, RawBatch.of(records[saved:begin]), state, position)
        snapshots.append((begin, to_bytes(state)))


async def count_one(
    pool: asyncpg.Pool, partition: int, records: RawBatch, state: PartitionState, position: Position
) -> Position:
    deltas = await fold_one(pool, partition, records, state, position)
    after = position._replace(
        next_offset=int(records.offset[-1]) + 1,
        newest_arrived=max(position.newest_arrived, deltas.newest_arrived),
    )
    await commit_batch(pool, "page-views", partition, deltas, position=position, new=after)
    return after


async def fold_one(
    pool: asyncpg.Pool, partition: int, records: RawBatch, state: PartitionState, position: Position
) -> CountDeltas:
    """Fold the next records, or replay counted ones, as the counter does."""
    batch = decode(records, SITES)
    evicted = (
        await read_evicted_state(pool, "page-views", partition, position.generation)
        if needs_evicted_state(batch, state, records)
        else None
    )
    await find_known_articles(pool, partition, position.generation, batch, state.known_articles)
    return fold_batch(batch, state, records, evicted)


async def stored(pool: asyncpg.Pool) -> dict[str, Any]:
    counts = await pool.fetch(
        "SELECT site, article, grain, bucket_start, sum(views)::int AS views, sum(visits)::int AS visits, "
        "sum(visitors)::int AS visitors FROM stats.counts GROUP BY 1, 2, 3, 4"
    )
    ledger = await pool.fetch(
        "SELECT site, day, outcome, reason, sum(events)::int FROM stats.ledger GROUP BY 1, 2, 3, 4"
    )
    referrers = await pool.fetch("SELECT site, day, host, sum(visits)::int FROM stats.referrers GROUP BY 1, 2, 3")
    known = await pool.fetch("SELECT partition, site, article, accepted_at_offset, day FROM stats.known_articles")
    return {
        "counts": {tuple(row)[:4]: tuple(row)[4:] for row in counts if any(tuple(row)[4:])},
        "known_articles": {tuple(row)[:3]: tuple(row)[3:] for row in known},
        "ledger": {tuple(row)[:4]: row[4] for row in ledger},
        "referrers": {tuple(row)[:3]: row[3] for row in referrers if row[3]},
        "evidence": {tuple(row)[:5]: tuple(row)[5:] for row in await pool.fetch(EVIDENCE)},
    }


def expected(partitions: dict[int, list[RawRecord]], excluded: Collection[ExcludedVisitor] = ()) -> dict[str, Any]:
    must = recount(partitions, SITES, new_articles_max=known_articles.NEW_ARTICLES_MAX, excluded=excluded)
    return {
        "known_articles": {
            (number, *key): tuple(one)
            for number, values in must.partitions.items()
            for key, one in values.known_articles.items()
        },
        "evidence": {
            (number, *key): tuple(one)
            for number, values in must.partitions.items()
            for key, one in values.evidence.items()
        },
        "counts": {
            tuple(bucket): (one.views, one.visits, one.visitors)
            for bucket, one in must.counts.items()
            if one.views or one.visits or one.visitors
        },
        "ledger": {tuple(entry): events for entry, events in must.ledger.items() if events},
        "referrers": {tuple(origin): visits for origin, visits in must.referrers.items() if visits},
    }


async def drifts(pool: asyncpg.Pool, partitions: dict[int, list[RawRecord]]) -> list[str]:
    """What `verify` says if the log still has these records."""
    spans = {}
    for number, records in partitions.items():
        begin, arrived = (records[0].offset, records[0].arrived) if records else (10**6, None)
        last = record_checksum(records[-1].arrived, records[-1].value) if records else None
        spans[number] = LogSpan(begin, arrived, {}, last)
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        begins = {number: LogBegin(span.begin, span.first_arrived) for number, span in spans.items()}
        there = await read_all(connection, begins)
    there.clock_ms = max((one.newest_arrived for one in there.partitions.values()), default=0)
    known = {number: there.articles_of(number, span.begin) for number, span in spans.items()}
    found = excluded_visitors(partitions, [one.row for one in there.exclusions])
    for one in there.exclusions:
        one.expected = found[one.row.id]
    excluded = {visitor for one in there.exclusions for visitor in one.visitors}
    most = known_articles.NEW_ARTICLES_MAX
    must = recount(partitions, SITES, stored=known, new_articles_max=most, excluded=excluded)
    return [drift_message(one, SITES) for one in compare(there, must, spans, SITES).drifts]


async def test_visitor_in_several_windows_of_one_batch_counts_once(database: str) -> None:
    """A visitor who views in two windows of one commit is one visitor, as when they are committed apart."""
    others = [("b" * 16, 30), ("c" * 16, 60), ("d" * 16, 90), ("e" * 16, 120)]
    seen = [("a" * 16, 0), *others, ("a" * 16, 121)]
    records = [record(n, at=NOON + minutes * MINUTE, visitor=who) for n, (who, minutes) in enumerate(seen)]
    pool = await open_pool(database, role="presstally_stats", size=2)
    try:
        await count_all(pool, 0, records, [])
        assert await stored(pool) == expected({0: records})
    finally:
        await pool.close()


USUAL_DELAYS = (0, 0, 0, 0, 5000, 35 * MINUTE, 3 * 60 * MINUTE, 47 * 60 * MINUTE, -MINUTE)
SPOOLED_DELAYS = (0, 0, *(minutes * MINUTE for minutes in (10, 20, 25, 29, 31, 45, 61, 90, 180)), 47 * 60 * MINUTE)


def long_history(seed: int) -> dict[int, list[RawRecord]]:
    """Some days of 2 partitions: visitors who come and go over windows, late and repeated events, outages."""
    random = Random(seed)
    with_clients = add_clients(Random(seed + 7))
    people = [f"{number:016x}" for number in range(random.choice((3, 8, 40)))]
    links = random.choice((0, 0.1, 0.5))
    articles = [None, *(f"bai-{number}" for number in range(1, random.choice((3, 3, 9, 40))))]
    delays = random.choice((USUAL_DELAYS, USUAL_DELAYS, SPOOLED_DELAYS))
    partitions: dict[int, list[RawRecord]] = {0: [], 1: []}
    for partition, records in partitions.items():
        arrived = NOON + random.randrange(86_400_000)
        mine = people[partition::2] or people
        for offset in range(random.randrange(20, 250)):
            arrived += random.choice((0, 1000, MINUTE, 10 * MINUTE, 31 * MINUTE, random.choice((200, 900)) * MINUTE))
            if records and random.random() < 0.08:
                records.append(RawRecord(offset, arrived, random.choice(records).value))
                continue
            delay = random.choice(delays)
            records.append(
                record(
                    offset,
                    id=str(uuid.UUID(int=(partition << 64) + offset)),
                    at=arrived - delay,
                    arrived=arrived,
                    kind=random.choice(("view", "view", "view", "ping", "leave")),
                    visitor=random.choice((*mine, None)),
                    visitor_prev=random.choice(mine) if random.random() < links else None,
                    article=random.choice(articles),
                    bot=random.choice((None, None, None, None, "crawler")),
                    site=random.choice(("haihau", "haihau", "kathmandu", "khong-co")),
                    referrer=random.choice((None, None, "www.google.com", "Zalo.ME", "x")),
                )
            )
        if with_clients is not None:
            records[:] = map(with_clients, records)
    return partitions


def add_clients(random: Random) -> Callable[[RawRecord], RawRecord] | None:
    """Return what gives events their clients and paths, and, as collectors do, each local day IDs of its own."""
    if random.random() < 0.3:
        return None
    clients = [None, *(f"{random.getrandbits(64):016x}" for _ in range(random.choice((1, 5, 200))))]
    changed: dict[bytes | None, bytes] = {}

    def change(one: RawRecord) -> RawRecord:
        if one.value not in changed:  # a repeated event is the same
            event = json.loads(one.value or b"{}")
            zone = SITES[event["site"]].zone if event["site"] in SITES else UTC
            day = day_start(event["at"], zone) // 3600 << 16
            for name, number in (("visitor", day), ("visitor_prev", day - (24 << 16))):
                if event[name] is not None:
                    event[name] = f"{int(event[name], 16) + number:016x}"
            event |= {"client": random.choice(clients), "path": random.choice(("/", "/", "/lien-he", "//?x"))}
            changed[one.value] = json.dumps(event).encode()
        return one._replace(value=changed[one.value])

    return change


async def test_views_that_waited_in_a_spool_have_their_visits(database: str) -> None:
    """Views that wait in one collector's spool while their pings go through another have their visits, and not none."""
    people = [f"{number:016x}" for number in range(1, 41)]
    first = NOON - 3 * 60 * MINUTE
    pings = [
        record(n + 40 * minute, kind="ping", at=first + (15 * minute + 15) * MINUTE // 30 + n, visitor=who)
        for minute in range(3)
        for n, who in enumerate(people)
    ]
    spooled = [
        record(120 + n, at=first + n, arrived=NOON, visitor=who, article="bai-1", referrer="zalo.me")
        for n, who in enumerate(people)
    ]
    records = [*pings, *spooled]
    others = [
        record(160 + n, at=NOON + n * 20 * MINUTE, visitor="f" * 16, id=str(uuid.UUID(int=1000 + n))) for n in range(3)
    ]
    pool = await open_pool(database, role="presstally_stats", size=2)
    try:
        await count_all(pool, 0, [*records, *others], [(50, False), (130, True)])
        assert await stored(pool) == expected({0: [*records, *others]})
        numbers = await pool.fetchrow(
            "SELECT views, visits, visitors FROM stats.counts WHERE article = 'bai-1' AND grain = 'total'"
        )
        assert numbers is not None
        assert tuple(numbers) == (40, 40, 40)
        assert await drifts(pool, {0: [*records, *others]}) == []
    finally:
        await pool.close()


TOTALS = """SELECT site, article, sum(views)::int, sum(visits)::int, sum(visitors)::int FROM stats.counts
    WHERE grain = 'total' GROUP BY 1, 2"""


async def totals(pool: asyncpg.Pool) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Return views, visits and visitors of each site and article, as their counters show them."""
    return {(site, article): tuple(numbers) for site, article, *numbers in await pool.fetch(TOTALS)}


async def test_late_ping_that_joins_two_visits_takes_one_back(database: str) -> None:
    """The total of visits falls by one, as docs/counters.md says, and views and visitors stay."""
    ann, first = "a" * 16, NOON - 120 * MINUTE
    times = [("view", 0, 0), ("view", 50, 50), ("ping", 25, 51)]
    records = [
        record(n, kind=kind, at=first + at * MINUTE, arrived=first + arrived * MINUTE, visitor=ann)
        for n, (kind, at, arrived) in enumerate(times)
    ]
    pool = await open_pool(database, role="presstally_stats", size=2)
    try:
        state = PartitionState()
        position = (await read_positions(pool, "page-views", {0: 0}, TopicIdentity("c", "t")))[0]
        seen = []
        for one in records:
            position = await count_one(pool, 0, RawBatch.of([one]), state, position)
            seen.append((await totals(pool))["haihau", ""])
        assert seen == [(1, 1, 1), (2, 2, 1), (2, 1, 1)]
    finally:
        await pool.close()


@pytest.mark.parametrize("number", range(8))
def test_totals_fall_only_by_visits_of_late_events(postgres_pool: Any, number: int) -> None:
    """From commit to commit no total of views or visitors falls, and no site's visits do unless an event is late."""
    seed = Random().randrange(10**9)
    print(f"seed {seed}")  # shown when it fails
    records = long_history(seed)[0]
    random = Random(seed + 1)

    async def run(pool: asyncpg.Pool) -> None:
        async with pool.acquire() as connection:
            await connection.execute("; ".join(f"DELETE FROM stats.{table}" for table in TABLES))
        state = PartitionState()
        position = (await read_positions(pool, "page-views", {0: 0}, TopicIdentity("c", "t")))[0]
        before: dict[tuple[str, str], tuple[int, int, int]] = {}
        newest, begin = 0, 0
        while begin < len(records):
            batch = records[begin : begin + random.randrange(1, 8)]
            begin += len(batch)
            times = [int(json.loads(one.value or b"{}")["at"]) for one in batch]
            is_late = times != sorted(times) or times[0] < newest
            newest = max(newest, *times)
            position = await count_one(pool, 0, RawBatch.of(batch), state, position)
            after = await totals(pool)
            for place, (views, visits, visitors) in before.items():
                now_views, now_visits, now_visitors = after[place]
                assert (now_views >= views, now_visitors >= visitors) == (True, True), place
                assert now_visits >= visits or is_late, place
            before = after

    postgres_pool(run)


def random_cuts(random: Random, records: Sequence[RawRecord]) -> list[tuple[int, bool]]:
    """Where batches end, and where the counter is restarted from a snapshot; sometimes nowhere, as in a rebuild."""
    count = random.choice((0, 0, 1, 5, 40))
    return [(random.randrange(len(records) + 1), random.random() < 0.3) for _ in range(count)]


@pytest.mark.parametrize("number", range(25))
def test_random_history_through_postgres_equals_reference_model(
    postgres_pool: Any, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However days of events are cut, restarted and committed, or rebuilt, each stored number is the model's."""
    seed = Random().randrange(10**9)
    print(f"seed {seed}")  # shown when it fails
    partitions = long_history(seed)
    random = Random(seed + 1)
    monkeypatch.setattr(known_articles, "NEW_ARTICLES_MAX", random.choice((1, 2, 5, 2_000)))
    monkeypatch.setattr(known_articles, "CACHED_MAX", random.choice((0, 3, 50_000)))
    for name, most in (("GROUPS_MAX", random.choice((1, 2, 5, 1_024))), ("KEPT_MAX", random.choice((1, 2, 64)))):
        monkeypatch.setattr(evidence, name, most)
        monkeypatch.setattr(reference_evidence, name, most)

    async def run(pool: asyncpg.Pool) -> None:
        async with pool.acquire() as connection:
            await connection.execute("; ".join(f"DELETE FROM stats.{table}" for table in TABLES))
        for partition, records in partitions.items():
            await count_all(pool, partition, records, random_cuts(random, records))
        assert await stored(pool) == expected(partitions)
        assert await drifts(pool, partitions) == []
        for begin in (
            random.random(),
            random.choice((random.random() ** 3, 1)),
        ):  # Kafka has deleted a part, or all of a partition
            trimmed = dict(partitions)
            for partition in random.sample(sorted(trimmed), random.choice((1, 2))):
                trimmed[partition] = trimmed[partition][int(begin * len(trimmed[partition])) :]
            assert await drifts(pool, trimmed) == []

    postgres_pool(run)


@pytest.fixture(scope="module")
def postgres_pool(postgres_url: str, template: str) -> Any:
    """Run a coroutine on a pool of a database of its own, from a test that is not a coroutine."""
    name = f"test_whole_{id(object())}"

    async def make(action: str) -> None:
        server = await asyncpg.connect(postgres_url)
        await server.execute(action)
        await server.close()

    runner = asyncio.Runner()
    runner.run(make(f"CREATE DATABASE {name} TEMPLATE {template}"))
    url = postgres_url.rsplit("/", 1)[0] + "/" + name
    pool = runner.run(open_pool(url, role="presstally_stats", size=2))
    yield lambda work: runner.run(work(pool))
    pool.terminate()
    runner.run(make(f"DROP DATABASE {name} WITH (FORCE)"))
    runner.close()
