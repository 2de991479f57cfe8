"""Links and cookies of own traffic, and which events are own traffic."""

import base64
import json
import time
from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from services.ingest.collector.endpoints import CollectorEndpoints
from services.ingest.collector.own_traffic import (
    COOKIE,
    DAY_SECONDS,
    SECURE_COOKIE,
    Mark,
    cookie_end,
    cookie_mark,
    is_own_traffic,
    own_traffic_key,
    sign,
    verify,
)
from services.ingest.collector.rate_limit import RateLimiter
from services.ingest.collector.visitors import ClientInfo
from shared.http.client_address import parse_address
from shared.sites import Site, Sites
from tests.ingest.collector.test_direct_events import Sent, event, post
from tests.ingest.collector.test_identities import Salts
from tests.ingest.collector.test_visitors import CHROME
from tests.shared.http.fakes import FakeProtocol, FakeRequest

KEY = own_traffic_key(b"p" * 32)
NOW = 1_795_600_000
MARK = Mark("haihau", NOW + 100)
COOKIE_VALUE = sign(KEY, "cookie", Mark("haihau", cookie_end(NOW)))


def with_last_bit_changed(text: str) -> str:
    """Return another text of the same bytes: the last letter has bits that decode to nothing."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = text[:-1] + letters[letters.index(text[-1]) ^ 1]
    mac, changed = (base64.urlsafe_b64decode(one[-22:] + "==") for one in (text, other))
    assert mac == changed
    return other


def test_verify_returns_what_was_signed() -> None:
    """A link and a cookie say their site and their end; neither is valid in place of the other."""
    for kind, other in (("link", "cookie"), ("cookie", "link")):
        text = sign(KEY, cast("Any", kind), MARK)
        assert verify(KEY, cast("Any", kind), text) == MARK
        assert verify(KEY, cast("Any", other), text) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("haihau", "giao-thuy"),
        lambda text: text.replace(str(MARK.until), str(MARK.until + 1)),
        lambda text: text.replace(str(MARK.until), f"0{MARK.until}"),
        lambda text: text.replace(str(MARK.until), f"{MARK.until}0"),
        lambda text: text.replace(str(MARK.until), "٣"),
        lambda text: text.replace(str(MARK.until), "-1"),
        lambda text: text.replace(".", "..", 1),
        lambda text: text.replace("haihau", "HAIHAU"),
        lambda text: text.replace("haihau", ""),
        lambda text: text.replace("haihau", "haihau\0"),
        lambda text: text + "=",
        lambda text: text + " ",
        lambda text: text + "\n",
        lambda text: text[:-1],
        lambda text: text[:-22] + "A" * 22,
        lambda text: text[:-22],
        lambda text: text * 2,
        lambda _: "x" * 100_000,
        lambda _: "",
        with_last_bit_changed,
        lambda _: sign(own_traffic_key(b"q" * 32), "link", MARK),
        lambda _: sign(b"p" * 32, "link", MARK),
    ],
)
def test_verify_of_changed_link_refuses_it(change: Any) -> None:
    """Another site, another end, another key, another spelling: nothing but the signed text is valid."""
    assert verify(KEY, "link", change(sign(KEY, "link", MARK))) is None


def test_cookies_of_one_day_are_the_same() -> None:
    """Their end is that of a day, so that a cookie does not tell one browser from others of that day."""
    day = NOW // DAY_SECONDS * DAY_SECONDS
    assert len({cookie_end(day + second) for second in (0, 1, 40_000, DAY_SECONDS - 1)}) == 1
    assert cookie_end(NOW) - NOW <= 400 * DAY_SECONDS


@pytest.mark.parametrize(
    ("header", "host", "is_valid"),
    [
        (f"{SECURE_COOKIE}={COOKIE_VALUE}", "haihau.example", True),
        (f"a=b; {SECURE_COOKIE}={COOKIE_VALUE};c", "haihau.example", True),
        (f"{COOKIE}={COOKIE_VALUE}", "localhost:8080", True),
        (f"{COOKIE}={COOKIE_VALUE}", "[::1]:8080", True),
        (f"{COOKIE}={COOKIE_VALUE}", "haihau.example", False),
        (f"{COOKIE}={COOKIE_VALUE}", "localhost.evil.example", False),
        (f"{COOKIE}={COOKIE_VALUE}", "", False),
        (f"{SECURE_COOKIE}=forged; {SECURE_COOKIE}={COOKIE_VALUE}", "haihau.example", True),
        (f"x{SECURE_COOKIE}={COOKIE_VALUE}", "haihau.example", False),
        (f"{SECURE_COOKIE.upper()}={COOKIE_VALUE}", "haihau.example", False),
        (f"{SECURE_COOKIE} ={COOKIE_VALUE}", "haihau.example", False),
        (f"{SECURE_COOKIE}", "haihau.example", False),
        (f"{SECURE_COOKIE}={sign(KEY, 'link', MARK)}", "haihau.example", False),
        (f"{SECURE_COOKIE}={sign(KEY, 'cookie', Mark('haihau', NOW))}", "haihau.example", False),
        (f"{SECURE_COOKIE}=x; " * 1_000 + f"{SECURE_COOKIE}={COOKIE_VALUE}", "haihau.example", False),
        ("", "haihau.example", False),
    ],
)
def test_cookie_mark_reads_only_a_signed_cookie_of_that_name(header: str, host: str, is_valid: bool) -> None:
    """The plain name, which a neighbouring host could plant, is read at loopback addresses only."""
    assert (cookie_mark(header, host, KEY, NOW) is not None) is is_valid


@pytest.mark.parametrize(
    ("client", "is_own"),
    [
        (ClientInfo("203.0.113.7", CHROME), True),
        (ClientInfo("203.0.113.7", CHROME, is_exact=False), False),
        (ClientInfo("198.51.100.1", CHROME), False),
        (ClientInfo("198.51.100.1", CHROME, own_site="haihau"), True),
        (ClientInfo("198.51.100.1", CHROME, own_site="giao-thuy"), False),
    ],
)
def test_own_traffic_is_of_the_site_alone(site: Site, client: ClientInfo, is_own: bool) -> None:
    """The address of a proxy that names no visitor is nobody's, and another site's cookie has no effect."""
    named = msgspec.structs.replace(site, own_addresses=["203.0.113.0/24"])
    assert is_own_traffic(named, client) is is_own


def test_changed_addresses_are_taken_over(site: Site) -> None:
    """A network that the configuration loses, or another one that it gains, decides from the next event on."""
    sites = Sites({site.slug: msgspec.structs.replace(site, own_addresses=["203.0.113.0/24"])})
    office, home = ClientInfo("203.0.113.7", CHROME), ClientInfo("2001:db8:5::1", CHROME)
    assert [is_own_traffic(sites[site.slug], one) for one in (office, home)] == [True, False]
    sites.replace(Sites({site.slug: msgspec.structs.replace(site, own_addresses=["2001:db8:5::/48"])}))
    assert [is_own_traffic(sites[site.slug], one) for one in (office, home)] == [False, True]
    sites.replace(Sites({site.slug: site}))
    assert [is_own_traffic(sites[site.slug], one) for one in (office, home)] == [False, False]


class OwnSalts(Salts):
    """Secrets with the key of own traffic."""

    own_traffic_key = KEY


async def sent(site: Site, headers: dict[str, str], *, peer: str = "198.51.100.9", kind: str = "view") -> Any:
    """Send an event and return what was published, and the response's header that names its class."""
    published: list[Any] = []

    async def publish(events: Any) -> None:
        published.extend(json.loads(event.value) for event in events)

    unused = cast("Any", None)
    publisher = cast("Any", SimpleNamespace(publish=publish))
    named = msgspec.structs.replace(site, own_addresses=["203.0.113.0/24", "2001:db8:5::/48"])
    endpoints = CollectorEndpoints(
        Sites({site.slug: named}),
        cast("Any", OwnSalts()),
        publisher,
        unused,
        RateLimiter(0, 1),
        (ip_network("192.0.2.0/24"), ip_network("203.0.113.200/29")),
    )
    body = json.dumps(event(site, kind=kind)).encode()
    host = parse_address(peer)
    client = f"[{peer}]:1" if host is not None and host.version == 6 else f"{peer}:1"
    request = FakeRequest("/e", "POST", headers={"user-agent": CHROME, "host": "localhost", **headers}, client=client)
    protocol = FakeProtocol((body,))
    await endpoints.events(cast("Any", request), cast("Any", protocol))
    assert protocol.status == 202, protocol.body
    return published[0], dict(protocol.headers).get("x-presstally")


OWN = ("counted as own traffic", "own")
OF_TODAY = sign(KEY, "cookie", Mark("haihau", cookie_end(int(time.time()))))
OF_ANOTHER_SITE = sign(KEY, "cookie", Mark("giao-thuy", cookie_end(int(time.time()))))
PERSON = (None, None)


@pytest.mark.parametrize(
    ("peer", "headers", "expected"),
    [
        ("203.0.113.7", {}, OWN),
        ("2001:db8:5::7", {}, OWN),
        ("::ffff:203.0.113.7", {}, OWN),
        ("192.0.2.1", {"x-forwarded-for": "203.0.113.7"}, OWN),
        ("192.0.2.1", {"x-forwarded-for": "[2001:db8:5::7]:4711"}, OWN),
        ("192.0.2.1", {"x-forwarded-for": "203.0.113.7, 198.51.100.9"}, PERSON),
        ("198.51.100.9", {"x-forwarded-for": "203.0.113.7"}, PERSON),
        ("192.0.2.1", {"x-forwarded-for": "unknown"}, PERSON),
        ("192.0.2.1", {"x-forwarded-for": "203.0.113.201"}, PERSON),
        ("203.0.113.201", {}, PERSON),
        ("203.0.113.201", {"x-forwarded-for": "203.0.113.7"}, OWN),
        ("203.0.113.7", {"user-agent": "Googlebot/2.1"}, ("counted as bot: crawler", "crawler")),
        ("203.0.113.7", {"sec-purpose": "prefetch"}, ("counted as bot: prefetch", "prefetch")),
        ("203.0.113.7", {"sec-gpc": "1"}, OWN),
        ("198.51.100.9", {"cookie": f"a=b; {COOKIE}={OF_TODAY}"}, OWN),
        ("198.51.100.9", {"cookie": f"{COOKIE}={OF_TODAY}", "host": "haihau.example"}, PERSON),
        ("198.51.100.9", {"cookie": f"{SECURE_COOKIE}={OF_TODAY}", "host": "haihau.example"}, OWN),
        ("198.51.100.9", {"cookie": f"{COOKIE}={OF_ANOTHER_SITE}"}, PERSON),
        ("198.51.100.9", {"cookie": f"{COOKIE}={OF_TODAY}x"}, PERSON),
    ],
)
@pytest.mark.parametrize("kind", ["view", "ping", "leave"])
async def test_event_of_own_address_carries_its_class(
    site: Site, peer: str, headers: dict[str, str], expected: tuple[str | None, str | None], kind: str
) -> None:
    """The event says that it is own traffic, and has no ID of anybody; a bot stays a bot, a silent proxy is nobody."""
    published, note = await sent(site, headers, peer=peer, kind=kind)
    assert (note, published.get("bot")) == expected
    if expected == OWN:
        assert not {"visitor", "visitor_prev", "client"} & published.keys()


@pytest.mark.parametrize("by", ["address", "cookie", "nothing"])
async def test_own_traffic_has_its_class_by_both_ways(site: Site, by: str) -> None:
    """A request that is served in the server's own thread is classed, noted and encoded as one on the loop."""
    sent = Sent(msgspec.structs.replace(site, own_addresses=["127.0.0.1"] if by == "address" else []))
    mark = sign(sent.salts.own_traffic_key, "cookie", Mark(site.slug, cookie_end(int(time.time()))))
    headers = {"cookie": f"{SECURE_COOKIE}={mark}"} if by == "cookie" else {}
    body = json.dumps(event(site)).encode()
    served, direct = await sent.directly(post(site, body, **headers), body)
    on_loop = await sent.on_the_loop(post(site, body, **headers), body)
    assert served
    assert not sent.left
    note = None if by == "nothing" else "counted as own traffic"
    for protocol in (direct, on_loop):
        assert (protocol.status, dict(protocol.headers).get("x-presstally")) == (202, note)
    classes = [json.loads(one.value).get("bot") for one in sent.publisher.events]
    assert classes == 2 * [None if by == "nothing" else "own"]
