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
    """What looks like the address of a hub, and is none, is found before feeds name it."""
    (found,) = errors_of({}, site(hub=["https://hub.example/", hub]))
    assert found.startswith(f"hub {hub!r} cannot be called: ")
    assert errors_of({}, site(hub="https://trạm.example:8443/công?a=b")) == []


def test_errors_between_sites_with_one_origin() -> None:
    """Two sites cannot have one address."""
    other = msgspec.structs.replace(site(), slug="b")
    assert errors_between({"a": site(), "b": other}) == ["origin https://a.vn is declared by two sites, a and b"]
