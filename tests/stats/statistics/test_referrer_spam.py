"""Referrer spam: the kept list, what a site adds and removes, and the parts that add up."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.stats.statistics.referrer_spam import is_spam, kept_hosts, split_referrers
from services.stats.statistics.report_tables import ReportFrame, referrers_table
from services.stats.statistics.route_params import referrers_json
from shared.public_suffixes import public_suffixes_among
from shared.referrer_hosts import is_within, referrer_host
from shared.sites import Site

SITE = Site(
    slug="haihau",
    name="Hải Hậu",
    origins=["https://haihau.example"],
    timezone="Asia/Ho_Chi_Minh",
    spam_referrers=["Rác.example", "bad.good.example", "www.ads.example."],
    trusted_referrers=["semalt.com", "good.example", "fine.ads.example"],
)
HOSTS = ["", "(other)", "zalo.me", "semalt.com", "simple-share-buttons.com", "a.ads.example", "news.google.com"]


@pytest.mark.parametrize(
    ("host", "spam"),
    [
        ("simple-share-buttons.com", True),
        ("forum.topic1.simple-share-buttons.com", True),
        ("simple-share-buttons.com.vn", False),
        ("notsimple-share-buttons.com", False),
        ("com", False),
        ("semalt.com", False),
        ("semalt.semalt.com", False),
        ("xn--rc-mia.example", True),
        ("a.xn--rc-mia.example", True),
        ("rac.example", False),
        ("ads.example", True),
        ("a.ads.example", True),
        ("fine.ads.example", False),
        ("a.fine.ads.example", False),
        ("good.example", False),
        ("bad.good.example", True),
        ("a.bad.good.example", True),
        ("haihau.example", False),
        ("", False),
        ("(other)", False),
        ("xn-----6kcacs9ajdmhcwdcbwwcnbgd13a.xn--p1ai", True),
    ],
)
def test_is_spam_is_decided_by_the_nearest_named_domain(host: str, spam: bool) -> None:
    """A site's own hosts come before the kept list, and a subdomain before the domain that it is in."""
    assert is_spam(host, SITE) is spam


def test_kept_list_has_hosts_as_they_are_stored() -> None:
    """Each is as statistics store it and within no other, and none is a host from which people come."""
    hosts = kept_hosts()
    assert len(hosts) > 2_000
    for host in hosts:
        assert referrer_host(host) == host, host
        assert re.fullmatch(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){1,9}", host), host
        assert not is_within(host.partition(".")[2], hosts), host
    assert public_suffixes_among(hosts) == frozenset()
    people = (
        "google.com google.com.vn bing.com coccoc.com zalo.me facebook.com l.facebook.com t.co youtube.com "
        "tiktok.com vnexpress.net baochinhphu.vn namdinh.gov.vn duckduckgo.com search.yahoo.com yandex.ru baidu.com "
        "wikipedia.org vi.wikipedia.org github.com chatgpt.com instagram.com messenger.com outlook.live.com"
    )
    assert [host for host in people.split() if is_within(host, hosts)] == []


@given(
    st.lists(st.tuples(st.sampled_from(HOSTS), st.integers(1, 10**9)), unique_by=lambda one: one[0]), st.integers(1, 4)
)
def test_parts_of_referrers_add_up_to_all_visits(counted: list[tuple[str, int]], limit: int) -> None:
    """On whatever hosts and rows, for the owner and for everybody, no visit is in two parts or in none."""
    total, found = sum(visits for _, visits in counted), split_referrers(counted, SITE)
    assert found.visits == total
    frame = ReportFrame(SITE, "en", 0, "today")
    for owner in (True, False):
        table = referrers_table(found, frame, limit, with_spam_hosts=owner)
        assert sum(row[1] for row in table.rows if isinstance(row[1], int)) == total
        answer = referrers_json(found, limit, with_spam_hosts=owner)
        parts = answer["direct"] + answer["other"] + sum(one["visits"] for one in answer["referrers"])
        assert parts + answer["spam"]["visits"] == answer["visits"] == total


def test_names_of_spam_are_for_the_owner_alone() -> None:
    """A public table has their visits in one row: to be named there is what they are sent for."""
    found, frame = (
        split_referrers([("simple-share-buttons.com", 5), ("zalo.me", 3)], SITE),
        ReportFrame(SITE, "en", 0, ""),
    )
    assert [list(row) for row in referrers_table(found, frame, 10, with_spam_hosts=True).rows] == [
        ["zalo.me", 3, None],
        ["simple-share-buttons.com", 5, "Yes"],
    ]
    assert [list(row) for row in referrers_table(found, frame, 10, with_spam_hosts=False).rows] == [
        ["zalo.me", 3, None],
        ["Other websites", 5, "Yes"],
    ]
    assert "hosts" not in referrers_json(found, 10, with_spam_hosts=False)["spam"]


def test_changed_configuration_marks_at_once() -> None:
    """What is marked depends on the configuration of the moment, not on that of the time of counting."""
    assert is_spam("news.google.com", msgspec.structs.replace(SITE, spam_referrers=["news.google.com"]))
    assert not is_spam("ads.example", msgspec.structs.replace(SITE, spam_referrers=[]))
