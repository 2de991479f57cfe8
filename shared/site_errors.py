"""Sentences for operators about keys of the sites' configuration that do not fit their types."""

import re
from typing import Final

import msgspec

_TYPES: Final = {
    "str": "text in quotation marks",
    "array": "a list in square brackets",
    "object": 'a table such as { key = "value" }',
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "null": "empty",
}
"""Msgspec's names of types, and what a file has."""
_PATTERNS: Final = {
    "slug": "may have lower-case letters, digits and hyphens only",
    "identity": 'must look like "tag:haihau.example,2026"',
    "emblem": "must be a path that begins with one slash",
    "hub": "must begin with http:// or https://",
}
_CHOICES: Final = {"statistics": "public or token", "default_measure": "views, visits or visitors"}


def describe_validation_error(error: msgspec.ValidationError) -> str:
    """Return one sentence that names the key and what it must be; msgspec's own text where none is known.

    Args:
        error: Of the conversion of a table `[[site]]`.
    """
    text, _, path = str(error).partition(" - at `$.")
    key = path.rstrip("`")
    name = key.rpartition(".")[2]
    if found := re.fullmatch(r"Object (missing required|contains unknown) field `(.*)`", text, re.DOTALL):
        return f"{'unknown key' if 'unknown' in found[1] else 'without the key'} {found[2]}" + (key and f" in {key}")
    if found := re.fullmatch(r"Expected `(\w+)`, got `(\w+)`", text):
        return f"{key} must be {_TYPES.get(found[1], found[1])}, not {_TYPES.get(found[2], found[2])}"
    if found := re.fullmatch(r"Expected `(str|array)` of length (>=|<=) (\d+)", text):
        unit = "characters" if found[1] == "str" else "elements"
        return f"{key} must have at {'least' if found[2] == '>=' else 'most'} {found[3]} {unit}"
    if text.startswith("Expected `str` matching regex") and name in _PATTERNS:
        return f"{key} {_PATTERNS[name]}"
    if found := re.fullmatch(r"Invalid enum value ('.*')", text, re.DOTALL):
        return f"{key} {found[1]} must be {_CHOICES.get(name, 'another value')}"
    return str(error)
