"""A version is relied on without a query for a moment, and yet no page is older than what was committed before."""

import asyncio
import math
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from services.render.queries import SQL
from services.render.site.leases import Leases
from tests.leads import leads

PAGE = "/bai-so-1-1.html"
AGE = "UPDATE render.sites SET changed_at = now() - interval '1 hour'"
LEASE_TRIES = 200
VERSION = (3, None)


def holds(portal: Any) -> bool:
    """Return whether the site's pages may be served without a query now."""
    site = portal.site.slug
    return bool(portal.portal._leases.hold(site, portal.portal._versions._last.get(site)))


async def lease(portal: Any) -> None:
    """Ask until there is a lease, as if nothing had been written for an hour."""
    await portal.pool.execute(AGE)
    for _ in range(LEASE_TRIES):
        assert (await portal.get(PAGE)).status == 200
        if holds(portal):
            return
    raise AssertionError("there was no lease")


def test_leases_last_from_the_beginning_of_a_query_without_writers() -> None:
    """A query gives a lease if the one before it found no writer; time counts from the beginning of that one."""
    leases, now = Leases(), time.monotonic()
    leases.renew(now, {"site": VERSION}, {"site": 60.0}, are_writing=False)
    assert not leases.hold("site", VERSION)
    leases.renew(now, {"site": VERSION, "young": VERSION}, {"site": 60.0, "young": 0.0}, are_writing=True)
    assert leases.hold("site", VERSION)
    assert not leases.hold("site", (4, None))
    assert not leases.hold("young", VERSION)
    assert not leases.hold("unknown", VERSION)
    leases.renew(now, {"site": (4, None)}, {"site": 60.0}, are_writing=False)
    assert not leases.hold("site", (4, None)), "its writer may commit at any moment"
    leases.renew(now - 61, {"site": VERSION}, {"site": 60.0}, are_writing=False)
    leases.renew(now, {"site": VERSION}, {"site": 60.0}, are_writing=False)
    assert not leases.hold("site", VERSION), "the query before it was long ago"
    leases.renew(now, {"site": VERSION}, {"site": 60.0}, are_writing=False)
    assert leases.hold("site", VERSION)
    leases.end()
    assert not leases.hold("site", VERSION)


def test_leases_are_due_once_for_each_query() -> None:
    """While pages are served, the next query is made before the lease ends, by one request."""
    leases, now = Leases(), time.monotonic()
    assert not leases.are_due()
    leases.renew(now, {}, {}, are_writing=False)
    assert not leases.are_due()
    leases.renew(now - 1, {}, {}, are_writing=False)
    assert [leases.are_due() for _ in range(3)] == [True, False, False]


async def test_page_under_a_lease_is_served_without_a_query(portal: Any) -> None:
    """Plain, compressed and 304 are served at once; what was not made yet, and what has expired, is not."""
    await portal.add(1)
    for headers in ({}, {"accept_encoding": "gzip"}, {"if_none_match": "*"}):
        asked = await portal.get(PAGE, **headers)
        await lease(portal)
        leases = portal.portal._leases
        leases._due_at = math.inf
        leases._by_site = {site: (version, math.inf) for site, (version, _) in leases._by_site.items()}
        calls = portal.portal._versions._calls
        portal.portal._versions._calls = None  # a request that asks for the version fails
        got = await portal.get(PAGE, **headers)
        portal.portal._versions._calls = calls
        assert (got.status, got.body) == (asked.status, asked.body)
    assert (await portal.get(PAGE, accept_encoding="br")).headers["content-encoding"] == "br"


async def test_change_of_a_site_under_a_lease_is_never_missed(portal: Any) -> None:
    """A reader who asks after a commit gets it, although the site was leased a moment before; so with a withdrawal."""
    await portal.add(1, title="Lần 1")
    committed, leased, number = 1, 0, 1

    async def commit(number: int, **fields: Any) -> None:
        nonlocal committed
        await portal.change(1, **fields)
        committed = number

    while number < 11 or (leased < 10 and number < 99):  # on a busy machine a lease may end at once
        number += 1
        await lease(portal)
        saving = asyncio.create_task(commit(number, title=f"Lần {number}"))
        while not saving.done():
            least, leased = committed, leased + holds(portal)
            page = (await portal.get(PAGE)).text
            assert max(n for n in range(1, 100) if f"Lần {n}<" in page) >= least
            await asyncio.sleep(0)
        await saving
        assert f"Lần {number}<" in (await portal.get(PAGE)).text
    assert leased >= 10
    await lease(portal)
    await portal.change(1, state="killed")
    assert (await portal.get(PAGE)).status == 410


async def test_lease_is_not_given_while_a_writer_is_about_to_commit(portal: Any) -> None:
    """From its announcement until its commit, and for two seconds after it, each request asks."""
    await portal.add(1)
    await lease(portal)
    async with portal.pool.acquire() as connection, connection.transaction():
        await connection.execute(SQL["bump_site_version"], portal.site.slug)
        for _ in range(5):
            assert (await portal.get(PAGE)).status == 200
            assert not holds(portal)
    for _ in range(5):
        assert (await portal.get(PAGE)).status == 200
        assert not holds(portal)
    await lease(portal)


async def test_lease_ends_with_the_publication_of_an_article(portal: Any) -> None:
    """A page whose article ends by time is not served after that, although nothing is written then."""
    await portal.add(2)
    for version, lead in enumerate(leads(1), 1):
        ends = datetime.now(UTC) + lead
        await portal.add(1, version=version, unpublish_at=ends)
        try:
            await lease(portal)
        except AssertionError:  # it is over
            assert datetime.now(UTC) >= ends
            continue
        home = await portal.get("/")
        if datetime.now(UTC) < ends:
            break
    assert "Bài số 1" in home.text
    while datetime.now(UTC) < ends + timedelta(seconds=0.1):
        is_over = datetime.now(UTC) >= ends
        statuses = (await portal.get(PAGE)).status, "Bài số 1" in (await portal.get("/")).text
        assert not is_over or statuses == (404, False)
        await asyncio.sleep(0.001)
    assert "Bài số 2" in (await portal.get("/")).text


async def test_lease_ends_with_the_connection(portal: Any) -> None:
    """A query that fails ends all leases: with its connections Postgres loses the writers' announcements."""
    await portal.add(1)
    await lease(portal)
    portal.looking.terminate()
    await portal.portal._versions.recheck()
    assert not holds(portal)
    assert (await portal.get(PAGE)).status == 200
