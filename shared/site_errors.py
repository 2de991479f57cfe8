"""Sentences for operators about keys of the sites' configuration that do not fit their types."""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

_Site = TypeVar("_Site")
KEY_ERRORS_MAX = 20
PLACEHOLDERS: Final = {"slug": "x", "name": "x", "origins": ["https://x.example"], "timezone": "UTC"}
"""In place of required keys that are missing or wrong, while the other keys are checked."""
_TYPES: Final = {
    "str": "text in quotation marks",
    "array": "a list in square brackets",
    "object": 'a table such as { key = "value" }',
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "null": "empty",
    "str | array": "text in quotation marks, or a list of such texts in square brackets",
}
"""Msgspec's names of types, and what a file has."""
_PATTERNS: Final = {
    "slug": "may have lower-case letters, digits and hyphens only",
    "identity": 'must look like "tag:haihau.example,2026"',
    "emblem": "must be a path that begins with one slash",
    "hub": "must begin with http:// or https://",
}
_CHOICES: Final = {"statistics": "public or token", "default_measure": "views, visits or visitors"}


def convert_all_but_wrong(table: Mapping[str, Any], site_type: type[_Site], errors: list[str]) -> _Site | None:
    """Return the site of a table `[[site]]`, and add a sentence for each key that does not fit.

    Args:
        table: As read from the file; not changed.
        site_type: A structure.
        errors: Where the sentences are added. If there are any, the site lacks those keys and is not to be used.
    """
    rest = dict(table)
    while len(errors) < KEY_ERRORS_MAX:
        try:
            return msgspec.convert(rest, site_type)
        except msgspec.ValidationError as error:
            errors.append(describe_validation_error(error))
            key = _wrong_key(error)
            if key in PLACEHOLDERS:
                rest[key] = PLACEHOLDERS[key]
            elif rest.pop(key, None) is None:
                return None
    return None


def _wrong_key(error: msgspec.ValidationError) -> str:
    """Return the key of a table `[[site]]` that does not fit; an empty string if the error names none."""
    text, _, path = str(error).partition(" - at `$.")
    if path:
        return re.split(r"[.\[`]", path)[0]
    found = re.fullmatch(r"Object (?:missing required|contains unknown) field `(.*)`", text, re.DOTALL)
    return found[1] if found else ""


def describe_validation_error(error: msgspec.ValidationError) -> str:
    """Return one sentence that names the key and what it must be; msgspec's own text where none is known.

    Args:
        error: Of the conversion of a table `[[site]]`.
    """
    text, _, path = str(error).partition(" - at `$.")
    key = path.rstrip("`")
    name = re.sub(r"\[.*", "", key.rpartition(".")[2])
    if found := re.fullmatch(r"Object (missing required|contains unknown) field `(.*)`", text, re.DOTALL):
        return f"{'unknown key' if 'unknown' in found[1] else 'without the key'} {found[2]}" + (key and f" in {key}")
    if found := re.fullmatch(r"Expected `([\w |]+)`, got `(\w+)`", text):
        return f"{key} must be {_TYPES.get(found[1], found[1])}, not {_TYPES.get(found[2], found[2])}"
    if found := re.fullmatch(r"Expected `(str|array)` of length (>=|<=) (\d+)", text):
        unit = "characters" if found[1] == "str" else "elements"
        return f"{key} must have at {'least' if found[2] == '>=' else 'most'} {found[3]} {unit}"
    if text.startswith("Expected `str` matching regex") and name in _PATTERNS:
        return f"{key} {_PATTERNS[name]}"
    if found := re.fullmatch(r"Invalid enum value ('.*')", text, re.DOTALL):
        return f"{key} {found[1]} must be {_CHOICES.get(name, 'another value')}"
    return str(error)
