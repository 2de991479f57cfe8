"""Exports in JSON → articles: Ghost, NukeViet's tables (phpMyAdmin), IPTC ninjs. Pure."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import msgspec

from services.ingest.imports.item import (
    FormatError,
    ImportItem,
    ItemOrError,
    html_to_blocks,
    html_to_line,
    image_figure,
    one_line,
    paragraph_text,
    parse_count,
    parse_old_url,
    parse_time,
    read_each,
)
from services.ingest.imports.limits import check_json_values
from shared.articles import Author, Source


def decode(content: bytes) -> Any:
    """Return a file's JSON.

    Raises:
        FormatError: it is not JSON, or has too many values.
    """
    check_json_values(content)
    try:
        return msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"is not JSON: {error}") from error


def read_ghost(content: bytes, name: str) -> Iterator[ItemOrError]:
    """Read the posts of a Ghost export (Settings, Labs, Export)."""
    document = decode(content)
    if not isinstance(document, dict):
        raise FormatError("is not a Ghost export: not a JSON object")
    try:
        databases = document.get("db", [document])
        data = databases[0]["data"]
        posts = [post for post in data["posts"] if post.get("type", "post") == "post"]
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise FormatError("is not a Ghost export: it has no db[0].data.posts") from error
    names = {kind: {row["id"]: row for row in data.get(kind, [])} for kind in ("tags", "users")}
    tags = _by_post(data.get("posts_tags", []), "tag_id", names["tags"])
    authors = _by_post(data.get("posts_authors", []), "author_id", names["users"])
    metas = {row.get("post_id"): row for row in data.get("posts_meta", [])}

    def read(post: Any, place: str) -> ImportItem:
        # Tags named "#…" are internal.
        found = [tag for tag in tags.get(post["id"], []) if not str(tag["name"]).startswith("#")]
        meta = metas.get(post["id"], {})
        image = image_figure(
            _without_placeholder(post.get("feature_image")),
            meta.get("feature_image_alt"),
            meta.get("feature_image_caption"),
        )
        return ImportItem(
            place=place,
            external_id=str(post.get("uuid") or post["id"]),
            title=html_to_line(post["title"]),
            lead=one_line(post.get("custom_excerpt")),
            body=html_to_blocks(_without_placeholder(post.get("html"))),
            section=str(found[0]["slug"]) if found else "",
            authors=[Author(one_line(one["name"])) for one in authors.get(post["id"], [])],
            tags=[one_line(tag["name"]) for tag in found],
            published_at=parse_time(post.get("published_at")),
            slug=one_line(post.get("slug")),
            old_urls=[f"/{post['slug']}/"] if post.get("slug") else [],
            is_public=post.get("status") == "published" and post.get("visibility", "public") == "public",
            lead_image=image,
        )

    yield from read_each(posts, read, "post")


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
    prefix = ""
    for one in document if isinstance(document, list) else []:
        if isinstance(one, dict) and one.get("type") == "table":
            tables[str(one.get("name"))] = one.get("data", [])
            if str(one.get("name")).endswith("_rows") and not prefix:
                prefix = str(one["name"]).removesuffix("rows")
    if not prefix:
        raise FormatError("is not a NukeViet table export: it has no table …_news_rows")
    language, _, module = prefix.rstrip("_").partition("_")[2].partition("_")
    details = {str(row["id"]): row for row in tables.get(f"{prefix}detail", [])}
    sections = {str(row["catid"]): row for row in tables.get(f"{prefix}cat", [])}
    sources = {str(row["sourceid"]): row for row in tables.get(f"{prefix}sources", [])}
    tags: dict[str, list[str]] = {}
    for row in tables.get(f"{prefix}tags_id", []):
        tags.setdefault(str(row["id"]), []).append(one_line(row["keyword"]))

    def read(row: Any, place: str) -> ImportItem:
        number = str(row["id"])
        section = sections.get(str(row["catid"]), {})
        source = sources.get(str(row.get("sourceid")), {})
        author, path = one_line(row.get("author")), f"{section.get('alias', '')}/{row['alias']}-{number}.html"
        picture = one_line(row.get("homeimgfile"))
        return ImportItem(
            place=place,
            external_id=f"{prefix}{number}",
            title=html_to_line(row["title"]),
            lead=paragraph_text(html_to_blocks(str(row.get("hometext") or ""))),
            body=html_to_blocks(str(details[number]["bodyhtml"])),
            section=str(section.get("alias", "")),
            source=Source(one_line(source["title"]), url=_web(source.get("link"))) if source else None,
            authors=[Author(author)] if author else [],
            tags=tags.get(number, []),
            published_at=parse_time(parse_count(row.get("publtime")) or 0),
            slug=one_line(row["alias"]).lower(),
            old_urls=[f"/{language}/{module}/{path}", f"/{module}/{path}"] if section else [],
            views=parse_count(row.get("hitstotal")),
            is_public=str(row.get("status")) == "1",
            lead_image=image_figure(picture, row.get("homeimgalt")) if picture.startswith("http") else None,
            language=language,
        )

    yield from read_each(tables[f"{prefix}rows"], read, "row")


def _web(url: object) -> str | None:
    address = one_line(url)
    return address if address.startswith(("http://", "https://")) else None


def read_ninjs(content: bytes, name: str) -> Iterator[ItemOrError]:
    """Read one or more items of ninjs 2 or 3."""
    document = decode(content)
    if not isinstance(document, list | dict):
        raise FormatError("is not ninjs: neither a JSON object nor a list")
    items = document if isinstance(document, list) else document.get("items", [document])
    if not isinstance(items, list):
        raise FormatError("is not ninjs: items is not a list")
    yield from read_each(items, read_ninjs_item, "item")


def read_ninjs_item(item: Any, place: str) -> ImportItem:
    """Read an item of ninjs 3 or ninjs 2, which share some names."""
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
    pictures = [one for one in item.get("associations", []) if isinstance(one, dict) and one.get("type") == "picture"]
    return ImportItem(
        place=place,
        external_id=str(item["uri"]),
        title=title,
        lead=lead,
        body=html_to_blocks(str(html)),
        section=subjects[0] if subjects else "",
        source=_ninjs_source(item),
        authors=[Author(one) for one in (names or [by]) if one],
        tags=subjects[1:],
        published_at=parse_time(item.get("firstCreated") or item.get("firstcreated") or item.get("versionCreated")),
        old_urls=parse_old_url(item.get("altIds", {}).get("url") if isinstance(item.get("altIds"), dict) else None),
        is_public=item.get("pubStatus", item.get("pubstatus", "usable")) == "usable",
        lead_image=_ninjs_picture(pictures[0]) if pictures else None,
        language=one_line(item.get("language")),
    )


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
