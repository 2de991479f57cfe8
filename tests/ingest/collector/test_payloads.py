"""Decoding of request bodies and encoding of page events."""

import json
from typing import Any
from uuid import UUID

import pytest

from services.ingest.collector.payloads import (
    BATCH_EVENTS_MAX,
    EVENTS_MAX,
    decode_batch,
    decode_events,
    decode_pixel_query,
    encode_page_event,
    event_time,
    normalise_path,
    referrer_host,
)
from services.ingest.collector.visitors import VisitorIdentity
from shared.events import AGE_MS_MAX
from shared.http.problems import Problem

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
NOW = 1_795_600_000_000


def event(**fields: Any) -> dict[str, Any]:
    return {"id": ID, "site": "haihau", "kind": "view", "path": "/tin.html", **fields}


def encoded(*events: dict[str, Any]) -> bytes:
    return json.dumps(events).encode()


def test_decode_events_accepts_object_and_array() -> None:
    """One object is one event; an array is its events in order; unknown fields are ignored."""
    (one,) = decode_events(json.dumps(event(more=1)).encode())
    assert (one.id, one.kind, one.age, one.article) == (UUID(ID), "view", 0, None)
    assert [two.path for two in decode_events(b" \n" + encoded(event(path="/a"), event(path="/b")))] == ["/a", "/b"]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "not valid JSON"),
        (b"{", 400, "not valid JSON"),
        (b"\xff", 400, "not valid JSON"),
        (b'[{"more":' + b"[" * 100_000, 400, "nested"),
        (b"[]", 422, "length >= 1"),
        (b"null", 422, "object"),
        (json.dumps(event(kind="click")).encode(), 422, "$.kind"),
        (json.dumps(event(path="")).encode(), 422, "$.path"),
        (json.dumps(event(age=-1)).encode(), 422, "$.age"),
        (json.dumps(event(path="/\0")).encode(), 422, "NUL"),
        (encoded(event(), event(id="1")), 422, "$[1].id"),
        (encoded(*[event()] * (EVENTS_MAX + 1)), 422, f"length <= {EVENTS_MAX}"),
    ],
)
def test_decode_events_invalid_body_names_the_field(body: bytes, status: int, message: str) -> None:
    """Invalid JSON is a 400, an invalid event a 422 that names the field."""
    with pytest.raises(Problem) as raised:
        decode_events(body)
    assert (raised.value.status, raised.value.extensions["reason"]) == (status, "invalid")
    assert message in raised.value.detail


def test_decode_batch_requires_address_of_each_event() -> None:
    """A batch has 1 to 500 events with the address of the visitor; time, agent and GPC are optional."""
    (one,) = decode_batch(encoded(event(ip="203.0.113.7")))
    assert (one.ip, one.agent, one.at, one.gpc) == ("203.0.113.7", "", None, False)
    assert len(decode_batch(encoded(*[event(ip="::1")] * BATCH_EVENTS_MAX))) == BATCH_EVENTS_MAX
    for body in (encoded(event()), json.dumps(event(ip="::1")).encode(), encoded(*[event(ip="::1")] * 501)):
        with pytest.raises(Problem) as raised:
            decode_batch(body)
        assert raised.value.status == 422


def test_decode_pixel_query_is_a_view_with_new_id() -> None:
    """A pixel query is a view with an ID of its own; empty parameters are missing ones."""
    one, other = (decode_pixel_query({"site": "haihau", "path": "/a", "article": "", "id": ID}) for _ in range(2))
    assert (one.kind, one.site, one.path, one.article) == ("view", "haihau", "/a", None)
    assert len({one.id, other.id, UUID(ID)}) == 3
    for query in ({"site": "haihau"}, {"path": "/"}, {"site": "haihau", "path": "/\0"}, {}):
        with pytest.raises(Problem) as raised:
            decode_pixel_query(query)
        assert raised.value.status == 422


def test_event_time_is_clock_minus_clamped_age_or_time_of_server() -> None:
    """The age is clamped to 48 hours; a server's own time precedes it."""
    for age, expected in ((0, NOW), (60_000, NOW - 60_000), (10**15, NOW - AGE_MS_MAX)):
        assert event_time(decode_events(json.dumps(event(age=age)).encode())[0], NOW) == expected
    (server,) = decode_batch(encoded(event(ip="::1", at=5, age=7)))
    assert event_time(server, NOW) == 5
    (without_time,) = decode_batch(encoded(event(ip="::1", age=7)))
    assert event_time(without_time, NOW) == NOW - 7


def test_encode_page_event_has_exactly_the_fields_of_the_contract() -> None:
    """The event has the documented fields without absent ones, a normalised path and the host of the referrer."""
    (payload,) = decode_events(json.dumps(event(path="/a?x#y", referrer="https://b.vn/q?s=1", article="a-1")).encode())
    visitor = VisitorIdentity(2**63, "0123456789abcdef", None, "crawler")
    assert json.loads(encode_page_event(payload, NOW, visitor)) == {
        "id": ID,
        "site": "haihau",
        "kind": "view",
        "path": "/a",
        "at": NOW,
        "article": "a-1",
        "visitor": "0123456789abcdef",
        "bot": "crawler",
        "referrer": "b.vn",
    }


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("/tin.html?utm=1#x", "/tin.html"),
        ("tin.html", "/tin.html"),
        ("//evil.example/x", "/evil.example/x"),
        ("?q=1", "/"),
        ("/" + "a" * 600, "/" + "a" * 511),
    ],
)
def test_normalise_path_has_one_slash_and_no_query(path: str, normal: str) -> None:
    """A path has no query, no fragment, one leading slash and at most 512 characters."""
    assert normalise_path(path) == normal


@pytest.mark.parametrize(
    ("referrer", "host"),
    [
        ("https://www.Google.com/search?q=secret", "www.google.com"),
        ("google.com", "google.com"),
        ("", None),
        (None, None),
        ("http://[::1", None),
        ("about:blank", "about"),
        ("https://Spam.Example.:8443/x", "spam.example"),
        ("spam.example.", "spam.example"),
        ("https://rác.example/", "xn--rc-mia.example"),
        ("https://ｓｐａｍ.example/", "spam.example"),
        ("https://user:password@spam.example/", "spam.example"),
        ("https://a..example./", "a..example."),
        ("https://xn--zz.рф/", "xn--zz.рф"),
        ("https://" + "ệ" * 600 + ".vn/", "ệ" * 253),
    ],
)
def test_referrer_host_is_only_the_host(referrer: str | None, host: str | None) -> None:
    """Only the host of a referrer is used; without a valid host there is None."""
    assert referrer_host(referrer) == host
