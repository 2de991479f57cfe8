"""Structures of sites → the statistics by section: a merge moves the whole history, and a rename keeps it."""

import random
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
import pytest

from services.stats.counting.article_titles import save_title
from services.stats.counting.site_structures import save_structure
from services.stats.local_calendar import date_start
from services.stats.queries import STATISTICS_SQL
from services.stats.statistics.time_series import read_series
from services.stats.statistics.top_articles import DayRange, read_sections, read_top_articles
from shared.kafka.database_consumer import transactions
from shared.postgres import open_pool
from shared.site_structure import SiteStructure, StaticPage, StructureSection
from shared.sites import Sites
from shared.structure_watch import StructureWatch
from tests.stats.statistics.test_queries import NOWHERE, SITE, article, at_once, put, record

DAY = 86_400
AT = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, role="presstally_stats")
    yield pool
    await pool.close()


async def apply(pool: asyncpg.Pool, version: int, aliases: dict[str, str], site: str = "haihau") -> None:
    sections = [StructureSection(slug="tin-tuc", name="Tin tức", version=1)]
    structure = SiteStructure(site=site, version=version, modified_at=AT, sections=sections, section_aliases=aliases)
    value = msgspec.json.encode(structure)
    await save_structure(NOWHERE, transactions(pool), record("site-structure", site, value))


async def test_merged_sections_have_exactly_the_sum_of_both(pool: asyncpg.Pool) -> None:
    """Series, most read and the table of sections: before the merge two, after it one with the sums of both."""
    chance, today = random.Random(5), date_start(datetime.fromtimestamp(time.time(), SITE.zone).date(), SITE.zone)
    begin, names = today - 20 * DAY, ("tin-tuc", "thoi-su", "van-hoa")
    rows = []
    for number in range(30):
        await save_title(NOWHERE, transactions(pool), article(number, section=names[number % 3]))
        rows += [
            (f"bai-{number}", "day", begin + day * DAY, part, *(chance.randrange(9) for _ in range(3)))
            for day in chance.sample(range(20), 8)
            for part in range(2)
        ]
    await put(pool, *rows)
    span = DayRange("day", begin, today + DAY)

    async def series(section: str) -> list[Any]:
        return list((await at_once(pool, read_series, SITE, "day", begin, today, article=None, section=section)).counts)

    async def sections() -> dict[str, tuple[int, int]]:
        return {one.section: (one.articles, one.counts.views) for one in await at_once(pool, read_sections, SITE, span)}

    before = {name: await series(name) for name in names}
    counted = await sections()
    await apply(pool, 1, {"thoi-su": "tin-tuc"})
    merged = await series("tin-tuc")
    assert [one.views for one in merged] == [
        one.views + other.views for one, other in zip(before["tin-tuc"], before["thoi-su"], strict=True)
    ]
    assert await series("thoi-su") == merged
    assert await series("van-hoa") == before["van-hoa"]
    both = tuple(map(sum, zip(counted["tin-tuc"], counted["thoi-su"], strict=True)))
    assert await sections() == {"tin-tuc": both, "van-hoa": counted["van-hoa"]}
    top = await at_once(pool, read_top_articles, SITE, span, "views", "thoi-su", public_only=False)
    assert len(top) == 20
    assert {one.section for one in top} == {"tin-tuc"}
    await apply(pool, 2, {"thoi-su": "chinh-tri", "tin-tuc": "chinh-tri"})
    assert await series("chinh-tri") == merged
    assert await sections() == {"chinh-tri": both, "van-hoa": counted["van-hoa"]}


async def test_older_structures_pages_and_unreadable_records_change_nothing(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redelivery is harmless, sites are apart, and what cannot be read goes to the dead letters."""
    await apply(pool, 5, {"a": "tin-tuc"})
    await apply(pool, 4, {"b": "tin-tuc"})
    await apply(pool, 1, {"a": "khac"}, site="giao-thuy")
    page = StaticPage(site="haihau", id="p", version=9, state="published", slug="p", title="P", modified_at=AT)
    await save_structure(
        NOWHERE, transactions(pool), record("site-structure", "haihau/page/p", msgspec.json.encode(page))
    )
    await save_structure(NOWHERE, transactions(pool), record("site-structure", "haihau", None))
    dead: list[bytes | None] = []

    async def send(_: Any, failed: Any, __: str) -> None:
        dead.append(failed.value)

    monkeypatch.setattr("shared.kafka.dead_letters.send_to_dead_letters", send)
    await save_structure(NOWHERE, transactions(pool), record("site-structure", "haihau", b'{"type":"other"}'))
    assert dead == [b'{"type":"other"}']
    rows = await pool.fetch("SELECT site, slug, target FROM stats.section_aliases ORDER BY site, slug")
    assert [tuple(row) for row in rows] == [("giao-thuy", "a", "khac"), ("haihau", "a", "tin-tuc")]


async def test_widget_shows_the_names_of_the_structure(pool: asyncpg.Pool) -> None:
    """Names and filters of the statistics are those of the newsroom within a second."""
    sites = Sites({SITE.slug: SITE})
    await apply(pool, 1, {"cu": "tin-tuc"})
    await StructureWatch(pool, sites, STATISTICS_SQL["structure_versions"], STATISTICS_SQL["structures"]).refresh()
    section = sites["haihau"].section("cu")
    assert section is not None
    assert section.name == "Tin tức"
