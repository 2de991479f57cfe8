"""Which banners are accepted."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.ingest.structure.banners import checked_banners, is_own_path, with_banners
from shared.articles import Image
from shared.banners import Banner, Banners
from shared.site_structure import SiteStructure

AT = datetime(2026, 11, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def banner(**fields: Any) -> Banner:
    return Banner(**{"id": "a", "place": "top", "image": Image("/media/a.jpg", "Ảnh"), **fields})


def test_banner_that_ended_since_it_was_read_is_left_out() -> None:
    """The same end, as a form without seconds has it; another one that is over is an error."""
    before = Banners(items=[banner(until=AT - HOUR + timedelta(seconds=7))])
    sent = Banners(items=[banner(until=AT - HOUR), banner(id="b")])
    checked, left_out, errors = checked_banners(sent, before, AT)
    assert ([one.id for one in checked.items], left_out, errors) == (["b"], ["a"], [])
    _, _, errors = checked_banners(sent, Banners(), AT)
    assert [(one.field, one.code) for one in errors] == [("items.0.until", "over")]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"image": Image("https://x.vn/a.jpg", "x")}, ("items.0.image.media", "image_not_stored")),
        ({"image": Image("/media/a.jpg", "")}, ("items.0.image.alt", "required")),
        ({"url": "http://x.vn/"}, ("items.0.url", "not_a_secure_link")),
        ({"url": '/a"b'}, ("items.0.url", "not_a_secure_link")),
        ({"until": AT}, ("items.0.until", "over")),
        ({"starts_at": AT + HOUR, "until": AT + HOUR}, ("items.0.until", "not_after")),
    ],
)
def test_banner_that_pages_cannot_show_rightly_is_refused(fields: dict[str, Any], error: tuple[str, str]) -> None:
    """A description, a safe link and an end after its beginning."""
    _, _, errors = checked_banners(Banners(items=[banner(**fields)]), Banners(), AT)
    assert [(one.field, one.code) for one in errors] == [error]


@pytest.mark.parametrize(("url", "expected"), [("/", True), ("/a/b.html?c", True), ("//x.vn", False), ("/a b", False)])
def test_own_path_is_no_other_host(url: str, expected: bool) -> None:
    """Browsers take two slashes for a host."""
    assert is_own_path(url) is expected


def test_same_banners_make_no_version() -> None:
    """A form that is saved without a change sends nothing."""
    before = SiteStructure(site="haihau", version=1, modified_at=AT, banners=Banners(version=1, items=[banner()]))
    assert with_banners(before, Banners(items=[banner()]), 5) is before
    assert with_banners(before, Banners(), 5).banners == Banners(version=5)
