"""Numbers, dates and percentages in the format of a site."""

from datetime import datetime

import msgspec

from services.stats.statistics.formatting import Formatter
from shared.sites import Site

SITE = Site(slug="haihau", name="Hải Hậu", origins=["https://haihau.example"], timezone="Asia/Ho_Chi_Minh")
NOON = int(datetime.fromisoformat("2026-11-24T12:00+07:00").timestamp())


def test_number_has_the_separator_of_the_site() -> None:
    """Thousands are grouped with the site's separator, in any language."""
    site = Site(slug="s", name="S", origins=["https://s.example"], timezone="UTC", thousands_separator=".")
    assert Formatter(SITE, "en").number(1_490_782) == "1,490,782"
    assert Formatter(site, "en").number(1_490_782) == "1.490.782"


def test_percent_has_one_decimal_in_the_language() -> None:
    """The decimal separator is the language's, never the one of the site's thousands; a negative change has a minus."""
    points = msgspec.structs.replace(SITE, thousands_separator=".")
    assert Formatter(points, "vi").percent(1, 8).replace("\u00a0", " ") == "12,5 %"
    assert Formatter(points, "en").percent(1, 8) == "12,5%"
    assert Formatter(SITE, "vi").percent(1, 8).replace("\u00a0", " ") == "12.5 %"
    assert Formatter(SITE, "en").percent(1, 8) == "12.5%"
    assert Formatter(SITE, "en").percent(-1, 8, sign=True) == "−12.5%"
    assert Formatter(SITE, "en").percent(1, 8, sign=True) == "+12.5%"


def test_change_without_earlier_counts_is_none() -> None:
    """A change is relative to the earlier count; without one there is none, and an equal one is unchanged."""
    formatter = Formatter(SITE, "en")
    assert formatter.change(5, 0) is None
    assert formatter.change(15, 10) == "+50.0%"
    assert formatter.change(5, 5) == "unchanged"


def test_bucket_names_are_local() -> None:
    """An hour has its local time, a week its first and last local day."""
    formatter = Formatter(SITE, "en")
    assert formatter.bucket(NOON, NOON + 3_600, "hour").startswith("12:00 ")
    week = formatter.bucket(NOON - 12 * 3_600, NOON + int(6.5 * 86_400), "week")
    assert "24" in week.split(" – ")[0]
    assert "30" in week.split(" – ")[1]
    assert formatter.time(NOON).startswith("12:00:00, ")
