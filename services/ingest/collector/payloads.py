"""Decodes request bodies into event payloads, and encodes page events. Pure."""

import re
from functools import lru_cache
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import msgspec
from msgspec import Meta

from services.ingest.collector.visitors import VisitorIdentity
from shared.events import (
    AGE_MS_MAX,
    PATH_CHARACTERS_MAX,
    REFERRER_CHARACTERS_MAX,
    ArticleId,
    PageEvent,
)
from shared.http.problems import Problem
from shared.origins import sent_host

EVENTS_MAX = 100
BATCH_EVENTS_MAX = 500
_Millis = Annotated[int, Meta(ge=0, le=253_402_300_799_999, description="since 1970-01-01 UTC, in milliseconds")]


class EventPayload(msgspec.Struct, gc=False, kw_only=True):
    """An event as a page sends it. Its time is the collector's clock minus `age`: client clocks are not trusted."""

    id: UUID
    site: Annotated[str, Meta(min_length=1, max_length=40)]
    """Unknown ones are refused: to check the form, too, would take longer than to decode all the rest."""
    kind: Literal["view", "ping", "leave"]
    path: Annotated[str, Meta(min_length=1, max_length=4_096)]
    article: ArticleId | None = None
    referrer: Annotated[str, Meta(max_length=4_096)] | None = None
    age: Annotated[int, Meta(ge=0, description="milliseconds since the event, for a retry")] = 0


class ServerEventPayload(EventPayload, kw_only=True):
    """An event that a server sends for a visitor: with address and user agent, and optionally its own time."""

    ip: Annotated[str, Meta(min_length=2, max_length=45)]
    agent: Annotated[str, Meta(max_length=2_048)] = ""
    at: _Millis | None = None
    gpc: bool = False
    """The visitor's browser sent `Sec-GPC: 1`."""
    own: bool = False
    """The visitor is one of the site's own staff."""


_decode_one = msgspec.json.Decoder(EventPayload).decode
_decode_many = msgspec.json.Decoder(Annotated[list[EventPayload], Meta(min_length=1, max_length=EVENTS_MAX)]).decode
_decode_batch = msgspec.json.Decoder(
    Annotated[list[ServerEventPayload], Meta(min_length=1, max_length=BATCH_EVENTS_MAX)]
).decode
_encode = msgspec.json.Encoder().encode
_AUTHORITY_END = re.compile(r"[/?#]")


def decode_events(body: bytes) -> list[EventPayload]:
    """Decode one event or an array of up to 100.

    Raises:
        Problem: 400 for invalid JSON; 422 for an invalid event, naming the field.
    """
    if body[:1] != b"{" and body.lstrip()[:1] == b"[":
        payloads: list[EventPayload] = _decoded(_decode_many, body)
        return payloads
    return [_decoded(_decode_one, body)]


def decode_batch(body: bytes) -> list[ServerEventPayload]:
    """Decode an array of up to 500 events from a server.

    Raises:
        Problem: as `decode_events`.
    """
    payloads: list[ServerEventPayload] = _decoded(_decode_batch, body)
    return payloads


def decode_pixel_query(query: dict[str, str]) -> EventPayload:
    """Decode the query of the pixel: a view, with a new event ID.

    Raises:
        Problem: 422 for a missing or invalid parameter.
    """
    fields = {name: query[name] for name in ("site", "path", "article") if query.get(name)}
    if any("\0" in value for value in fields.values()):
        raise _nul_character()
    try:
        return msgspec.convert({"id": uuid4(), "kind": "view", **fields}, EventPayload)
    except msgspec.ValidationError as error:
        raise Problem(422, f"Invalid pixel query: {error}", reason="invalid") from error


def _decoded(decoder: Any, body: bytes) -> Any:
    if rb"\u0000" in body:
        raise _nul_character()
    try:
        return decoder(body)
    except msgspec.ValidationError as error:
        raise Problem(422, str(error), reason="invalid") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, f"The body is not valid JSON: {error}", reason="invalid") from error
    except RecursionError as error:
        raise Problem(400, "The body is nested too deeply.", reason="invalid") from error


def _nul_character() -> Problem:
    return Problem(422, "NUL characters (\\u0000) are not allowed.", reason="invalid")


def event_time(payload: EventPayload, now: int) -> int:
    """Return the time of the event in milliseconds: a server's own, or `now` minus the age, clamped to 48 hours."""
    if isinstance(payload, ServerEventPayload) and payload.at is not None:
        return payload.at
    return now - min(payload.age, AGE_MS_MAX)


def encode_page_event(payload: EventPayload, at: int, visitor: VisitorIdentity) -> bytes:
    """Return the event as JSON for the topic `page-views`."""
    _, visitor_id, previous_visitor_id, bot, is_limited, client = visitor
    return _encode(
        PageEvent(
            id=payload.id,  # type: ignore[arg-type] # encodes as its text; making that here takes longer
            site=payload.site,
            kind=payload.kind,
            path=normalise_path(payload.path),
            at=at,
            article=payload.article,
            visitor=visitor_id,
            visitor_prev=previous_visitor_id,
            bot=bot,
            referrer=referrer_host(payload.referrer),
            visitor_limit=is_limited,
            client=client,
        )
    )


def normalise_path(path: str) -> str:
    """Return the path without query and fragment, with one leading slash and at most 512 characters."""
    bare = path.split("#", 1)[0].split("?", 1)[0]
    return "/" + bare.lstrip("/")[: PATH_CHARACTERS_MAX - 1]


def referrer_host(referrer: str | None) -> str | None:
    """Return only the host of a referrer, for privacy; None without a host."""
    if not referrer:
        return None
    text = referrer if "//" in referrer else f"//{referrer}"
    end = _AUTHORITY_END.search(text, text.index("//") + 2)
    return _host_of(text[: end.start()] if end else text)


@lru_cache(maxsize=1_000)
def _host_of(url: str) -> str | None:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return None
    if not host:
        return None
    if not host.isascii() or host.endswith("."):
        host = sent_host(host) or host
    return host[:REFERRER_CHARACTERS_MAX]
