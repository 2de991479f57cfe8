"""The collector's responses to requests that no page sends."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.ingest.collector.endpoints import CollectorEndpoints
from services.ingest.collector.rate_limit import RateLimiter
from shared.http.problems import Problem
from shared.sites import Site, Sites
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
