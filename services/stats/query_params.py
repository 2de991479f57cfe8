"""What all of the read side does with a request's parameters."""

from typing import TypeVar

from starlette.requests import Request

from shared.http.problems import Problem

ANY_ORIGIN = {"access-control-allow-origin": "*"}

_Choice = TypeVar("_Choice", bound=str)


def one_of(request: Request, name: str, default: _Choice, choices: tuple[_Choice, ...]) -> _Choice:
    """Return a parameter's value.

    Raises:
        Problem: 422, it is none of the choices.
    """
    value = request.query_params.get(name, default)
    for choice in choices:
        if value == choice:
            return choice
    raise Problem(422, f"{name} is one of {', '.join(choices)}; {value!r} is not.", field=name, headers=ANY_ORIGIN)
