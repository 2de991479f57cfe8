"""The fields before a text in Markdown: YAML (Jekyll, Hugo, Hexo), TOML (Hugo, Zola), JSON (Hugo), Pelican. Pure.

Names are in lower case, as Hugo reads them. Values of YAML stay text: `title: No` is "No", not false.
"""

import json
import re
import tomllib
from dataclasses import dataclass
from typing import Any

from services.ingest.imports.front_matter_bounds import FRONT_MATTER_CHARACTERS_MAX, load_front_matter
from services.ingest.imports.item import FormatError
from services.ingest.imports.text_repair import visible_line

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


_GROUPS = ("taxonomies", "extra", "params")
"""Mappings of Zola and Hugo with fields that other systems have at the top."""
_PLACEHOLDER = re.compile(r":([a-z_]+)")
_STYLES = {
    "date": "/:categories/:year/:month/:day/:title.html",
    "pretty": "/:categories/:year/:month/:day/:title/",
    "none": "/:categories/:title.html",
}
"""Jekyll's names for addresses."""


def with_groups(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields with those of their groups, which do not replace others."""
    more: dict[str, Any] = {}
    for name in _GROUPS:
        if isinstance(fields.get(name), dict):
            more |= {str(key).lower(): value for key, value in fields[name].items()}
    return {**more, **fields}


def as_list(value: Any) -> list[Any]:
    """Return the values of a list, a value alone, or nothing."""
    return [] if value is None or value == "" else value if isinstance(value, list) else [value]


def name_of(value: Any) -> str:
    """Return a name, which may be in a mapping with an address."""
    if isinstance(value, dict):
        value = next((value[key] for key in ("name", "title", "display_name", "label", "text") if value.get(key)), "")
    return "" if value is None or isinstance(value, list | dict) else visible_line(str(value))


def names_of(value: Any) -> list[str]:
    """Return the names of a list of texts or mappings; a mapping of names to details has them as its keys."""
    if isinstance(value, dict) and not name_of(value) and all(isinstance(one, dict) for one in value.values()):
        value = list(value)
    return [name for one in as_list(value) if (name := name_of(one))]


def tags_of(value: Any, *, is_jekyll: bool = False) -> list[str]:
    """Return tags, which may be a text with commas; a text of Jekyll has blanks between them."""
    if isinstance(value, str) and ("," in value or is_jekyll):
        value = value.split(",") if "," in value else value.split()
    return names_of(value)


def jekyll_address(url: str, fields: dict[str, Any], of_file: re.Match[str] | None) -> str:
    """Return an address with the values of its placeholders, as `/:categories/:title.html`; "" if one is unknown.

    Args:
        url: The address, or one of Jekyll's names for its form.
        fields: The fields of the page.
        of_file: Date and title in the name of its file.
    """
    url = _STYLES.get(url, url)
    if not _PLACEHOLDER.search(url.partition("://")[2] or url):
        return url
    if of_file is None:
        return ""
    year, month, day = of_file[1].split("-")
    given = as_list(fields.get("categories") or fields.get("category"))
    categories = given if len(given) != 1 else str(given[0]).split()
    values = {
        "categories": "/".join(visible_line(str(one)).lower() for one in categories),
        "year": year,
        "month": month.zfill(2),
        "day": day.zfill(2),
        "i_month": str(int(month)),
        "i_day": str(int(day)),
        "short_year": year[2:],
        "title": visible_line(str(fields.get("slug") or of_file[2])),
        "slug": visible_line(str(fields.get("slug") or of_file[2])),
    }
    names = _PLACEHOLDER.findall(url)
    if any(name not in values for name in names):
        return ""
    return re.sub(r"/{2,}", "/", _PLACEHOLDER.sub(lambda found: values[found[1]], url))
