"""Identities of clients, at first sight and of clients that are remembered."""

from datetime import date
from itertools import product
from typing import Any, cast

import msgspec
import pytest

from services.ingest.collector import identities as module
from services.ingest.collector.identities import Identities
from services.ingest.collector.visitor_limit import VisitorLimit
from services.ingest.collector.visitors import ClientInfo, LocalDays, VisitorIdentity
from services.ingest.metrics import VISITORS_LIMITED
from shared.sites import Site
from tests.ingest.collector.test_visitors import CHROME

DAY, BEFORE = date(2026, 11, 24), date(2026, 11, 23)
TODAY = LocalDays(DAY, None)


class Salts:
    """The secrets of a collector."""

    def __init__(self, secret: bytes = b"p") -> None:
        self.partition_secret = secret * 32

    def salt(self, site: str, day: date) -> bytes:
        return f"{site} {day}".encode()


def identities(limit: VisitorLimit | None = None, secret: bytes = b"p") -> Identities:
    return Identities(cast("Any", Salts(secret)), visitor_limit=limit)


@pytest.mark.parametrize(
    ("client", "has_visitor", "has_client"),
    [
        (ClientInfo("203.0.113.7", CHROME, limit_key="203.0.113.7"), True, True),
        (ClientInfo("203.0.113.8", CHROME, limit_key="many"), False, True),
        (ClientInfo("203.0.113.7", CHROME, has_gpc=True), False, False),
        (ClientInfo("203.0.113.7", "Googlebot/2.1"), True, False),
    ],
)
def test_identify_makes_a_client_of_people_only(
    site: Site, client: ClientInfo, has_visitor: bool, has_client: bool
) -> None:
    """Who asks not to be identified has no client, nor has a bot; an address with too many visitors still has one."""
    limit = VisitorLimit(1)
    limit.admits(site.slug, DAY, "many", "f" * 16)
    found = identities(limit).identify(site, TODAY, client)
    assert (found.visitor_id is not None, found.client is not None) == (has_visitor, has_client)


def test_remembered_clients_have_the_identities_of_new_ones(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part that decides an identity decides it for remembered clients, too, before and after all are forgotten."""
    monkeypatch.setattr(module, "RECENT_CLIENTS_MAX", 5)
    known = {secret: identities(secret=secret) for secret in (b"p", b"q")}
    other = msgspec.structs.replace(site, slug="haih")
    clients = [
        ClientInfo(address, agent, gpc, prefetch, address, own_site=own)
        for address, agent, gpc, prefetch, own in product(
            ("192.0.2.1", "192.0.2.11"), (CHROME, "1" + CHROME), (False, True), (False, True), (None, site.slug)
        )
    ]
    found: set[VisitorIdentity] = set()
    asked = list(product(known, (site, other), (TODAY, LocalDays(DAY, BEFORE), LocalDays(BEFORE, None)), clients))
    for secret, one, days, client in asked * 2:
        expected = identities(secret=secret).identify(one, days, client)
        for _ in range(2):
            assert known[secret].identify(one, days, client) == expected
        found.add(expected)
    assert len(found) > 50


def test_change_of_a_site_identifies_its_clients_anew(site: Site) -> None:
    """A headless browser that was a bot is a visitor as soon as the site counts those."""
    known, client = identities(), ClientInfo("203.0.113.7", CHROME.replace("Chrome", "HeadlessChrome"))
    counting = msgspec.structs.replace(site, count_headless_browsers=not site.count_headless_browsers)
    found = [known.identify(one, TODAY, client).bot for one in (site, counting, site)]
    assert sorted(map(str, found[:2])) == ["None", "headless"]
    assert found[2] == found[0]


def test_limited_visitor_is_counted_as_such_with_each_event(site: Site) -> None:
    """A client beyond its address's limit is no visitor, however often it is seen, and each event is in the metrics."""
    limit, counter = VisitorLimit(1), VISITORS_LIMITED.labels(site.slug)
    known, before = identities(limit), counter._value.get()
    first, second = (ClientInfo("203.0.113.7", f"{CHROME} {number}", limit_key="203.0.113.7") for number in range(2))
    found = [known.identify(site, TODAY, client) for client in (first, second, second, first)]
    assert [one.is_limited for one in found] == [False, True, True, False]
    assert counter._value.get() - before == 2
