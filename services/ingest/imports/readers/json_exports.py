"""Exports in JSON → articles: Ghost, NukeViet's tables (phpMyAdmin), IPTC ninjs. Pure."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import Any

import msgspec

from services.ingest.imports.item import (
    FormatError,
    ImportItem,
    ItemOrError,
    date_warnings,
    html_to_blocks,
    html_to_line,
    image_figure,
    leave_out,
    one_line,
    paragraph_text,
    parse_count,
    parse_old_url,
    read_each,
    title_or_first_words,
)
from services.ingest.imports.limits import check_json_values
from services.ingest.imports.publication import SourceState
from services.ingest.imports.text_repair import DecodingError, decode_text, repair_value, repair_warnings
from services.ingest.imports.times import read_first, read_time
from services.ingest.imports.warnings import ItemWarning, make_warning
from shared.articles import Author, Source

_HAS_EMBARGO = re.compile(
    r"embargo|not for (?:publication|release)|hold for release|không (?:đăng|phát hành|phổ biến)|lưu hành nội bộ",
    re.IGNORECASE,
)
_MEMBERS_ONLY = re.compile(r"<!--\s*(?:members-only|kg-gated-block)", re.IGNORECASE)


def decode(content: bytes) -> Any:
    """Return a file's JSON. Control characters and half surrogate pairs are accepted: the items are repaired.

    Raises:
        FormatError: it is not JSON, or has too many values.
    """
    check_json_values(content)
    try:
        return msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = error
    try:
        return json.loads(decode_text(content).text, strict=False)
    except (DecodingError, ValueError, RecursionError) as error:
        named = error if isinstance(error, DecodingError) else f"is not JSON: {reason}"
        raise FormatError(str(named)) from error


def repaired(
    read: Callable[[Any, str, list[ItemWarning]], ImportItem],
) -> Callable[[object, str], ImportItem]:
    """Return a function that repairs the texts of an item before it reads it, with a warning about each repair."""

    def read_repaired(item: object, place: str) -> ImportItem:
        removed: list[str] = []
        return read(repair_value(item, removed), place, repair_warnings(removed))

    return read_repaired


def read_ghost(content: bytes, name: str) -> Iterator[ItemOrError]:
    """Read the posts of a Ghost export (Settings, Labs, Export)."""
    document = decode(content)
    if not isinstance(document, dict):
        raise FormatError("is not a Ghost export: not a JSON object")
    try:
        databases = document.get("db", [document])
        data = databases[0]["data"]
        posts = data["posts"]
        names = {kind: {row["id"]: row for row in data.get(kind, [])} for kind in ("tags", "users")}
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise FormatError("is not a Ghost export: it has no db[0].data.posts") from error
    tags = _by_post(data.get("posts_tags", []), "tag_id", names["tags"])
    authors = _by_post(data.get("posts_authors", []), "author_id", names["users"])
    metas = {row.get("post_id"): row for row in data.get("posts_meta", [])}

    def read(post: Any, place: str, warnings: list[ItemWarning]) -> ImportItem:
        state = leave_out(_ghost_state(post, metas.get(post["id"], {})), one_line(post.get("title")))
        at = read_time(post.get("published_at"))
        warnings += date_warnings(("published_at", at, post.get("published_at")))
        # Tags named "#…" are internal.
        found = [tag for tag in tags.get(post["id"], []) if not str(tag["name"]).startswith("#")]
        meta = metas.get(post["id"], {})
        body = html_to_blocks(_without_placeholder(post.get("html")))
        if not body:
            warnings.append(make_warning("field", "has no text: the article is empty", "html"))
        image = image_figure(
            _without_placeholder(post.get("feature_image")),
            meta.get("feature_image_alt"),
            meta.get("feature_image_caption"),
        )
        return ImportItem(
            place=place,
            external_id=str(post.get("uuid") or post["id"]),
            title=title_or_first_words(html_to_line(post.get("title")), body, warnings),
            lead=one_line(post.get("custom_excerpt")),
            body=body,
            section=str(found[0]["slug"]) if found else "",
            authors=[Author(one_line(one["name"])) for one in authors.get(post["id"], [])],
            tags=[one_line(tag["name"]) for tag in found],
            published_at=at.at,
            date_precision=at.precision,
            slug=one_line(post.get("slug")),
            old_urls=[f"/{post['slug']}/"] if post.get("slug") else [],
            state=state,
            lead_image=image,
            warnings=warnings,
        )

    yield from read_each(posts, repaired(read), "post")


def _ghost_state(post: Any, meta: Any) -> SourceState:
    values = {name: post.get(name) for name in ("type", "page", "status", "visibility")}
    values["email_only"] = meta.get("email_only", post.get("email_only"))
    values["members-only part of html"] = "has one" if _MEMBERS_ONLY.search(str(post.get("html") or "")) else ""
    return SourceState("ghost", values)


def _without_placeholder(html: object) -> str:
    """Remove the placeholder that Ghost writes for its own URL."""
    return str(html or "").replace("__GHOST_URL__", "")


def _by_post(rows: list[Any], key: str, known: Mapping[Any, Any]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for row in sorted(rows, key=lambda row: row.get("sort_order") or 0):
        if row[key] in known:
            found.setdefault(row["post_id"], []).append(known[row[key]])
    return found


def read_nukeviet(content: bytes, name: str) -> Iterator[ItemOrError]:
    """Read the news tables of NukeViet 4 and 5 as phpMyAdmin exports them in JSON: rows, detail, cat, sources, tags_id.

    NukeViet has no export format; these are the columns of its module `news`.
    """
    document = decode(content)
    tables: dict[str, list[Any]] = {}
    for one in document if isinstance(document, list) else []:
        if isinstance(one, dict) and one.get("type") == "table":
            tables[str(one.get("name"))] = one.get("data", [])
    prefixes = [name.removesuffix("rows") for name in tables if name.endswith("_rows")]
    if not prefixes:
        raise FormatError("is not a NukeViet table export: it has no table …_news_rows")
    for prefix in prefixes:
        module = _NukeVietModule(prefix, tables)
        unit = "row" if len(prefixes) == 1 else f"{prefix}rows, row"
        yield from read_each(tables[f"{prefix}rows"], repaired(module.read), unit)


class _NukeVietModule:
    """The tables of a news module in one language: a portal has several."""

    def __init__(self, prefix: str, tables: Mapping[str, list[Any]]) -> None:
        self._prefix = prefix
        self._language, _, self._module = prefix.rstrip("_").partition("_")[2].partition("_")
        self._details = {str(row["id"]): row for row in tables.get(f"{prefix}detail", [])}
        self._sections = {str(row["catid"]): row for row in tables.get(f"{prefix}cat", [])}
        self._sources = {str(row["sourceid"]): row for row in tables.get(f"{prefix}sources", [])}
        self._tags: dict[str, list[str]] = {}
        for row in tables.get(f"{prefix}tags_id", []):
            self._tags.setdefault(str(row["id"]), []).append(one_line(row["keyword"]))

    def read(self, row: Any, place: str, warnings: list[ItemWarning]) -> ImportItem:
        """Read a row of the table of articles."""
        number = str(row["id"])
        section = self._sections.get(str(row["catid"]), {})
        detail = self._details.get(number)
        state = leave_out(_nukeviet_state(row, section, detail or {}), one_line(row.get("title")))
        if detail is None:
            raise FormatError(f"has no text: the table {self._prefix}detail has no row {number}")
        source = self._sources.get(str(row.get("sourceid")), {})
        author, path = one_line(row.get("author")), f"{section.get('alias', '')}/{row['alias']}-{number}.html"
        picture = one_line(row.get("homeimgfile"))
        at = read_first(row.get("publtime"))
        warnings += date_warnings(("publtime", at, row.get("publtime")))
        module = self._module.replace("_", "-")  # as in addresses
        return ImportItem(
            place=place,
            external_id=f"{self._prefix}{number}",
            title=html_to_line(row["title"]),
            lead=paragraph_text(html_to_blocks(str(row.get("hometext") or ""))),
            body=html_to_blocks(str(detail["bodyhtml"])),
            section=str(section.get("alias", "")),
            source=Source(one_line(source["title"]), url=_web(source.get("link"))) if source else None,
            authors=[Author(author)] if author else [],
            tags=self._tags.get(number, []),
            published_at=at.at,
            date_precision=at.precision,
            slug=one_line(row["alias"]).lower(),
            old_urls=[f"/{self._language}/{module}/{path}", f"/{module}/{path}"] if section else [],
            views=parse_count(row.get("hitstotal")),
            state=state,
            lead_image=image_figure(picture, row.get("homeimgalt")) if picture.startswith("http") else None,
            language=self._language,
            warnings=warnings,
        )


_NUKEVIET_EVERYONE = "6"
"""The group of all visitors, logged in or not."""


def _nukeviet_state(row: Any, section: Any, detail: Any) -> SourceState:
    values = {
        "status": row.get("status"),
        "exptime": row.get("exptime"),
        "cat.status": section.get("status"),
        "cat.groups_view": _nukeviet_groups(section.get("groups_view")),
        "detail.group_view": _nukeviet_groups(detail.get("group_view")),
    }
    return SourceState("nukeviet", values)


def _nukeviet_groups(groups: object) -> str:
    listed = one_line(groups).replace(" ", "").split(",")
    return _NUKEVIET_EVERYONE if _NUKEVIET_EVERYONE in listed else one_line(groups)


def _web(url: object) -> str | None:
    address = one_line(url)
    return address if address.startswith(("http://", "https://")) else None


def read_ninjs(content: bytes, name: str) -> Iterator[ItemOrError]:
    """Read one or more items of ninjs 2 or 3."""
    document = decode(content)
    if not isinstance(document, list | dict):
        raise FormatError("is not ninjs: neither a JSON object nor a list")
    if isinstance(document, dict) and "jsonfeed.org" in str(document.get("version")):
        raise FormatError("is a JSON Feed, which is not read; import the RSS or Atom feed of the portal")
    items = document if isinstance(document, list) else document.get("items", [document])
    if not isinstance(items, list):
        raise FormatError("is not ninjs: items is not a list")
    if not items:
        raise FormatError("has no items")
    yield from read_each(items, repaired(read_ninjs_item), "item")


def read_ninjs_item(item: Any, place: str, warnings: list[ItemWarning]) -> ImportItem:
    """Read an item of ninjs 3 or ninjs 2, which share some names."""
    state = leave_out(_ninjs_state(item), one_line(item.get("headline") or _first(item.get("headlines"))))
    texts = {kind: one_line(_named(item, "headlines", kind) or item.get(f"headline_{kind}")) for kind in ("main", "")}
    title = (
        texts["main"]
        or one_line(_first(item.get("headlines")))
        or one_line(item.get("headline"))
        or one_line(item.get("title"))
    )
    html = next((one["value"] for one in item.get("bodies", []) if "html" in str(one.get("contentType", ""))), "")
    plain = next((one["value"] for one in item.get("bodies", [])), "") or item.get("body_text", "")
    html = html or item.get("body_html") or item.get("body_xhtml") or escape(str(plain))
    names = [
        one_line(one.get("name")) for one in item.get("people", item.get("person", [])) if one.get("rel") == "author"
    ]
    by = one_line(item.get("by") or item.get("byline"))
    subjects = [one_line(one.get("name")) for one in item.get("subjects", item.get("subject", []))]
    lead = html_to_line(_first(item.get("descriptions")) or item.get("description_text") or "")
    dates = {
        name: item.get(name) or item.get(name.lower()) for name in ("firstPublished", "firstCreated", "versionCreated")
    }
    at = read_first(*dates.values())
    warnings += date_warnings(*((name, read_time(value), value) for name, value in dates.items()))
    pictures = [one for one in item.get("associations", []) if isinstance(one, dict) and one.get("type") == "picture"]
    return ImportItem(
        place=place,
        external_id=str(item.get("uri") or item.get("guid") or item["uri"]),  # Superdesk has guid
        title=title,
        lead=lead,
        body=html_to_blocks(str(html)),
        section=subjects[0] if subjects else "",
        source=_ninjs_source(item),
        authors=[Author(one) for one in (names or [by]) if one],
        tags=subjects[1:],
        published_at=at.at,
        date_precision=at.precision,
        old_urls=parse_old_url(item.get("altIds", {}).get("url") if isinstance(item.get("altIds"), dict) else None),
        state=state,
        lead_image=_ninjs_picture(pictures[0]) if pictures else None,
        language=one_line(item.get("language")),
        warnings=warnings,
    )


def _ninjs_state(item: Any) -> SourceState:
    item = {**{str(name).lower(): value for name, value in item.items()}, **item}
    values: dict[str, object] = {
        name: item.get(name) or item.get(name.lower())
        for name in ("type", "state", "embargoed", "embargoedUntil", "embargo", "publish_schedule", "versionCreated")
    }
    values["pubStatus"] = " ".join(
        dict.fromkeys(one_line(item[name]) for name in ("pubStatus", "pubstatus") if item.get(name))
    )
    values |= {name: item.get(name) for name in ("expires", "expiry")}
    notes = " ".join(str(item.get(name) or "") for name in ("edNote", "ednote", "ed_note", "usageTerms", "usageterms"))
    found = _HAS_EMBARGO.search(notes)
    values["edNote with an embargo"] = found[0] if found else ""
    return SourceState("ninjs", values)


def _first(values: object) -> object:
    return values[0].get("value") if isinstance(values, list) and values and isinstance(values[0], dict) else None


def _named(item: Any, group: str, role: str) -> object:
    values = item.get(group, [])
    return next((one.get("value") for one in values if isinstance(one, dict) and one.get("role") == role), None)


def _ninjs_source(item: Any) -> Source | None:
    sources = item.get("infoSources", item.get("infosource", []))
    found = one_line(sources[0].get("name")) if sources else one_line(item.get("source"))
    return Source(found) if found else None


def _ninjs_picture(picture: Any) -> Any:
    renditions = picture.get("renditions", [])
    listed = list(renditions.values()) if isinstance(renditions, dict) else renditions
    widest: Any = max(listed, key=lambda one: one.get("width") or 0, default={})
    caption = _first(picture.get("descriptions")) or picture.get("description_text") or _first(picture.get("headlines"))
    return image_figure(widest.get("href"), caption=caption or "")
