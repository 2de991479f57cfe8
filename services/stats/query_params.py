"""Query parameters of the public read API."""

from typing import TypeVar

from starlette.requests import Request

from shared.http.problems import Problem

ANY_ORIGIN = {"access-control-allow-origin": "*"}

_Choice = TypeVar("_Choice", bound=str)


def choice_param(request: Request, name: str, default: _Choice, choices: tuple[_Choice, ...]) -> _Choice:
    """Return a parameter's value.

    Raises:
        Problem: 422, it is not one of the choices.
    """
    value = request.query_params.get(name, default)
    for choice in choices:
        if value == choice:
            return choice
    raise Problem(422, f"{name} must be one of {', '.join(choices)}; got {value!r}.", field=name, headers=ANY_ORIGIN)
