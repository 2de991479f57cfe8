"""Tells WebSub hubs which feeds have changed, until they accept it.

A feed has changed if its bytes differ from those of which a hub was told last, whatever the reason: an article, a
schedule, an expiry, a renamed section. Postgres has what each hub was told, so a restart forgets nothing, replicas
share the work, and a rebuild that yields the same feeds tells nothing. Each hub has a task of its own: one that is
slow or unavailable delays neither pages nor other hubs. A process that dies while it tells a hub leaves its claim,
which ends after CLAIM_SECONDS; the hub is then told again, which is harmless.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from urllib.parse import urlencode

import asyncpg

from services.render.hubs.feeds import read_feeds
from services.render.metrics import HUB_ANNOUNCEMENTS, HUB_WAIT
from services.render.queries import GENERATIONS, SQL
from services.render.site.page_reader import NO_VERSION, SiteVersion
from shared import __version__
from shared.http.guarded_sender import Sender
from shared.http.targets import RequestError
from shared.logs import log
from shared.postgres import POSTGRES_UNAVAILABLE
from shared.retry import retry_until_done
from shared.sites import Site, Sites

POLL_SECONDS = 5.0
"""How long a change goes unnoticed that another process made, or that came by time."""
PAUSE_SECONDS_MIN = 0.5
PAUSE_FACTOR = 10
"""Reading the feeds takes a tenth of the time at most, however many articles come at once."""
CLAIMED_MAX = 4
CLAIM_SECONDS = 60.0
"""Longer than it takes to tell a hub of CLAIMED_MAX feeds."""
RETRY_SECONDS: Sequence[int] = (5, 30, 120, 600, 1_800, 3_600)
"""Waits before the second attempt and the further ones; the last wait repeats."""
RESULT_CHARACTERS_MAX = 300
TOO_MANY_REQUESTS = 429

Hub = tuple[str, str]
"""A site's slug, and the URL of one of its hubs."""


def retry_wait(attempts: int) -> timedelta:
    """Return how long to wait after so many failed attempts."""
    return timedelta(seconds=RETRY_SECONDS[min(attempts, len(RETRY_SECONDS)) - 1])


class HubAnnouncer:
    """Tells the hubs of all sites until cancelled.

    Args:
        pool: Connected as the role presstally_render.
        sites: Those with hubs are followed.
        sender: Sends the requests.
    """

    def __init__(self, pool: asyncpg.Pool, sites: Sites, sender: Sender) -> None:
        self._pool = pool
        self._sites = sites
        self._sender = sender
        self._noted: dict[str, tuple[Site, SiteVersion]] = {}
        """Each site as it was when its feeds were noted last."""
        self._running: dict[Hub, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        sites.on_change(self.wake)

    def wake(self) -> None:
        """Look for changed feeds soon: something was committed."""
        self._woken.set()

    async def run(self) -> None:
        """Note changed feeds and tell the hubs, until cancelled."""
        try:
            while True:
                self._woken.clear()
                begun = time.monotonic()
                await retry_until_done(self.step, on=POSTGRES_UNAVAILABLE, what="tell hubs of changed feeds")
                await asyncio.sleep(max(PAUSE_SECONDS_MIN, PAUSE_FACTOR * (time.monotonic() - begun)))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS if self._with_hubs() else None):
                        await self._woken.wait()
        finally:
            for task in self._running.values():
                task.cancel()

    def _with_hubs(self) -> dict[str, Site]:
        return {site.slug: site for site in self._sites.values() if site.hubs}

    async def step(self) -> None:
        """Note the feeds that have changed, and begin to tell the hubs for which an attempt is due.

        Raises:
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
        """
        sites = self._with_hubs()
        if not sites:
            HUB_WAIT.set(0)
            return
        versions = await self._site_versions()
        for slug, site in sites.items():
            if self._noted.get(slug) != (site, versions.get(slug, NO_VERSION)):
                await self._note(site)
        waiting = await self._pool.fetch(SQL["waiting_announcements"], list(sites))
        HUB_WAIT.set(max((row["seconds"] for row in waiting), default=0.0))
        for row in waiting:
            hub = (row["site"], row["hub"])
            if row["is_due"] and hub not in self._running and row["hub"] in sites[row["site"]].hubs:
                task = self._running[hub] = asyncio.create_task(self._tell_hub(hub), name="tell a hub")
                task.add_done_callback(lambda _, hub=hub: self._ended(hub))  # type: ignore[misc]

    def _ended(self, hub: Hub) -> None:
        task = self._running.pop(hub)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("telling a hub failed", site=hub[0], hub=hub[1], exc_info=error)
        self._woken.set()

    async def _site_versions(self) -> Mapping[str, SiteVersion]:
        schema = await self._pool.fetchval(SQL["live_schema"])
        rows = await self._pool.fetch(GENERATIONS[schema]["site_versions"])
        return {row["site"]: (row["version"], row["changed_at"]) for row in rows}

    async def _note(self, site: Site) -> None:
        feeds = await read_feeds(self._pool, site)
        pairs = [(hub, topic) for hub in site.hubs for topic in feeds.checksums]
        hubs, topics = [hub for hub, _ in pairs], [topic for _, topic in pairs]
        checksums = [feeds.checksums[topic] for topic in topics]
        await self._pool.execute(SQL["note_feeds"], site.slug, hubs, topics, checksums, feeds.seen_at)
        await self._pool.execute(SQL["forget_feeds"], site.slug, hubs, topics)
        self._noted[site.slug] = site, feeds.version

    async def _tell_hub(self, hub: Hub) -> None:
        """Tell a hub of its due feeds, one after the other, until it fails."""
        try:
            while rows := await self._pool.fetch(
                SQL["claim_announcements"], *hub, CLAIMED_MAX, timedelta(seconds=CLAIM_SECONDS)
            ):
                for number, row in enumerate(rows):
                    if not await self._tell(hub, row):
                        rest = [one["topic"] for one in rows[number + 1 :]]
                        await self._pool.execute(SQL["release_announcements"], *hub, rest)
                        return
        except POSTGRES_UNAVAILABLE as error:  # the claim ends by itself
            log.warning("what a hub was told could not be stored", site=hub[0], hub=hub[1], reason=repr(error))

    async def _tell(self, hub: Hub, row: asyncpg.Record) -> bool:
        """Tell a hub of a feed and store the result; return whether the hub can be told of others."""
        status, result = await self._send(hub[1], row["topic"])
        if status is not None and 200 <= status < 300:
            HUB_ANNOUNCEMENTS.labels("announced").inc()
            await self._pool.execute(SQL["announced"], *hub, row["topic"], row["checksum"], result)
            if row["attempts"]:
                log.info("a hub accepts announcements again", site=hub[0], hub=hub[1], topic=row["topic"])
            return True
        HUB_ANNOUNCEMENTS.labels("failed").inc()
        attempts = row["attempts"] + 1
        wait = retry_wait(attempts)
        is_unavailable = status is None or status >= 500 or status == TOO_MANY_REQUESTS
        if attempts == 1:
            log.warning(
                "a hub does not accept an announcement", site=hub[0], hub=hub[1], topic=row["topic"], reason=result
            )
        await self._pool.execute(SQL["retry_announcement"], *hub, row["topic"], attempts, wait, result, is_unavailable)
        return not is_unavailable

    async def _send(self, hub: str, topic: str) -> tuple[int | None, str]:
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "User-Agent": f"Presstally/{__version__}",
            "Connection": "close",
        }
        body = urlencode({"hub.mode": "publish", "hub.url": topic}).encode()
        try:
            status = await self._sender.send(hub, headers, body)
        except RequestError as error:
            return None, str(error)[:RESULT_CHARACTERS_MAX]
        return status, f"status {status}"
