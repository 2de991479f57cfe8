"""The bound on visitors of one address."""

import random
from datetime import date

from services.ingest.collector.visitor_limit import DAYS_MAX, VISITORS_MAX, VisitorLimit

DAY = date(2026, 3, 4)


def visitors(seed: int, count: int) -> list[str]:
    chosen = random.Random(seed)
    return [f"{chosen.getrandbits(64):016x}" for _ in range(count)]


def test_invented_visitors_of_one_address_are_bounded() -> None:
    """One address with random user agents makes 2,000 visitors a day; those already made stay, others get none."""
    limit = VisitorLimit()
    made = visitors(1, 20_000)
    admitted = [one for one in made if limit.admits("haihau", DAY, "203.0.113.7", one)]
    assert VISITORS_MAX <= len(admitted) <= VISITORS_MAX + 20  # an ID that looks known is admitted
    assert all(limit.admits("haihau", DAY, "203.0.113.7", one) for one in admitted)
    # Nobody else is affected: other addresses, sites and days.
    assert all(limit.admits("haihau", DAY, "203.0.113.8", one) for one in visitors(2, 1_000))
    assert all(limit.admits("giao-thuy", DAY, "203.0.113.7", one) for one in visitors(3, 1_000))
    assert all(limit.admits("haihau", date(2026, 3, 5), "203.0.113.7", one) for one in visitors(4, 1_000))
    assert all(limit.admits("haihau", DAY, None, one) for one in visitors(5, 5_000))


def test_school_behind_one_address_passes() -> None:
    """A thousand readers with a browser and a phone each, all day, are all counted."""
    limit = VisitorLimit()
    readers = visitors(6, 2_000)
    assert all(limit.admits("haihau", DAY, "203.0.113.7", one) for _ in range(3) for one in readers)


def test_busy_day_with_attacks_affects_no_reader() -> None:
    """100,000 readers from their own addresses are admitted beside a hundred addresses at their bound."""
    limit = VisitorLimit(visitors_max=200)
    for number in range(100):
        for one in visitors(100 + number, 400):
            limit.admits("haihau", DAY, f"198.51.100.{number}", one)
    readers = visitors(7, 100_000)
    assert all(limit.admits("haihau", DAY, f"2001:db8:{n}::/64", one) for n, one in enumerate(readers))


def test_events_of_other_days_do_not_reset_the_bound() -> None:
    """Events may be two days late, and sites are in all time zones: five days at once have their bounds."""
    limit = VisitorLimit(visitors_max=2)
    admitted = [
        limit.admits("haihau", date(2026, 3, day), "203.0.113.7", visitor)
        for visitor in visitors(8, 10)
        for day in range(1, 6)
    ]
    assert admitted == [True] * 10 + [False] * 40


def test_days_are_bounded() -> None:
    """Only the last local days are in memory."""
    limit = VisitorLimit()
    for day in range(1, 20):
        limit.admits("haihau", date(2026, 3, day), "203.0.113.7", "0123456789abcdef")
    assert len(limit._days) == DAYS_MAX
