"""Role `collector`: the public write edge. A request → signs → who is it → page events → Kafka or the spool → 202.

202 means that every event of the request is in Kafka (`acks=all`), or forced to the disk of this collector, which
brings it to Kafka later. Anything else means that none of them is kept for sure: the sender keeps them, and sends them
again with the same ids. Every refusal is a problem document, says why in `X-Presstally`, and is counted by its reason.

The handlers speak RSGI, without a framework in between (`shared.process.Role.raw_routes`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from services.ingest.auth.tokens import Tokens
from services.ingest.collector.bots import bot_reason
from services.ingest.collector.payloads import (
    ServerSign,
    Sign,
    decode,
    decode_batch,
    decode_query,
    happened_at,
    page_event,
)
from services.ingest.collector.publisher import Publisher
from services.ingest.collector.rate_limit import Rates
from services.ingest.collector.salts import SharedSecrets
from services.ingest.collector.spool import Entry
from services.ingest.collector.visitors import LocalDays, Reader, Sender, local_days, place_of, visitor_key
from services.ingest.metrics import COLLECT_EVENTS
from shared.events import AGE_MS_MAX, AHEAD_MS_MAX
from shared.http.client_address import Network, client_address
from shared.http.problems import Problem
from shared.http.rsgi import RsgiProtocol, RsgiRequest
from shared.kafka.producer import KafkaUnavailable
from shared.logs import log
from shared.sites import Site, Sites

BODY_BYTES_MAX = 64 * 1024
BATCH_BODY_BYTES_MAX = 512 * 1024
BODY_SECONDS = 10.0
FORWARDED = "x-forwarded-for"
CONTENT_TYPES = ("application/json", "text/plain")
PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
JSON = ("content-type", "application/json")
EXPOSED = ("access-control-expose-headers", "x-presstally, retry-after")

Headers = list[tuple[str, str]]
_Answer = tuple[int, Headers, bytes]
_Made = tuple[Entry, str, str | None]


@dataclass
class Collector:
    """Everything that a request needs."""

    sites: Sites
    secrets: SharedSecrets
    publisher: Publisher
    tokens: Tokens
    rates: Rates
    trusted_proxies: tuple[Network, ...]

    def __post_init__(self) -> None:
        self._origins = {origin for site in self.sites.values() for origin in site.origins}
        self._reading: dict[asyncio.Task[Any], float] = {}
        """Requests whose bodies are under way, and since when."""

    async def events(self, request: RsgiRequest, protocol: RsgiProtocol) -> int:
        """`POST /e`: one event or an array of up to 100, from a page. `OPTIONS /e`: may this origin send?"""
        cors = self._cors(request)
        if request.method == "OPTIONS":
            return await _answered(protocol, cors, self._preflight(request, cors))
        return await _answered(protocol, cors, self._take(request, protocol, cors))

    async def batch(self, request: RsgiRequest, protocol: RsgiProtocol) -> int:
        """`POST /e/batch`: up to 500 events from a server, with their readers' addresses and agents."""
        return await _answered(protocol, [], self._take_batch(request, protocol))

    async def pixel(self, request: RsgiRequest, protocol: RsgiProtocol) -> int:
        """`GET /p.gif`: a view by a reader without scripts."""
        return await _answered(protocol, [], self._take_pixel(request))

    async def _body(self, request: RsgiRequest, protocol: RsgiProtocol, bytes_max: int) -> bytes:
        """Read the body as it streams in, and refuse it as soon as it is too large or too slow.

        Raises:
            Problem: 413, 408.
        """
        length = int(request.headers.get("content-length") or 0)
        if length > bytes_max:
            raise _too_large(bytes_max)
        reader = asyncio.current_task()
        assert reader is not None, "granian runs a task for each request"
        self._reading[reader] = time.monotonic()
        try:
            if length:
                return await protocol()
            body = bytearray()
            chunks: Any = protocol
            async for chunk in chunks:
                body += chunk
                if len(body) > bytes_max:
                    raise _too_large(bytes_max)
        except asyncio.CancelledError:
            if reader in self._reading:
                raise
            raise Problem(408, f"The body took more than {BODY_SECONDS:.0f} s.", reason="slow") from None
        finally:
            self._reading.pop(reader, None)
        return bytes(body)

    async def end_slow_bodies(self) -> None:
        """Refuse bodies that take too long. One look a second costs less than a timer for each request."""
        while True:
            await asyncio.sleep(1)
            late = time.monotonic() - BODY_SECONDS
            for reader in [reader for reader, begun in self._reading.items() if begun < late]:
                del self._reading[reader]
                reader.cancel()

    async def _take(self, request: RsgiRequest, protocol: RsgiProtocol, cors: Headers) -> _Answer:
        _only(request, "POST")
        if request.headers.get("content-type", "text/plain").split(";")[0].strip().lower() not in CONTENT_TYPES:
            raise Problem(415, f"Send {' or '.join(CONTENT_TYPES)}.", reason="invalid")
        signs = decode(await self._body(request, protocol, BODY_BYTES_MAX))
        sender = self._sender(request)
        for slug in {sign.site for sign in signs}:
            self._check_origin(request, self._site(slug))
            self._check_rate(slug, sender.address, sum(sign.site == slug for sign in signs))
        now = time.time_ns() // 1_000_000
        made = await self._entries(signs, [sender] * len(signs), now)
        await self._publish(made)
        return _accepted(made, cors)

    async def _take_batch(self, request: RsgiRequest, protocol: RsgiProtocol) -> _Answer:
        _only(request, "POST")
        token = await self.tokens.require(request.headers.get("authorization"), "events")
        signs = decode_batch(await self._body(request, protocol, BATCH_BODY_BYTES_MAX))
        now = time.time_ns() // 1_000_000
        for number, sign in enumerate(signs):
            token.check("events", self._site(sign.site).slug)
            _check_server_sign(sign, number, now)
        made = await self._entries(signs, [Sender(sign.ip, sign.agent, sign.gpc) for sign in signs], now)
        await self._publish(made)
        return _accepted(made, [])

    async def _take_pixel(self, request: RsgiRequest) -> _Answer:
        _only(request, "GET", "HEAD")
        sign = decode_query(dict(parse_qsl(request.query_string)))
        self._site(sign.site)
        sender = self._sender(request)
        self._check_rate(sign.site, sender.address, 1)
        if request.method == "GET":
            await self._publish(await self._entries([sign], [sender], time.time_ns() // 1_000_000))
        return 200, [("content-type", "image/gif"), ("cache-control", "no-store")], PIXEL

    async def _preflight(self, request: RsgiRequest, cors: Headers) -> _Answer:
        if not cors:
            origin = request.headers.get("origin", "")
            raise Problem(403, f"No site here has the origin {origin!r}.", reason="origin")
        allow = [("access-control-allow-methods", "POST"), ("access-control-allow-headers", "content-type")]
        return 204, [*cors, *allow, ("access-control-max-age", "86400")], b""

    def _site(self, slug: str) -> Site:
        site = self.sites.get(slug)
        if site is None:
            raise Problem(422, f"There is no site {slug!r} here.", field="site", reason="unknown_site")
        return site

    def _check_origin(self, request: RsgiRequest, site: Site) -> None:
        origin = request.headers.get("origin")
        if origin is None or origin in site.origins or urlsplit(origin).netloc == request.headers.get("host"):
            return
        raise Problem(403, f"Pages of {origin} may not send events of the site {site.slug}.", reason="origin")

    def _cors(self, request: RsgiRequest) -> Headers:
        """Let the pages of any site here read the answer, refusals too; nobody's credentials are wanted."""
        origin = request.headers.get("origin")
        if origin is None:
            return []
        if origin in self._origins or urlsplit(origin).netloc == request.headers.get("host"):
            return [("access-control-allow-origin", origin), ("vary", "origin"), EXPOSED]
        return []

    def _check_rate(self, slug: str, address: str, events: int) -> None:
        wait_seconds = self.rates.take(slug, address, events, time.monotonic())
        if wait_seconds:
            raise Problem(
                429,
                "Too many events from this address. Keep them and send them again with the same ids.",
                headers={"retry-after": str(int(wait_seconds) + 1)},
                reason="rate",
            )

    def _sender(self, request: RsgiRequest) -> Sender:
        headers = request.headers
        peer = request.client.rpartition(":")[0].strip("[]")
        forwarded = [value for name, value in headers.items() if name == FORWARDED] if FORWARDED in headers else ()
        address = client_address(peer, forwarded, self.trusted_proxies)
        agent = headers.get("user-agent")
        if agent is None:  # RSGI hands on what is ASCII; an agent that is not is an agent all the same
            agent = "not ASCII" if "user-agent" in headers else ""
        purpose = headers.get("sec-purpose") or headers.get("purpose") or headers.get("x-moz") or ""
        return Sender(address, agent, headers.get("sec-gpc") == "1", "prefetch" in purpose or "prerender" in purpose)

    async def _entries(self, signs: Sequence[Sign], senders: Sequence[Sender], now: int) -> list[_Made]:
        """Return for each sign what travels, its site, and why its sender is no person."""
        readers: dict[tuple[str, LocalDays, Sender], Reader] = {}  # an array's events have one reader
        made = []
        for sign, sender in zip(signs, senders, strict=True):
            site = self.sites[sign.site]
            at = happened_at(sign, now)
            days = local_days(at, site.zone)
            reader = readers.get((site.slug, days, sender))
            if reader is None:
                reader = readers[site.slug, days, sender] = await self._reader(site, days, sender)
            made.append((Entry(reader.place, page_event(sign, at, reader)), site.slug, reader.bot))
        return made

    async def _reader(self, site: Site, days: LocalDays, sender: Sender) -> Reader:
        who = (site.slug, sender.address, sender.user_agent)
        key = key_before = None
        if not sender.keeps_private:
            salt = self.secrets.salt(site.slug, days.today) or await self.secrets.find_salt(site.slug, days.today)
            key = visitor_key(salt, *who)
            if days.yesterday:
                key_before = visitor_key(await self.secrets.find_salt(site.slug, days.yesterday), *who)
        bot = bot_reason(sender, count_headless=site.count_headless_browsers)
        return Reader(place_of(self.secrets.partition_secret, *who), key, key_before, bot)

    async def _publish(self, made: Sequence[_Made]) -> None:
        try:
            await self.publisher.publish([entry for entry, _, _ in made])
        except KafkaUnavailable as error:
            _count(made[0][1], "unavailable", len(made))
            raise Problem(
                503,
                "Not accepted now. Keep it and send it again with the same id.",
                headers={"retry-after": "5"},
                reason="unavailable",
                counted=True,
            ) from error
        for _, slug, bot in made:
            _count(slug, "bot" if bot else "accepted")


async def _answered(protocol: RsgiProtocol, cors: Headers, answer: Awaitable[_Answer]) -> int:
    """Send what a handler answers, or the problem that it raises, and return the status."""
    try:
        status, headers, body = await answer
    except Problem as problem:
        status, headers, body = _refusal(problem, cors)
    except Exception as error:  # noqa: BLE001 - whatever it is, the sender keeps the events
        log.error("A request failed", exc_info=error)
        status, headers, body = _refusal(Problem(500, "This request failed on our side.", reason="failed"), cors)
    protocol.response_bytes(status, headers, body)
    return status


def _refusal(problem: Problem, cors: Headers) -> _Answer:
    reason = problem.extensions.get("reason", "token" if problem.status in (401, 403) else "invalid")
    if not problem.extensions.pop("counted", False):
        _count("unknown", reason)
    response = problem.response()
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers]
    return problem.status, [*headers, *cors, ("x-presstally", f"ignored because {reason}")], bytes(response.body)


def _accepted(made: Sequence[_Made], cors: Headers) -> _Answer:
    bots = {bot for _, _, bot in made if bot}
    told = [("x-presstally", f"counted apart because {', '.join(sorted(bots))}")] if bots else []
    return 202, [JSON, *cors, *told], b'{"accepted":%d}' % len(made)


@lru_cache(maxsize=1_000)
def _counter(site: str, result: str) -> Callable[[float], None]:
    return COLLECT_EVENTS.labels(site, result).inc


def _count(site: str, result: str, events: int = 1) -> None:
    _counter(site, result)(events)


def _only(request: RsgiRequest, *methods: str) -> None:
    if request.method not in methods:
        raise Problem(405, f"Only {' and '.join(methods)}.", headers={"allow": ", ".join(methods)}, reason="invalid")


def _check_server_sign(sign: ServerSign, number: int, now: int) -> None:
    """Refuse at once what the counter would refuse later, when nobody could be told any more."""
    try:
        ip_address(sign.ip)
    except ValueError:
        raise Problem(422, f"`$[{number}].ip`: {sign.ip!r} is no IP address.", reason="invalid") from None
    if sign.at is not None and not now - AGE_MS_MAX <= sign.at <= now + AHEAD_MS_MAX:
        raise Problem(
            422, f"`$[{number}].at`: at most 48 hours ago, and at most 5 minutes ahead of us.", reason="invalid"
        )


def _too_large(bytes_max: int) -> Problem:
    return Problem(413, f"The body is larger than {bytes_max} bytes.", reason="too_large")
