"""Markdown with front matter, and NDJSON with articles as in the API → articles. Pure."""

import io
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

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
    date_warnings,
    html_to_blocks,
    image_figure,
    leave_out,
    one_line,
    parse_count,
    parse_old_url,
    read_one,
)
from services.ingest.imports.limits import ROW_BYTES_MAX, ROW_VALUES_MAX, check_json_values
from services.ingest.imports.publication import SourceState
from services.ingest.imports.readers.front_matter import split_front_matter
from services.ingest.imports.readers.json_exports import decode, read_ninjs_item, repaired
from services.ingest.imports.state_fields import STATE_FIELDS
from services.ingest.imports.text_repair import DecodingError, decode_text, repair_text, repair_warnings
from services.ingest.imports.times import read_first, read_time
from services.ingest.imports.warnings import ItemWarning
from shared.articles import Author, Source

_FIRST_HEADING = re.compile(r"\A\s*(?:#[ \t]+(.+?)[ \t]*#*|([^\n]+)\n=+)[ \t]*(?:\{[^}\n]*\}[ \t]*)?(?:\n|\Z)")
_FILE_DATE = re.compile(r"(?:^|/)(\d{4}-\d\d-\d\d)-([^/]+)\.\w+$")
_STATES = tuple(rule.name for rule in STATE_FIELDS["markdown"])


def read_markdown(content: bytes, name: str) -> Iterator[ItemOrError]:
    """Read a page in Markdown with front matter."""
    try:
        decoded = decode_text(content)
    except DecodingError as error:
        raise FormatError(str(error)) from error
    text, removed = repair_text(decoded.text.replace("\r\n", "\n").replace("\r", "\n"))
    warnings = [*decoded.warnings(), *repair_warnings(removed)]
    yield read_one(text, lambda one, place: _markdown(str(one), place, name, warnings), "page 1")


def _markdown(text: str, place: str, name: str, warnings: list[ItemWarning]) -> ImportItem:
    front = split_front_matter(text.lstrip("\ufeff\n"))
    fields, text = front.fields, front.text
    state = leave_out(_markdown_state(fields, name), one_line(fields.get("title")))
    heading = _FIRST_HEADING.match(text)
    heading_text = (heading[1] or heading[2]) if heading is not None else ""
    if heading is not None and "title" not in fields:
        fields["title"], text = heading_text, text[heading.end() :]
    elif heading is not None and one_line(fields["title"]) == one_line(heading_text):
        text = text[heading.end() :]
    if not one_line(fields.get("title")):
        raise FormatError("has no title: neither in the front matter nor as a first heading")
    in_name = _FILE_DATE.search(name)  # Jekyll
    dates = {one: fields.get(one) for one in ("date", "published", "publishdate", "pubdate", "published_at", "created")}
    at = read_first(*dates.values(), in_name[1] if in_name else None)
    warnings += date_warnings(("date", read_time(fields.get("date")), fields.get("date")))
    url = one_line(fields.get("url") or fields.get("permalink"))
    aliases = [path for one in _list(fields.get("aliases")) for path in parse_old_url(one)]
    source = fields.get("source")
    return ImportItem(
        place=place,
        external_id=one_line(fields.get("id")) or (url if parse_old_url(url) else name),
        is_weak_id=not one_line(fields.get("id")),
        title=one_line(fields["title"]),
        lead=one_line(fields.get("description") or fields.get("summary") or fields.get("lead")),
        body=html_to_blocks(markdown_to_html(text), url),
        section=one_line(
            (_list(fields.get("section")) or _list(fields.get("categories")) or _list(fields.get("category")) or [""])[
                0
            ]
        ),
        source=Source(one_line(source)) if source else None,
        authors=[
            Author(one_line(one)) for one in _list(fields.get("author") or fields.get("authors")) if one_line(one)
        ],
        tags=[one_line(one) for one in _list(fields.get("tags"))],
        published_at=at.at,
        date_precision=at.precision,
        slug=one_line(fields.get("slug")) or (in_name[2] if in_name else ""),
        old_urls=[*parse_old_url(url), *aliases],
        views=parse_count(fields.get("views")),
        state=state,
        lead_image=image_figure(fields.get("image"), fields.get("image_alt"), fields.get("image_caption"), url),
        language=one_line(fields.get("language") or fields.get("lang")),
        warnings=warnings,
    )


def _markdown_state(fields: dict[str, Any], name: str) -> SourceState:
    params = fields.get("params")  # Hugo
    inner = {str(one).lower(): value for one, value in params.items()} if isinstance(params, dict) else {}
    values = {one: fields.get(one, inner.get(one)) for one in _STATES}
    if values["published"] is not None and read_time(values["published"]).at is not None:
        values["publishdate"] = values["publishdate"] or values["published"]  # a date for Hugo, a flag for Jekyll
        values["published"] = None
    for build in (fields.get("build"), fields.get("_build")):
        if isinstance(build, dict):
            values["build.render"], values["build.list"] = build.get("render"), build.get("list")
    if isinstance(values["permalink"], bool):
        values["permalink"] = str(values["permalink"])
    parts = name.lower().split("/")
    values["folder"] = "_drafts" if "_drafts" in parts[:-1] else parts[-1]
    return SourceState("markdown", values)


def _list(value: Any) -> list[Any]:
    return [] if value is None or value == "" else value if isinstance(value, list) else [value]


class _Extra(msgspec.Struct):
    views: int | None = None
    is_public: bool = True


def read_ndjson(content: bytes, name: str) -> Iterator[ItemOrError]:
    """Read one article per line: as in `POST /api/articles`, optionally with `views` and `is_public`, or as ninjs."""
    try:
        decoded = decode_text(content) if b"\0" in content[:1_024] else None  # UTF-16
    except DecodingError as error:
        raise FormatError(str(error)) from error
    content = decoded.text.encode("utf-8", "replace") if decoded else content.removeprefix(b"\xef\xbb\xbf")
    is_empty = True
    for number, row in enumerate(io.BytesIO(content), 1):  # not split(), which would make all rows at once
        if row.strip():
            is_empty = False
            yield read_one(row, _row, f"line {number}", number)
    if is_empty:
        raise FormatError("has no lines")


def _row(row: object, place: str) -> ImportItem:
    assert isinstance(row, bytes)
    if len(row) > ROW_BYTES_MAX:
        raise FormatError(f"must have at most {ROW_BYTES_MAX:,} bytes (got {len(row):,})")
    check_json_values(row, ROW_VALUES_MAX)
    return repaired(_line)(decode(row), place)


def _line(given: Any, place: str, warnings: list[ItemWarning]) -> ImportItem:
    if not isinstance(given, dict):
        raise FormatError("is no object")
    if ("uri" in given or "guid" in given) and "title" not in given:
        return read_ninjs_item(given, place, warnings)
    extra = msgspec.convert({key: given[key] for key in ("views", "is_public") if key in given}, _Extra)
    # The import determines the site; the section may be a name.
    kept = {key: value for key, value in given.items() if key not in ("views", "is_public", "site", "section")}
    at = read_time(given.get("published_at"))
    if at.at is not None and at.at.tzinfo is not None:
        kept.pop("published_at")  # unlike the API, an import schedules an article with a date in the future
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
        external_id=f"{quote(model.source_system)} {model.external_id}" if model.source_system else model.external_id,
        section=str(given.get("section", "")),
        slug=fields["slug"] or "",
        views=extra.views,
        state=SourceState("ndjson", {name: given.get(name) for name in _STATE_NAMES}),
        warnings=warnings,
        language=model.language if "language" in model.model_fields_set else "",
        **{**{key: fields[key] for key in _TAKEN}, **({} if "published_at" in kept else {"published_at": at.at})},
        more={key: fields[key] for key in model.model_fields_set & set(CONTENT_FIELDS) - {*_TAKEN, *_OTHERS}},
    )


_TAKEN = (
    *("title", "body", "lead", "source", "authors", "tags", "published_at", "date_precision", "old_urls"),
    "lead_image",
)
_STATE_NAMES = tuple(rule.name for rule in STATE_FIELDS["ndjson"])
_OTHERS = ("section", "slug", "language", "body_format", *_STATE_NAMES)
