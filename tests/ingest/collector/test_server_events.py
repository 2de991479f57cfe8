"""Events that servers send for their visitors."""

from typing import Any
from uuid import UUID

import pytest

from services.ingest.collector.own_traffic import is_own_traffic
from services.ingest.collector.payloads import ServerEventPayload
from services.ingest.collector.server_events import batch_client, check_server_event
from shared.events import AGE_MS_MAX, AHEAD_MS_MAX
from shared.http.problems import Problem
from shared.sites import Site

NOW = 1_795_600_000_000


def event(**fields: Any) -> ServerEventPayload:
    given = {"id": UUID(int=1), "site": "haihau", "kind": "view", "path": "/", "ip": "203.0.113.7", **fields}
    return ServerEventPayload(**given)


@pytest.mark.parametrize("own", [True, False])
def test_batch_client_is_own_traffic_if_the_server_says_so(site: Site, own: bool) -> None:
    """A server knows its staff; what it says is of the event's site alone."""
    assert is_own_traffic(site, batch_client(event(site=site.slug, own=own))) is own
    assert not is_own_traffic(site, batch_client(event(site="another", own=own)))


@pytest.mark.parametrize(
    ("fields", "is_refused"),
    [
        ({}, False),
        ({"at": NOW - AGE_MS_MAX}, False),
        ({"at": NOW + AHEAD_MS_MAX}, False),
        ({"at": NOW - AGE_MS_MAX - 1}, True),
        ({"at": NOW + AHEAD_MS_MAX + 1}, True),
        ({"ip": "203.0.113"}, True),
        ({"ip": "unknown"}, True),
    ],
)
def test_event_that_could_not_be_counted_is_refused(fields: dict[str, Any], is_refused: bool) -> None:
    """A wrong address or time is refused while the sender can still be told."""
    if not is_refused:
        check_server_event(event(**fields), 0, NOW)
        return
    with pytest.raises(Problem) as caught:
        check_server_event(event(**fields), 3, NOW)
    assert caught.value.status == 422
    assert "[3]" in str(caught.value.detail)
