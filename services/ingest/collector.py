"""Role `collector`: the public write edge. `POST /e` → check → visitor key → Kafka `page-views` → 202.

202 means that Kafka has acknowledged every event of the request; 503 that it has not, and that the sender
keeps them and tries again with the same ids.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.ingest.metrics import COLLECT_EVENTS, PRODUCER_QUEUE, PUBLISH_SECONDS
from services.ingest.secrets import SharedSecrets
from services.ingest.settings import IngestSettings, Network
from services.ingest.tracker import TRACKER
from services.ingest.visitors import bot_reason, local_days, partition_of, visitor_key
from shared.events import PATH_CHARACTERS_MAX, REFERRER_CHARACTERS_MAX, ArticleId, PageEvent, SiteSlug
from shared.kafka import Producer, Unavailable
from shared.logs import log
from shared.postgres import POSTGRES_AWAY, open_pool
from shared.problems import Problem
from shared.process import Process, Role
from shared.sites import Site, Sites, read_sites
from shared.topics import PAGE_VIEWS

BODY_BYTES_MAX = 64 * 1024
EVENTS_MAX = 100
AGE_MILLISECONDS_MAX = 48 * 3_600_000
CONTENT_TYPES = ("application/json", "text/plain")
SALT_SWEEP_SECONDS = 3_600
PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")


class Sign(msgspec.Struct, kw_only=True):
    """What a page sends. Its time is the collector's clock less its `age`, so no sender's clock is believed."""

    id: UUID
    site: SiteSlug
    kind: Literal["view", "ping", "leave"]
    path: Annotated[str, Meta(min_length=1, max_length=4_096)]
    article: ArticleId | None = None
    referrer: Annotated[str, Meta(max_length=4_096)] | None = None
    age: Annotated[int, Meta(ge=0, description="milliseconds since it happened, for a retry")] = 0


_decode_one = msgspec.json.Decoder(Sign).decode
_decode_many = msgspec.json.Decoder(Annotated[list[Sign], Meta(min_length=1, max_length=EVENTS_MAX)]).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Sender:
    """Where a request came from; it lives for one request and is stored nowhere."""

    address: str
    user_agent: str
    keeps_private: bool
    """The reader's browser sends `Sec-GPC: 1`: count the view, make no key."""


@dataclass
class Collector:
    """Everything that a request needs."""

    sites: Sites
    secrets: SharedSecrets
    producer: Producer
    partition_secret: bytes
    partitions: int
    trusted_proxies: tuple[Network, ...]

    async def post_event(self, request: Request) -> Response:
        """`POST /e`: one event or an array of up to 100."""
        if request.headers.get("content-type", "text/plain").split(";")[0].strip().lower() not in CONTENT_TYPES:
            raise Problem(415, f"Send {' or '.join(CONTENT_TYPES)}.")
        signs = decode(await read_body(request))
        for sign in signs:
            self._check_site(request, sign.site)
        await self._publish([await self._event(sign, self._sender(request)) for sign in signs])
        return JSONResponse({"accepted": len(signs)}, 202, _cors(request))

    async def preflight(self, request: Request) -> Response:
        """Tell a browser whether a page of another origin may send events. The site is known only at the POST."""
        origin = request.headers.get("origin", "")
        if not any(origin in site.origins for site in self.sites.values()):
            raise Problem(403, f"No site here has the origin {origin!r}.")
        allow = {"access-control-allow-methods": "POST", "access-control-allow-headers": "content-type"}
        return Response(None, 204, {**_cors(request), **allow, "access-control-max-age": "86400"})

    async def pixel(self, request: Request) -> Response:
        """`GET /p.gif`: a view by a reader without scripts."""
        query = request.query_params
        try:
            sign = msgspec.convert(
                {
                    "id": uuid4(),
                    "kind": "view",
                    **{name: query[name] for name in ("site", "path", "article") if name in query},
                },
                Sign,
            )
        except msgspec.ValidationError as error:
            raise Problem(422, f"The pixel's address is not complete: {error}") from error
        self._site(sign.site)
        await self._publish([await self._event(sign, self._sender(request))])
        return Response(PIXEL, media_type="image/gif", headers={"cache-control": "no-store"})

    def _site(self, slug: str) -> Site:
        site = self.sites.get(slug)
        if site is None:
            COLLECT_EVENTS.labels("unknown", "invalid").inc()
            raise Problem(422, f"There is no site {slug!r} here.", field="site")
        return site

    def _check_site(self, request: Request, slug: str) -> None:
        origin = request.headers.get("origin")
        site = self._site(slug)
        if origin is None or origin in site.origins or urlsplit(origin).netloc == request.headers.get("host"):
            return
        COLLECT_EVENTS.labels(slug, "origin").inc()
        raise Problem(403, f"Pages of {origin} may not send events of the site {slug}.")

    def _sender(self, request: Request) -> Sender:
        address = request.client.host if request.client else ""
        for hop in reversed(request.headers.get("x-forwarded-for", "").split(",")):
            if not _is_trusted(address, self.trusted_proxies) or not hop.strip():
                break
            address = hop.strip()
        headers = request.headers
        return Sender(address, headers.get("user-agent", ""), headers.get("sec-gpc") == "1")

    async def _event(self, sign: Sign, sender: Sender) -> tuple[PageEvent, int]:
        site = self.sites[sign.site]
        at = time.time_ns() // 1_000_000 - min(sign.age, AGE_MILLISECONDS_MAX)
        days = local_days(at, site.zone)
        key = key_before = None
        if not sender.keeps_private:
            who = (site.slug, sender.address, sender.user_agent)
            try:
                key = visitor_key(await self.secrets.salt(site.slug, days.today), *who)
                if days.yesterday:
                    key_before = visitor_key(await self.secrets.salt(site.slug, days.yesterday), *who)
            except POSTGRES_AWAY as error:
                raise _unavailable([sign.site], f"the salt of the day cannot be read: {error!r}") from error
        event = PageEvent(
            id=str(sign.id),
            site=site.slug,
            kind=sign.kind,
            path=normalise_path(sign.path),
            at=at,
            article=sign.article,
            visitor=key,
            visitor_prev=key_before,
            bot=bot_reason(sender.user_agent, count_headless=site.count_headless_browsers),
            referrer=referrer_host(sign.referrer),
        )
        place = partition_of(self.partition_secret, site.slug, sender.address, sender.user_agent, self.partitions)
        return event, place

    async def _publish(self, events: list[tuple[PageEvent, int]]) -> None:
        begun = time.perf_counter()
        sending = [self.producer.send(PAGE_VIEWS.name, _encode(event), partition=place) for event, place in events]
        outcomes = await asyncio.gather(*sending, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Unavailable):
                raise _unavailable([event.site for event, _ in events], str(outcome)) from outcome
            if isinstance(outcome, BaseException):
                raise outcome
        PUBLISH_SECONDS.labels(PAGE_VIEWS.name).observe(time.perf_counter() - begun)
        for event, _ in events:
            COLLECT_EVENTS.labels(event.site, "bot" if event.bot else "accepted").inc()


async def read_body(request: Request) -> bytes:
    """Read the body as it streams in, and refuse it as soon as it is too large.

    Raises:
        Problem: 413.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            COLLECT_EVENTS.labels("unknown", "too_large").inc()
            raise Problem(413, f"The body is larger than {BODY_BYTES_MAX} bytes.")
    return bytes(body)


def decode(body: bytes) -> list[Sign]:
    """Decode one event or an array of them.

    Raises:
        Problem: 400 for what is not JSON, 422 for what is not an event; it names the field.
    """
    if rb"\u0000" in body:
        COLLECT_EVENTS.labels("unknown", "invalid").inc()
        raise Problem(422, "The body has a NUL character (\\u0000), which no field may have.")
    try:
        return _decode_many(body) if body.lstrip()[:1] == b"[" else [_decode_one(body)]
    except msgspec.ValidationError as error:
        COLLECT_EVENTS.labels("unknown", "invalid").inc()
        raise Problem(422, str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        COLLECT_EVENTS.labels("unknown", "invalid").inc()
        raise Problem(400, f"The body is not JSON: {error}") from error


def normalise_path(path: str) -> str:
    """Return the path without query and fragment, beginning with one slash, of at most 512 characters."""
    bare = path.split("#", 1)[0].split("?", 1)[0]
    return "/" + bare.lstrip("/")[: PATH_CHARACTERS_MAX - 1]


def referrer_host(referrer: str | None) -> str | None:
    """Return only the host of a referrer; what else it says is nobody's business."""
    if not referrer:
        return None
    try:
        host = urlsplit(referrer if "//" in referrer else f"//{referrer}").hostname
    except ValueError:
        return None
    return host[:REFERRER_CHARACTERS_MAX] if host else None


def _is_trusted(address: str, networks: tuple[Network, ...]) -> bool:
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in networks)


def _cors(request: Request) -> dict[str, str]:
    origin = request.headers.get("origin")
    return {"access-control-allow-origin": origin, "vary": "origin"} if origin else {}


def _unavailable(sites: list[str], reason: str) -> Problem:
    for site in sites:
        COLLECT_EVENTS.labels(site, "unavailable").inc()
    log.warning("Events were not accepted", events=len(sites), reason=reason)
    return Problem(503, "Not accepted now. Keep it and send it again with the same id.", headers={"retry-after": "2"})


@asynccontextmanager
async def collector(settings: IngestSettings, process: Process) -> AsyncIterator[Role]:
    """Run the collector: it serves as soon as Postgres has told the secrets and Kafka the partitions."""
    sites = read_sites(settings.sites)
    producer = Producer(settings.kafka_bootstrap, deadline_seconds=settings.publish_deadline_seconds)
    producer.start()
    pool = await open_pool(settings.database_url.get_secret_value(), role="presstally_ingest", size=4)
    secrets = SharedSecrets(pool)
    here = Collector(
        sites,
        secrets,
        producer,
        await secrets.partition_secret(),
        await producer.partitions(PAGE_VIEWS.name),
        settings.trusted_proxies,
    )
    PRODUCER_QUEUE.set_function(lambda: producer.in_flight)
    sweeping = process.spawn(_sweep(secrets), "drop old salts")
    try:
        yield Role(
            "collector",
            routes=[
                Route("/e", here.post_event, methods=["POST"]),
                Route("/e", here.preflight, methods=["OPTIONS"]),
                Route("/p.gif", here.pixel),
                TRACKER,
            ],
            problems=lambda: [producer.problem] if producer.problem else [],
        )
    finally:
        sweeping.cancel()
        await producer.stop()
        pool.terminate()


async def _sweep(secrets: SharedSecrets) -> None:
    while True:
        try:
            await secrets.drop_old()
        except POSTGRES_AWAY as error:
            log.warning("Old salts were not dropped; trying again", reason=repr(error))
        await asyncio.sleep(SALT_SWEEP_SECONDS)
