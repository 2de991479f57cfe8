"""Banners between their times."""

from datetime import UTC, datetime, timedelta

import msgspec

from shared.articles import Image
from shared.banners import Banner, Banners

AT = datetime(2026, 11, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def banner(name: str, starts_at: datetime | None = None, until: datetime | None = None) -> Banner:
    return Banner(id=name, place="foot", image=Image("/media/a.jpg", name), starts_at=starts_at, until=until)


def test_banner_is_valid_from_its_beginning_until_just_before_its_end() -> None:
    """Without times it always is; all its times are changes, each once."""
    always, later, now = banner("always"), banner("later", AT + HOUR), banner("now", AT - HOUR, AT + HOUR)
    all_of_them = Banners(items=[always, later, now])
    assert all_of_them.changes() == {AT - HOUR, AT + HOUR}
    shown = {at: [one.id for one in all_of_them.at(at).items] for at in (AT - 2 * HOUR, AT - HOUR, AT, AT + HOUR)}
    assert list(shown.values()) == [["always"], ["always", "now"], ["always", "now"], ["always", "later"]]


def test_message_of_before_banners_decodes_without_any() -> None:
    """A field that a later version adds to a banner is ignored, too."""
    assert msgspec.json.decode(b"{}", type=Banners) == Banners()
    later = b'{"items":[{"id":"a","place":"top","image":{"url":"/media/a.jpg","alt":"A"},"weight":5}]}'
    assert msgspec.json.decode(later, type=Banners).items[0].id == "a"
