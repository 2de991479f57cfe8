"""Query parameters of the public read API."""

import pytest
from starlette.requests import Request

from services.stats.query_params import choice_param
from shared.http.problems import Problem


def request(query: str) -> Request:
    return Request({"type": "http", "query_string": query.encode(), "headers": []})


def test_choice_param_is_the_given_or_the_default_value() -> None:
    """A given choice is returned, and the default without one."""
    assert choice_param(request("measure=views"), "measure", "visits", ("views", "visits")) == "views"
    assert choice_param(request(""), "measure", "visits", ("views", "visits")) == "visits"


def test_choice_param_with_another_value_is_a_problem() -> None:
    """Another value is a 422 that names the field and its choices, readable from any origin."""
    with pytest.raises(Problem) as raised:
        choice_param(request("measure=hits"), "measure", "visits", ("views", "visits"))
    assert raised.value.status == 422
    assert raised.value.detail == "measure must be one of views, visits; got 'hits'."
    assert raised.value.headers["access-control-allow-origin"] == "*"
