"""The feeds of a site and their checksums."""

import hashlib
from typing import Any

from services.render.hubs.feeds import read_feeds
from services.render.pages.feeds import feed_paths
from services.render.site import routes
from tests.render.conftest import SITE, URL


async def test_checksums_of_feeds_are_those_of_what_readers_get(portal: Any, monkeypatch: Any) -> None:
    """Each feed of the site, also of its corrections, has the checksum of its response; one that fails is left out."""
    await portal.add(1)
    feeds = await read_feeds(portal.pool, SITE)
    assert list(feeds.checksums) == [URL + path for path in feed_paths(SITE)]
    assert len(feeds.checksums) == 8
    for url, checksum in feeds.checksums.items():
        body = (await portal.get(url.removeprefix(URL))).body
        assert hashlib.blake2b(body, digest_size=16).digest() == checksum
    monkeypatch.setattr(routes.feeds, "atom", None)
    assert len((await read_feeds(portal.pool, SITE)).checksums) == 5


async def test_feeds_have_version_and_time_of_their_snapshot(portal: Any) -> None:
    """A later reading has a later time, and another version if the site has changed."""
    before = await read_feeds(portal.pool, SITE)
    await portal.add(1)
    after = await read_feeds(portal.pool, SITE)
    assert after.seen_at > before.seen_at
    assert after.version != before.version
    assert (await read_feeds(portal.pool, SITE)).version == after.version
