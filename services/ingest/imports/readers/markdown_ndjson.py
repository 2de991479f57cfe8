"""Markdown with front matter, and articles as the API takes them, one a line (NDJSON) → articles. Pure."""

import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import msgspec
import yaml
from pydantic import ValidationError

from services.ingest.content.article_models import CONTENT, ArticleIn
from services.ingest.content.conversion import convert
from services.ingest.content.errors import ContentError
from services.ingest.content.sanitizer import markdown_to_html
from services.ingest.imports.item import (
    Imported,
    Item,
    ReadError,
    Unreadable,
    blocks,
    count,
    each,
    figure,
    instant,
    line,
    old_url,
)
from services.ingest.imports.readers.json_exports import read_ninjs_item
from shared.articles import Author, Source

_FRONT = re.compile(r"\A(---|\+\+\+)[ \t]*\n(.*?)\n\1[ \t]*(?:\n|\Z)", re.DOTALL)
_FIRST_HEADING = re.compile(r"\A\s*# +(.+?)\s*#*\s*(?:\n|\Z)")


def read_markdown(content: bytes, name: str) -> Iterator[Item]:
    """Read a page in Markdown; its fields stand before it in YAML, between lines of ---."""
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ReadError(f"is not UTF-8: {error}") from error
    yield from each([text], lambda one, place: _markdown(str(one), place, name), "page")


def _markdown(text: str, place: str, name: str) -> Imported:
    front = _FRONT.match(text)
    fields: Any = {}
    if front is not None:
        if front[1] == "+++":
            raise ReadError("has its fields in TOML; YAML between lines of --- is read")
        try:
            fields = yaml.safe_load(front[2]) or {}
        except yaml.YAMLError as error:
            raise ReadError(f"has fields that are no YAML: {error}") from error
        if not isinstance(fields, dict):
            raise ReadError("has fields that are no names with values")
        text = text[front.end() :]
    heading = _FIRST_HEADING.match(text)
    if heading is not None and "title" not in fields:
        fields["title"], text = heading[1], text[heading.end() :]
    elif heading is not None and line(fields["title"]) == line(heading[1]):
        text = text[heading.end() :]
    if "title" not in fields:
        raise ReadError("has no title: neither a field nor a first heading")
    at, precision = _time(fields.get("date"))
    url = line(fields.get("url") or fields.get("permalink"))
    aliases = [path for one in _list(fields.get("aliases")) for path in old_url(one)]
    source = fields.get("source")
    return Imported(
        place=place,
        external_id=line(fields.get("id") or url or name),
        title=line(fields["title"]),
        lead=line(fields.get("description") or fields.get("summary") or fields.get("lead")),
        body=blocks(markdown_to_html(text), url),
        section=line((_list(fields.get("section")) or _list(fields.get("categories")) or [""])[0]),
        source=Source(line(source)) if source else None,
        authors=[Author(line(one)) for one in _list(fields.get("author") or fields.get("authors"))],
        tags=[line(one) for one in _list(fields.get("tags"))],
        published_at=at,
        date_precision=precision,
        slug=line(fields.get("slug")),
        old_urls=[*old_url(url), *aliases],
        views=count(fields.get("views")),
        is_public=not fields.get("draft", False),
        lead_image=figure(fields.get("image"), fields.get("image_alt"), fields.get("image_caption"), url),
        language=line(fields.get("language") or fields.get("lang")),
    )


def _list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _time(value: Any) -> tuple[datetime | None, Any]:
    if isinstance(value, date) and not isinstance(value, datetime):
        return instant(f"{value.isoformat()}T00:00:00"), "day"
    if isinstance(value, datetime):
        value = value.isoformat()
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value.strip()):
        return instant(f"{value.strip()}T00:00:00"), "day"
    return instant(value), "exact"


class _Extra(msgspec.Struct):
    views: int | None = None
    is_public: bool = True


def read_ndjson(content: bytes, name: str) -> Iterator[Item]:
    """Read one article a line: as `POST /api/articles` takes it, with `views` and `is_public` besides; or ninjs."""
    for number, row in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not row.strip():
            continue
        place = f"line {number}"
        try:
            given = msgspec.json.decode(row)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            yield Unreadable(place, f"is no JSON: {error}")
            continue
        yield from (_placed(item, place) for item in each([given], _line, "line"))


def _placed(item: Item, place: str) -> Item:
    return Unreadable(place, item.reason) if isinstance(item, Unreadable) else _with_place(item, place)


def _with_place(item: Imported, place: str) -> Imported:
    return Imported(**{**item.__dict__, "place": place})


def _line(given: Any, place: str) -> Imported:
    if not isinstance(given, dict):
        raise ReadError("is no object")
    if "uri" in given and "title" not in given:
        return read_ninjs_item(given, place)
    extra = msgspec.convert({key: given[key] for key in ("views", "is_public") if key in given}, _Extra)
    # Where it goes is said by the import; its section may be a name.
    kept = {key: value for key, value in given.items() if key not in ("views", "is_public", "site", "section")}
    sent = {**kept, "site": "any", "section": "any"}
    try:
        model = ArticleIn.model_validate(sent)
        fields = convert(model, CONTENT).fields
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:3]]
        raise ReadError("; ".join(faults)) from error
    except ContentError as error:
        raise ReadError(str(error)) from error
    if not model.external_id:
        raise ReadError("has no external_id: without one a second run would make it twice")
    return Imported(
        place=place,
        external_id=model.external_id,
        section=str(given.get("section", "")),
        slug=fields["slug"] or "",
        views=extra.views,
        is_public=extra.is_public,
        language=model.language if "language" in model.model_fields_set else "",
        **{key: fields[key] for key in _TAKEN},
        more={key: fields[key] for key in model.model_fields_set & set(CONTENT) - {*_TAKEN, *_OTHERS}},
    )


_TAKEN = (
    *("title", "body", "lead", "source", "authors", "tags", "published_at", "date_precision", "old_urls"),
    "lead_image",
)
_OTHERS = ("section", "slug", "language", "body_format")
