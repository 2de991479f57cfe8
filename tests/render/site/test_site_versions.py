"""Site versions are read once for all waiting requests, and their failure marks Postgres unavailable."""

import asyncio
from collections.abc import Mapping
from typing import Any

from services.render.site.page_reader import SiteVersion
from services.render.site.site_versions import SiteVersionQuery, SiteVersionWatcher


class Source:
    """Queries that end when the test says so."""

    def __init__(self) -> None:
        self.queries: list[asyncio.Future[Mapping[str, SiteVersion]]] = []

    async def query(self) -> Mapping[str, SiteVersion]:
        self.queries.append(asyncio.get_running_loop().create_future())
        return await self.queries[-1]


async def test_current_requests_during_a_query_share_the_next_one() -> None:
    """A request that arrives during a query gets the result of a query that began after it."""
    source = Source()
    watcher = SiteVersionWatcher(source.query)
    first = watcher.current()
    await asyncio.sleep(0)
    late = [watcher.current() for _ in range(3)]
    source.queries[0].set_result({"site": (1, None)})
    assert await first == {"site": (1, None)}
    await asyncio.sleep(0.01)
    source.queries[1].set_result({"site": (2, None)})
    assert [await one for one in late] == [{"site": (2, None)}] * 3
    assert len(source.queries) == 2
    assert watcher.may_be_current("site", (2, None))
    assert not watcher.may_be_current("site", (1, None))
    assert watcher.may_be_current("never seen", (5, None))


async def test_current_while_postgres_is_unavailable_returns_none_at_once() -> None:
    """After a failure no request asks Postgres until a recheck finds it available again."""
    source = Source()
    watcher = SiteVersionWatcher(source.query)
    waiting = watcher.current()
    await asyncio.sleep(0)
    source.queries[0].set_exception(OSError("connection refused"))
    assert await waiting is None
    assert watcher.unavailable_reason
    assert "connection refused" in watcher.unavailable_reason
    assert await watcher.current() is None
    assert len(source.queries) == 1
    recheck = asyncio.ensure_future(watcher.recheck())
    await asyncio.sleep(0)
    source.queries[1].set_result({})
    assert await recheck == {}
    assert watcher.unavailable_reason is None


async def test_calls_of_another_thread_share_a_query_that_began_after_them() -> None:
    """A call that comes during a query waits for the next one, and none is forgotten."""
    source = Source()
    watcher = SiteVersionWatcher(source.query)
    seen: list[tuple[Any, str]] = []

    def ask(*names: str) -> None:
        for name in names:
            watcher.call_with_current(lambda versions, name: seen.append((versions, name)), name)

    await asyncio.to_thread(ask, "first")
    await asyncio.sleep(0.01)
    await asyncio.to_thread(ask, "late", "later")
    source.queries[0].set_result({"site": (1, None)})
    await asyncio.sleep(0.01)
    assert seen == [({"site": (1, None)}, "first")]
    source.queries[1].set_exception(OSError("connection refused"))
    await asyncio.sleep(0.01)
    assert seen[1:] == [(None, "late"), (None, "later")]
    await asyncio.to_thread(ask, "cached")
    await asyncio.sleep(0.01)
    assert (seen[3:], len(source.queries)) == ([(None, "cached")], 2)


async def test_query_after_a_lost_connection_uses_another(portal: Any) -> None:
    """The query reads all sites' versions, and a connection that Postgres ended is replaced."""
    await portal.add(1)
    query = SiteVersionQuery(portal.pool)
    before = await query.query()
    assert before[portal.site.slug][0] == 1
    await portal.change(1, title="Khác")
    assert (await query.query())[portal.site.slug][0] == 2
    assert query._connection
    query._connection.terminate()
    try:
        await query.query()
    except Exception:  # noqa: BLE001 - whatever the client raises for a closed connection
        assert query._connection is None
    assert (await query.query())[portal.site.slug][0] == 2
