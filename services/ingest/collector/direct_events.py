"""Everyday requests of `POST /e`, served without a task: one site whose salts are known, and no undeclared page.

The body is received and the events are built in the server's own thread; with the batch that has them, all its requests
get their responses and are counted. Everything else, each refusal too, is left to `CollectorEndpoints.events`, with the
body that was received.
"""

import time
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from services.ingest.collector.bodies import BodyReader, unreceived
from services.ingest.collector.endpoints import BODY_BYTES_MAX, CollectorEndpoints, is_event_content_type
from services.ingest.collector.payloads import decode_events
from services.ingest.collector.responses import (
    BuiltEvent,
    Headers,
    accepted_response,
    cors_headers,
    problem_response,
    record_result,
    result_of,
    unavailable,
    with_security_headers,
)
from shared.http.direct import DirectCallback, DirectRequest, ReceivedBody
from shared.http.rsgi import RsgiHeaders
from shared.kafka.producer import KafkaUnavailable
from shared.metrics import HTTP_SECONDS, observe_all

PATH = "/e"
LENGTH_DIGITS_MAX = 5
"""Of a Content-Length header."""


class _EventsRequest(BodyReader, DirectCallback):
    """A request whose body is being received, or whose events are being stored.

    Its parts are read once: the server copies them, all headers too, whenever they are read.
    """

    __slots__ = ("built", "client", "direct", "endpoints", "headers")

    def __init__(self, endpoints: CollectorEndpoints, direct: DirectRequest, headers: RsgiHeaders) -> None:
        self.begun_at = time.monotonic()
        self.source = None
        self.reserved_bytes = 0
        self.endpoints = endpoints
        self.direct = direct
        self.headers = headers
        self.client = direct.request.client
        self.built: Sequence[BuiltEvent] = ()

    def __call__(self, future: Any) -> None:
        """Publish the events of the body that was received."""
        endpoints = self.endpoints
        try:
            body = future.result()
        except BaseException as error:  # noqa: BLE001 - given up as too slow, or the client has left
            error.__traceback__ = None  # the future keeps the error: it would keep this frame, and so itself
            self._free_memory()
            self.direct.leave(ReceivedBody(b"", unreceived(error), self.begun_at))
            return
        try:
            built = endpoints.build_at_once(self, decode_events(body))
        except Exception:  # noqa: BLE001 - the loop finds the same, and says so
            built = None
        if built is None:
            self.direct.leave(ReceivedBody(body, begun_at=self.begun_at, on_read=self._free_memory))
            return
        self._free_memory()
        self.built = built
        endpoints.publisher.publish_direct([event for event, _, _ in built], respond, self)

    def _free_memory(self) -> None:
        self.endpoints.bodies.end(self)


class DirectEvents:
    """The direct handler of a collector."""

    def __init__(self, endpoints: CollectorEndpoints) -> None:
        self._endpoints = endpoints

    def serve(self, direct: DirectRequest) -> bool:
        """Take over a POST to `/e` whose body has a declared length within bounds."""
        if direct.path != PATH:
            return False
        headers = direct.request.headers
        length = headers.get("content-length", "")
        if direct.request.method != "POST" or not length.isdecimal() or len(length) > LENGTH_DIGITS_MAX:
            return False
        size = int(length)
        if not 0 < size <= BODY_BYTES_MAX or not is_event_content_type(headers.get("content-type")):
            return False
        request = _EventsRequest(self._endpoints, direct, headers)
        if not self._endpoints.bodies.begin(request, size):
            return False
        body: Any = direct.protocol()
        request.source = body
        body.add_done_callback(request)
        return True


def respond(requests: list[_EventsRequest], error: KafkaUnavailable | None) -> None:
    """Respond to the requests of a batch, and count them and their events."""
    if error is None:
        status = 202
        for one in requests:
            headers, body = _accepted(one)
            one.direct.protocol.response_bytes(status, headers, body)
        stored = Counter([(slug, bot) for one in requests for _, slug, bot in one.built])
        for (slug, bot), events in stored.items():
            record_result(slug, result_of(bot), events)
    else:
        status = unavailable().status
        for one in requests:
            _, headers, body = problem_response(unavailable(), cors_headers(one.headers.get("origin")))
            one.direct.protocol.response_bytes(status, with_security_headers(headers), body)
            record_result(one.built[0][1], "unavailable", len(one.built))
    now = time.monotonic()
    observe_all(HTTP_SECONDS.labels("POST", PATH, status), [now - one.begun_at for one in requests])


def _accepted(one: _EventsRequest) -> tuple[Headers, bytes]:
    if len(one.built) == 1 and one.built[0][2] is None:
        return _accepted_headers(one.headers.get("origin") or ""), b'{"accepted":1}'
    _, headers, body = accepted_response(one.built, cors_headers(one.headers.get("origin")))
    return with_security_headers(headers), body


@lru_cache(maxsize=100)  # an origin may be as long as a header
def _accepted_headers(origin: str) -> Headers:
    _, headers, _ = accepted_response((), cors_headers(origin))
    return with_security_headers(headers)
