"""The collector's responses to requests that no page sends."""

from datetime import date
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.ingest.collector.endpoints import CollectorEndpoints
from services.ingest.collector.rate_limit import RateLimiter
from services.ingest.collector.visitor_limit import VisitorLimit
from services.ingest.collector.visitors import ClientInfo, LocalDays
from shared.http.problems import Problem
from shared.sites import Site, Sites
from tests.ingest.collector.test_visitors import CHROME
from tests.shared.http.fakes import FakeProtocol, FakeRequest


@pytest.fixture
def endpoints(site: Site) -> CollectorEndpoints:
    """The endpoints without stores: these requests do not reach any."""
    unused = cast("Any", None)
    return CollectorEndpoints(Sites({site.slug: site}), unused, unused, unused, RateLimiter(0, 1), ())


@pytest.mark.parametrize("origin", ["http://[x", "http://]", "null", "//", "http://", "https://[::1", "\x7f"])
async def test_unreadable_origin_is_foreign(endpoints: CollectorEndpoints, origin: str) -> None:
    """An Origin that is no URL ended in an error; it gets the problem document of a foreign page."""
    headers = {"origin": origin, "host": ""}
    protocol = FakeProtocol()
    request = FakeRequest("/p.gif", "GET", "site=haihau&path=/", headers)
    await endpoints.pixel(cast("Any", request), cast("Any", protocol))
    assert protocol.status == 403
    assert dict(protocol.headers)["content-type"] == "application/problem+json"


async def test_every_response_has_security_headers(endpoints: CollectorEndpoints, site: Site) -> None:
    """Responses of the collector run nothing in a browser, are not framed, and are what they say they are."""
    for handler, request in (
        (endpoints.events, FakeRequest("/e", "OPTIONS", headers={"origin": site.origins[0]})),
        (endpoints.events, FakeRequest("/e", "GET")),
        (endpoints.batch, FakeRequest("/e/batch", "GET")),
        (endpoints.pixel, FakeRequest("/p.gif", "HEAD", "site=haihau&path=/")),
        (endpoints.pixel, FakeRequest("/p.gif", "GET", "site=x")),
    ):
        protocol = FakeProtocol()
        await handler(cast("Any", request), cast("Any", protocol))
        headers = dict(protocol.headers)
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("path", "method", "headers", "status"),
    [
        ("/e/batch", "POST", {"authorization": "Bearer x"}, 401),
        ("/e/batch", "PUT", {}, 405),
        ("/e", "POST", {"content-type": "image/png"}, 415),
        ("/e", "PUT", {}, 405),
    ],
)
async def test_request_that_is_refused_unread_has_its_body_read(
    endpoints: CollectorEndpoints, path: str, method: str, headers: dict[str, str], status: int
) -> None:
    """The response waits for the body: the gateway made a 502 of a connection that ended while it was writing."""

    async def refuse(*_: Any) -> None:
        raise Problem(401, "No such token.")

    endpoints.tokens = cast("Any", SimpleNamespace(require=refuse))
    protocol = FakeProtocol((b"9" * 3_000, b"9" * 2_000))
    request = FakeRequest(path, method, headers={"content-length": "5000", **headers})
    handler = endpoints.batch if path == "/e/batch" else endpoints.events
    await handler(cast("Any", request), cast("Any", protocol))
    assert (protocol.status, protocol.read_bytes) == (status, 5_000)


class Salts:
    """The secrets of a collector, always the same."""

    partition_secret = b"p" * 32

    def salt(self, site: str, day: date) -> bytes:
        return f"{site} {day}".encode()


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
    endpoints: CollectorEndpoints, site: Site, client: ClientInfo, has_visitor: bool, has_client: bool
) -> None:
    """Who asks not to be identified has no client, nor has a bot; an address with too many visitors still has one."""
    endpoints.salts = cast("Any", Salts())
    endpoints.visitor_limit = VisitorLimit(1)
    endpoints.visitor_limit.admits(site.slug, date(2026, 11, 24), "many", "f" * 16)
    found = endpoints._identify(site, LocalDays(date(2026, 11, 24), None), client)
    assert (found.visitor_id is not None, found.client is not None) == (has_visitor, has_client)
