"""What of a structure is valid at a time, and when that changes."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.articles import Image
from shared.banners import Banner, Banners
from shared.front_page import FrontPage, FrontPageSlot
from shared.site_structure import MenuItem, SiteStructure
from shared.structure_times import all_changes, last_change, timed_changes, valid_at

AT = datetime(2026, 11, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
BELOW = MenuItem(kind="home", label="dưới", until=AT + HOUR)
STRUCTURE = SiteStructure(
    site="haihau",
    version=1,
    modified_at=AT,
    menus={
        "main": [MenuItem(kind="home", label="trên", items=[BELOW], until=AT + 2 * HOUR), MenuItem(kind="home")],
        "links": [MenuItem(kind="home", until=AT)],
    },
    banners=Banners(items=[Banner(id="a", place="top", image=Image("/media/a.jpg", "A"), starts_at=AT + HOUR)]),
    front_page=FrontPage(slots=[FrontPageSlot(article="a-1", until=AT + 3 * HOUR)]),
)


def test_entry_ends_with_those_below_it_and_an_ended_menu_stays_empty() -> None:
    """A menu whose entries have all ended has no default again: the newsroom has chosen it."""

    def labels_at(hours: int) -> list[list[str]]:
        menus = valid_at(STRUCTURE, AT + hours * HOUR).menus.values()
        return [[one.label for item in menu for one in (item, *item.items)] for menu in menus]

    labels = [labels_at(-1), labels_at(1), labels_at(2)]
    assert labels == [[["trên", "dưới", ""], [""]], [["trên", ""], []], [[""], []]]
    assert [len(valid_at(STRUCTURE, AT + n * HOUR).banners.items) for n in (0, 1)] == [0, 1]


def test_changes_are_all_times_of_menus_banners_and_the_front_page() -> None:
    """Ends of slots are changes of the site, and not of what is filtered here."""
    assert timed_changes(STRUCTURE) == [AT, AT + HOUR, AT + 2 * HOUR]
    assert all_changes(STRUCTURE) == [AT, AT + HOUR, AT + 2 * HOUR, AT + 3 * HOUR]


@pytest.mark.parametrize(("hours", "expected"), [(-1, None), (0, 0), (0.5, 0), (2, 2), (9, 2)])
def test_last_change_is_the_newest_that_is_not_ahead(hours: float, expected: int | None) -> None:
    """The moment itself belongs to what follows it."""
    found = last_change(timed_changes(STRUCTURE), AT + hours * HOUR)
    assert found == (None if expected is None else AT + expected * HOUR)
