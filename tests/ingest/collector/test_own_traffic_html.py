"""The page of own traffic as HTML."""

from itertools import product

import msgspec
import pytest

from services.ingest.collector.own_traffic_html import OwnTrafficState, render_own_traffic
from shared.sites import Site

UNTIL = 1_830_000_000


@pytest.mark.parametrize("language", ["vi", "en"])
def test_page_of_each_state_offers_what_changes_it(site: Site, language: str) -> None:
    """There is one button at most: back for who is own traffic, away for who has a valid link, none else."""
    for until, link, refusal in product((None, UNTIL), (None, "haihau.1.x"), (None, "link_expired")):
        page = render_own_traffic(site, OwnTrafficState(until, False, link, refusal), language)
        assert page.count("<button") == (1 if until or link else 0)
        assert ('value="count"' in page) is (until is not None)
        assert ('role="alert"' in page) is (refusal is not None)
        assert f'<html lang="{language}">' in page


def test_date_of_the_end_is_in_the_language(site: Site) -> None:
    """The day on which the cookie ends is written as the language writes dates."""
    state = OwnTrafficState(UNTIL, False, None, None)
    assert "28/12/2027" in render_own_traffic(site, state, "vi")
    assert "28 December 2027" in render_own_traffic(site, state, "en")


def test_texts_of_the_site_are_escaped(site: Site) -> None:
    """A name with markup stays text, and an unknown language is English."""
    hostile = msgspec.structs.replace(site, name='</title><script>alert("1")</script>', language="vi")
    page = render_own_traffic(hostile, OwnTrafficState(None, True, None, None), '"><script>')
    assert "<script>" not in page
    assert '<html lang="en">' in page
