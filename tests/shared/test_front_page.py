"""The front page as a value: what is valid when, and which articles come before the newest ones."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from shared.articles import Article
from shared.front_page import SLOTS_MAX, BreakingNews, FrontPage, FrontPageSlot, featured, home_size
from shared.site_structure import SiteStructure

NOW = datetime(2026, 11, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def article(number: int, **fields: Any) -> Article:
    at = NOW - timedelta(days=1) + timedelta(minutes=number)
    given = {"id": f"a-{number}", "number": number, "site": "haihau", "version": 1, "state": "published"}
    texts = {"title": "Bài", "slug": "bai", "section": "tin-tuc", "language": "vi", "body": []}
    return Article(**{**given, **texts, "modified_at": at, "first_published_at": at, "published_at": at, **fields})


def test_entries_end_at_their_time_and_not_before() -> None:
    """What ends now is over; all ends are known, each once."""
    slots = [FrontPageSlot(article=str(hours), until=NOW + hours * HOUR) for hours in (1, 2, 2)]
    page = FrontPage(slots=slots, breaking=BreakingNews(text="x", until=NOW + HOUR))
    assert page.ends() == [NOW + HOUR, NOW + 2 * HOUR]
    assert page.at(NOW) == page
    assert page.at(NOW + HOUR) == FrontPage(slots=slots[1:])


def test_featured_articles_are_pinned_ones_first_then_by_priority_and_age() -> None:
    """The same order as the portal's query: pinned, priority, newest; at most four; none after its time."""
    articles = [
        article(1, featured_until=NOW + HOUR),
        article(2, featured_until=NOW + HOUR, priority=1),
        article(3, pinned_until=NOW + HOUR, priority=9),
        article(4, pinned_until=NOW, featured_until=NOW),
        article(5, featured_until=NOW + HOUR),
        article(6),
        article(7, featured_until=NOW + HOUR),
    ]
    assert [one.number for one in featured(articles, NOW)] == [3, 2, 7, 5]


@pytest.mark.parametrize(("slots", "size"), [(0, (13, 4)), (5, (13, 4)), (6, (17, 8)), (SLOTS_MAX, (17, 8))])
def test_home_page_has_room_for_all_slots(slots: int, size: tuple[int, int]) -> None:
    """The lead story and the pictures beside it have room for every slot."""
    assert home_size(slots) == size
    assert slots <= size[1] + 1


def test_structure_of_a_former_version_has_an_empty_front_page() -> None:
    """Messages without the field are read; those with more slots than the limit are refused."""
    old = b'{"type":"structure","site":"haihau","version":1,"modified_at":"2026-11-30T00:00:00Z"}'
    assert msgspec.json.decode(old, type=SiteStructure).front_page == FrontPage()
    slot = b'{"article":"a","until":"2026-11-30T00:00:00Z"}'
    many = old[:-1] + b',"front_page":{"slots":[' + b",".join([slot] * (SLOTS_MAX + 1)) + b"]}}"
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(many, type=SiteStructure)
