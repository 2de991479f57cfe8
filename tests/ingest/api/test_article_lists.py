"""Filters and sort orders of article lists, and their statements."""

from datetime import UTC, datetime
from typing import get_args

import pytest

from services.ingest.api.article_lists import (
    NEVER,
    PUBLIC_FILTERS,
    SORT_ORDERS,
    ArticleFilters,
    Direction,
    ListFilters,
    Sort,
    check_public_filters,
    count_statement,
    list_statement,
)
from services.ingest.auth.callers import Caller, Grant
from services.ingest.content.errors import InvalidContentError

LAN = Caller("5f2c81aa", "Lan", frozenset({Grant("read")}))


def test_statements_of_every_order_are_complete() -> None:
    """No placeholder is left, and all orders have a default direction."""
    assert set(SORT_ORDERS) == set(get_args(Sort))
    statements = [list_statement(sort, direction) for sort in SORT_ORDERS for direction in get_args(Direction)]
    assert len(set(statements)) == 12
    for statement in [*statements, count_statement()]:
        assert not [one for one in (":filters", ":sort", ":direction", ":comparison") if one in statement]


def test_values_of_filters_are_in_the_order_of_the_statement() -> None:
    """A filter that is not given is null; `mine` is the caller's name."""
    assert ArticleFilters().values(None, LAN) == [None] * 15
    filters = ArticleFilters(state=["draft"], section="a", tag="b", author="c", q="d ", mine=True)
    values = filters.values(["haihau"], LAN)
    authors = ['[{"name":"c"}]']
    assert values == [["haihau"], ["draft"], "a", "b", authors, "'d'", *[None] * 5, ["Lan", "5f2c81aa"], *[None] * 3]


def test_values_name_sections_of_callers_who_may_not_read_all() -> None:
    """A caller of whole sites needs no filter by section; a person is known by the id alone."""
    of_site = Caller("5f2c81aa", "Lan", frozenset({Grant("write", "haihau")}))
    assert ArticleFilters().values(["haihau"], of_site)[13] is None
    person = Caller("person-1", "Lan", frozenset({Grant("read", "haihau", "tin-tuc")}), person="person-1")
    values = ArticleFilters(mine=True).values(["haihau"], person)
    assert values[11:] == [[None, "person-1"], None, ["haihau/tin-tuc"], None]


def test_values_of_due_range_exclude_what_is_never_due() -> None:
    """An open range ends before the time that stands for no schedule, and an empty one is refused."""
    first = datetime(2026, 11, 1, tzinfo=UTC)
    assert ArticleFilters(due_from=first).values(None, LAN)[9:11] == [first, NEVER]
    assert ArticleFilters(due_to=first).values(None, LAN)[9:11] == [None, first]
    with pytest.raises(InvalidContentError):
        ArticleFilters(due_from=first, due_to=first).values(None, LAN)


def test_public_filters_are_those_that_need_no_token() -> None:
    """Each other filter is named in the refusal."""
    assert set(ListFilters.model_fields) >= PUBLIC_FILTERS
    check_public_filters(ListFilters(section="a", q="b", limit=3))
    check_public_filters(ListFilters(mine=False, sort="number", order=None))  # as the interface of the docs sends them
    with pytest.raises(InvalidContentError) as raised:
        check_public_filters(ListFilters(mine=True, state=["draft"]))
    assert [error.field for error in raised.value.errors] == ["mine", "state"]
