"""Templates that are compiled our way: Jinja's own is what they are compared with."""

from typing import Any

import pytest
from jinja2 import DictLoader, Environment, StrictUndefined, UndefinedError
from markupsafe import Markup

from services.render.pages.template_compiler import FastEnvironment, SharedNames

TEMPLATES = {
    "base": """{% from "macros" import named with context %}<title>{% block title %}{{ site }}{% endblock %}</title>
{{ named() }}{% block body %}<p>{{ text }}</p>{% endblock %}""",
    "macros": """{% macro named() %}{{ site }} {{ text }}{% endmacro %}
{% macro item(one, level=2, last=none) %}<h{{ level }}>{{ one }}{{ last }}</h{{ level }}>{% endmacro %}
{% macro tree(list) %}{% for one in list %}{{ one.name }}{% if one.below %}({{ tree(one.below) }}){% endif %}
{% endfor %}{% endmacro %}
{% macro framed(title) %}<b>{{ title }}</b>{{ caller() }}{% endmacro %}""",
    "page": """{% extends "base" %}{% import "macros" as macros with context %}
{% block title %}{{ super() }} – {{ text | upper }}{% endblock %}
{% block body %}{{ super() }}{{ macros.item(text) }}{{ macros.item(one=text, level=3, last=number) }}
{{ macros.item(*pair) }}{{ macros.item(**named_values) }}{{ macros.tree(deep) }}{{ path(text) }}{{ path(place=text) }}
{% call macros.framed(text) %}{{ number }}<i>{{ text }}</i>{% endcall %}
{% for one in list if one %}{{ loop.index }}{{ loop.cycle("a", "b") }}{{ one }}{{ one | urlencode }}
{% else %}-{% endfor %}
{{ html }}{{ text | safe }}{{ none }}{{ number }}{{ data | tojson }}{{ list | join("; ") }}{{ words.name }}
{% set together %}<u>{{ text }}</u>{% endset %}{{ together }}{{ range(3) | list }}
{% autoescape false %}{{ text }}{% endautoescape %}{% endblock %}""",
}
HOSTILE = ("", "Hải Hậu", "<script>alert('1')</script>", "a & b \" ' < >", Markup("<em>thật</em>"))


def page(kind: type[Environment], text: str) -> str:
    given: dict[str, Any] = {
        "site": "A & B",
        "text": text,
        "number": 7,
        "pair": (text, 4),
        "named_values": {"one": text, "level": 5},
        "deep": [{"name": text, "below": [{"name": "x<", "below": []}]}],
        "list": [text, None, "b>", 3],
        "html": Markup("<br>"),
        "data": {"a": text},
        "words": {"name": text},
        "path": lambda place: f"/{place}/",
    }
    environment = kind(loader=DictLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("page").render(given)


@pytest.mark.parametrize("text", HOSTILE)
def test_fast_environment_gives_the_bytes_of_jinja(text: str) -> None:
    """Blocks, macros, calls of every form, loops, filters and escaping come out as from Jinja's own compiler."""
    assert page(FastEnvironment, text) == page(Environment, text)


def test_undefined_variable_is_an_error() -> None:
    """An undefined name, and an attribute that an object does not have, raise an error instead of being empty."""
    environment = FastEnvironment(autoescape=True, undefined=StrictUndefined)
    for template in ("{{ nothing }}", "{{ nothing() }}", "{{ text.nothing }}", "{{ text.nothing() }}"):
        with pytest.raises(UndefinedError):
            environment.from_string(template).render(text="x")


IMPORTING = {
    "of_site": """{% macro named() %}{{ site }}
{% if site %}{% set twice = site * 2 %}{{ twice }}{% endif %}{% endmacro %}""",
    "of_page": """{% macro told() %}{{ site }}: {{ text }}{% endmacro %}""",
    "page": """{% import "of_site" as a with context %}{% from "of_page" import told with context %}
{{ a.named() }}{{ told() }}""",
    "other": """{% set site = text %}{% from "of_site" import named with context %}{{ named() }}""",
}


def test_import_that_uses_shared_names_only_is_run_once() -> None:
    """It is one module for all pages of a site; what uses names or values of a page follows the page."""
    ours, jinjas = (
        kind(loader=DictLoader(IMPORTING), autoescape=True, undefined=StrictUndefined)
        for kind in (FastEnvironment, Environment)
    )
    shared = SharedNames({"site": "A & B"})
    for text in HOSTILE:
        for name in ("page", "other"):
            given = {**shared, "text": text}
            expected = jinjas.get_template(name).render(given)
            assert ours.get_template(name).render({**given, SharedNames.NAME: shared}) == expected
    assert shared.modules.keys() == {"of_site"}


CHANGEABLE = {
    "parts": """{% macro told(word) %}{{ site }}{{ word }}
{% if word in inside %} {{ inside[word] }}{% endif %}{% endmacro %}""",
    "top": """{% set kept = site ~ text %}{% import "parts" as parts with context %}
<p>{% block body %}{% endblock %}</p>""",
    "page": """{% extends "top" %}{% set own = text * 2 %}{% import "parts" as parts with context %}
{% macro twice() %}{{ own }}{{ kept }}{% endmacro %}
{% block body %}{{ parts.told(text) }}{{ own }}{{ twice() }}{{ kept is defined }}{% endblock %}""",
}


def test_page_gives_a_changeable_name_its_own_value() -> None:
    """What is shared by pages of the common value is not used by those of another; all have the bytes of Jinja's."""
    ours = FastEnvironment(loader=DictLoader(CHANGEABLE), autoescape=True, undefined=StrictUndefined, auto_reload=False)
    jinjas = Environment(loader=DictLoader(CHANGEABLE), autoescape=True, undefined=StrictUndefined)
    shared = SharedNames({"site": "A & B", "inside": {}}, ["inside"])
    for text in HOSTILE:
        for own in ({"text": text}, {"text": text, "inside": {}}, {"text": text, "inside": {text: "<x>"}}):
            expected = jinjas.get_template("page").render({**shared, **own})
            assert ours.render("page", shared, own) == expected
    assert shared.modules.keys() == {"parts"}
    with pytest.raises(UndefinedError, match="text"):
        ours.render("page", shared, {})
