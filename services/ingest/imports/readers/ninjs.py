"""IPTC ninjs 1 to 3, and Superdesk's form of it → articles. Pure."""

import re
from collections.abc import Iterator
from html import escape
from typing import Any

from services.ingest.imports.item import (
    Content,
    FormatError,
    ImportItem,
    ItemOrError,
    ReadContext,
    UnreadableItem,
    date_warnings,
    html_to_blocks,
    html_to_line,
    image_figure,
    leave_out,
    one_line,
    parse_old_url,
    read_one,
    title_or_first_words,
    unescaped,
)
from services.ingest.imports.publication import SourceState
from services.ingest.imports.readers.json_items import decode, open_json, read_items, repaired
from services.ingest.imports.similar_fields import source_state
from services.ingest.imports.state_fields import NINJS_SIGNALS
from services.ingest.imports.times import read_first, read_time
from services.ingest.imports.warnings import ItemWarning, make_warning
from shared.articles import Author, Figure, Source

_HAS_EMBARGO = re.compile(
    r"embargo|(?:not for|do not|not to be|hold for|hold until) (?:publi|releas)|hold (?:for|until)\b"
    r"|(?:không|cấm|chưa|chỉ) (?:được )?(?:đăng|phát hành|phổ biến|công bố)(?! lại)|(?:lưu hành|dùng|tham khảo) nội bộ",
    re.IGNORECASE,
)


def read_ninjs(content: Content, name: str, context: ReadContext | None = None) -> Iterator[ItemOrError]:
    """Read one or more items of ninjs 2 or 3."""
    base_url = (context or ReadContext()).base_url
    file = open_json(content, frozenset(("", "items")))
    head = file.content[:2_000]
    if b"jsonfeed.org" in head:
        raise FormatError("is a JSON Feed, which is not read; import the RSS or Atom feed of the portal")
    has_ids = any(file.content.find(name) >= 0 for name in (b'"uri"', b'"guid"')) and b'"rendered"' not in head
    if not has_ids and file.content.find(b":") >= 0:  # such as of WordPress's or Drupal's API
        raise FormatError("is JSON, but neither of Ghost, NukeViet nor ninjs; docs/importing.md says what to export")
    read = repaired(lambda one, place, found: read_ninjs_item(one, place, found, base_url))
    is_list = head.lstrip()[:1] == b"[" or b'"items"' in head.partition(b"[")[0]
    if not is_list:
        document = decode(file.content)
        if isinstance(document, dict) and "items" in document and not isinstance(document["items"], list):
            raise FormatError("is not ninjs: items is not a list")
        yield read_one(document, read, "item 1")
        return
    if not file.lists or not len(file.lists[0].starts):
        raise FormatError("has no items")
    yield from read_items(file, file.items(file.lists[0]), read, "item", context)
    if file.is_cut_off:
        yield UnreadableItem("file", "is cut off: items may be missing")


def read_ninjs_item(item: Any, place: str, warnings: list[ItemWarning], base_url: str = "") -> ImportItem:
    """Read an item of ninjs 3 or ninjs 2, which share some names."""
    external_id = str(item.get("uri") or item.get("guid") or item["uri"])  # Superdesk has guid
    state = leave_out(_ninjs_state(item), one_line(item.get("headline") or _first(item.get("headlines"))), external_id)
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
        one_line(one.get("name"))
        for group in ("people", "person", "authors")
        for one in _as_list(item.get(group))
        if isinstance(one, dict) and (one.get("rel") == "author" or group == "authors")
    ]
    by = one_line(item.get("by") or item.get("byline"))
    subjects = _names(item, "subjects", "subject")
    services = _names(item, "service", "services", "anpa_category")
    keywords = [one_line(one.get("name") if isinstance(one, dict) else one) for one in _as_list(item.get("keywords"))]
    summary = (
        _named(item, "descriptions", "summary") or _first(item.get("descriptions")) or item.get("description_text")
    )
    lead = html_to_line(summary or item.get("description_html") or item.get("abstract") or "")
    dates = {
        name: item.get(name) or item.get(name.lower())
        for name in ("firstPublished", "firstCreated", "contentCreated", "versionCreated")
    }
    warnings += _not_carried(item)
    at = read_first(*dates.values())
    warnings += date_warnings(*((name, read_time(value), value) for name, value in dates.items()))
    body = html_to_blocks(str(html), base_url, warnings)
    pictures = list(_ninjs_pictures(item, base_url, warnings))
    shown = {one.image.url for one in body if isinstance(one, Figure) and one.image is not None}
    body += [one for one in pictures[1:] if one.image is not None and one.image.url not in shown]
    return ImportItem(
        place=place,
        external_id=external_id,
        title=title_or_first_words(unescaped(title) or one_line(item.get("slugline")), body, warnings),
        lead=lead,
        body=body,
        section=subjects[0] if subjects else "",
        more_sections=[*subjects[1:], *services],
        source=_ninjs_source(item),
        authors=[Author(one) for one in (names or [by]) if one],
        tags=list(dict.fromkeys(one for one in (*subjects[1:], *keywords) if one)),
        published_at=at.at,
        date_precision=at.precision,
        old_urls=parse_old_url(item.get("altIds", {}).get("url") if isinstance(item.get("altIds"), dict) else None),
        state=state,
        lead_image=pictures[0] if pictures else None,
        language=one_line(item.get("language")),
        warnings=warnings,
    )


def _ninjs_state(item: Any) -> SourceState:
    inner = [one for name in ("extra", "schedule_settings") if isinstance(one := item.get(name), dict)]
    given = {name: value for one in (*inner, item) for name, value in one.items()}
    item = {**{str(name).lower(): value for name, value in given.items()}, **given}
    values: dict[str, object] = {
        name: item.get(name) or item.get(name.lower())
        for name in (
            "type",
            "state",
            "representationtype",
            "embargoed",
            "embargoedUntil",
            "embargo",
            "publish_schedule",
            "versionCreated",
        )
    }
    values["pubStatus"] = " ".join(
        dict.fromkeys(one_line(item[name]) for name in ("pubStatus", "pubstatus") if item.get(name))
    )
    values |= {name: item.get(name) for name in ("expires", "expiry")}
    notes = " ".join(str(item.get(name) or "") for name in ("edNote", "ednote", "ed_note", "usageTerms", "usageterms"))
    found = _HAS_EMBARGO.search(notes)
    signals = _signals(item)
    values["signal"] = " ".join(sorted(signals - NINJS_SIGNALS.keys())) or next(iter(signals), "")
    values["edNote with an embargo"] = found[0] if found else ""
    return source_state("ninjs", values, given)


def _names(item: Any, *groups: str) -> list[str]:
    given = (one for name in groups for one in _as_list(item.get(name)) if isinstance(one, dict))
    return list(dict.fromkeys(name for one in given if (name := one_line(one.get("name")))))


_RIGHTS = ("copyrightHolder", "copyrightNotice", "usageTerms", "rightsInfo", "dateline")


def _not_carried(item: Any) -> list[ItemWarning]:
    """Return a warning for each field with a text about the item that articles do not have."""
    found = ((name, item.get(name) or item.get(name.lower())) for name in _RIGHTS)
    return [
        make_warning("field", f"is not carried over: {one_line(value)[:200]}", name) for name, value in found if value
    ]


def _first(values: object) -> object:
    return values[0].get("value") if isinstance(values, list) and values and isinstance(values[0], dict) else None


def _named(item: Any, group: str, role: str) -> object:
    values = item.get(group, [])
    return next((one.get("value") for one in values if isinstance(one, dict) and one.get("role") == role), None)


def _ninjs_source(item: Any) -> Source | None:
    sources = item.get("infoSources", item.get("infosource", []))
    found = one_line(sources[0].get("name")) if sources else one_line(item.get("source"))
    return Source(found) if found else None


def _signals(item: Any) -> set[str]:
    """Return the signals of an item: texts, or objects with a code such as sig:update."""
    given = [one for name in ("signal", "signals") for one in _as_list(item.get(name))]
    found = set()
    for one in given:
        code = (
            one.get("code") or one.get("qcode") or one.get("uri") or one.get("literal") or one.get("name")
            if isinstance(one, dict)
            else one
        )
        if text := one_line(code).lower().replace(" ", "-"):
            found.add(text.rpartition("/")[2].rpartition(":")[2])
    return found


def _as_list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _ninjs_pictures(item: Any, base_url: str, warnings: list[ItemWarning]) -> Iterator[Figure]:
    """Yield the pictures of an item: a list in ninjs 2.1 and later, an object by name before."""
    given = item.get("associations") or []
    named = given.values() if isinstance(given, dict) else given
    for one in named if isinstance(given, list | dict) else ():
        if not isinstance(one, dict):
            continue
        kind = one_line(one.get("type")) or "picture"
        if kind in ("picture", "graphic"):
            found = _ninjs_picture(one, base_url, warnings)
            if found is not None:
                yield found
        else:
            shown = one_line(one.get("headline") or _first(one.get("headlines")) or one.get("uri"))[:200]
            warnings.append(make_warning("embed", f"an associated {kind[:20]} was left out: {shown}", "associations"))


def _ninjs_picture(picture: Any, base_url: str, warnings: list[ItemWarning]) -> Figure | None:
    renditions = picture.get("renditions") or []
    listed = [
        one for one in (renditions.values() if isinstance(renditions, dict) else renditions) if isinstance(one, dict)
    ]
    images = [
        one for one in listed if str(one.get("mimetype") or one.get("contentType") or "image").startswith("image")
    ]
    widest: Any = max(images, key=lambda one: _number(one.get("width")), default={})
    texts = (
        _named(picture, "headlines", "caption"),
        _first(picture.get("descriptions")),
        *(picture.get(name) for name in ("description_text", "body_text", "description_html", "description_caption")),
        _first(picture.get("headlines")),
        picture.get("headline"),
    )
    caption = next((text for text in texts if text), "")
    alt = _named(picture, "descriptions", "alt") or picture.get("altText") or picture.get("headline") or ""
    href = widest.get("href") or picture.get("href")
    if not one_line(href):
        warnings.append(
            make_warning("image", f"has no address of a picture: {one_line(caption)[:100]}", "associations")
        )
    return image_figure(href, alt, caption, base_url, warnings)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
