"""The evidence of a day, read from a real Postgres as the scores add it up."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from services.stats.admin.suspects import describe
from services.stats.metrics import SUSPECT_SHARE
from services.stats.suspects.evidence_reader import read_groups, read_suspects
from services.stats.suspects.finding import find_suspects
from services.stats.suspects.monitor import update_suspect_shares
from shared.postgres import open_pool
from shared.sites import Sites
from tests.stats.counting.test_whole_path import count_all
from tests.stats.suspects.scores import evidence_of, groups_of
from tests.stats.suspects.traffic import FLEET, HOUR, MIDNIGHT, PEOPLE, SITE, Crowd, day_of

SITES = Sites({SITE.slug: SITE})
NOON_SECONDS = (MIDNIGHT + 12 * HOUR) // 1000


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, role="presstally_stats", size=2)
    yield pool
    await pool.close()


async def test_stored_evidence_names_what_the_records_name(pool: asyncpg.Pool) -> None:
    """Postgres adds up the groups of a day as plain code does; command, metric and log say the same of them."""
    traffic = day_of(1, [*PEOPLE, FLEET, Crowd("view of another app", 8_000, 0, 0.5, 1, hours=(7, 9))], part=0.05)
    for number, records in traffic.partitions.items():
        await count_all(pool, number, records, [(len(records) // 3, True), (len(records) // 2, False)])
    expected = groups_of(evidence_of(traffic))
    assert any(one.confirmed_after for one in expected)
    found = await read_groups(pool, SITE, NOON_SECONDS)
    key = lambda one: (one.hour is None, one.hour or 0, one.agent)  # noqa: E731 - short
    small = [one._replace(network_bits=0) if one.agent < 0 else one for one in expected]
    assert sorted(found, key=key) == sorted(small, key=key)
    suspects = await read_suspects(pool, SITE, NOON_SECONDS)
    assert suspects == find_suspects(expected)
    (suspect,) = suspects
    named: set[tuple[str, int]] = set()
    await update_suspect_shares(pool, SITES, NOON_SECONDS, named)
    assert named == {("haihau", suspect.agent)}
    assert SUSPECT_SHARE.labels("haihau")._value.get() == suspect.share > 0.3
    text = describe(suspect, SITE)
    assert text.startswith(
        f"haihau 2026-11-24 09:00 to 00:00, group {suspect.name} (chrome-computer): 2,000 visitors, "
    )
    assert "open 1.00 pages each, and 100.0% of their pages send nothing after that" in text
    await update_suspect_shares(pool, SITES, NOON_SECONDS + 86_400, named)
    assert SUSPECT_SHARE.labels("haihau")._value.get() == 0
