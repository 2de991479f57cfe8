"""Responses of the collector: what clients and owners of pages read of them, and what is counted."""

import pytest

from services.ingest.collector.responses import (
    accepted_response,
    cors_headers,
    problem_response,
    result_of,
    unavailable,
)
from services.ingest.collector.spool import SpooledEvent
from services.ingest.metrics import COLLECT_EVENTS
from shared.http.problems import Problem

EVENT = SpooledEvent(0, b"")


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ([None], None),
        ([None, "crawler"], "counted as bot: crawler"),
        (["tool", "crawler", "tool"], "counted as bot: crawler, tool"),
        (["own"], "counted as own traffic"),
        (["own", None, "tool"], "counted as bot: tool; counted as own traffic"),
    ],
)
def test_accepted_response_names_what_people_are_not_counted(classes: list[str | None], said: str | None) -> None:
    """It has the number of events, and a header with the classes of those that are not in the numbers of people."""
    status, headers, body = accepted_response([(EVENT, "haihau", one) for one in classes], [])
    assert (status, body) == (202, b'{"accepted":%d}' % len(classes))
    assert dict(headers).get("x-presstally") == said


def test_results_of_stored_events_tell_people_bots_and_own_traffic_apart() -> None:
    """The metric has one result for each."""
    assert [result_of(one) for one in (None, "crawler", "own")] == ["accepted", "bot", "own"]


def test_refusal_is_readable_by_the_page_and_counted_once() -> None:
    """Its origin may read status and reason; a problem whose events were counted is not counted again."""

    def counted(reason: str) -> float:
        return COLLECT_EVENTS.labels("unknown", reason)._value.get()

    before = counted("slow"), counted("unavailable")
    status, headers, _ = problem_response(Problem(408, "Slow.", reason="slow"), cors_headers("https://a.example"))
    assert status == 408
    assert ("access-control-allow-origin", "https://a.example") in headers
    assert ("x-presstally", "ignored because slow") in headers
    status, headers, _ = problem_response(unavailable(), cors_headers(None))
    assert (status, dict(headers)["retry-after"]) == (503, "5")
    assert not any(name.startswith("access-control") for name, _ in headers)
    assert (counted("slow"), counted("unavailable")) == (before[0] + 1, before[1])
