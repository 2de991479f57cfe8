"""Flow 1, with real processes: POST /e → Kafka → counter → Postgres → GET /stats/…/counter."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.settled import settled_counter

NewId = Callable[[], str]
Wait = Callable[..., Any]


def view(new_id: NewId, site: str = "haihau", **more: Any) -> dict[str, Any]:
    return {"id": new_id(), "site": site, "kind": "view", "path": "/tin.html", **more}


def test_view_raises_all_four_values(system: Any, new_id: NewId, wait: Wait) -> None:
    """A new visitor's view raises online, today, week and total by one."""
    before = settled_counter(system)
    answer = system.post_events(view(new_id), user_agent=system.another_person())
    assert answer.status == 202
    after = wait(lambda: (now := system.counter())["total"] > before["total"] and now, what="the view in the counter")
    for number in ("today", "week", "total"):
        assert after[number] == before[number] + 1, number
    assert 1 <= after["online"] <= before["online"] + 1  # visitors of other tests leave
    assert set(after) == {"site", "online", "today", "week", "total", "measure", "window", "timezone", "as_of"}
    assert after["measure"] == "visits"


def test_event_sent_twice_counts_once(system: Any, new_id: NewId, wait: Wait) -> None:
    """The same id, sent again, is not counted again."""
    before = settled_counter(system, measure="views")["total"]
    event, agent = view(new_id), system.another_person()
    for _ in range(3):
        assert system.post_events(event, user_agent=agent).status == 202
    assert system.post_events(view(new_id), user_agent=agent).status == 202
    wait(lambda: system.counter(measure="views")["total"] >= before + 2)
    assert system.counter(measure="views")["total"] == before + 2


def test_visitor_with_many_views_makes_one_visit(system: Any, new_id: NewId, wait: Wait) -> None:
    """Many views of one visitor within minutes are one visit and one visitor."""
    before = {measure: settled_counter(system, measure=measure)["total"] for measure in ("views", "visits", "visitors")}
    events = [view(new_id) for _ in range(100)]
    assert system.post_events(events, user_agent=system.another_person()).status == 202
    wait(lambda: system.counter(measure="views")["total"] == before["views"] + 100)
    for measure in ("visits", "visitors"):  # an answer is kept for a second
        wait(lambda m=measure: system.counter(measure=m)["total"] == before[m] + 1, what=measure)


def test_article_has_its_own_counter(system: Any, new_id: NewId, wait: Wait) -> None:
    """A view with an article id counts for that article; an article nobody saw reads as zeros."""
    article = new_id()
    path = f"/stats/haihau/articles/{article}/counter"
    assert system.get(path).json()["total"] == 0
    system.post_events(view(new_id, article=article), user_agent=system.another_person())
    numbers = wait(lambda: (now := system.get(path).json())["total"] and now)
    assert (numbers["online"], numbers["today"], numbers["total"], numbers["measure"]) == (1, 1, 1, "views")


def test_bots_are_not_in_human_counts(system: Any, new_id: NewId, wait: Wait) -> None:
    """A crawler's view is accepted and never in human numbers."""
    before = settled_counter(system, "giao-thuy")["total"]
    crawler = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
    assert system.post_events(view(new_id, "giao-thuy"), user_agent=crawler).status == 202
    assert system.post_events(view(new_id, "giao-thuy"), user_agent=system.another_person()).status == 202
    wait(lambda: system.counter("giao-thuy")["total"] == before + 1)


def test_global_privacy_control_makes_no_visitor(system: Any, new_id: NewId, wait: Wait) -> None:
    """With Sec-GPC the view counts, and no visitor and nobody online comes of it."""
    measures = ("views", "visitors")
    views, visitors = (settled_counter(system, "giao-thuy", measure=measure)["total"] for measure in measures)
    system.post_events(view(new_id, "giao-thuy"), user_agent=system.another_person(), sec_gpc="1")
    wait(lambda: system.counter("giao-thuy", measure="views")["total"] == views + 1)
    assert system.counter("giao-thuy", measure="visitors")["total"] == visitors


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (b"{", {}, 400, "not valid JSON"),
        (b"\xff\xfe", {}, 400, "not valid JSON"),
        (b"[]", {}, 422, "length"),
        (b'{"id":"x","site":"haihau","kind":"view","path":"/"}', {}, 422, "$.id"),
        (b'{"id":"0f8fad5b-d9cb-469f-a165-70867728950e","site":"haihau","path":"/"}', {}, 422, "kind"),
        (
            b'{"id":"0f8fad5b-d9cb-469f-a165-70867728950e","site":"no","kind":"view","path":"/"}',
            {},
            422,
            "Unknown site 'no'",
        ),
        (b"x" * 70_000, {}, 413, "at most 65,536 bytes"),
        (b"{}", {"content_type": "application/xml"}, 415, "application/json"),
        (
            b'{"id":"0f8fad5b-d9cb-469f-a165-70867728950e","site":"haihau","kind":"view","path":"/"}',
            {"origin": "https://evil.example"},
            403,
            "https://evil.example",
        ),
    ],
)
def test_invalid_input_gets_a_clear_problem(
    system: Any, body: bytes, headers: dict[str, str], status: int, words: str
) -> None:
    """What cannot be accepted is refused with a problem document that says why."""
    answer = system.post_events(body, **headers)
    assert answer.status == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert words in problem["detail"]


def test_unknown_site_has_no_counter(system: Any) -> None:
    """The counter of a site that is not declared is a 404 problem."""
    answer = system.get("/stats/khong-co/counter")
    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")


def test_counter_is_cacheable(system: Any, wait: Wait) -> None:
    """The counter has an ETag that turns into 304, a short max-age, and may be read from any page."""

    def revalidated() -> Any:
        first = system.get("/stats/giao-thuy/counter")
        assert "max-age=1" in first.headers["cache-control"]
        assert first.headers["access-control-allow-origin"] == "*"
        return system.get("/stats/giao-thuy/counter", if_none_match=first.headers["etag"]).status == 304

    wait(revalidated)


def test_internal_pages_are_not_public(system: Any) -> None:
    """Health and metrics answer on the services' own ports and not through the gateway."""
    for path in ("/livez", "/readyz", "/metrics", "/configz"):
        assert system.get(path).status == 404
        for service in ("ingest", "stats", "render"):
            assert system.get(f"http://127.0.0.1:{system.port(service)}{path}").status == 200


async def test_unreadable_record_is_a_dead_letter(system: Any, new_id: NewId, wait: Wait) -> None:
    """Rubbish on the topic goes to the dead letters with its reason; what came with it is counted."""
    before = settled_counter(system, "giao-thuy", measure="views")["total"]
    good = view(new_id, "giao-thuy", at=time.time_ns() // 1_000_000, visitor="0123456789abcdef")
    producer = AIOKafkaProducer(bootstrap_servers=system.kafka)
    await producer.start()
    rubbish = f"rubbish {new_id()}".encode()
    for value in (rubbish, json.dumps(good).encode()):
        placed = await producer.send_and_wait("page-views", value, partition=3)
    await producer.stop()
    wait(lambda: system.counter("giao-thuy", measure="views")["total"] == before + 1)
    letter = await asyncio.wait_for(_find(system.kafka, "page-views.dlq", rubbish), 20)
    headers = {name: value.decode() for name, value in letter.headers}
    assert (headers["reason"], headers["topic"], headers["partition"]) == ("not-json", "page-views", "3")
    assert int(headers["offset"]) == placed.offset - 1


async def _find(bootstrap: str, topic: str, value: bytes) -> Any:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async for record in consumer:
            if record.value == value:
                return record
    finally:
        await consumer.stop()


def test_killed_processes_lose_and_double_nothing(system: Any, new_id: NewId, wait: Wait) -> None:
    """Whatever is killed in the middle, every event that got a 202 is counted, and counted once."""
    before = settled_counter(system, "giao-thuy", measure="views")["total"]
    accepted: set[str] = set()
    kept: list[dict[str, Any]] = []
    for turn, victim in enumerate(["stats", None, "kafka", None, "postgres", None, "stats"]):
        if victim:
            os.kill(system.state()["parts"][victim], signal.SIGKILL)
        for _ in range(20):
            kept.append(view(new_id, "giao-thuy"))
            kept = [event for event in kept if not _accepted(system, event, turn, accepted)]
    deadline_tries = 200
    while kept and deadline_tries:
        kept = [event for event in kept if not _accepted(system, event, 0, accepted)]
        deadline_tries -= 1
    assert not kept
    assert len(accepted) == 7 * 20
    wait(lambda: _views_or_none(system) == before + len(accepted), 60, "every accepted event in the counter")
    wait(system.all_ready, 30)
    assert _views_or_none(system) == before + len(accepted)


def _accepted(system: Any, event: dict[str, Any], person: int, accepted: set[str]) -> bool:
    """Send an event as a tracker does: what gets no 202 is kept and sent again with the same id."""
    try:
        answer = system.post_events(event, user_agent=f"Mozilla/5.0 Chrome/130.0.0.0 person {person}")
    except OSError:
        return False
    if answer.status == 202:
        accepted.add(event["id"])
        return True
    assert answer.status in (502, 503), answer.text
    return False


def _views_or_none(system: Any) -> int | None:
    answer = system.get("/stats/giao-thuy/counter?measure=views")
    return answer.json()["total"] if answer.status == 200 else None
