"""The announcer tells hubs on loopback about changed feeds, and they fetch them from a portal over HTTP."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from services.render.builder import store
from services.render.hubs import announcer as module
from services.render.hubs.announcer import HubAnnouncer, retry_wait
from services.render.metrics import HUB_WAIT
from services.render.queries import SQL
from services.render.roles.site import site_role
from services.render.site.files import Files
from services.render.site.images import Images
from services.render.site.portal import Pools, Portal
from services.render.site.preview_source import PreviewSource
from services.render.site.previews import Previews
from services.render.site.saved_copies import SavedCopies
from shared.articles import Article
from shared.http.app import HttpApp, http_server
from shared.http.guarded_sender import Sender
from shared.object_store import open_store
from shared.postgres import open_pool
from shared.site_structure import SiteStructure
from shared.sites import Section, Site, Sites
from tests.leads import leads
from tests.render.conftest import TestPortal
from tests.render.hubs.hub_server import Hub, running_hub

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
FEEDS = (
    *(f"{section}/{kind}.xml" for section in ("", "/tin-tuc", "/van-hoa") for kind in ("rss", "atom")),
    *(f"/luu-tru/dinh-chinh/{kind}.xml" for kind in ("rss", "atom")),
)


@dataclass
class Newsroom:
    """Two portals under two hosts of one server, and what is published on them."""

    pool: asyncpg.Pool
    port: int
    sites: Sites = field(default_factory=Sites)
    articles: dict[str, Article] = field(default_factory=dict)

    def declare(self, hai_hau: Any = "", giao_thuy: Any = "") -> None:
        """Declare the sites with their hubs."""
        declared = [
            Site(
                slug=slug,
                name=slug,
                origins=[f"http://{host}:{self.port}"],
                timezone="Asia/Ho_Chi_Minh",
                sections=[Section("tin-tuc", "Tin tức"), Section("van-hoa", "Văn hóa")],
                hub=hub,
            )
            for slug, host, hub in (("haihau", "127.0.0.1", hai_hau), ("giao-thuy", "localhost", giao_thuy))
        ]
        self.sites.replace(Sites({site.slug: site for site in declared}))

    def feed(self, site: str, path: str) -> str:
        return self.sites[site].url + path

    async def publish(self, site: str, title: str, **fields: Any) -> Article:
        """Publish an article, or its next version."""
        before = self.articles.get(title)
        if before is None:
            number = len(self.articles) + 1
            template = TestPortal.article(TestPortal(None, None, None, "", self.sites[site]), number, title=title)  # type: ignore[arg-type]
            article = msgspec.structs.replace(template, **fields)
        else:
            changed = {"version": before.version + 1, "modified_at": datetime.now(UTC), **fields}
            article = msgspec.structs.replace(before, **changed)
        self.articles[title] = article
        await store.save(self.pool, article, self.sites[site])
        return article

    @asynccontextmanager
    async def announcing(self, sender: Sender | None = None) -> AsyncIterator[HubAnnouncer]:
        """Run an announcer, as a builder does."""
        announcer = HubAnnouncer(self.pool, self.sites, sender or Sender(LOOPBACK))
        task = asyncio.create_task(announcer.run())
        try:
            yield announcer
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def waiting(self) -> int:
        return int(
            await self.pool.fetchval("SELECT count(*) FROM render.announcements WHERE waiting_since IS NOT NULL")
        )

    async def is_waiting(self, count: int) -> bool:
        return await self.waiting() == count

    async def all_told(self) -> None:
        """Wait until every hub was told of every feed."""
        await eventually(self.is_all_told)

    async def is_all_told(self) -> bool:
        query = "SELECT count(*) > 0 AND count(waiting_since) = 0 FROM render.announcements"
        return bool(await self.pool.fetchval(query))

    async def retry_now(self) -> None:
        await self.pool.execute("UPDATE render.announcements SET next_attempt_at = now()")


async def eventually(condition: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if await result if asyncio.iscoroutine(result) else result:
            return
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.02)


@pytest.fixture
async def newsroom(
    database: str, tmp_path: Path, free_ports: Callable[[int], int], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Newsroom]:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.3)
    monkeypatch.setattr(module, "PAUSE_SECONDS_MIN", 0.02)
    monkeypatch.setattr(module, "PAUSE_FACTOR", 0)
    pool = await open_pool(database, role="presstally_render", size=6)
    looking = await open_pool(database, role="presstally_render", size=1)
    newsroom = Newsroom(pool, free_ports(1))
    newsroom.declare()
    portal = Portal(Pools(looking, pool, pool), newsroom.sites, 8 * 1024 * 1024)
    media, app = open_store(str(tmp_path / "media")), HttpApp()
    app.starting = ["site"]
    files = Files(Pools(looking, pool, pool), newsroom.sites, media)
    previews = Previews(portal, PreviewSource(""))
    app.open(site_role(portal, Images(media), files, previews, SavedCopies(portal, media)))
    server = http_server(app, "127.0.0.1", newsroom.port)
    serving = asyncio.create_task(server.serve())
    yield newsroom
    server.stop()
    await serving
    pool.terminate()
    looking.terminate()


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as hub:
        yield hub


@pytest.fixture
def other() -> Iterator[Hub]:
    with running_hub() as hub:
        yield hub


async def test_change_on_one_of_two_sites_reaches_its_hub_which_sees_the_entry(
    newsroom: Newsroom, hub: Hub, other: Hub
) -> None:
    """One change tells the hub of that site, of the feeds with the article only, and the hub finds it in them."""
    newsroom.declare(hub.url, other.url)
    async with newsroom.announcing() as announcer:
        await newsroom.all_told()
        assert sorted(hub.told) == sorted(newsroom.feed("haihau", path) for path in FEEDS)
        hub.told.clear()
        other.told.clear()
        await newsroom.publish("haihau", "Lúa được mùa")
        announcer.wake()
        await eventually(lambda: len(hub.told) >= 4)
        await newsroom.all_told()
        assert sorted(hub.told) == sorted(newsroom.feed("haihau", path) for path in FEEDS[:4])
        assert all(hub.titles(topic) == ["Lúa được mùa"] for topic in hub.told)
        assert other.told == []
        await newsroom.publish("giao-thuy", "Muối lên giá")
        announcer.wake()
        await eventually(lambda: other.titles(newsroom.feed("giao-thuy", "/tin-tuc/atom.xml")) == ["Muối lên giá"])


async def test_dead_slow_and_failing_hubs_do_not_delay_others(
    newsroom: Newsroom, hub: Hub, other: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one hub does not listen, one answers 500 and one waits, the fourth hears at once; later all do."""
    monkeypatch.setattr(module, "RETRY_SECONDS", (600,))
    with running_hub() as dead:
        dead_port = dead.server_address[1]
    with running_hub() as failing:
        failing.statuses["*"] = 500
        other.gate = threading.Event()
        newsroom.declare([f"http://127.0.0.1:{dead_port}/", failing.url, other.url, hub.url])
        await newsroom.publish("haihau", "Bão số 9")
        async with newsroom.announcing():
            topic = newsroom.feed("haihau", "/rss.xml")
            await eventually(lambda: hub.titles(topic) == ["Bão số 9"])
            await eventually(lambda: len(failing.told) == 1 and len(other.told) == 1)
            await asyncio.sleep(0.5)
            assert len(failing.told) == len(other.told) == 1
            await eventually(lambda: newsroom.is_waiting(3 * len(FEEDS)))
            assert HUB_WAIT._value.get() > 0
            other.gate.set()
            failing.statuses.clear()
            with running_hub(dead_port) as revived:
                await newsroom.retry_now()
                await newsroom.all_told()
                assert all(one.titles(topic) == ["Bão số 9"] for one in (revived, failing, other))


async def test_waits_for_a_dead_hub_grow_and_outlast_a_restart(newsroom: Newsroom, hub: Hub) -> None:
    """Each failed attempt waits longer, at most an hour and without end; another process goes on where one ended."""
    hub.statuses["*"] = 503
    newsroom.declare(hub.url)
    waits = []
    for attempts in range(1, 9):
        begun = await newsroom.pool.fetchval("SELECT now()")
        async with newsroom.announcing():
            query = f"SELECT min(attempts) = {attempts} FROM render.announcements"
            await eventually(lambda query=query: newsroom.pool.fetchval(query))  # type: ignore[misc]
        rows = await newsroom.pool.fetch(
            "SELECT attempts, next_attempt_at, now() AS ended, last_result FROM render.announcements"
        )
        assert len(rows) == len(FEEDS)
        assert {row["attempts"] for row in rows} == {attempts}
        assert len(hub.told) == attempts
        assert "status 503" in {row["last_result"] for row in rows}
        next_attempt = min(row["next_attempt_at"] for row in rows)
        waits.append(retry_wait(attempts))
        assert begun + waits[-1] <= next_attempt <= rows[0]["ended"] + waits[-1]
        await newsroom.retry_now()
    assert waits[0] < waits[1] < waits[2] < waits[3] < waits[4] < waits[5]
    assert max(waits) <= timedelta(hours=1)
    hub.statuses.clear()
    async with newsroom.announcing():
        await newsroom.all_told()
    assert len(hub.seen) == len(FEEDS)


async def test_feed_that_a_hub_refuses_does_not_hold_back_its_others(
    newsroom: Newsroom, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub that refuses one feed hears of all others at each change."""
    monkeypatch.setattr(module, "RETRY_SECONDS", (600,))
    refused = newsroom.feed("haihau", "/rss.xml")
    hub.statuses[refused] = 404
    newsroom.declare(hub.url)
    async with newsroom.announcing() as announcer:
        await eventually(lambda: len(hub.seen) == len(FEEDS) - 1)
        await newsroom.publish("haihau", "Một bài")
        announcer.wake()
        await eventually(lambda: hub.titles(newsroom.feed("haihau", "/atom.xml")) == ["Một bài"])
        await eventually(lambda: newsroom.is_waiting(1))
        assert hub.told.count(refused) == 1


async def test_embargo_and_expiry_are_announced_at_their_time_and_not_before(newsroom: Newsroom, hub: Hub) -> None:
    """Nothing is announced while an article is embargoed; its begin and its end are, although nothing is written."""
    newsroom.declare(hub.url)
    topic = newsroom.feed("haihau", "/tin-tuc/rss.xml")
    async with newsroom.announcing() as announcer:
        for lead in leads(2):
            await newsroom.all_told()
            hub.told.clear()
            begins = datetime.now(UTC) + lead
            until = begins + lead
            times = {"modified_at": datetime.now(UTC), "first_published_at": begins, "published_at": begins}
            await newsroom.publish("haihau", "Bí mật", embargo_until=begins, unpublish_at=until, **times)
            announcer.wake()
            await asyncio.sleep(0.6)
            told = list(hub.told)
            if datetime.now(UTC) >= begins:
                continue
            assert told == []
            await eventually(lambda until=until: hub.titles(topic) == ["Bí mật"] or datetime.now(UTC) > until)  # type: ignore[misc]
            if datetime.now(UTC) < until:
                break
        assert datetime.now(UTC) >= begins
        await eventually(lambda: hub.titles(topic) == [])
        assert datetime.now(UTC) >= until


async def test_rebuild_and_restart_with_equal_feeds_announce_nothing(newsroom: Newsroom, hub: Hub) -> None:
    """What changes no feed tells no hub: another generation, another process, a change of a front page's slot."""
    newsroom.declare(hub.url)
    article = await newsroom.publish("haihau", "Một bài")
    async with newsroom.announcing():
        await newsroom.all_told()
    hub.told.clear()
    await newsroom.pool.execute(SQL["bump_all_site_versions"])
    async with newsroom.announcing() as announcer:
        await newsroom.publish("haihau", "Một bài", modified_at=article.modified_at, priority=1)
        announcer.wake()
        await eventually(lambda: announcer._noted.get("haihau", (None, (0, None)))[1][0] >= 3)
        await asyncio.sleep(0.5)
        assert hub.told == []


async def test_several_processes_tell_a_hub_once(newsroom: Newsroom, hub: Hub) -> None:
    """Three announcers on one database share the work: each change of a feed is announced once."""
    newsroom.declare(hub.url)
    async with newsroom.announcing() as one, newsroom.announcing() as two, newsroom.announcing() as three:
        await newsroom.all_told()
        for number in range(5):
            await newsroom.publish("haihau", f"Bài {number}")
            for announcer in (one, two, three):
                announcer.wake()
            title, topic = f"Bài {number}", newsroom.feed("haihau", "/rss.xml")
            await eventually(lambda title=title, topic=topic: hub.titles(topic)[:1] == [title])  # type: ignore[misc]
            await newsroom.all_told()
    assert len(hub.told) == len(set(hub.told)) + 5 * 4


async def test_change_while_a_hub_is_told_is_announced_after_it(newsroom: Newsroom, hub: Hub) -> None:
    """A feed that changes between the claim and the answer is announced again."""
    newsroom.declare(hub.url)
    async with newsroom.announcing() as announcer:
        await newsroom.all_told()
        hub.gate = threading.Event()
        await newsroom.publish("haihau", "Bài đầu")
        announcer.wake()
        count = len(hub.told)
        await eventually(lambda: len(hub.told) == count + 1)
        await newsroom.publish("haihau", "Bài sau")
        announcer.wake()
        await eventually(lambda: announcer._noted["haihau"][1][0] == 2)
        hub.gate.set()
        await newsroom.all_told()
        for path in FEEDS[:4]:
            topic = newsroom.feed("haihau", path)
            assert hub.titles(topic) == ["Bài sau", "Bài đầu"]
        assert hub.told.count(hub.told[count]) == 3


async def test_claim_of_a_process_that_died_ends_and_the_hub_is_told(newsroom: Newsroom, hub: Hub) -> None:
    """A claimed feed is left alone until the claim ends, then another process announces it."""
    newsroom.declare(hub.url)
    await newsroom.publish("haihau", "Một bài")
    async with newsroom.announcing():
        await newsroom.all_told()
    hub.told.clear()
    await newsroom.pool.execute(
        "UPDATE render.announcements"
        " SET announced = NULL, waiting_since = now(), claimed_until = now() + interval '10 min'"
    )
    async with newsroom.announcing():
        await asyncio.sleep(0.6)
        assert hub.told == []
        await newsroom.pool.execute("UPDATE render.announcements SET claimed_until = now()")
        await eventually(lambda: len(hub.told) == len(FEEDS))


async def test_renamed_section_and_former_hub_leave_nothing_behind(newsroom: Newsroom, hub: Hub, other: Hub) -> None:
    """Hubs and feeds that a site has no more are forgotten; a new feed is announced at once."""
    newsroom.declare([hub.url, other.url])
    async with newsroom.announcing() as announcer:
        await newsroom.all_told()
        sections = [{"slug": "thoi-su", "name": "Thời sự", "version": 1}]
        given = {"site": "haihau", "version": 1, "modified_at": datetime.now(UTC), "sections": sections}
        structure = msgspec.convert({"type": "structure", **given}, SiteStructure)
        await store.save_structure(newsroom.pool, structure)
        newsroom.declare(hub.url)
        announcer.wake()
        await eventually(lambda: newsroom.feed("haihau", "/thoi-su/atom.xml") in hub.told)
        await newsroom.all_told()
        rows = await newsroom.pool.fetch("SELECT hub, topic FROM render.announcements")
    assert {row["hub"] for row in rows} == {hub.url}
    assert {row["topic"] for row in rows} == {
        newsroom.feed("haihau", f"{place}/{kind}.xml")
        for place in ("", "/thoi-su", "/luu-tru/dinh-chinh")
        for kind in ("rss", "atom")
    }


async def test_hub_at_a_private_address_is_not_called_unless_it_is_allowed(newsroom: Newsroom, hub: Hub) -> None:
    """Without the operator's networks a hub on this machine is not called, and the reason is stored."""
    newsroom.declare(hub.url)
    async with newsroom.announcing(Sender(schemes=("https", "http"))):
        await eventually(newsroom.waiting)
        query = "SELECT count(*) FROM render.announcements WHERE last_result LIKE '%which is not public'"
        await eventually(lambda: newsroom.pool.fetchval(query))
    assert hub.told == []
