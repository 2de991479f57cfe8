"""Markdown with front matter, and NDJSON with articles as in the API → articles. Pure."""

import io
import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import msgspec
from pydantic import ValidationError

from services.ingest.content.article_models import CONTENT_FIELDS, ArticleIn
from services.ingest.content.conversion import convert
from services.ingest.content.errors import InvalidContentError
from services.ingest.content.sanitizer import markdown_to_html
from services.ingest.imports.item import (
    FormatError,
    ImportItem,
    ItemOrError,
    UnreadableItem,
    html_to_blocks,
    image_figure,
    one_line,
    parse_count,
    parse_old_url,
    parse_time,
    read_each,
)
from services.ingest.imports.limits import ROW_BYTES_MAX, ROW_VALUES_MAX, check_json_values, load_front_matter
from services.ingest.imports.readers.json_exports import read_ninjs_item
from shared.articles import Author, Source

_FRONT = re.compile(r"\A(---|\+\+\+)[ \t]*\n(.*?)\n\1[ \t]*(?:\n|\Z)", re.DOTALL)
_FIRST_HEADING = re.compile(r"\A\s*# +(.+?)\s*#*\s*(?:\n|\Z)")


def read_markdown(content: bytes, name: str) -> Iterator[ItemOrError]:
    """Read a page in Markdown with YAML front matter between lines of ---."""
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise FormatError(f"is not UTF-8: {error}") from error
    yield from read_each([text], lambda one, place: _markdown(str(one), place, name), "page")


def _markdown(text: str, place: str, name: str) -> ImportItem:
    front = _FRONT.match(text)
    fields: Any = {}
    if front is not None:
        if front[1] == "+++":
            raise FormatError("has TOML front matter; only YAML between lines of --- is supported")
        fields = load_front_matter(front[2]) or {}
        if not isinstance(fields, dict):
            raise FormatError("has front matter that is not a mapping")
        text = text[front.end() :]
    heading = _FIRST_HEADING.match(text)
    if heading is not None and "title" not in fields:
        fields["title"], text = heading[1], text[heading.end() :]
    elif heading is not None and one_line(fields["title"]) == one_line(heading[1]):
        text = text[heading.end() :]
    if "title" not in fields:
        raise FormatError("has no title: neither in the front matter nor as a first heading")
    at, precision = _time(fields.get("date"))
    url = one_line(fields.get("url") or fields.get("permalink"))
    aliases = [path for one in _list(fields.get("aliases")) for path in parse_old_url(one)]
    source = fields.get("source")
    return ImportItem(
        place=place,
        external_id=one_line(fields.get("id") or url or name),
        title=one_line(fields["title"]),
        lead=one_line(fields.get("description") or fields.get("summary") or fields.get("lead")),
        body=html_to_blocks(markdown_to_html(text), url),
        section=one_line((_list(fields.get("section")) or _list(fields.get("categories")) or [""])[0]),
        source=Source(one_line(source)) if source else None,
        authors=[Author(one_line(one)) for one in _list(fields.get("author") or fields.get("authors"))],
        tags=[one_line(one) for one in _list(fields.get("tags"))],
        published_at=at,
        date_precision=precision,
        slug=one_line(fields.get("slug")),
        old_urls=[*parse_old_url(url), *aliases],
        views=parse_count(fields.get("views")),
        is_public=not fields.get("draft", False),
        lead_image=image_figure(fields.get("image"), fields.get("image_alt"), fields.get("image_caption"), url),
        language=one_line(fields.get("language") or fields.get("lang")),
    )


def _list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _time(value: Any) -> tuple[datetime | None, Any]:
    if isinstance(value, date) and not isinstance(value, datetime):
        return parse_time(f"{value.isoformat()}T00:00:00"), "day"
    if isinstance(value, datetime):
        value = value.isoformat()
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value.strip()):
        return parse_time(f"{value.strip()}T00:00:00"), "day"
    return parse_time(value), "exact"


class _Extra(msgspec.Struct):
    views: int | None = None
    is_public: bool = True


def read_ndjson(content: bytes, name: str) -> Iterator[ItemOrError]:
    """Read one article per line: as in `POST /api/articles`, optionally with `views` and `is_public`, or as ninjs."""
    rows = io.BytesIO(content.removeprefix(b"\xef\xbb\xbf"))  # not split(), which would make all rows at once
    for number, row in enumerate(rows, 1):
        if not row.strip():
            continue
        place = f"line {number}"
        if len(row) > ROW_BYTES_MAX:
            yield UnreadableItem(place, f"must have at most {ROW_BYTES_MAX:,} bytes (got {len(row):,})")
            continue
        try:
            check_json_values(row, ROW_VALUES_MAX)
            given = msgspec.json.decode(row)
        except FormatError as error:
            yield UnreadableItem(place, str(error))
            continue
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            yield UnreadableItem(place, f"is not JSON: {error}")
            continue
        yield from (_placed(item, place) for item in read_each([given], _line, "line"))


def _placed(item: ItemOrError, place: str) -> ItemOrError:
    return UnreadableItem(place, item.reason) if isinstance(item, UnreadableItem) else _with_place(item, place)


def _with_place(item: ImportItem, place: str) -> ImportItem:
    return ImportItem(**{**item.__dict__, "place": place})


def _line(given: Any, place: str) -> ImportItem:
    if not isinstance(given, dict):
        raise FormatError("is no object")
    if "uri" in given and "title" not in given:
        return read_ninjs_item(given, place)
    extra = msgspec.convert({key: given[key] for key in ("views", "is_public") if key in given}, _Extra)
    # The import determines the site; the section may be a name.
    kept = {key: value for key, value in given.items() if key not in ("views", "is_public", "site", "section")}
    sent = {**kept, "site": "any", "section": "any"}
    try:
        model = ArticleIn.model_validate(sent)
        fields = convert(model, CONTENT_FIELDS).fields
    except ValidationError as error:
        errors = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:3]]
        raise FormatError("; ".join(errors)) from error
    except InvalidContentError as error:
        raise FormatError(str(error)) from error
    if not model.external_id:
        raise FormatError("has no external_id; without one, a second run would create a duplicate")
    return ImportItem(
        place=place,
        external_id=model.external_id,
        section=str(given.get("section", "")),
        slug=fields["slug"] or "",
        views=extra.views,
        is_public=extra.is_public,
        language=model.language if "language" in model.model_fields_set else "",
        **{key: fields[key] for key in _TAKEN},
        more={key: fields[key] for key in model.model_fields_set & set(CONTENT_FIELDS) - {*_TAKEN, *_OTHERS}},
    )


_TAKEN = (
    *("title", "body", "lead", "source", "authors", "tags", "published_at", "date_precision", "old_urls"),
    "lead_image",
)
_OTHERS = ("section", "slug", "language", "body_format")
