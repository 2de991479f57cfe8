"""The public endpoints of the collector over real sockets: rejections, and robustness against clients."""

import json
import random
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from tests.conftest import wait_for
from tests.settled import settled_counter
from tests.speed import assert_takes_at_most

NewId = Callable[[], str]
Wait = Callable[..., Any]
IDLE_SOCKETS = 10_000


def view(new_id: NewId, site: str = "haihau", **more: Any) -> dict[str, Any]:
    return {"id": new_id(), "site": site, "kind": "view", "path": "/tin.html", **more}


def direct(system: Any) -> str:
    """Return the URL of the collector's own port, which trusts the test as a proxy."""
    return f"http://127.0.0.1:{system.port('ingest')}"


def counted(system: Any, result: str) -> int:
    """Return the number of events with a result in the collector's metrics."""
    lines = system.get(f"{direct(system)}/metrics").text.splitlines()
    wanted = [line for line in lines if line.startswith("presstally_collect_events_total{") and f'"{result}"' in line]
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in wanted)


@pytest.fixture(scope="module")
def token(system: Any) -> str:
    """A token of a server that may send events."""
    command = [sys.executable, "-m", "services.ingest", "token", "create", "--name", "web", "--scope", "events"]
    environment = {**system.environment, "DATABASE_URL": system.database_url, "KAFKA_BOOTSTRAP": system.kafka}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return next(word for word in done.stdout.split() if word.startswith("pt_"))


@pytest.mark.parametrize(
    ("change", "headers", "status", "reason"),
    [
        ({"site": "nowhere"}, {}, 422, "unknown_site"),
        ({"kind": "click"}, {}, 422, "invalid"),
        ({"id": "1"}, {}, 422, "invalid"),
        ({"path": ""}, {}, 422, "invalid"),
        ({"path": "/\0"}, {}, 422, "invalid"),
        ({"age": -1}, {}, 422, "invalid"),
        ({}, {"origin": "https://elsewhere.example"}, 403, "origin"),
        ({}, {"origin": "null"}, 403, "origin"),
        ({}, {"content_type": "application/xml"}, 415, "invalid"),
    ],
)
def test_invalid_event_is_rejected_with_reason_and_counted(  # noqa: PLR0917
    system: Any, new_id: NewId, change: dict[str, Any], headers: dict[str, str], status: int, reason: str
) -> None:
    """A rejected event gets a problem document, a header with the reason, and a count in the metrics."""
    before = counted(system, reason)
    answer = system.post_events({**view(new_id), **change}, **headers)
    assert answer.status == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-presstally"] == f"ignored because {reason}"
    assert answer.json()["status"] == status
    assert counted(system, reason) == before + 1


def test_rejection_can_be_read_by_any_page(system: Any, new_id: NewId) -> None:
    """Rejections have CORS headers, without credentials, also for undeclared origins: their tracker then stops."""
    allowed = {"origin": "https://giaothuy.example"}
    answer = system.post_events({**view(new_id), "kind": "click"}, **allowed)
    assert answer.headers["access-control-allow-origin"] == allowed["origin"]
    assert "x-presstally" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers
    refused = system.post_events(view(new_id), origin="https://other.example")
    assert refused.status == 403
    assert refused.headers["access-control-allow-origin"] == "https://other.example"
    assert refused.headers["x-presstally"] == "ignored because origin"
    assert system.request("OPTIONS", "/e", **allowed).status == 204
    assert system.request("OPTIONS", "/e", origin="https://other.example").status == 204
    # One site's pages may not send another site's events.
    assert system.post_events(view(new_id), **allowed).status == 403
    assert system.post_events(view(new_id, site="giao-thuy"), **allowed).status == 202


def test_bot_event_is_accepted_and_reported_as_bot(system: Any, new_id: NewId) -> None:
    """Events of bots and prefetches are accepted, and the response names the reason."""
    for headers, reason in (
        ({"user_agent": "Googlebot/2.1"}, "crawler"),
        ({"user_agent": ""}, "no-user-agent"),
        ({"sec_purpose": "prefetch;prerender"}, "prefetch"),
    ):
        answer = system.post_events(view(new_id), **headers)
        assert (answer.status, answer.headers["x-presstally"]) == (202, f"counted as bot: {reason}")


def test_pixel_counts_a_view(system: Any, wait: Wait) -> None:
    """The pixel is a GIF that counts a view for its site and article; an invalid query is rejected."""
    before = settled_counter(system, measure="views")["total"]
    answer = system.get("/p.gif?site=haihau&path=/tin.html&article=px", user_agent=system.another_person())
    assert (answer.status, answer.headers["content-type"]) == (200, "image/gif")
    assert answer.body[:6] == b"GIF89a"
    assert answer.headers["cache-control"] == "no-store"
    wait(lambda: system.counter(measure="views")["total"] == before + 1)
    assert system.get("/p.gif?site=haihau").status == 422
    assert system.get("/p.gif?site=nowhere&path=/").status == 422
    assert system.request("POST", "/p.gif", b"").status == 405


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"referer": "https://elsewhere.example/page?q=1"}, 403),
        ({"referer": "https://giaothuy.example/tin.html"}, 403),  # a page of another site of the installation
        ({"referer": "http://[bad/"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"origin": "https://elsewhere.example"}, 403),
        ({"origin": "null"}, 403),
        ({"referer": "http://localhost:8080/tin.html", "sec_fetch_site": "same-origin"}, 200),
        ({"referer": "http://localhost:8080/", "sec_fetch_site": "cross-site"}, 200),  # the collector on another host
        ({"sec_fetch_site": "same-origin"}, 200),
        ({}, 200),
    ],
)
def test_pixel_refuses_foreign_pages(system: Any, headers: dict[str, str], status: int) -> None:
    """The pixel in a page of another site counts nothing, whatever that page withholds; a page of the site counts."""
    answer = system.get("/p.gif?site=haihau&path=/tin.html", user_agent=system.another_person(), **headers)
    assert answer.status == status, answer.text
    if status == 403:
        assert answer.headers["x-presstally"] == "ignored because origin"


def settled(system: Any, *measures: str) -> dict[str, int]:
    """Return the totals once the views of earlier tests are counted."""
    return {measure: settled_counter(system, measure=measure)["total"] for measure in measures}


def test_batch_counts_each_event_for_its_visitor(system: Any, new_id: NewId, token: str, wait: Wait) -> None:
    """A batch with a token counts each event for its own visitor and at its own time."""
    before = settled(system, "views", "visits")
    hour_ago = int(time.time() * 1000) - 3_600_000
    events = [
        {**view(new_id), "ip": f"198.51.100.{n % 50}", "agent": system.another_person(), "at": hour_ago}
        for n in range(500)
    ]
    body = json.dumps(events).encode()
    bearer = {"authorization": f"Bearer {token}", "content_type": "application/json"}
    answer = system.request("POST", "/e/batch", body, **bearer)
    assert (answer.status, answer.json()) == (202, {"accepted": 500})
    assert system.request("POST", "/e/batch", body, **bearer).status == 202  # a retry
    wait(lambda: system.counter(measure="views")["total"] >= before["views"] + 500)
    time.sleep(1)
    assert system.counter(measure="views")["total"] == before["views"] + 500
    wait(lambda: system.counter(measure="visits")["total"] == before["visits"] + 500)


def test_invented_visitors_of_one_address_are_bounded(system: Any, new_id: NewId, token: str, wait: Wait) -> None:
    """Beyond 2,000 visitors of an address and day, views count and make no visitor; another address is not affected."""
    before = settled(system, "views", "visitors")
    bearer = {"authorization": f"Bearer {token}", "content_type": "application/json"}
    for block in range(5):
        address = "192.0.2.77" if block < 4 else "192.0.2.78"
        events = [{**view(new_id), "ip": address, "agent": system.another_person()} for _ in range(500)]
        assert system.request("POST", "/e/batch", json.dumps(events).encode(), **bearer).status == 202
    extra = [{**view(new_id), "ip": "192.0.2.77", "agent": system.another_person()} for _ in range(100)]
    assert system.request("POST", "/e/batch", json.dumps(extra).encode(), **bearer).status == 202
    wait(lambda: system.counter(measure="views")["total"] >= before["views"] + 2_600)
    wait(lambda: system.counter(measure="visitors")["total"] >= before["visitors"] + 2_500)  # a moment later at most
    made = system.counter(measure="visitors")["total"] - before["visitors"]
    assert 2_500 <= made <= 2_510, made
    metrics = system.get(f"{direct(system)}/metrics").text
    assert re.search(
        r'^presstally_collect_visitors_limited_total\{site="haihau"\} (9\d|100)\.0$', metrics, re.MULTILINE
    )


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"ip": "nobody"}, 422, "$[0].ip"),
        ({"at": 1_000}, 422, "$[0].at"),
        ({"at": 4_000_000_000_000}, 422, "$[0].at"),
        ({"site": "nowhere"}, 422, "nowhere"),
    ],
)
def test_batch_with_invalid_event_names_number_and_field(  # noqa: PLR0917
    system: Any, new_id: NewId, token: str, change: dict[str, Any], status: int, message: str
) -> None:
    """What the counter would only find later is rejected with the number and field of the event."""
    event = {**view(new_id), "ip": "198.51.100.1", "agent": "x", **change}
    answer = system.request("POST", "/e/batch", json.dumps([event]).encode(), authorization=f"Bearer {token}")
    assert answer.status == status
    assert message in answer.json()["detail"]


def test_batch_without_valid_token_is_401(system: Any) -> None:
    """Without a valid token no batch is accepted."""
    assert system.request("POST", "/e/batch", b"[]").status == 401
    assert system.request("POST", "/e/batch", b"[]", authorization="Bearer pt_00000000_" + "a" * 43).status == 401


def test_flooding_address_gets_429_and_others_do_not(system: Any, new_id: NewId) -> None:
    """Beyond the burst an address gets 429 with the time to wait, and another address is accepted meanwhile."""
    url = f"{direct(system)}/e"
    flood, other = f"203.0.113.{random.randrange(256)}", f"198.51.100.{random.randrange(256)}"

    def post(address: str) -> Any:
        body = json.dumps([view(new_id, site="giao-thuy") for _ in range(100)]).encode()
        return system.request("POST", url, body, x_forwarded_for=address, content_type="text/plain")

    assert [post(flood).status for _ in range(20)] == [202] * 20
    rejected = wait_for(lambda: (answer := post(flood)).status == 429 and answer, what="a 429")
    assert int(rejected.headers["retry-after"]) >= 1
    assert rejected.headers["x-presstally"] == "ignored because rate"
    assert post(other).status == 202


def test_forwarded_header_of_client_is_ignored(system: Any, new_id: NewId, wait: Wait) -> None:
    """Through the gateway a client's own X-Forwarded-For makes no new visitor."""
    before = settled_counter(system, measure="visitors")["total"]
    agent = system.another_person()
    for number in range(5):
        forged = f"203.0.113.{number}, 198.51.100.{number}"
        assert system.post_events(view(new_id), user_agent=agent, x_forwarded_for=forged).status == 202
    wait(lambda: system.counter(measure="visitors")["total"] == before + 1)
    time.sleep(0.5)
    assert system.counter(measure="visitors")["total"] == before + 1


HOSTILE = [
    b"",
    b"[",
    b"[]",
    b"null",
    b'"x"',
    b"{}",
    b"\xff\xfe\x00",
    b'{"id":"\xc3\x28"}',
    b"[" * 30_000,
    b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    b'{"id":"\\ud800"}',
    b'{"age":1e400}',
    b'{"age":' + b"9" * 5_000 + b"}",
    b'{"site":"' + b"a" * 60_000 + b'"}',
    b"\0" * 1_000,
    b"[" + b"{}," * 20_000 + b"{}]",
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_body_is_rejected_as_client_error(system: Any, body: bytes) -> None:
    """Whatever the body is, the response is a problem document with a 4xx status."""
    answer = system.post_events(body)
    assert 400 <= answer.status < 500, answer.text
    assert answer.json()["status"] == answer.status


def test_randomly_damaged_event_is_never_a_server_error(system: Any, new_id: NewId) -> None:
    """Valid events with random damage are accepted or rejected, and never cause a 5xx."""
    chosen = random.Random(7)
    whole = json.dumps(view(new_id, article="a", referrer="https://a.example/b", age=5)).encode()
    for _ in range(400):
        body = bytearray(whole)
        for _ in range(chosen.randrange(1, 6)):
            at = chosen.randrange(len(body))
            body[at : at + chosen.randrange(3)] = chosen.randbytes(chosen.randrange(4))
        answer = system.post_events(bytes(body))
        assert answer.status in (202, 400, 422), (answer.status, bytes(body))


@contextmanager
def connected(system: Any) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", system.port("ingest")), 5)) as one:
        yield one


def test_endless_chunked_body_is_rejected_at_the_limit(system: Any) -> None:
    """A chunked body is rejected when it exceeds the limit, however it goes on."""
    with connected(system) as one:
        one.settimeout(60)
        one.sendall(b"POST /e HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n")
        chunk = b"2000\r\n" + b"x" * 0x2000 + b"\r\n"
        try:
            for _ in range(10_000):
                one.sendall(chunk)
        except OSError:
            return  # closing the connection is a valid rejection too
        raise AssertionError("80 MB were accepted")


def seconds_of_view(system: Any, new_id: NewId) -> float:
    begun = time.monotonic()
    assert system.post_events(view(new_id), user_agent=system.another_person()).status == 202
    return time.monotonic() - begun


def test_slow_and_idle_connections_do_not_block_others(system: Any, new_id: NewId) -> None:
    """With 10,000 idle connections and many partial bodies others are served, and the slow ones get a 408."""
    half = b"POST /e HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: 100\r\n\r\n{"
    opened: list[socket.socket] = []
    try:
        for number in range(IDLE_SOCKETS):
            one = socket.create_connection(("127.0.0.1", system.port("ingest")), 5)
            opened.append(one)
            if number % 100 == 0:
                one.sendall(half)
        for _ in range(20):
            assert_takes_at_most(5, lambda: seconds_of_view(system, new_id))
        opened[0].settimeout(60)
        assert opened[0].recv(100).startswith(b"HTTP/1.1 408 ")
    finally:
        for one in opened:
            one.close()
    assert system.get(f"{direct(system)}/livez").status == 200
