"""What senders write, and the page event that it becomes. Pure: the time and the sender are handed in."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import msgspec
from msgspec import Meta

from services.ingest.collector.visitors import Reader
from shared.events import (
    AGE_MS_MAX,
    PATH_CHARACTERS_MAX,
    REFERRER_CHARACTERS_MAX,
    ArticleId,
    PageEvent,
    SiteSlug,
)
from shared.http.problems import Problem

EVENTS_MAX = 100
BATCH_EVENTS_MAX = 500
_Millis = Annotated[int, Meta(ge=0, le=253_402_300_799_999, description="since 1970-01-01 UTC, in milliseconds")]


class Sign(msgspec.Struct, gc=False, kw_only=True):
    """What a page sends. Its time is the collector's clock less its `age`, so no sender's clock is believed."""

    id: UUID
    site: SiteSlug
    kind: Literal["view", "ping", "leave"]
    path: Annotated[str, Meta(min_length=1, max_length=4_096)]
    article: ArticleId | None = None
    referrer: Annotated[str, Meta(max_length=4_096)] | None = None
    age: Annotated[int, Meta(ge=0, description="milliseconds since it happened, for a retry")] = 0


class ServerSign(Sign, kw_only=True):
    """What a server sends for its readers: their address and agent, and its own time if it likes."""

    ip: Annotated[str, Meta(min_length=2, max_length=45)]
    agent: Annotated[str, Meta(max_length=2_048)] = ""
    at: _Millis | None = None
    gpc: bool = False
    """The reader's browser sent `Sec-GPC: 1`."""


_decode_one = msgspec.json.Decoder(Sign).decode
_decode_many = msgspec.json.Decoder(Annotated[list[Sign], Meta(min_length=1, max_length=EVENTS_MAX)]).decode
_decode_batch = msgspec.json.Decoder(
    Annotated[list[ServerSign], Meta(min_length=1, max_length=BATCH_EVENTS_MAX)]
).decode
_encode = msgspec.json.Encoder().encode


def decode(body: bytes) -> list[Sign]:
    """Decode one event or an array of up to 100.

    Raises:
        Problem: 400 for what is not JSON, 422 for what is not an event; it names the field.
    """
    if body.lstrip()[:1] == b"[":
        signs: list[Sign] = _decoded(_decode_many, body)
        return signs
    return [_decoded(_decode_one, body)]


def decode_batch(body: bytes) -> list[ServerSign]:
    """Decode an array of up to 500 events of a server.

    Raises:
        Problem: as `decode`.
    """
    signs: list[ServerSign] = _decoded(_decode_batch, body)
    return signs


def decode_query(query: dict[str, str]) -> Sign:
    """Decode the pixel's query: a view, with an id made here.

    Raises:
        Problem: 422.
    """
    fields = {name: query[name] for name in ("site", "path", "article") if query.get(name)}
    if any("\0" in value for value in fields.values()):
        raise _nul()
    try:
        return msgspec.convert({"id": uuid4(), "kind": "view", **fields}, Sign)
    except msgspec.ValidationError as error:
        raise Problem(422, f"The pixel's address is not complete: {error}", reason="invalid") from error


def _decoded(decoder: Any, body: bytes) -> Any:
    if rb"\u0000" in body:
        raise _nul()
    try:
        return decoder(body)
    except msgspec.ValidationError as error:
        raise Problem(422, str(error), reason="invalid") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, f"The body is not JSON: {error}", reason="invalid") from error
    except RecursionError as error:
        raise Problem(400, "The body is nested too deep.", reason="invalid") from error


def _nul() -> Problem:
    return Problem(422, "There is a NUL character (\\u0000), which no field may have.", reason="invalid")


def happened_at(sign: Sign, now: int) -> int:
    """Return when it happened, in milliseconds: a server's own time, or `now` less the age, of at most 48 hours."""
    if isinstance(sign, ServerSign) and sign.at is not None:
        return sign.at
    return now - min(sign.age, AGE_MS_MAX)


def page_event(sign: Sign, at: int, reader: Reader) -> bytes:
    """Return the event as it travels (topic `page-views`)."""
    return _encode(
        PageEvent(
            id=sign.id,  # type: ignore[arg-type] # encodes as its text; making that here takes longer
            site=sign.site,
            kind=sign.kind,
            path=normalise_path(sign.path),
            at=at,
            article=sign.article,
            visitor=reader.key,
            visitor_prev=reader.key_before,
            bot=reader.bot,
            referrer=referrer_host(sign.referrer),
        )
    )


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
