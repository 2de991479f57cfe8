"""Sites: their hosts, their origins, and taking over others."""

from pathlib import Path

import pytest

from shared.sites import Section, Sites
from shared.sites_file import read_sites
from tests.shared.test_sites_file import GOOD, declared, written


def test_tag_authority_without_identity_depends_on_the_slug_alone(tmp_path: Path) -> None:
    """Permanent ids survive a new address of the site; an identity overrides the default."""
    first = read_sites(written(tmp_path, GOOD))
    moved = read_sites(written(tmp_path, GOOD.replace("https://haihau.example", "https://new.example")))
    assert first["haihau"].tag_authority == moved["haihau"].tag_authority == "tag:haihau.presstally.example,2026"
    assert first["english"].tag_authority == "tag:desk@english.example,2026-11-24"


def test_section_by_slug_is_found_or_none(tmp_path: Path) -> None:
    """A section is found by its exact slug."""
    site = read_sites(written(tmp_path, GOOD))["haihau"]
    assert site.section("tin-tuc") == Section("tin-tuc", "Tin tức")
    assert (site.section("Tin-tuc"), site.section("")) == (None, None)


@pytest.mark.parametrize(
    ("host", "slug"),
    [
        ("haihau.example", "haihau"),
        ("haihau.example:8443", "haihau"),
        ("localhost:8080", "haihau"),
        ("localhost", "haihau"),
        ("english.example:8443", "english"),
        ("english.example", "english"),
        ("elsewhere.example", "haihau"),
        ("", "haihau"),
        ("english.example.evil.example", "haihau"),
    ],
)
def test_by_host_claimed_host_gets_its_site_and_others_the_first(tmp_path: Path, host: str, slug: str) -> None:
    """A host is matched with and without its port; a host that no site claims gets the first site."""
    assert read_sites(written(tmp_path, GOOD)).by_host(host).slug == slug


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        ("https://a.vn", "b.vn", True),
        ("HTTPS://A.VN:443", "b.vn", True),
        ("https://a.vn.", "b.vn", True),
        ("http://a.vn", "b.vn", False),
        ("https://b.vn", "b.vn", False),  # the page of another site of the installation
        ("http://localhost:9000", "localhost:9000", True),
        ("http://localhost:9000", "localhost:9001", False),
        ("null", "null", False),
        ("", "", False),
    ],
)
def test_allows_own_origins_and_the_undeclared_host_that_was_asked(
    tmp_path: Path, origin: str, host: str, expected: bool
) -> None:
    """Events come from a site's own origins, or from the host itself if it is not another site's."""
    sites = read_sites(written(tmp_path, declared("https://a.vn") + declared("https://b.vn", slug="b")))
    assert sites.allows(sites["a"], origin, host) is expected


async def test_refresh_of_sites_without_a_configuration_changes_nothing() -> None:
    """Sites of commands and tests do not change."""
    assert not await Sites().refresh()


def test_replace_is_at_once_and_keeps_equal_sites(tmp_path: Path) -> None:
    """A change is seen by all who hold the sites; a site that did not change stays the same object."""
    sites = read_sites(written(tmp_path, GOOD))
    haihau, before, seen = sites["haihau"], sites.snapshot(), []
    sites.on_change(lambda: seen.append(list(sites)))
    sites.replace(read_sites(written(tmp_path, GOOD.replace('"english"', '"london"'))))
    assert sites["haihau"] is haihau
    assert (seen, list(before), sites.by_host("english.example").slug) == (
        [["haihau", "london"]],
        ["haihau", "english"],
        "london",
    )


def test_replace_that_an_observer_refuses_changes_nothing(tmp_path: Path) -> None:
    """If a part of the process cannot take over the sites, all parts keep the former ones."""
    sites, seen = read_sites(written(tmp_path, GOOD)), []

    def refuse() -> None:
        if "london" in sites:
            raise RuntimeError

    sites.on_change(lambda: seen.append(list(sites)))
    sites.on_change(refuse)
    with pytest.raises(RuntimeError):
        sites.replace(read_sites(written(tmp_path, GOOD.replace('"english"', '"london"'))))
    assert list(sites) == ["haihau", "english"] == seen[-1]
