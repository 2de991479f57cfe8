"""Checks the query of every request of the editor API: each parameter is known, sent once, short and a text.

A misspelt filter would otherwise return a list that looks filtered and is not. The check is a dependency of the whole
API: it reads the parameters of a route from the route itself, so that none can be forgotten.
"""

from collections.abc import Iterator
from typing import Any, get_args, get_origin
from urllib.parse import parse_qsl

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request

from services.ingest.content.errors import FieldError, InvalidContentError, field_error, invalid

VALUE_CHARACTERS_MAX = 2_000
PARAMETERS_MAX = 100
NAME_CHARACTERS_SHOWN = 60
ANY_QUERY = "x-any-query"
"""In the OpenAPI of a route to which others send what they like, such as an OpenID Connect provider."""


async def check_query(request: Request) -> None:
    """Reject a query that its route does not understand.

    Raises:
        InvalidContentError: naming each parameter that is unknown, repeated, too long, or has a NUL character.
    """
    query = request.scope["query_string"]
    route = request.scope.get("route")
    if not query or not isinstance(route, APIRoute) or ANY_QUERY in (route.openapi_extra or {}):
        return
    try:
        sent = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MAX)
    except ValueError as error:  # also a UnicodeDecodeError
        raise invalid("query", "unreadable_query") from error
    errors = list(_errors(sent, _known(request, route)))
    if errors:
        raise InvalidContentError(errors)


def _errors(sent: list[tuple[str, str]], known: dict[str, bool]) -> Iterator[FieldError]:
    seen = set()
    for name, value in sent:
        shown = name[:NAME_CHARACTERS_SHOWN].replace("\0", "\N{REPLACEMENT CHARACTER}")
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            yield field_error(shown, "unknown_parameter", parameters=names)
        elif name in seen and not known[name]:
            yield field_error(shown, "repeated")
        elif "\0" in value:
            yield field_error(shown, "nul_character")
        elif len(value) > VALUE_CHARACTERS_MAX:
            yield field_error(shown, "too_many_characters", limit=VALUE_CHARACTERS_MAX, size=len(value))
        seen.add(name)


def _known(request: Request, route: APIRoute) -> dict[str, bool]:
    """Return the parameters of a route; of each, whether it may be repeated."""
    by_route: dict[int, dict[str, bool]] = request.app.state.__dict__.setdefault("query_parameters", {})
    if id(route) not in by_route:
        by_route[id(route)] = dict(_parameters(route.dependant))
    return by_route[id(route)]


def _parameters(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    for field in dependant.query_params:
        annotation = field.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            for name, info in annotation.model_fields.items():
                yield info.alias or name, _is_list(info.annotation)
        else:
            yield field.alias, _is_list(annotation)
    for inner in dependant.dependencies:
        yield from _parameters(inner)


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) in (list, set, tuple) or any(_is_list(part) for part in get_args(annotation))
