"""HTTP endpoints of the collector: request → payloads → visitor identities → page events → Kafka or the spool → 202.

202 means that every event of the request is in Kafka (`acks=all`), or synced to this collector's disk and drained to
Kafka later. Any other status means that the events may be lost: the client keeps them and sends them again with the
same IDs. Every rejection is a problem document, gives its reason in `X-Presstally`, and is counted by that reason.

The handlers speak RSGI, without a framework in between (`shared.role.Role.raw_routes`).
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import parse_qsl

from services.ingest.auth.tokens import Tokens
from services.ingest.collector.address_share import AddressShare
from services.ingest.collector.bodies import BodyReaders
from services.ingest.collector.bots import bot_reason
from services.ingest.collector.own_traffic import cookie_mark, is_own_traffic
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
from services.ingest.collector.salts import SaltStore
from services.ingest.collector.server_events import batch_client, check_server_event
from services.ingest.collector.spool import SpooledEvent
from services.ingest.collector.visitor_limit import VisitorLimit
from services.ingest.collector.visitors import (
    ClientInfo,
    LocalDays,
    RecentClients,
    VisitorIdentity,
    derive_partition_hash,
    derive_visitor_id,
    local_days,
)
from services.ingest.metrics import COLLECT_EVENTS, VISITORS_LIMITED
from shared.events import OWN_TRAFFIC
from shared.http.client_address import Network, client_address
from shared.http.fair_limit import CALLER
from shared.http.problems import Problem
from shared.http.rsgi import RsgiProtocol, RsgiRequest
from shared.http.security_headers import DENY_ALL_CSP
from shared.kafka.producer import KafkaUnavailable
from shared.logs import log
from shared.origins import origin_of_url
from shared.sites import Site, Sites

BODY_BYTES_MAX = 64 * 1024
BATCH_BODY_BYTES_MAX = 512 * 1024
FORWARDED_HEADER = "x-forwarded-for"
CONTENT_TYPES = ("application/json", "text/plain")
PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
JSON_CONTENT_TYPE = ("content-type", "application/json")
SECURITY_HEADERS = (("x-content-type-options", "nosniff"), ("content-security-policy", DENY_ALL_CSP))
EXPOSED_HEADERS = ("access-control-expose-headers", "x-presstally, retry-after")

Headers = list[tuple[str, str]]
_Response = tuple[int, Headers, bytes]
_BuiltEvent = tuple[SpooledEvent, str, str | None]


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
    visitor_limit: VisitorLimit = field(default_factory=VisitorLimit)
    recent_clients: RecentClients = field(default_factory=RecentClients)
    bodies: BodyReaders = field(default_factory=BodyReaders)
    refused_origins: RefusedOrigins = field(default_factory=RefusedOrigins)

    def __post_init__(self) -> None:
        self._start_metrics()
        self.sites.on_change(self._start_metrics)

    def _start_metrics(self) -> None:
        for slug in self.sites:
            VISITORS_LIMITED.labels(slug)  # 0 from the start: the first increase of a new series has no rate

    async def events(self, request: RsgiRequest, protocol: RsgiProtocol) -> int:
        """`POST /e`: one event or an array of up to 100, from a page. `OPTIONS /e`: the CORS preflight."""
        cors = _cors(request)
        if request.method == "OPTIONS":
            return await _respond(protocol, cors, _preflight(cors))
        return await _respond(protocol, cors, self._accept_events(request, protocol, cors))

    async def batch(self, request: RsgiRequest, protocol: RsgiProtocol) -> int:
        """`POST /e/batch`: up to 500 events from a server, with the addresses and user agents of its visitors."""
        return await _respond(protocol, [], self._accept_batch(request, protocol))

    async def pixel(self, request: RsgiRequest, protocol: RsgiProtocol) -> int:
        """`GET /p.gif`: a view by a browser without scripts."""
        return await _respond(protocol, [], self._accept_pixel(request))

    async def _accept_events(self, request: RsgiRequest, protocol: RsgiProtocol, cors: Headers) -> _Response:
        try:
            _require_method(request, "POST")
            _require_content_type(request)
        except Problem:
            await self.bodies.drain(request, protocol)
            raise
        payloads = decode_events(await self.bodies.read(request, protocol, BODY_BYTES_MAX))
        client = self._client_info(request)
        sites = await self._sites_of(request, payloads)
        for slug in sites:
            self._check_rate(slug, client.limit_key, sum(payload.site == slug for payload in payloads))
        now = time.time_ns() // 1_000_000
        built = await self._build_events(payloads, sites, [client] * len(payloads), now)
        await self._publish(built)
        self._observe_address(payloads, client)
        return _accepted_response(built, cors)

    async def _accept_batch(self, request: RsgiRequest, protocol: RsgiProtocol) -> _Response:
        CALLER.set(self._client_info(request).address)
        try:
            _require_method(request, "POST")
            token = await self.tokens.require(request.headers.get("authorization"), "events")
        except Problem:
            await self.bodies.drain(request, protocol)
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
        return _accepted_response(built, [])

    async def _accept_pixel(self, request: RsgiRequest) -> _Response:
        _require_method(request, "GET", "HEAD")
        payload = decode_pixel_query(dict(parse_qsl(request.query_string)))
        sites = await self._sites_of(request, [payload])
        client = self._client_info(request)
        self._check_rate(payload.site, client.limit_key, 1)
        if request.method == "GET":
            now = time.time_ns() // 1_000_000
            await self._publish(await self._build_events([payload], sites, [client], now))
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
        if site is None or request is None:
            return site is not None
        origin = request.headers.get("origin")
        return origin is None or self.sites.allows(site, origin, request.headers.get("host") or "")

    def _check_origin(self, request: RsgiRequest, site: Site) -> None:
        """Reject a request of a foreign page: by its origin, its referrer, or what the browser says about it.

        An image has no Origin, and a page can withhold its Referer; Sec-Fetch-Site cannot be withheld. A program has
        none of them.

        Raises:
            Problem: 403.
        """
        headers = request.headers
        origin = headers.get("origin") or _origin_of(headers.get("referer"))
        if origin is None:
            if headers.get("sec-fetch-site") != "cross-site":
                return
            origin = "another site"
        elif self.sites.allows(site, origin, headers.get("host") or ""):
            return
        self.refused_origins.add(origin, site.slug)
        detail = f"Pages of {origin} may not send events of the site {site.slug}: sites.toml does not declare it."
        raise Problem(403, detail, reason="origin")

    def _check_rate(self, slug: str, limit_key: str | None, events: int) -> None:
        wait_seconds = self.rate_limiter.acquire(slug, limit_key, events, time.monotonic())
        if wait_seconds:
            raise Problem(
                429,
                "Too many events from this address; retry later with the same IDs.",
                headers={"retry-after": str(int(wait_seconds) + 1)},
                reason="rate",
            )

    def _client_info(self, request: RsgiRequest) -> ClientInfo:
        headers = request.headers
        peer = request.client.rpartition(":")[0].strip("[]")
        forwarded: Sequence[str] = ()
        if FORWARDED_HEADER in headers:  # RSGI omits values that are not ASCII; one that is missing names no address
            forwarded = [value for name, value in headers.items() if name == FORWARDED_HEADER] or [""]
        address, is_exact = client_address(peer, forwarded, self.trusted_proxies)
        agent = headers.get("user-agent")
        if agent is None:  # RSGI omits headers that are not ASCII, but the client did send a user agent
            agent = "not ASCII" if "user-agent" in headers else ""
        purpose = headers.get("sec-purpose") or headers.get("purpose") or headers.get("x-moz") or ""
        is_prefetch = "prefetch" in purpose or "prerender" in purpose
        limit_key = rate_limit_key(address, is_exact=is_exact)
        has_gpc = headers.get("sec-gpc") == "1"
        return ClientInfo(address, agent, has_gpc, is_prefetch, limit_key, is_exact, self._own_site(request))

    def _own_site(self, request: RsgiRequest) -> str | None:
        cookie = request.headers.get("cookie")
        if not cookie:
            return None
        mark = cookie_mark(
            cookie, request.headers.get("host") or "", self.salts.own_traffic_key, time.time_ns() // 1_000_000_000
        )
        return None if mark is None else mark.site

    def _observe_address(self, payloads: Sequence[EventPayload], client: ClientInfo) -> None:
        for payload in payloads:
            if payload.kind == "view":
                self.address_share.add(client.address)

    async def _build_events(
        self,
        payloads: Sequence[EventPayload],
        sites: Mapping[str, Site],
        clients: Sequence[ClientInfo],
        now: int,
    ) -> list[_BuiltEvent]:
        """Return for each payload its spooled event, its site, and the bot reason."""
        identities: dict[tuple[str, LocalDays, ClientInfo], VisitorIdentity] = {}  # an array is from one visitor
        built = []
        for payload, client in zip(payloads, clients, strict=True):
            site = sites[payload.site]
            at = event_time(payload, now)
            days = local_days(at, site.zone)
            identity = identities.get((site.slug, days, client))
            if identity is None:
                identity = identities[site.slug, days, client] = await self._identify(site, days, client)
            event = SpooledEvent(identity.partition_hash, encode_page_event(payload, at, identity))
            built.append((event, site.slug, identity.bot))
        return built

    async def _identify(self, site: Site, days: LocalDays, client: ClientInfo) -> VisitorIdentity:
        origin = (site.slug, client.address, client.user_agent)
        visitor_id = previous_visitor_id = group = None
        is_limited = False
        bot = bot_reason(client, count_headless=site.count_headless_browsers)
        if bot is None and is_own_traffic(site, client):
            bot = OWN_TRAFFIC
        if not client.has_gpc and bot != OWN_TRAFFIC:
            salt = self.salts.salt(site.slug, days.today) or await self.salts.get_or_create_salt(site.slug, days.today)
            visitor_id, partition_hash, group = self.recent_clients.derive(salt, self.salts.partition_secret, *origin)
            if days.yesterday:
                previous_salt = await self.salts.get_or_create_salt(site.slug, days.yesterday)
                previous_visitor_id = derive_visitor_id(previous_salt, *origin)
            if not self.visitor_limit.admits(site.slug, days.today, client.limit_key, visitor_id):
                visitor_id = previous_visitor_id = None
                is_limited = True
                VISITORS_LIMITED.labels(site.slug).inc()
        else:
            partition_hash = derive_partition_hash(self.salts.partition_secret, *origin)
        group = None if bot else group  # bots are classed already
        return VisitorIdentity(partition_hash, visitor_id, previous_visitor_id, bot, is_limited, group)

    async def _publish(self, built: Sequence[_BuiltEvent]) -> None:
        try:
            await self.publisher.publish([event for event, _, _ in built])
        except KafkaUnavailable as error:
            _record_result(built[0][1], "unavailable", len(built))
            raise Problem(
                503,
                "Events cannot be accepted at the moment; retry later with the same IDs.",
                headers={"retry-after": "5"},
                reason="unavailable",
                counted=True,
            ) from error
        for _, slug, bot in built:
            _record_result(slug, OWN_TRAFFIC if bot == OWN_TRAFFIC else "bot" if bot else "accepted")


def _cors(request: RsgiRequest) -> Headers:
    """Return the CORS headers that let any page read the response, without credentials.

    A page whose origin is refused must be able to read that, too: its tracker then stops, and its owner sees why.
    """
    origin = request.headers.get("origin")
    return [("access-control-allow-origin", origin), ("vary", "origin"), EXPOSED_HEADERS] if origin else []


async def _preflight(cors: Headers) -> _Response:
    """Let the browser send the request: its response says whether the origin is refused."""
    allow = [("access-control-allow-methods", "POST"), ("access-control-allow-headers", "content-type")]
    return 204, [*cors, *allow, ("access-control-max-age", "86400")], b""


async def _respond(protocol: RsgiProtocol, cors: Headers, response: Awaitable[_Response]) -> int:
    """Send the response of a handler, or the problem that it raises, and return the status."""
    try:
        status, headers, body = await response
    except Problem as problem:
        status, headers, body = _problem_response(problem, cors)
    except Exception as error:  # noqa: BLE001 - the client must get a response, to keep the events
        log.error("request failed", exc_info=error)
        status, headers, body = _problem_response(Problem(500, "Internal server error.", reason="failed"), cors)
    protocol.response_bytes(status, [*headers, *SECURITY_HEADERS], body)
    return status


def _problem_response(problem: Problem, cors: Headers) -> _Response:
    reason = problem.extensions.get("reason", "token" if problem.status in (401, 403) else "invalid")
    if not problem.extensions.pop("counted", False):
        _record_result("unknown", reason)
    response = problem.response()
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers]
    return problem.status, [*headers, *cors, ("x-presstally", f"ignored because {reason}")], bytes(response.body)


def _accepted_response(built: Sequence[_BuiltEvent], cors: Headers) -> _Response:
    classes = {bot for _, _, bot in built if bot}
    bots = sorted(classes - {OWN_TRAFFIC})
    notes = [f"counted as bot: {', '.join(bots)}"] if bots else []
    notes += ["counted as own traffic"] if OWN_TRAFFIC in classes else []
    headers = [("x-presstally", "; ".join(notes))] if notes else []
    return 202, [JSON_CONTENT_TYPE, *cors, *headers], b'{"accepted":%d}' % len(built)


@lru_cache(maxsize=1_000)
def _result_counter(site: str, result: str) -> Callable[[float], None]:
    return COLLECT_EVENTS.labels(site, result).inc


def _record_result(site: str, result: str, events: int = 1) -> None:
    _result_counter(site, result)(events)


def _require_method(request: RsgiRequest, *methods: str) -> None:
    if request.method not in methods:
        raise Problem(
            405,
            f"Method not allowed; use {' or '.join(methods)}.",
            headers={"allow": ", ".join(methods)},
            reason="invalid",
        )


def _require_content_type(request: RsgiRequest) -> None:
    if request.headers.get("content-type", "text/plain").split(";")[0].strip().lower() not in CONTENT_TYPES:
        raise Problem(415, f"Unsupported media type; use {' or '.join(CONTENT_TYPES)}.", reason="invalid")


def _origin_of(referrer: str | None) -> str | None:
    """Return the origin in a Referer header; None without one."""
    if not referrer:
        return None
    return origin_of_url(referrer) or "an unreadable referrer"
