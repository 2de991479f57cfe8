"""Public articles in sections that nobody declares are found, counted and reported, without reading every article."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from prometheus_client import REGISTRY

from services.ingest.articles import undeclared_sections
from services.ingest.articles.undeclared_sections import (
    SHOWN_MAX,
    SectionOfSite,
    UndeclaredSectionsWatch,
    describe_undeclared,
    find_undeclared,
)
from shared.postgres import open_pool
from shared.sites import Section, Site, Sites


def site(slug: str, *sections: str) -> Site:
    names = [Section(section, section) for section in sections]
    return Site(slug=slug, name=slug, origins=[f"https://{slug}.vn"], timezone="UTC", sections=names)


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, role="presstally_ingest", size=2)
    yield pool
    pool.terminate()


async def add(pool: asyncpg.Pool, where: str, section: str, state: str = "published", count: int = 1) -> None:
    live = None if state == "draft" else f'{{"section": "{section}", "title": "t"}}'
    await pool.execute(
        "INSERT INTO ingest.articles (id, site, version, state, title, content, modified_at, live)"
        "SELECT gen_random_uuid()::text, $1, 1, $2, 't', $3::jsonb, now(), $4::jsonb FROM generate_series(1, $5)",
        where,
        state,
        f'{{"section": "{section}"}}',
        live,
        count,
    )


async def test_find_undeclared_counts_public_articles_by_site_and_section(pool: asyncpg.Pool) -> None:
    """A section of another site is not this one's; drafts, withdrawn articles and removed sites are not counted."""
    await add(pool, "a", "tin", count=3)
    await add(pool, "a", "cu", count=2)
    await add(pool, "a", "cu", "killed")
    await add(pool, "a", "cu", "draft")
    await add(pool, "b", "tin", count=4)
    await add(pool, "removed", "cu")
    sites = Sites(a=site("a", "tin"), b=site("b", "khac"))
    assert await find_undeclared(pool, sites) == {SectionOfSite("a", "cu"): 2, SectionOfSite("b", "tin"): 4}
    assert await find_undeclared(pool, Sites(a=site("a", "tin", "cu"), b=site("b", "tin"))) == {}
    assert await find_undeclared(pool, Sites(a=site("a"))) == {
        SectionOfSite("a", "tin"): 3,
        SectionOfSite("a", "cu"): 2,
    }


async def test_find_undeclared_without_articles_finds_nothing(pool: asyncpg.Pool) -> None:
    """A fresh installation has no alarm, and 200 sites with odd names of sections are no difficulty."""
    assert await find_undeclared(pool, Sites(a=site("a", "tin"))) == {}
    await add(pool, "a", "x'; DROP TABLE ingest.articles; --")
    many = Sites({f"s{number}": site(f"s{number}", "tin", "cu") for number in range(200)})
    assert await find_undeclared(pool, many) == {}
    assert len(await find_undeclared(pool, Sites(a=site("a", "tin")))) == 1


async def test_watch_notices_a_change_of_the_sites_at_once(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gauge and the warning follow the configuration; a site without such articles has 0."""
    monkeypatch.setattr(undeclared_sections, "CHECK_SECONDS", 3600.0)
    await add(pool, "a", "cu", count=2)
    sites = Sites(a=site("a", "cu"), b=site("b", "tin"))
    watch = UndeclaredSectionsWatch(pool, sites)
    task = asyncio.create_task(watch.run())

    def value(slug: str) -> float | None:
        return REGISTRY.get_sample_value("presstally_articles_in_undeclared_sections", {"site": slug})

    async def until(expected: float) -> None:
        async with asyncio.timeout(30):
            while value("a") != expected:  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0.01)

    try:
        await until(0)
        assert watch.warnings() == []
        sites.replace(Sites(a=site("a", "moi"), b=site("b", "tin")))
        await until(2)
        assert value("b") == 0
        assert watch.warnings() == ["2 public article(s) of a are in the section 'cu', which it does not declare"]
        sites.replace(Sites(a=site("a", "cu")))
        await until(0)
        assert (value("b"), watch.warnings()) == (None, [])
    finally:
        task.cancel()


def test_describe_undeclared_is_bounded() -> None:
    """The largest sections come first, and many small ones are one message."""
    found = {SectionOfSite("a", f"s{number:03}"): number + 1 for number in range(100)}
    messages = describe_undeclared(found)
    assert len(messages) == SHOWN_MAX + 1
    assert messages[0].startswith("100 public article(s) of a are in the section 's099'")
    assert messages[-1] == "4095 public article(s) are in 90 more undeclared sections"
