"""HTTP endpoints of the collector: request → payloads → visitor identities → page events → Kafka or the spool → 202.

202 means that every event of the request is in Kafka (`acks=all`), or synced to this collector's disk and drained to
Kafka later. Any other status means that the events may be lost: the client keeps them and sends them again with the
same IDs. Every rejection is a problem document, gives its reason in `X-Presstally`, and is counted by that reason.

The handlers speak RSGI, without a framework in between (`shared.role.Role.raw_routes`).
"""

import threading
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import parse_qsl

from services.ingest.auth.tokens import Tokens
from services.ingest.collector.address_share import AddressShare
from services.ingest.collector.bodies import BodyReaders
from services.ingest.collector.identities import Identities
from services.ingest.collector.own_traffic import cookie_mark
from services.ingest.collector.payloads import (
    EventPayload,
    decode_batch,
    decode_events,
    decode_pixel_query,
    encode_page_event,
    event_time,
)
from services.ingest.collector.publisher import EventPublisher
from services.ingest.collector.rate_limit import RateLimiter, rate_limit_key
from services.ingest.collector.refused_origins import RefusedOrigins
from services.ingest.collector.responses import (
    BuiltEvent,
    Headers,
    Response,
    accepted_response,
    cors_headers,
    preflight,
    problem_response,
    record_result,
    result_of,
    unavailable,
    with_security_headers,
)
from services.ingest.collector.salts import SaltStore
from services.ingest.collector.server_events import batch_client, check_server_event
from services.ingest.collector.spool import SpooledEvent
from services.ingest.collector.visitors import ClientInfo, LocalDays, local_days
from services.ingest.metrics import VISITORS_LIMITED
from shared.http.client_address import Network, client_address
from shared.http.fair_limit import CALLER
from shared.http.problems import Problem
from shared.http.rsgi import RequestHead, RsgiHeaders, RsgiProtocol, RsgiRequest, chunks_of
from shared.http.unread_bodies import drain
from shared.kafka.producer import KafkaUnavailable
from shared.logs import log
from shared.origins import origin_of_url
from shared.sites import Site, Sites

BODY_BYTES_MAX = 64 * 1024
BATCH_BODY_BYTES_MAX = 512 * 1024
FORWARDED_HEADER = "x-forwarded-for"
CONTENT_TYPES = ("application/json", "text/plain")
PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")


@dataclass
class CollectorEndpoints:
    """The handlers of `/e`, `/e/batch` and `/p.gif`, with everything they need."""

    sites: Sites
    salts: SaltStore
    publisher: EventPublisher
    tokens: Tokens
    rate_limiter: RateLimiter
    trusted_proxies: tuple[Network, ...]
    address_share: AddressShare = field(default_factory=AddressShare)
    identities: Identities = field(init=False)
    bodies: BodyReaders = field(default_factory=BodyReaders)
    refused_origins: RefusedOrigins = field(default_factory=RefusedOrigins)
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held to use what counts by address or visitor: requests are served on the loop and in the server's thread."""

    def __post_init__(self) -> None:
        self.identities = Identities(self.salts, self.trusted_proxies)
        self._start_metrics()
        self.sites.on_change(self._start_metrics)

    def _start_metrics(self) -> None:
        for slug in self.sites:
            VISITORS_LIMITED.labels(slug)  # 0 from the start: the first increase of a new series has no rate

    async def events(self, request: RsgiRequest, protocol: RsgiProtocol) -> int:
        """`POST /e`: one event or an array of up to 100, from a page. `OPTIONS /e`: the CORS preflight."""
        cors = cors_headers(request.headers.get("origin"))
        if request.method == "OPTIONS":
            return await _respond(protocol, cors, preflight(cors))
        return await _respond(protocol, cors, self._accept_events(request, protocol, cors))

    async def batch(self, request: RsgiRequest, protocol: RsgiProtocol) -> int:
        """`POST /e/batch`: up to 500 events from a server, with the addresses and user agents of its visitors."""
        return await _respond(protocol, [], self._accept_batch(request, protocol))

    async def pixel(self, request: RsgiRequest, protocol: RsgiProtocol) -> int:
        """`GET /p.gif`: a view by a browser without scripts."""
        return await _respond(protocol, [], self._accept_pixel(request))

    async def _accept_events(self, request: RsgiRequest, protocol: RsgiProtocol, cors: Headers) -> Response:
        try:
            _require_method(request, "POST")
            _require_content_type(request)
        except Problem:
            await drain(request, chunks_of(protocol))
            raise
        payloads = decode_events(await self.bodies.read(request, protocol, BODY_BYTES_MAX))
        client = self._client_info(request)
        sites = await self._sites_of(request, payloads)
        for slug in sites:
            self._check_rate(slug, client.limit_key, sum(payload.site == slug for payload in payloads))
        now = time.time_ns() // 1_000_000
        built = await self._build_events(payloads, sites, [client] * len(payloads), now)
        await self._publish(built)
        with self.lock:
            self._observe_address(payloads, client)
        return accepted_response(built, cors)

    async def _accept_batch(self, request: RsgiRequest, protocol: RsgiProtocol) -> Response:
        CALLER.set(self._client_info(request).address)
        try:
            _require_method(request, "POST")
            token = await self.tokens.require(request.headers.get("authorization"), "events")
        except Problem:
            await drain(request, chunks_of(protocol))
            raise
        payloads = decode_batch(await self.bodies.read(request, protocol, BATCH_BODY_BYTES_MAX))
        now = time.time_ns() // 1_000_000
        sites = await self._sites_of(None, payloads)
        for number, payload in enumerate(payloads):
            token.check("events", payload.site)
            check_server_event(payload, number, now)
        clients = [batch_client(payload) for payload in payloads]
        built = await self._build_events(payloads, sites, clients, now)
        await self._publish(built)
        return accepted_response(built, [])

    async def _accept_pixel(self, request: RsgiRequest) -> Response:
        _require_method(request, "GET", "HEAD")
        payload = decode_pixel_query(dict(parse_qsl(request.query_string)))
        sites = await self._sites_of(request, [payload])
        client = self._client_info(request)
        self._check_rate(payload.site, client.limit_key, 1)
        if request.method == "GET":
            now = time.time_ns() // 1_000_000
            await self._publish(await self._build_events([payload], sites, [client], now))
            with self.lock:
                self._observe_address([payload], client)
        return 200, [("content-type", "image/gif"), ("cache-control", "no-store")], PIXEL

    async def _sites_of(self, request: RsgiRequest | None, payloads: Sequence[EventPayload]) -> dict[str, Site]:
        """Return the sites of events, by slug. Their configuration may change before the events are published.

        Args:
            request: A page's request, whose origin the sites must declare; None for a server's.
            payloads: The events.

        Raises:
            Problem: 422 or 403.
        """
        slugs = {payload.site for payload in payloads}
        if not all(self._is_declared(request, slug) for slug in slugs):
            await self.sites.refresh()
        found = {}
        for slug in slugs:
            site = self.sites.get(slug)
            if site is None:
                raise Problem(422, f"Unknown site {slug!r}.", field="site", reason="unknown_site")
            if request is not None:
                self._check_origin(request, site)
            found[slug] = site
        return found

    def _is_declared(self, request: RsgiRequest | None, slug: str) -> bool:
        """Return whether a site and its page's origin are declared, as far as the request names an origin."""
        site = self.sites.get(slug)
        return site is not None and (request is None or self._foreign_origin(request, site) is None)

    def _check_origin(self, request: RsgiRequest, site: Site) -> None:
        """Reject a request of a foreign page.

        Raises:
            Problem: 403.
        """
        origin = self._foreign_origin(request, site)
        if origin is None:
            return
        self.refused_origins.add(origin, site.slug)
        detail = f"Pages of {origin} may not send events of the site {site.slug}: sites.toml does not declare it."
        raise Problem(403, detail, reason="origin")

    def _foreign_origin(self, request: RequestHead, site: Site) -> str | None:
        """Return the foreign page by its origin, its referrer, or what the browser says about it; None without one.

        An image has no Origin, and a page can withhold its Referer; Sec-Fetch-Site cannot be withheld. A program has
        none of them.
        """
        headers = request.headers
        origin = headers.get("origin") or _origin_of(headers.get("referer"))
        if origin is None:
            return "another site" if headers.get("sec-fetch-site") == "cross-site" else None
        return None if self.sites.allows(site, origin, headers.get("host") or "") else origin

    def _check_rate(self, slug: str, limit_key: str | None, events: int) -> None:
        with self.lock:
            wait_seconds = self.rate_limiter.acquire(slug, limit_key, events, time.monotonic())
        if wait_seconds:
            raise Problem(
                429,
                "Too many events from this address; retry later with the same IDs.",
                headers={"retry-after": str(int(wait_seconds) + 1)},
                reason="rate",
            )

    def _client_info(self, request: RequestHead) -> ClientInfo:
        headers = request.headers
        peer = request.client.rpartition(":")[0].strip("[]")
        forwarded: Sequence[str] = ()
        if FORWARDED_HEADER in headers:  # RSGI omits values that are not ASCII; one that is missing names no address
            forwarded = [value for name, value in headers.items() if name == FORWARDED_HEADER] or [""]
        address, is_exact = client_address(peer, forwarded, self.trusted_proxies)
        agent = headers.get("user-agent")
        if agent is None:  # RSGI omits headers that are not ASCII, but the client did send a user agent
            agent = "not ASCII" if "user-agent" in headers else ""
        cookie = headers.get("cookie")
        own_site = self._own_site(cookie, headers) if cookie else None
        purpose = headers.get("sec-purpose") or headers.get("purpose") or headers.get("x-moz") or ""
        is_prefetch = "prefetch" in purpose or "prerender" in purpose
        limit_key = rate_limit_key(address, is_exact=is_exact)
        has_gpc = headers.get("sec-gpc") == "1"
        return ClientInfo(address, agent, has_gpc, is_prefetch, limit_key, is_exact, own_site)

    def _own_site(self, cookie: str, headers: RsgiHeaders) -> str | None:
        now = time.time_ns() // 1_000_000_000
        mark = cookie_mark(cookie, headers.get("host") or "", self.salts.own_traffic_key, now)
        return None if mark is None else mark.site

    def _observe_address(self, payloads: Sequence[EventPayload], client: ClientInfo) -> None:
        for payload in payloads:  # under the lock
            if payload.kind == "view":
                self.address_share.add(client.address)

    async def _build_events(
        self,
        payloads: Sequence[EventPayload],
        sites: Mapping[str, Site],
        clients: Sequence[ClientInfo],
        now: int,
    ) -> list[BuiltEvent]:
        """Return for each payload its spooled event, its site, and the bot reason."""
        times = [_time_of(payload, sites[payload.site], now) for payload in payloads]
        for payload, (_, days) in zip(payloads, times, strict=True):
            for day in days.all:
                if self.salts.salt(payload.site, day) is None:
                    await self.salts.get_or_create_salt(payload.site, day)
        with self.lock:
            return [
                self._build(payload, sites[payload.site], client, at, days)
                for payload, client, (at, days) in zip(payloads, clients, times, strict=True)
            ]

    def build_at_once(self, request: RequestHead, payloads: Sequence[EventPayload]) -> list[BuiltEvent] | None:
        """Return what `_build_events` does, from any thread; None if that would wait or refuse the request."""
        slug, now = payloads[0].site, time.time_ns() // 1_000_000
        site = self.sites.get(slug)
        if site is None or self._foreign_origin(request, site) is not None:
            return None
        timed = []
        for payload in payloads:
            at, days = _time_of(payload, site, now)
            if payload.site != slug or not self.identities.has_salts(slug, days):
                return None
            timed.append((payload, at, days))
        client = self._client_info(request)
        with self.lock:
            if self.rate_limiter.acquire(slug, client.limit_key, len(payloads), time.monotonic()):
                return None
            built = [self._build(payload, site, client, at, days) for payload, at, days in timed]
            self._observe_address(payloads, client)
        return built

    def _build(self, payload: EventPayload, site: Site, client: ClientInfo, at: int, days: LocalDays) -> BuiltEvent:
        identity = self.identities.identify(site, days, client)
        event = SpooledEvent(identity.partition_hash, encode_page_event(payload, at, identity))
        return event, site.slug, identity.bot

    async def _publish(self, built: Sequence[BuiltEvent]) -> None:
        try:
            await self.publisher.publish([event for event, _, _ in built])
        except KafkaUnavailable as error:
            record_result(built[0][1], "unavailable", len(built))
            raise unavailable() from error
        for _, slug, bot in built:
            record_result(slug, result_of(bot))


async def _respond(protocol: RsgiProtocol, cors: Headers, response: Awaitable[Response]) -> int:
    """Send the response of a handler, or the problem that it raises, and return the status."""
    try:
        status, headers, body = await response
    except Problem as problem:
        status, headers, body = problem_response(problem, cors)
    except Exception as error:  # noqa: BLE001 - the client must get a response, to keep the events
        log.error("request failed", exc_info=error)
        status, headers, body = problem_response(Problem(500, "Internal server error.", reason="failed"), cors)
    protocol.response_bytes(status, with_security_headers(headers), body)
    return status


def _time_of(payload: EventPayload, site: Site, now: int) -> tuple[int, LocalDays]:
    """Return the time of an event, and the local days whose salts its visitor IDs need."""
    at = event_time(payload, now)
    return at, local_days(at, site.zone)


def _require_method(request: RsgiRequest, *methods: str) -> None:
    if request.method not in methods:
        raise Problem(
            405,
            f"Method not allowed; use {' or '.join(methods)}.",
            headers={"allow": ", ".join(methods)},
            reason="invalid",
        )


@lru_cache(maxsize=100)
def is_event_content_type(value: str | None) -> bool:
    """Return whether a Content-Type is one in which pages send events; a missing one, too."""
    return ("text/plain" if value is None else value).split(";")[0].strip().lower() in CONTENT_TYPES


def _require_content_type(request: RsgiRequest) -> None:
    if not is_event_content_type(request.headers.get("content-type")):
        raise Problem(415, f"Unsupported media type; use {' or '.join(CONTENT_TYPES)}.", reason="invalid")


def _origin_of(referrer: str | None) -> str | None:
    """Return the origin in a Referer header; None without one."""
    if not referrer:
        return None
    return origin_of_url(referrer) or "an unreadable referrer"
