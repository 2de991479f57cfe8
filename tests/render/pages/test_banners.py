"""Banners as pages show them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.render.pages.banners import banners, other_host
from shared.articles import Image
from shared.banners import Banner, Banners
from shared.site_structure import SiteStructure, StructureIndex
from shared.sites import with_structure
from tests.render.conftest import SITE

AT = datetime(2026, 11, 30, tzinfo=UTC)


def site_with(*items: Banner) -> Any:
    structure = SiteStructure(site="haihau", version=1, modified_at=AT, banners=Banners(items=list(items)))
    return with_structure(SITE, StructureIndex(structure))


def banner(place: Any, number: int = 1, url: str = "/media/a.jpg") -> Banner:
    return Banner(id=f"b{number}", place=place, image=Image(url, f"Ảnh {number}", 600, 200))


def test_place_shows_its_first_banners_of_the_portals_own_pictures() -> None:
    """Others wait; a picture on another server is not shown."""
    site = site_with(banner("top", 0, "https://other.example/a.jpg"), *(banner("top", n) for n in range(1, 9)))
    assert [one.image.alt for one in banners(site, "top")] == ["Ảnh 1", "Ảnh 2", "Ảnh 3"]
    assert banners(site, "foot") == []
    assert banners(SITE, "top") == ()


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("", ""),
        ("/tin-tuc/", ""),
        ("https://haihau.example", ""),
        ("https://haihau.example/tin-tuc/", ""),
        ("https://haihau.example.evil/", "haihau.example.evil"),
        ("https://www.dichvucong.gov.vn/a?b", "dichvucong.gov.vn"),
    ],
)
def test_other_host_is_named_only_for_other_sites(url: str, host: str) -> None:
    """A path and the site's own addresses stay on the site."""
    assert other_host(url, SITE) == host
