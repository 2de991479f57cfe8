"""Migration 0005: rows that were written under the former column names are read as before."""

import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest

from services.stats.counter_api.counter_query import read_counter
from services.stats.counting.store import Position, read_evicted_state, read_positions
from services.stats.local_calendar import bucket_5m_start, day_start, hour_start
from services.stats.statistics.time_series import read_ledger, read_referrers
from shared import migrate
from shared.kafka.topic_identity import TopicIdentity
from shared.postgres import open_pool
from shared.sites import Site
from tests.databases import url_of
from tests.stats.statistics.test_queries import at_once

SITE = Site(slug="haihau", name="Hải Hậu", origins=["https://haihau.example"], timezone="Asia/Ho_Chi_Minh")
LOG = TopicIdentity("cluster", "topic-id")
FORMER = """
INSERT INTO stats.offsets
    (gen, topic, part, epoch, next_offset, cluster, topic_id, newest_arrived, window_records, window_dead, unledgered)
    VALUES (1, 'page-views', 0, 2, 90, 'cluster', 'topic-id', 77, 40, 3, 5);
INSERT INTO stats.visitor_days (gen, site, day, visitor) VALUES (1, 'haihau', {day}, -7);
INSERT INTO stats.counts (gen, site, article, grain, start, part, views, visits, visitors) VALUES
    (1, 'haihau', '', 'step', {bucket_5m}, 0, 3, 2, 1), (1, 'haihau', '', 'step', {bucket_5m}, 1, 4, 0, 0),
    (1, 'haihau', '', 'hour', {hour}, 0, 5, 2, 1), (1, 'haihau', '', 'day', {day}, 0, 6, 2, 1),
    (1, 'haihau', '', 'total', 0, 0, 60, 20, 10), (1, 'haihau', 'bai-1', 'day', {day}, 0, 2, 1, 1),
    (1, 'haihau', 'bai-1', 'total', 0, 0, 7, 1, 1);
INSERT INTO stats.online (gen, site, article, part, first_step, readers)
    VALUES (1, 'haihau', '', 0, {now} / 5000 - 2, '{{4, 0, 1}}');
INSERT INTO stats.ledger (gen, site, day, outcome, reason, part, events)
    VALUES (1, 'haihau', {day}, 'counted', '', 0, 80), (1, 'haihau', {day}, 'bot', 'crawler', 0, 5);
INSERT INTO stats.dead_letters (topic, part, "offset", reason, value, at)
    VALUES ('page-views', 0, 89, 'schema', 'x', '2026-11-24T05:00:00Z');
INSERT INTO stats.adjustments (id, site, article, measure, amount, who, why, at)
    VALUES ('a', 'haihau', '', 'views', 1000, 'An', 'opening balance', '2026-11-01T00:00:00Z');
INSERT INTO stats.snapshots (gen, topic, part, "offset", memory) VALUES (1, 'page-views', 0, 90, 'state');
INSERT INTO stats.past_ids (gen, topic, part, closed_at, slot, ids)
    VALUES (1, 'page-views', 0, 50, 31, decode('01000000000000000200000000000000', 'hex'));
INSERT INTO stats.gaps (gen, topic, part, first_lost, next_there) VALUES (1, 'page-views', 0, 10, 15);
INSERT INTO stats.referrers (gen, site, day, part, host, visits) VALUES (1, 'haihau', {day}, 0, 'google.com', 2);
"""


def is_former(migration: migrate.Migration) -> bool:
    return migration.service != "stats" or migration.name < "0005"


@pytest.fixture
async def empty_database(postgres_url: str) -> AsyncIterator[str]:
    name = f"former_{uuid.uuid4().hex[:8]}"
    server = await asyncpg.connect(postgres_url)
    await server.execute(f"CREATE DATABASE {name}")
    yield url_of(postgres_url, name)
    await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await server.close()


async def test_migration_0005_with_former_rows_keeps_all_of_them(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database of the former schema, with rows in every table, is migrated and reads the same counts."""
    former = [one for one in migrate.read_migrations() if is_former(one)]
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "read_migrations", lambda: former)
        await migrate.migrate(empty_database)
    connection = await asyncpg.connect(empty_database)
    now = await connection.fetchval("SELECT (extract(epoch FROM now()) * 1000)::bigint")
    times = {"day": day_start(now, SITE.zone), "hour": hour_start(now, SITE.zone), "bucket_5m": bucket_5m_start(now)}
    await connection.execute(FORMER.format(now=now, **times))

    applied = [one.name for one in await migrate.migrate(empty_database)]
    assert applied == [one.name for one in migrate.read_migrations() if not is_former(one)]

    pool = await open_pool(empty_database, role="presstally_stats", size=1)
    calendar = await at_once(pool, read_counter, SITE, None, "views", "calendar")
    assert (calendar.online, calendar.today, calendar.total) == (5, 6, 1060)
    rolling = await at_once(pool, read_counter, SITE, None, "views", "rolling")
    assert (rolling.today, rolling.week) == (7, 5)
    article = await at_once(pool, read_counter, SITE, "bai-1", "visits", "calendar")
    assert (article.today, article.total) == (1, 1)
    positions = await read_positions(pool, "page-views", {0: 0}, LOG)
    assert positions == {0: Position(1, 5, 90, 77, 40, 3, 5, LOG)}
    assert await pool.fetchval("SELECT pages_from FROM stats.offsets") == 90
    assert await pool.fetchval("SELECT evidence_from FROM stats.offsets") == 90
    (evicted,) = await read_evicted_state(pool, "page-views", 0, 1)
    assert (evicted.evicted_at_offset, evicted.window_index) == (50, 31)
    assert (evicted.id_hash.tolist(), evicted.id_low.tolist()) == ([1], [2])
    assert (await at_once(pool, read_ledger, SITE, "24h")).outcomes == {"counted": 80, "bot": 5}
    assert await at_once(pool, read_referrers, SITE, 0, 2**40) == [("google.com", 2)]
    known = await pool.fetch("SELECT site, article, accepted_at_offset, day FROM stats.known_articles")
    assert [tuple(row) for row in known] == [("haihau", "bai-1", -1, None)]
    await pool.close()
    rest = await connection.fetchrow(
        """SELECT (SELECT (partition, created_at) = (0, '2026-11-24T05:00:00Z') FROM stats.dead_letters) AS dead_letter,
            (SELECT created_at = '2026-11-01T00:00:00Z' FROM stats.adjustments) AS adjustment,
            (SELECT state = 'state' FROM stats.snapshots WHERE generation = 1) AS snapshot,
            (SELECT next_available - first_lost = 5 FROM stats.gaps) AS gap,
            (SELECT array_agg(DISTINCT grain ORDER BY grain) = '{5m,day,hour,total}' FROM stats.counts) AS grains,
            (SELECT (day, visitor) = ($1, -7) FROM stats.visitor_days) AS visitor""",
        times["day"],
    )
    await connection.close()
    assert rest is not None
    assert {name for name, is_same in rest.items() if not is_same} == set()
