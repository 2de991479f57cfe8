"""Articles in Postgres: versions decide, and a site's version rises with each change."""

from typing import Any

import msgspec

from services.render.builder import store


async def site_version(portal: Any) -> int:
    return int(await portal.pool.fetchval("SELECT coalesce(max(version), 0) FROM render.sites"))


async def test_save_of_an_older_or_the_same_version_changes_nothing(portal: Any) -> None:
    """The newest version wins whatever the order, and only a change raises the site's version."""
    first = portal.article(1)
    second = msgspec.structs.replace(first, version=2, title="Mới")
    saved = await portal.put(second)
    assert saved == store.PublishedState(2, "live", "/bai-so-1-1.html", is_new=True)
    before = await site_version(portal)
    for version in (first, second):
        again = await portal.put(version)
        assert (again.version, again.is_new) == (2, False)
    assert await site_version(portal) == before
    assert "Mới" in (await portal.get("/bai-so-1-1.html")).text


async def test_save_of_a_withdrawal_removes_the_projected_rows(portal: Any) -> None:
    """A killed article has no path and no rows but its old URLs."""
    await portal.add(1, tags=["chợ"], old_urls=["/cu.htm"])
    killed = await portal.put(msgspec.structs.replace(portal.articles[1], version=2, state="killed"))
    assert killed == store.PublishedState(2, "withdrawn", None, is_new=True)
    for table, count in {"listings": 0, "search": 0, "visibility_changes": 0, "old_addresses": 1}.items():
        assert await portal.pool.fetchval(f"SELECT count(*) FROM render.{table}") == count, table
    assert (await portal.get("/cu.htm")).status == 410


async def test_remove_returns_the_version_once(portal: Any) -> None:
    """A tombstone deletes everything of an article; a second one finds nothing."""
    await portal.add(1)
    before = await site_version(portal)
    assert await store.remove(portal.pool, "a-1") == 1
    assert await site_version(portal) == before + 1
    assert await store.remove(portal.pool, "a-1") is None
    assert await site_version(portal) == before + 1
    assert (await portal.get("/bai-so-1-1.html")).status == 404


async def test_save_of_an_undone_kill_makes_gone_not_found_and_public_again(portal: Any) -> None:
    """410 becomes 404 with the next version, and the page is back when it is published; old URLs follow."""
    await portal.add(1, old_urls=["/cu.htm"])
    article = portal.articles[1]
    path = "/bai-so-1-1.html"
    seen = []
    for version, state in ((2, "killed"), (3, "unpublished"), (4, "published")):
        await portal.put(msgspec.structs.replace(article, version=version, state=state))
        seen.append(((await portal.get(path)).status, (await portal.get("/cu.htm")).status))
    assert seen == [(410, 410), (404, 404), (200, 301)]
