"""Errors of a site's configuration that its types do not show; whole files are in test_sites.py."""

from typing import Any

import msgspec
import pytest

from shared.site_checks import errors_between, errors_of
from shared.sites import Section, Site


def site(**fields: Any) -> Site:
    return Site(**{"slug": "a", "name": "A", "origins": ["https://a.vn"], "timezone": "UTC", **fields})


@pytest.mark.parametrize("slug", ["trang", "tac-gia", "xem-truoc", "tag", "tep", "api"])
def test_errors_of_reserved_section_names_it(slug: str) -> None:
    """Paths of static pages, authors and previews are no sections."""
    found = errors_of({}, site(sections=[Section(slug, "Tên")]))
    assert found == [f"section {slug!r} is reserved: the installation uses that path"]


def test_errors_of_unknown_zone_and_control_character() -> None:
    """Each error is one sentence that names its key."""
    found = errors_of({"name": "a\x07"}, site(timezone="Nowhere"))
    assert found == ["name has the control character U+0007", "timezone 'Nowhere' is not an IANA time zone"]


@pytest.mark.parametrize(
    "hub",
    [
        "https://",
        "https://me:secret@hub.example/",
        "https://hub.example/a b",
        'https://hub"example/',
        "https://hub.example:port/",
        "http:///feed",
        "https://[::1/",
    ],
)
def test_errors_of_a_hub_that_cannot_be_called_names_it(hub: str) -> None:
    """What only looks like the address of a hub is found before feeds name it."""
    (found,) = errors_of({}, site(hub=["https://hub.example/", hub]))
    assert found.startswith(f"hub {hub!r} cannot be called: ")
    assert errors_of({}, site(hub="https://trạm.example:8443/công?a=b")) == []


def test_errors_between_sites_with_one_origin() -> None:
    """Two sites cannot have one address."""
    other = msgspec.structs.replace(site(), slug="b")
    assert errors_between({"a": site(), "b": other}) == ["origin https://a.vn is declared by two sites, a and b"]


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"own_addresses": ["203.0.113.7", "2001:db8::/32"]}, []),
        (
            {"own_addresses": ["203.0.113.7/24"]},
            ["own_addresses: '203.0.113.7/24' has bits after its prefix; the network is 203.0.113.0/24"],
        ),
        (
            {"own_addresses": ["0.0.0.0/0", "x"]},
            [
                "own_addresses: '0.0.0.0/0' is too wide: at least /8",
                "own_addresses: 'x' is no address or network (such as 192.0.2.7 or 2001:db8:5::/48)",
            ],
        ),
        ({"spam_referrers": ["spam.example", "Thư.rác.example"], "trusted_referrers": ["semalt.com"]}, []),
        ({"spam_referrers": ["vn"]}, ["spam_referrers: 'vn' is no host name such as spam.example"]),
        (
            {"spam_referrers": ["https://spam.example"]},
            ["spam_referrers: 'https://spam.example' is no host name such as spam.example"],
        ),
        (
            {"spam_referrers": ["spam.example/x"]},
            ["spam_referrers: 'spam.example/x' is no host name such as spam.example"],
        ),
        (
            {"spam_referrers": ["*.spam.example"]},
            ["spam_referrers: '*.spam.example' is no host name such as spam.example"],
        ),
        (
            {"spam_referrers": ["spam.example:80"]},
            ["spam_referrers: 'spam.example:80' is no host name such as spam.example"],
        ),
        (
            {"spam_referrers": ["COM.VN.", "www.co.uk"], "trusted_referrers": ["gov.vn", "zing.com.vn"]},
            [
                "spam_referrers: 'COM.VN.' is a public suffix: everybody's domains are below it",
                "spam_referrers: 'www.co.uk' is a public suffix: everybody's domains are below it",
                "trusted_referrers: 'gov.vn' is a public suffix: everybody's domains are below it",
            ],
        ),
        (
            {"spam_referrers": ["a_b.example", "a.b.c.d.e.f.g.h.i.j.example"]},
            [
                "spam_referrers: 'a_b.example' is no host name such as spam.example",
                "spam_referrers: 'a.b.c.d.e.f.g.h.i.j.example' is no host name such as spam.example",
            ],
        ),
        ({"trusted_referrers": ["..."]}, ["trusted_referrers: '...' is no host name such as spam.example"]),
        (
            {"spam_referrers": ["www.A.vn."]},
            ["spam_referrers: 'www.A.vn.' is a host of the site itself, or a part of its name"],
        ),
        (
            {"origins": ["https://www.haihau.gov.vn:8443"], "spam_referrers": ["gov.vn"]},
            ["spam_referrers: 'gov.vn' is a host of the site itself, or a part of its name"],
        ),
        (
            {"spam_referrers": ["x.example"], "trusted_referrers": ["X.example."]},
            ["trusted_referrers: 'X.example.' is among spam_referrers, too"],
        ),
    ],
)
def test_errors_of_own_traffic_and_referrers_name_the_value(fields: dict[str, Any], errors: list[str]) -> None:
    """What would mark nobody, everybody or the site itself is refused with the value."""
    assert errors_of({}, site(**fields)) == errors


def test_errors_between_sites_of_a_hub_that_is_a_portal() -> None:
    """A home page takes no announcements; a hub at another path of a portal's host is possible."""
    other = site(slug="b", origins=["https://b.vn"], hub=["https://a.vn/", "https://a.vn/hub", "https://b.vn"])
    assert errors_between({"a": site(), "b": other}) == [
        "hub 'https://a.vn/' of b is the home page of a, not a hub",
        "hub 'https://b.vn' of b is the home page of b, not a hub",
    ]
