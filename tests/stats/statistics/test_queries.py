"""Series, most read and ledger, read from a real Postgres and compared with plain sums."""

import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import asyncpg
import msgspec
import pytest
from aiokafka.structs import ConsumerRecord

from services.stats.counting.article_titles import save_link, save_title
from services.stats.counting.decoding import RawBatch, decode
from services.stats.counting.rules import fold_batch
from services.stats.counting.state import PartitionState
from services.stats.local_calendar import date_start
from services.stats.queries import STATISTICS_SQL
from services.stats.shared_reads import open_snapshot
from services.stats.statistics import time_series
from services.stats.statistics.periods import bucket_edges, bucket_start, next_start, parse_range, start_before
from services.stats.statistics.time_series import Counts, read_comparison, read_ledger, read_referrers, read_series
from services.stats.statistics.top_articles import DayRange, range_of, read_online_now, read_sections, read_top_articles
from shared.events import PageLive
from shared.kafka.config import KafkaConfig
from shared.kafka.database_consumer import transactions
from shared.kafka.producer import Producer
from shared.postgres import open_pool
from shared.sites import Site, Sites
from tests.stats.counting.test_rules import record as raw_record

SITE = Site(slug="haihau", name="H", origins=["https://haihau.example"], timezone="Asia/Ho_Chi_Minh")
DAY = 86_400
NOWHERE = Producer(KafkaConfig("localhost:1"))


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, role="presstally_stats")
    yield pool
    await pool.close()


async def at_once(pool: asyncpg.Pool, read: Any, *arguments: Any, **named: Any) -> Any:
    """Read in a snapshot of its own."""
    async with pool.acquire() as connection, open_snapshot(connection) as snapshot:
        return await read(snapshot, *arguments, **named)


async def put(pool: asyncpg.Pool, *rows: tuple[Any, ...]) -> None:
    """Rows of (article, grain, start, part, views, visits, visitors)."""
    await pool.executemany(
        "INSERT INTO stats.counts (generation, site, article, grain, bucket_start, partition, views, visits, visitors) "
        "VALUES (1, 'haihau', $1, $2, $3, $4, $5, $6, $7)",
        rows,
    )


def article(number: int, version: int = 1, state: str = "published", **fields: Any) -> ConsumerRecord:
    whole = {"id": f"bai-{number}", "site": "haihau", "version": version, "state": state, "section": "tin-tuc"}
    value = msgspec.json.encode({**whole, "title": f"Bài {number}, bản {version}", "body": [], **fields})
    return record("articles", f"bai-{number}", value)


def live(number: int, version: int, status: Any, url: str | None) -> ConsumerRecord:
    event = PageLive(article=f"bai-{number}", version=version, status=status, url=url, reason=None, at=1)
    return record("pages-live", f"bai-{number}", msgspec.json.encode(event))


def record(topic: str, key: str, value: bytes | None) -> ConsumerRecord:
    return ConsumerRecord(topic, 0, 0, 0, 0, key.encode(), value, None, 0, 0, ())


async def test_series_has_every_bucket_and_correct_sums(pool: asyncpg.Pool) -> None:
    """Random days of several partitions come back by day, week and month as plain sums, and empty days as zeros."""
    chance, today = random.Random(7), bucket_start(int(time.time()), "day", SITE)
    days = [start_before(today, "day", number, SITE) for number in chance.sample(range(200), 90)]
    rows = [("", "day", day, part, *(chance.randrange(50) for _ in range(3))) for day in days for part in range(3)]
    await put(pool, *rows, ("bai-1", "day", days[0], 0, 5, 4, 3), ("", "total", 0, 0, 9, 9, 9))
    for step in ("day", "week", "month"):
        begin = start_before(bucket_start(today, step, SITE), step, 5, SITE)
        end = next_start(bucket_start(today, step, SITE), step, SITE)
        series = await at_once(pool, read_series, SITE, step, begin, end, article=None, section=None)
        assert len(series.counts) == 6
        for start, finish, counts in zip(series.starts, series.starts[1:], series.counts, strict=False):
            within = [row[4:] for row in rows if start <= row[2] < finish]
            assert counts == Counts(*(sum(column) for column in zip(*within, strict=True))), step
        first_before = start_before(begin, step, 6, SITE)
        assert series.before.views == sum(row[4] for row in rows if first_before <= row[2] < begin)
    one = await at_once(pool, read_series, SITE, "day", days[0], days[0] + 1, article="bai-1", section=None)
    assert one.counts == [Counts(5, 4, 3)]


async def test_series_of_hours_ignores_other_grains(pool: asyncpg.Pool) -> None:
    """Steps of an hour read hours, and nothing of days or 5-minute steps."""
    hour = bucket_start(int(time.time()), "hour", SITE)
    await put(pool, ("", "hour", hour, 0, 3, 2, 1), ("", "5m", hour, 0, 3, 2, 1), ("", "day", hour, 0, 3, 2, 1))
    series = await at_once(pool, read_series, SITE, "hour", hour - 3_600, hour + 1, article=None, section=None)
    assert series.counts == [Counts(), Counts(3, 2, 1)]


async def test_top_articles_add_partitions_and_days(pool: asyncpg.Pool) -> None:
    """Most read of a span is the plain sum of its days over all partitions, in order, at most a hundred."""
    chance, today = random.Random(3), bucket_start(int(time.time()), "day", SITE)
    rows = [
        (f"bai-{number}", "day", start_before(today, "day", day, SITE), part, chance.randrange(1, 99), 1, 0)
        for number in range(150)
        for day in range(4)
        for part in range(2)
    ]
    await put(pool, *rows)
    sums: Counter[str] = Counter()
    for name, _, start, _, views, *_ in rows:
        if start >= start_before(today, "day", 2, SITE):
            sums[name] += views
    span = DayRange("day", start_before(today, "day", 2, SITE), next_start(today, "day", SITE))
    found = await at_once(pool, read_top_articles, SITE, span, "views", None, public_only=False)
    assert [(one.article, one.counts.views) for one in found] == sorted(
        sums.items(), key=lambda one: (-one[1], one[0])
    )[:100]
    assert await at_once(pool, read_top_articles, SITE, span, "visitors", None, public_only=False) == []
    assert await at_once(pool, read_top_articles, SITE, span, "views", None, public_only=True) == []


async def test_titles_and_links_have_the_newest_version(pool: asyncpg.Pool) -> None:
    """An older version changes nothing; what is withdrawn loses its link, and what is killed its title as well."""
    today = range_of("today", int(time.time()), SITE)
    await put(pool, *((f"bai-{number}", "day", today.begin, 0, 10 - number, 1, 1) for number in range(6)))
    for event in (
        *(article(number) for number in range(5)),
        article(0, version=3),
        article(0, version=2),
        article(2, version=2, state="killed"),
        article(4, section="van-hoa", version=2),
    ):
        await save_title(NOWHERE, transactions(pool), event)
    await save_title(NOWHERE, transactions(pool), record("articles", "bai-3", None))
    for event in (
        *(live(number, 1, "live", f"https://haihau.example/bai-{number}.html") for number in range(5)),
        live(1, 2, "withdrawn", None),
        live(1, 1, "live", "https://haihau.example/old.html"),
        live(2, 2, "withdrawn", None),
        live(3, 1, "withdrawn", None),
        live(4, 2, "failed", None),
    ):
        await save_link(NOWHERE, transactions(pool), event)
    found = await at_once(pool, read_top_articles, SITE, today, "views", None, public_only=False)
    assert [(one.title, one.path) for one in found] == [
        ("Bài 0, bản 3", "/bai-0.html"),
        ("Bài 1, bản 1", None),
        (None, None),
        (None, None),
        ("Bài 4, bản 2", "/bai-4.html"),
    ]
    shown = await at_once(pool, read_top_articles, SITE, today, "views", None, public_only=True)
    assert [one.article for one in shown] == ["bai-0", "bai-4"]
    of_section = await at_once(pool, read_top_articles, SITE, today, "views", "van-hoa", public_only=False)
    assert [one.article for one in of_section] == ["bai-4"]
    sections = {
        one.section: (one.articles, one.counts.views) for one in await at_once(pool, read_sections, SITE, today)
    }
    assert sections == {"tin-tuc": (4, 10 + 9 + 8 + 7), "van-hoa": (1, 6)}
    series = await at_once(pool, read_series, SITE, "day", today.begin, today.end, article=None, section="van-hoa")
    assert series.total == Counts(6, 1, 1)


async def test_lists_of_a_site_with_published_articles_have_no_invented_ids(pool: asyncpg.Pool) -> None:
    """Ids that nobody published are in no list once the site publishes here; they could fill each list."""
    today = range_of("today", int(time.time()), SITE)
    step = int(time.time()) // 5
    await put(pool, ("bai-1", "day", today.begin, 0, 3, 1, 1), ("invented", "day", today.begin, 0, 99, 1, 1))
    await pool.executemany(
        "INSERT INTO stats.online (generation, site, article, partition, first_bucket, visitors) "
        "VALUES (1, 'haihau', $1, 0, $2, '{5}')",
        [("bai-1", step), ("invented", step)],
    )

    async def lists() -> tuple[list[str], list[str], int]:
        top = await at_once(pool, read_top_articles, SITE, today, "views", None, public_only=False)
        online = await at_once(pool, read_online_now, SITE, None, public_only=False)
        sections = await at_once(pool, read_sections, SITE, today)
        return [one.article for one in top], [one.article for one in online], sum(one.articles for one in sections)

    elsewhere = article(2, site="berlin")
    await save_title(NOWHERE, transactions(pool), elsewhere)
    assert await lists() == (["invented", "bai-1"], ["bai-1", "invented"], 2)
    await save_title(NOWHERE, transactions(pool), article(1))
    assert await lists() == (["bai-1"], ["bai-1"], 1)


async def test_online_by_article_counts_five_minutes_only(pool: asyncpg.Pool) -> None:
    """Visitors of all partitions whose last event is less than 300 s old are on their article; older ones are not."""
    step = int(time.time()) // 5
    await pool.executemany(
        "INSERT INTO stats.online (generation, site, article, partition, first_bucket, visitors) "
        "VALUES (1, 'haihau', $1, $2, $3, $4)",
        [
            ("", 0, step - 3, [99]),
            ("bai-1", 0, step - 3, [2, 0, 1]),
            ("bai-1", 1, step - 70, [50, *[0] * 60, 1]),
            ("bai-2", 0, step - 100, [7, 7]),
            ("bai-3", 0, step, []),
        ],
    )
    found = await at_once(pool, read_online_now, SITE, None, public_only=False)
    assert [(one.article, one.online) for one in found] == [("bai-1", 4)]


async def test_ledger_balances_and_hosts_are_summed(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Received is the sum of all outcomes of the period's days; hosts come by number, the direct ones last."""
    today = bucket_start(int(time.time()), "day", SITE)
    old = start_before(today, "day", 9, SITE)
    rows = [
        (today, "counted", "", 10),
        (today, "bot", "crawler", 4),
        (today, "late", "", 2),
        (today, "bot", "own", 7),
        (today, "duplicate", "", 1),
    ]
    rows += [(today, "dead_lettered", "schema", 1), (old, "counted", "", 100)]
    await pool.executemany(
        "INSERT INTO stats.ledger (generation, site, day, outcome, reason, partition, events) "
        "VALUES (1, 'haihau', $1, $2, $3, 0, $4)",
        rows,
    )
    ledger = await at_once(pool, read_ledger, SITE, "7d")
    assert (ledger.received, ledger.people, ledger.bots, ledger.dead) == (25, 12, {"crawler": 4}, {"schema": 1})
    assert (ledger.outcomes["own"], ledger.outcomes["bot"]) == (7, 4)
    await pool.executemany(
        "INSERT INTO stats.referrers (generation, site, day, partition, host, visits) "
        "VALUES (1, 'haihau', $1, $2, $3, $4)",
        [
            (today, 0, "", 9),
            (today, 0, "zalo.me", 2),
            (today, 1, "zalo.me", 3),
            (today, 0, "b.vn", 4),
            (old, 0, "b.vn", 9),
        ],
    )
    span = today - 6 * 86_400, today + 1
    assert await at_once(pool, read_referrers, SITE, *span) == [("zalo.me", 5), ("b.vn", 4), ("", 9)]
    monkeypatch.setattr(time_series, "HOSTS_READ_MAX", 0)  # beside the direct visits and those of other hosts
    assert await at_once(pool, read_referrers, SITE, *span) == [("zalo.me", 5), ("(other)", 4), ("", 9)]


async def test_today_is_compared_with_the_same_part_of_another_day(pool: asyncpg.Pool) -> None:
    """Seven days until now are compared with the seven before until the same time of day, if those are complete."""
    now = int(time.time())
    today = bucket_start(now, "day", SITE)
    steps = [today + 300 * number for number in range(288)]
    passed = [step for step in steps if step < now - now % 300]
    week = [start_before(today, "day", number, SITE) for number in range(14)]
    await put(pool, *(("", "day", day, 0, 288, 0, 0) for day in week[1:]), ("", "day", today, 0, len(passed), 0, 0))
    assert (await at_once(pool, read_comparison, SITE, "7d")).before is None
    await put(pool, ("", "hour", week[13], 0, 1, 0, 0), *(("", "5m", step, 0, 1, 0, 0) for step in passed))
    await put(pool, *(("", "5m", step - 7 * DAY, 0, 1, 0, 0) for step in steps))
    found = await at_once(pool, read_comparison, SITE, "7d")
    if bucket_start(int(time.time()), "day", SITE) == today and int(time.time()) // 300 == now // 300:
        assert found.whole.views == 6 * 288 + len(passed)
        assert found.now == found.before == Counts(6 * 288 + len(passed), 0, 0)
    assert len(bucket_edges(week[6], today, "day", SITE)) == 7


@pytest.mark.parametrize(
    "zone",
    ["Asia/Kolkata", "Asia/Kathmandu", "Australia/Eucla", "Pacific/Marquesas", "Asia/Ho_Chi_Minh", "Pacific/Chatham"],
)
async def test_hours_of_a_day_have_its_events_only(pool: asyncpg.Pool, zone: str) -> None:
    """With an event every 15 minutes, a day by hours has 24 buckets and 96 events, as the day has; so has its week."""
    site = Site(slug="haihau", name="H", origins=["https://haihau.example"], timezone=zone)
    begin = date_start(date(2026, 11, 24), site.zone)
    times = range(begin - DAY // 2, begin + DAY + DAY // 2, 900)
    records = [raw_record(number, at=seconds * 1000) for number, seconds in enumerate(times)]
    deltas = fold_batch(decode(RawBatch.of(records), Sites(haihau=site)), PartitionState(), RawBatch.of(records), None)
    await put(pool, *(("", one.grain, one.bucket_start, 0, one.views, 0, 0) for one in deltas.bucket_counts))
    await put(pool, *(("", "day", one.day, 0, one.views, 0, 0) for one in deltas.day_counts if not one.article))
    span = parse_range("2026-11-24", "2026-11-24", "hour", 0, site)
    hours = await at_once(pool, read_series, site, "hour", *span, article=None, section=None)
    day = await at_once(pool, read_series, site, "day", *span, article=None, section=None)
    assert [one.views for one in hours.counts] == [4] * 24
    assert hours.total == day.total == Counts(96)


@pytest.mark.parametrize("name", ["top_articles", "top_pages", "sections"])
async def test_lists_of_a_year_are_summed_without_sorting_every_row(database: str, name: str) -> None:
    """Postgres knows how many rows a year has, and sums them as it reads them instead of sorting them on disk."""
    connection = await asyncpg.connect(database)
    await connection.execute(
        "INSERT INTO stats.counts (generation, site, article, grain, bucket_start, partition, views) "
        "SELECT 1, 'haihau', CASE n % 2 WHEN 1 THEN '/' ELSE '' END || 'bai-' || n % 500, 'day', n / 500 * 86400, 0, 1 "
        "FROM generate_series(0, 59_999) AS n"
    )
    await connection.execute("ANALYZE stats.counts")
    ranges = "'haihau', '{day}', '{0}', '{99999999}'"
    arguments = {"sections": ranges, "top_pages": f"{ranges}, 'views', 10"}
    values = arguments.get(name, f"{ranges}, 'views', NULL, false, 10")
    await connection.execute(f"PREPARE list AS {STATISTICS_SQL[name]}")
    plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE list ({values})"))
    await connection.close()
    assert "HashAggregate" in plan, plan
    assert "Group Key: counts.article" in plan, plan
