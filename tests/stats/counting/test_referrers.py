"""The host to which a visit is attributed."""

from hypothesis import given
from hypothesis import strategies as st

from services.stats.admin.reference_events import referrer_host
from services.stats.counting.referrers import own_hosts, visit_host
from tests.stats.counting.test_rules import SITE


@given(st.one_of(st.text(max_size=80), st.from_regex(r"\A(www\.)?[A-Za-z0-9.-]{1,70}\Z")))
def test_visit_host_equals_the_reference_model(referrer: str) -> None:
    """For any referrer both implementations attribute the visit to the same host, and it can be stored."""
    host = visit_host(referrer, own_hosts(SITE))
    assert host == referrer_host(referrer, SITE)
    assert "\0" not in host
    host.encode()
