"""Article ids that have numbers of their own: invented ids make no rows without bound, however the log is cut."""

import tracemalloc
import uuid
from collections import Counter
from random import Random

import asyncpg
import pytest

from services.stats.admin.reference_articles import NEW_ARTICLES_MAX as NEW_ARTICLES_MAX_OF_THE_MODEL
from services.stats.counting import known_articles
from services.stats.counting.decoding import RawBatch, RawRecord, decode
from services.stats.counting.known_articles import NEW_ARTICLES_MAX, KnownArticles
from services.stats.counting.rules import CountDeltas, fold
from services.stats.counting.state import PartitionState
from services.stats.counting.store import find_known_articles
from shared.postgres import open_pool
from tests.stats.counting.test_rules import ANN, BOB, MINUTE, NOON, SITES, online, record, total
from tests.stats.counting.test_whole_path import count_all, drifts, expected, stored

DAY = 24 * 60 * MINUTE
MIDNIGHT = NOON // DAY * DAY + DAY
"""The next midnight UTC."""


def limited(new_articles_max: int, decided_before: int = 0) -> PartitionState:
    return PartitionState(known_articles=KnownArticles(decided_before, new_articles_max=new_articles_max))


def view(offset: int, article: str | None, **fields: object) -> RawRecord:
    return record(offset, article=article, **{"visitor": f"{offset:016x}", **fields})


def views(deltas: CountDeltas) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for one in deltas.day_counts:
        counted[one.article] += one.views
    return dict(counted)


def test_more_new_articles_than_the_limit_count_for_the_site_alone() -> None:
    """The first ids of the log have counts; the views of further ones are the site's, and are reported."""
    state = limited(2)
    deltas = fold([view(n, article) for n, article in enumerate("abcadc")], state, SITES)
    assert views(deltas) == {"": 6, "a": 2, "b": 1}
    assert [(one.article, one.accepted_at_offset) for one in deltas.accepted_articles] == [("a", 0), ("b", 1)]
    assert deltas.uncounted_articles == {"haihau": 3}
    assert (total(deltas, "visits"), total(deltas, "visits", "a")) == (6, 2)
    assert {one.article for one in deltas.daily_visitors} == {"", "a", "b"}
    assert (online(state, NOON), online(state, NOON, "a"), online(state, NOON, "c")) == (6, 2, 0)


def test_rejected_article_is_accepted_on_the_next_day() -> None:
    """A day ends at midnight UTC of the arrival; an id that was accepted stays known."""
    state = limited(1)
    fold([view(0, "a", at=MIDNIGHT - 2), view(1, "b", at=MIDNIGHT - 1)], state, SITES)
    deltas = fold([view(2, "b", at=MIDNIGHT), view(3, "c", at=MIDNIGHT), view(4, "a", at=MIDNIGHT)], state, SITES)
    assert views(deltas) == {"": 3, "a": 1, "b": 1}
    assert [(one.article, one.day) for one in deltas.accepted_articles] == [("b", MIDNIGHT // DAY)]


def test_sites_have_limits_of_their_own() -> None:
    """A flood of ids on one site takes no article from another one."""
    deltas = fold([view(0, "a"), view(1, "b"), view(2, "c", site="kathmandu")], limited(1), SITES)
    assert views(deltas) == {"": 3, "a": 1, "c": 1}


def test_only_counted_views_make_an_article_known() -> None:
    """Pings, leaves, bots and duplicates make no id known, and pings keep no id in memory."""
    state = limited(1)
    first = view(0, None)
    again = RawRecord(4, NOON, first.value.replace(b"null", b'"x"') if first.value else None)
    others = [view(1, "p", kind="ping"), view(2, "l", kind="leave"), view(3, "b", bot="crawler"), again]
    deltas = fold([first, *others, view(5, "a")], state, SITES)
    assert views(deltas) == {"": 2, "/": 1, "a": 1}
    assert state.visitors["haihau"].articles == {None: 0, "/": 1, "a": 2}


def test_flood_of_invented_articles_makes_few_rows_and_little_state() -> None:
    """10,000 invented ids are 2,000 articles; before, each of them made rows and a place in the state."""
    state, deltas = PartitionState(), []
    for begin in range(0, 10_000, 2_500):
        flood = [view(n, f"invented-{n}", visitor=ANN) for n in range(begin, begin + 2_500)]
        pings = [view(20_000 + n, f"ping-{n}", visitor=BOB, kind="ping") for n in range(begin, begin + 2_500)]
        deltas.append(fold([*flood, *pings], state, SITES))
    assert len({one.article for batch in deltas for one in batch.day_counts}) == 1 + NEW_ARTICLES_MAX
    assert sum(total(batch) for batch in deltas) == 10_000
    assert len(state.visitors["haihau"].articles) == 1 + NEW_ARTICLES_MAX
    assert NEW_ARTICLES_MAX == NEW_ARTICLES_MAX_OF_THE_MODEL


def test_many_unknown_sites_beside_many_articles_take_little_memory() -> None:
    """A faulty program that names 3,000 sites makes no row for each of them; it took 159 MB and 5 s."""
    faulty = [record(n, site=f"site-{n}") for n in range(3_000)]
    views = [view(n, f"bai-{n}", referrer=f"host-{n}.example") for n in range(3_000, 6_000)]
    tracemalloc.start()
    deltas = fold([*faulty, *views], PartitionState(), SITES)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 30_000_000
    assert (len(deltas.dead_letters), total(deltas)) == (3_000, 3_000)


def test_replayed_views_count_for_articles_accepted_by_then() -> None:
    """A replay decides nothing: it takes ids as known from the offset at which they were accepted."""
    state = limited(1, decided_before=3)
    state.known_articles.add("haihau", "b", 2)
    records = [view(0, "b"), view(1, "a"), view(2, "b"), view(3, "c"), view(4, "a")]
    deltas = fold(records, state, SITES)
    assert views(deltas) == {"": 5, "b": 1, "c": 1}
    assert [one.article for one in deltas.accepted_articles] == ["c"]


def test_memory_of_known_articles_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """When too many ids are in memory they are forgotten, and those of the next batch are asked for again."""
    monkeypatch.setattr(known_articles, "CACHED_MAX", 2)
    known = KnownArticles()
    batch = decode(RawBatch.of([view(0, "a"), view(1, "b"), view(2, "c", kind="ping"), view(3, None)]), SITES)
    known.add("haihau", "a", 0)
    assert known.missing(batch) == [("haihau", "b"), ("haihau", "/")]
    known.add("haihau", "b", 1)
    known.add("haihau", "x", 5)
    assert known.missing(batch) == [("haihau", "a"), ("haihau", "b"), ("haihau", "/")]


async def test_known_articles_are_stored_with_the_counts(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Days of floods are stored as the model says, whatever restarts; `verify` names what is changed."""
    monkeypatch.setattr(known_articles, "NEW_ARTICLES_MAX", 3)
    monkeypatch.setattr(known_articles, "CACHED_MAX", 2)
    random = Random(5)
    records = [
        view(n, random.choice("abcdefgh"), at=NOON + n * 40 * MINUTE, id=str(uuid.UUID(int=n + 1))) for n in range(120)
    ]
    pool = await open_pool(database, role="presstally_stats", size=2)
    try:
        await count_all(pool, 0, records, [(20, True), (30, False), (35, True), (36, True), (90, True)])
        assert await stored(pool) == expected({0: records})
        by_day = await pool.fetch("SELECT count(*) FROM stats.known_articles GROUP BY day ORDER BY day")
        assert [row[0] for row in by_day] == [3, 3, 2]
        assert await drifts(pool, {0: records}) == []
        await pool.execute("UPDATE stats.known_articles SET day = day + 1 WHERE article = 'a'")
        (drift,) = await drifts(pool, {0: records})
        assert drift.startswith("haihau a known_articles partition 0 day: expected 20")
    finally:
        await pool.close()


async def test_find_known_articles_reads_only_what_is_missing(database: str) -> None:
    """Ids of other sites, partitions and generations are not those that are asked for."""
    pool: asyncpg.Pool = await open_pool(database, role="presstally_stats", size=1)
    rows = [
        (1, 0, "haihau", "a", 7),
        (1, 1, "haihau", "b", 8),
        (2, 0, "haihau", "b", 9),
        (1, 0, "kathmandu", "b", 10),
        (1, 0, "haihau", "not-viewed", 11),
    ]
    columns = "generation, partition, site, article, accepted_at_offset"
    await pool.executemany(f"INSERT INTO stats.known_articles ({columns}) VALUES ($1, $2, $3, $4, $5)", rows)
    known = KnownArticles()
    await find_known_articles(pool, 0, 1, decode(RawBatch.of([view(0, "a"), view(1, "b")]), SITES), known)
    await pool.close()
    assert {site: articles for site, articles in known.accepted_at.items() if articles} == {"haihau": {"a": 7}}
