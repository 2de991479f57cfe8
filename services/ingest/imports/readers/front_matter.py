"""The fields before a text in Markdown: YAML (Jekyll, Hugo, Hexo), TOML (Hugo, Zola), JSON (Hugo), Pelican. Pure.

Names are in lower case, as Hugo reads them. Values of YAML stay text: `title: No` is "No", not false.
"""

import json
import re
import tomllib
from dataclasses import dataclass
from typing import Any

from services.ingest.imports.item import FormatError
from services.ingest.imports.limits import FRONT_MATTER_CHARACTERS_MAX, load_front_matter

_FENCED = re.compile(r"\A(---|\+\+\+)[ \t]*\n(.*?)(?:\n|(?<=\n))(?:\1|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_PELICAN_LINE = re.compile(r"([A-Za-z][A-Za-z_-]{1,30}):[ \t]*(.*)")
_PELICAN_NAMES = {
    "title",
    "date",
    "modified",
    "category",
    "tags",
    "slug",
    "author",
    "authors",
    "summary",
    "status",
    "lang",
}
_COLON_VALUE = re.compile(r"^([A-Za-z_][\w-]*+):[ \t]++(?![\"'\[{|>&*!])(.*?:[ \t].*)$", re.MULTILINE)
_LONG_KEY = re.compile(r"(?<![\w\"'.-])(?:[\w\"'-]++\s*+\.\s*+){20}")
"""A key of TOML with so many parts; each of them takes a table, and time for all before it."""


@dataclass(frozen=True)
class FrontMatter:
    """The fields of a text, by their names in lower case, the text, and the line on which the text starts."""

    fields: dict[str, Any]
    text: str
    body_line: int = 1


def split_front_matter(text: str) -> FrontMatter:
    """Separate the fields from the text.

    Raises:
        FormatError: the fields are neither YAML, TOML nor JSON.
    """
    fenced = _FENCED.match(text)
    if fenced is not None:
        read = _toml if fenced[1] == "+++" else _yaml
        return _front_matter(read(fenced[2]), text, fenced.end())
    if text.startswith(("---\n", "+++\n")):
        raise FormatError(f"has front matter that does not end: a line of {text[:3]} is missing")
    if text.startswith("{"):
        head = text[:FRONT_MATTER_CHARACTERS_MAX]  # bounds its values, too
        try:
            fields, end = json.JSONDecoder(strict=False).raw_decode(head)
        except (ValueError, RecursionError) as error:
            raise FormatError(f"has front matter that is not JSON: {error}") from error
        return _front_matter(fields, text, end)
    lines: dict[str, str] = {}
    position = 0
    for line in text.splitlines(keepends=True):
        found = _PELICAN_LINE.match(line.rstrip("\n"))
        if found is None:
            break
        lines[found[1].lower()] = found[2].strip()
        position += len(line)
    if (
        "title" in lines
        and len(lines) > 1
        and lines.keys() & _PELICAN_NAMES
        and text[position : position + 1] in ("", "\n")
    ):
        for name in ("tags", "authors"):
            if name in lines:
                separator = ";" if ";" in lines[name] else ","
                lines[name] = [one.strip() for one in lines[name].split(separator)]  # type: ignore[assignment]
        return _front_matter(lines, text, position)
    return FrontMatter({}, text)


def _front_matter(fields: Any, text: str, end: int) -> FrontMatter:
    if not isinstance(fields, dict):
        raise FormatError("has front matter that is not a mapping")
    names = {str(name).lower(): value for name, value in fields.items()}
    return FrontMatter(names, text[end:], text[:end].count("\n") + 1)


def _toml(text: str) -> Any:
    if len(text) > FRONT_MATTER_CHARACTERS_MAX:
        raise FormatError(f"has front matter that must have at most {FRONT_MATTER_CHARACTERS_MAX:,} characters")
    if _LONG_KEY.search(text) is not None:
        raise FormatError("has front matter with a key of more than 20 parts")
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise FormatError(f"has front matter that is not TOML: {error}") from error


def _yaml(text: str) -> Any:
    """Read YAML with text as its only type. Plain values may have a colon, as their authors expect."""
    try:
        return load_front_matter(text) or {}
    except FormatError:
        quoted = _COLON_VALUE.sub(lambda found: f"{found[1]}: {json.dumps(found[2], ensure_ascii=False)}", text)
        if quoted == text:
            raise
        return load_front_matter(quoted) or {}
