"""Responses of the collector, and how events are counted by what became of them."""

from collections.abc import Callable, Sequence
from functools import lru_cache

from services.ingest.collector.spool import SpooledEvent
from services.ingest.metrics import COLLECT_EVENTS
from shared.events import OWN_TRAFFIC
from shared.http.problems import Problem
from shared.http.security_headers import DENY_ALL_CSP

JSON_CONTENT_TYPE = ("content-type", "application/json")
SECURITY_HEADERS = (("x-content-type-options", "nosniff"), ("content-security-policy", DENY_ALL_CSP))
EXPOSED_HEADERS = ("access-control-expose-headers", "x-presstally, retry-after")

Headers = list[tuple[str, str]]
Response = tuple[int, Headers, bytes]
BuiltEvent = tuple[SpooledEvent, str, str | None]
"""Its site and the bot reason come with it."""


def unavailable() -> Problem:
    """Return the problem of events that neither Kafka nor the disk has; they are counted by the caller."""
    return Problem(
        503,
        "Events cannot be accepted at the moment; retry later with the same IDs.",
        headers={"retry-after": "5"},
        reason="unavailable",
        counted=True,
    )


def result_of(bot: str | None) -> str:
    """Return the result in the metrics of an event that was stored."""
    return OWN_TRAFFIC if bot == OWN_TRAFFIC else "bot" if bot else "accepted"


def cors_headers(origin: str | None) -> Headers:
    """Return the CORS headers that let any page read the response, without credentials.

    A page whose origin is refused must be able to read that, too: its tracker then stops, and its owner sees why.
    """
    return [("access-control-allow-origin", origin), ("vary", "origin"), EXPOSED_HEADERS] if origin else []


def with_security_headers(headers: Headers) -> Headers:
    """Return the headers of a response with those of every response."""
    return [*headers, *SECURITY_HEADERS]


async def preflight(cors: Headers) -> Response:
    """Let the browser send the request: its response says whether the origin is refused."""
    allow = [("access-control-allow-methods", "POST"), ("access-control-allow-headers", "content-type")]
    return 204, [*cors, *allow, ("access-control-max-age", "86400")], b""


def problem_response(problem: Problem, cors: Headers) -> Response:
    """Return the response to a request that is refused, and count it unless that was done."""
    reason = problem.extensions.get("reason", "token" if problem.status in (401, 403) else "invalid")
    if not problem.extensions.pop("counted", False):
        record_result("unknown", reason)
    response = problem.response()
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers]
    return problem.status, [*headers, *cors, ("x-presstally", f"ignored because {reason}")], bytes(response.body)


def accepted_response(built: Sequence[BuiltEvent], cors: Headers) -> Response:
    """Return the response to a request whose events are stored."""
    classes = {bot for _, _, bot in built if bot}
    bots = sorted(classes - {OWN_TRAFFIC})
    notes = [f"counted as bot: {', '.join(bots)}"] if bots else []
    notes += ["counted as own traffic"] if OWN_TRAFFIC in classes else []
    headers = [("x-presstally", "; ".join(notes))] if notes else []
    return 202, [JSON_CONTENT_TYPE, *cors, *headers], b'{"accepted":%d}' % len(built)


@lru_cache(maxsize=1_000)
def _result_counter(site: str, result: str) -> Callable[[float], None]:
    return COLLECT_EVENTS.labels(site, result).inc


def record_result(site: str, result: str, events: int = 1) -> None:
    """Count events by their result."""
    _result_counter(site, result)(events)
