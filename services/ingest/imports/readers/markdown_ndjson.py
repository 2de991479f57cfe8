"""Markdown with front matter, and NDJSON with articles as in the API → articles. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import msgspec
from pydantic import ValidationError

from services.ingest.content.article_models import CONTENT_FIELDS, ArticleIn
from services.ingest.content.conversion import convert
from services.ingest.content.errors import InvalidContentError
from services.ingest.content.pydantic_errors import field_error_of
from services.ingest.imports.item import (
    Content,
    FormatError,
    ImportItem,
    ItemOrError,
    ReadContext,
    date_warnings,
    html_to_blocks,
    image_figure,
    leave_out,
    one_line,
    parse_count,
    parse_old_url,
    read_one,
    unescaped,
)
from services.ingest.imports.limits import ROW_BYTES_MAX, ROW_VALUES_MAX, check_json_values
from services.ingest.imports.markup.addresses import resolve
from services.ingest.imports.markup.site_generators import Templates, markdown_to_html
from services.ingest.imports.publication import LeftOutError, SourceState
from services.ingest.imports.readers.front_matter import (
    as_list,
    jekyll_address,
    name_of,
    names_of,
    split_front_matter,
    tags_of,
    with_groups,
)
from services.ingest.imports.readers.json_items import decode, repaired
from services.ingest.imports.readers.ninjs import read_ninjs_item
from services.ingest.imports.similar_fields import source_state
from services.ingest.imports.state_fields import STATE_FIELDS
from services.ingest.imports.text_repair import (
    DecodingError,
    decode_text,
    repair_text,
    repair_warnings,
    to_unicode_text,
)
from services.ingest.imports.times import read_first, read_time
from services.ingest.imports.warnings import ItemWarning, make_warning
from shared.articles import Author, Figure, Source

_FIRST_HEADING = re.compile(
    r"\A\s*+(?=[^\n]{1,1000}(?:\n|\Z))(?:#[ \t]++(.+?)[ \t]*+#*+|([^\n]++)\n=++)"
    r"[ \t]*+(?:\{[^{}\n]*+\}[ \t]*+)?(?:\n|\Z)"
)
_FILE_DATE = re.compile(r"(?:^|/)(\d{4}-\d{1,2}-\d{1,2})-([^/]+)\.\w+$")
_NOT_BLANK = re.compile(rb"\S")
BLANK_BYTES = 1024 * 1024
"""Blank lines are skipped by parts of this size, so that a mapped file can be released meanwhile."""
_ABOUT_FOLDER = re.compile(
    r"(?:^|/)(?:readme|changelog|license|licence|contributing|code_of_conduct|security)\.\w+$", re.IGNORECASE
)
"""Files about a folder, not of its site, unless they have front matter."""
_STATES = tuple(rule.name for rule in STATE_FIELDS["markdown"])


def read_markdown(content: Content, name: str, context: ReadContext | None = None) -> Iterator[ItemOrError]:
    """Read a page in Markdown with front matter."""
    try:
        decoded = decode_text(content[:])
    except DecodingError as error:
        raise FormatError(str(error)) from error
    text, of_fonts = to_unicode_text(decoded.text)
    text, removed = repair_text(text.replace("\r\n", "\n").replace("\r", "\n"))
    warnings = [*decoded.warnings(), *of_fonts, *repair_warnings(removed)]
    page = _Page(name, context or ReadContext())
    yield read_one(text, lambda one, place: _markdown(str(one), place, page, warnings), "page 1")


@dataclass(frozen=True)
class _Page:
    name: str
    context: ReadContext


def _markdown(text: str, place: str, page: _Page, warnings: list[ItemWarning]) -> ImportItem:
    front = split_front_matter(text.lstrip("\ufeff\n"))
    name, base_url = page.name, page.context.base_url
    if not front.fields and _ABOUT_FOLDER.search(name):
        raise LeftOutError("it describes its folder: it has no front matter", name)
    fields, text = with_groups({**page.context.defaults, **front.fields}), front.text
    in_name = _FILE_DATE.search(name)  # Jekyll
    url = jekyll_address(one_line(fields.get("url") or fields.get("permalink")), fields, in_name)
    external_id = one_line(fields.get("id")) or (url if parse_old_url(url) else name)
    if (
        "/" in url.strip("/") and not url.startswith("/") and "://" not in url
    ):  # Hexo and Hugo: from the root of the site
        url = f"/{url}"
    state = leave_out(_markdown_state(fields, name), one_line(fields.get("title")), external_id)
    heading = _FIRST_HEADING.match(text)
    heading_text = (heading[1] or heading[2]) if heading is not None else ""
    if heading is not None and "title" not in fields:
        fields["title"], text = heading_text, text[heading.end() :]
    elif heading is not None and one_line(fields["title"]) == one_line(heading_text):
        text = text[heading.end() :]
    if not one_line(fields.get("title")):
        raise FormatError("has no title: neither in the front matter nor as a first heading")
    dates = {one: fields.get(one) for one in ("date", "published", "publishdate", "pubdate", "published_at", "created")}
    at = read_first(*dates.values(), in_name[1] if in_name else None)
    warnings += date_warnings(("date", read_time(fields.get("date")), fields.get("date")))
    aliases = [
        path
        for name in ("aliases", "redirect_from", "alias")
        for one in as_list(fields.get(name))
        for path in parse_old_url(one)
    ]
    warnings += [
        make_warning(
            "link", f"is relative to the page, so that it is not redirected: {one_line(one)[:200]!r}", "aliases"
        )
        for one in as_list(fields.get("aliases"))
        if one_line(one) and not parse_old_url(one)
    ]
    source = name_of(fields.get("source"))
    sections = _sections(fields)
    path = re.sub(r"(?:^|/)_?index$", "/", re.sub(r"[.][^./]*$", "", page.name))
    base = resolve(base_url, url or f"/{path}") if base_url else url
    body = html_to_blocks(markdown_to_html(Templates(warnings).replace(text)), base, warnings)
    return ImportItem(
        place=place,
        external_id=external_id,
        is_weak_id=not one_line(fields.get("id")),
        title=unescaped(one_line(fields["title"])),
        lead=one_line(fields.get("description") or fields.get("summary") or fields.get("lead")),
        body=body,
        section=sections[0] if sections else "",
        more_sections=sections[1:],
        categories=sections,
        source=Source(source) if source else None,
        authors=[Author(one) for one in names_of(fields.get("author") or fields.get("authors"))],
        tags=tags_of(fields.get("tags") or fields.get("keywords"), is_jekyll=in_name is not None),
        published_at=at.at,
        date_precision=at.precision,
        slug=one_line(fields.get("slug")) or (in_name[2] if in_name else ""),
        old_urls=[*parse_old_url(url), *aliases],
        views=parse_count(fields.get("views")),
        state=state,
        lead_image=_cover(fields, base, warnings),
        language=one_line(fields.get("language") or fields.get("lang")),
        warnings=warnings,
    )


def _sections(fields: dict[str, Any]) -> list[str]:
    """Return the sections of a page: names, or paths such as tin-tuc/van-hoa, of which the last part is the deepest."""
    given = next((one for name in ("section", "categories", "category") if (one := as_list(fields.get(name)))), [])
    found: list[str] = []
    for one in given:
        parts = [part for part in (one if isinstance(one, list) else one_line(one).split("/")) if one_line(part)]
        found += [
            one_line(part)
            for part in (*([one] if len(parts) == 1 and not isinstance(one, list) else []), *reversed(parts))
        ]
    return list(dict.fromkeys(found))


_COVERS = (
    "image",
    "featured_image",
    "featuredimage",
    "cover",
    "thumbnail",
    "feature_image",
    "header",
    "images",
    "banner",
)


def _cover(fields: dict[str, Any], base: str, warnings: list[ItemWarning]) -> Figure | None:
    """Return the picture of a page: an address, or a mapping with it as in themes of Hugo and Jekyll."""
    for name in _COVERS:
        given = fields.get(name)
        given = given[0] if isinstance(given, list) and given else given
        alt, caption = fields.get("image_alt") or fields.get("alt"), fields.get("image_caption")
        if isinstance(given, dict):
            alt, caption = given.get("alt") or alt, given.get("caption") or caption
            given = next(
                (given[key] for key in ("image", "src", "url", "path", "teaser", "relative_path") if given.get(key)), ""
            )
        if isinstance(given, str) and one_line(given):
            return image_figure(given, alt, caption, base, warnings)
    return None


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
    dates = ("published",) if values["published"] is None else ()
    values["folder"] = "_drafts" if "_drafts" in parts[:-1] else parts[-1]
    return source_state(
        "markdown", values, {**inner, **{name: value for name, value in fields.items() if name not in dates}}
    )


class _Extra(msgspec.Struct):
    views: int | None = None
    is_public: bool = True


def read_ndjson(content: Content, name: str, context: ReadContext | None = None) -> Iterator[ItemOrError]:
    """Read one article per line: as in `POST /api/articles`, optionally with `views` and `is_public`, or as ninjs."""
    try:
        decoded = decode_text(content[:]) if b"\0" in content[:1_024] else None  # UTF-16
    except DecodingError as error:
        raise FormatError(str(error)) from error
    content = decoded.text.encode("utf-8", "replace") if decoded else content
    context = context or ReadContext()
    base_url, is_empty = context.base_url, True
    for number, begin, end in _rows(content):
        context.bytes_read, is_empty = end, False
        row = content[begin:end]
        yield read_one(row, lambda one, place: _row(one, place, base_url), f"line {number}", number)
    if is_empty:
        raise FormatError("has no lines")


def _rows(content: Content) -> Iterator[tuple[int, int, int]]:
    """Yield the number of each line that is not blank, and where its text begins and ends."""
    position, number = 3 if content[:3] == b"\xef\xbb\xbf" else 0, 1
    while position < len(content):
        until = min(position + BLANK_BYTES, len(content))
        text = _NOT_BLANK.search(content, position, until)
        begin = text.start() if text else until
        number += content[position:begin].count(b"\n")
        position = begin
        if text:
            end = content.find(b"\n", begin)
            position = end if end >= 0 else len(content)
            yield number, begin, position


def _row(row: object, place: str, base_url: str) -> ImportItem:
    assert isinstance(row, bytes)
    if len(row) > ROW_BYTES_MAX:
        raise FormatError(f"must have at most {ROW_BYTES_MAX:,} bytes (got {len(row):,})")
    check_json_values(row, ROW_VALUES_MAX)
    return repaired(lambda one, place, found: _line(one, place, found, base_url))(decode(row), place)


def _line(given: Any, place: str, warnings: list[ItemWarning], base_url: str) -> ImportItem:
    if not isinstance(given, dict):
        raise FormatError("is no object")
    if ("uri" in given or "guid" in given) and "title" not in given:
        return read_ninjs_item(given, place, warnings, base_url)
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
        errors = [field_error_of({**one, "loc": ("body", *one["loc"])}) for one in error.errors()[:3]]
        raise FormatError(str(InvalidContentError(errors))) from error
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
