"""Exports in JSON → articles: Ghost, NukeViet's tables (phpMyAdmin), IPTC ninjs. Pure."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import msgspec

from services.ingest.imports.item import (
    Imported,
    Item,
    ReadError,
    blocks,
    count,
    each,
    figure,
    instant,
    line,
    old_url,
    only_text,
    words,
)
from shared.articles import Author, Source


def decode(content: bytes) -> Any:
    """Return a file's JSON.

    Raises:
        ReadError: it is none.
    """
    try:
        return msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReadError(f"is no JSON: {error}") from error


def read_ghost(content: bytes, name: str) -> Iterator[Item]:
    """Read the posts of a Ghost export (Settings, Labs, Export)."""
    document = decode(content)
    if not isinstance(document, dict):
        raise ReadError("is no export of Ghost: it is no object")
    try:
        databases = document.get("db", [document])
        data = databases[0]["data"]
        posts = [post for post in data["posts"] if post.get("type", "post") == "post"]
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ReadError("is no export of Ghost: it has no db[0].data.posts") from error
    names = {kind: {row["id"]: row for row in data.get(kind, [])} for kind in ("tags", "users")}
    tags = _by_post(data.get("posts_tags", []), "tag_id", names["tags"])
    authors = _by_post(data.get("posts_authors", []), "author_id", names["users"])
    metas = {row.get("post_id"): row for row in data.get("posts_meta", [])}

    def read(post: Any, place: str) -> Imported:
        # "#name" is a tag that readers do not see.
        found = [tag for tag in tags.get(post["id"], []) if not str(tag["name"]).startswith("#")]
        meta = metas.get(post["id"], {})
        image = figure(
            _own(post.get("feature_image")), meta.get("feature_image_alt"), meta.get("feature_image_caption")
        )
        return Imported(
            place=place,
            external_id=str(post.get("uuid") or post["id"]),
            title=words(post["title"]),
            lead=line(post.get("custom_excerpt")),
            body=blocks(_own(post.get("html"))),
            section=str(found[0]["slug"]) if found else "",
            authors=[Author(line(one["name"])) for one in authors.get(post["id"], [])],
            tags=[line(tag["name"]) for tag in found],
            published_at=instant(post.get("published_at")),
            slug=line(post.get("slug")),
            old_urls=[f"/{post['slug']}/"] if post.get("slug") else [],
            is_public=post.get("status") == "published" and post.get("visibility", "public") == "public",
            lead_image=image,
        )

    yield from each(posts, read, "post")


def _own(html: object) -> str:
    """Ghost writes its own address as a word."""
    return str(html or "").replace("__GHOST_URL__", "")


def _by_post(rows: list[Any], key: str, known: Mapping[Any, Any]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for row in sorted(rows, key=lambda row: row.get("sort_order") or 0):
        if row[key] in known:
            found.setdefault(row["post_id"], []).append(known[row[key]])
    return found


def read_nukeviet(content: bytes, name: str) -> Iterator[Item]:
    """Read the news tables of NukeViet 4 and 5 as phpMyAdmin exports them in JSON: rows, detail, cat, sources, tags_id.

    NukeViet has no export of its own; these are the columns of its module `news`.
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
        raise ReadError("is no export of NukeViet's tables: there is no table …_news_rows")
    language, _, module = prefix.rstrip("_").partition("_")[2].partition("_")
    details = {str(row["id"]): row for row in tables.get(f"{prefix}detail", [])}
    sections = {str(row["catid"]): row for row in tables.get(f"{prefix}cat", [])}
    sources = {str(row["sourceid"]): row for row in tables.get(f"{prefix}sources", [])}
    tags: dict[str, list[str]] = {}
    for row in tables.get(f"{prefix}tags_id", []):
        tags.setdefault(str(row["id"]), []).append(line(row["keyword"]))

    def read(row: Any, place: str) -> Imported:
        number = str(row["id"])
        section = sections.get(str(row["catid"]), {})
        source = sources.get(str(row.get("sourceid")), {})
        author, path = line(row.get("author")), f"{section.get('alias', '')}/{row['alias']}-{number}.html"
        picture = line(row.get("homeimgfile"))
        return Imported(
            place=place,
            external_id=f"{prefix}{number}",
            title=words(row["title"]),
            lead=only_text(blocks(str(row.get("hometext") or ""))),
            body=blocks(str(details[number]["bodyhtml"])),
            section=str(section.get("alias", "")),
            source=Source(line(source["title"]), url=_web(source.get("link"))) if source else None,
            authors=[Author(author)] if author else [],
            tags=tags.get(number, []),
            published_at=instant(count(row.get("publtime")) or 0),
            slug=line(row["alias"]).lower(),
            old_urls=[f"/{language}/{module}/{path}", f"/{module}/{path}"] if section else [],
            views=count(row.get("hitstotal")),
            is_public=str(row.get("status")) == "1",
            lead_image=figure(picture, row.get("homeimgalt")) if picture.startswith("http") else None,
            language=language,
        )

    yield from each(tables[f"{prefix}rows"], read, "row")


def _web(url: object) -> str | None:
    address = line(url)
    return address if address.startswith(("http://", "https://")) else None


def read_ninjs(content: bytes, name: str) -> Iterator[Item]:
    """Read one or more items of ninjs 2 or 3."""
    document = decode(content)
    if not isinstance(document, list | dict):
        raise ReadError("is no ninjs: neither an object nor a list of them")
    items = document if isinstance(document, list) else document.get("items", [document])
    if not isinstance(items, list):
        raise ReadError("is no ninjs: its items are no list")
    yield from each(items, read_ninjs_item, "item")


def read_ninjs_item(item: Any, place: str) -> Imported:
    """Read an item of ninjs 3, or of ninjs 2, whose names it partly shares."""
    texts = {kind: line(_named(item, "headlines", kind) or item.get(f"headline_{kind}")) for kind in ("main", "")}
    title = (
        texts["main"] or line(_first(item.get("headlines"))) or line(item.get("headline")) or line(item.get("title"))
    )
    html = next((one["value"] for one in item.get("bodies", []) if "html" in str(one.get("contentType", ""))), "")
    plain = next((one["value"] for one in item.get("bodies", [])), "") or item.get("body_text", "")
    html = html or item.get("body_html") or item.get("body_xhtml") or escape(str(plain))
    names = [line(one.get("name")) for one in item.get("people", item.get("person", [])) if one.get("rel") == "author"]
    by = line(item.get("by") or item.get("byline"))
    subjects = [line(one.get("name")) for one in item.get("subjects", item.get("subject", []))]
    lead = words(_first(item.get("descriptions")) or item.get("description_text") or "")
    pictures = [one for one in item.get("associations", []) if isinstance(one, dict) and one.get("type") == "picture"]
    return Imported(
        place=place,
        external_id=str(item["uri"]),
        title=title,
        lead=lead,
        body=blocks(str(html)),
        section=subjects[0] if subjects else "",
        source=_ninjs_source(item),
        authors=[Author(one) for one in (names or [by]) if one],
        tags=subjects[1:],
        published_at=instant(item.get("firstCreated") or item.get("firstcreated") or item.get("versionCreated")),
        old_urls=old_url(item.get("altIds", {}).get("url") if isinstance(item.get("altIds"), dict) else None),
        is_public=item.get("pubStatus", item.get("pubstatus", "usable")) == "usable",
        lead_image=_ninjs_picture(pictures[0]) if pictures else None,
        language=line(item.get("language")),
    )


def _first(values: object) -> object:
    return values[0].get("value") if isinstance(values, list) and values and isinstance(values[0], dict) else None


def _named(item: Any, group: str, role: str) -> object:
    values = item.get(group, [])
    return next((one.get("value") for one in values if isinstance(one, dict) and one.get("role") == role), None)


def _ninjs_source(item: Any) -> Source | None:
    sources = item.get("infoSources", item.get("infosource", []))
    found = line(sources[0].get("name")) if sources else line(item.get("source"))
    return Source(found) if found else None


def _ninjs_picture(picture: Any) -> Any:
    renditions = picture.get("renditions", [])
    listed = list(renditions.values()) if isinstance(renditions, dict) else renditions
    widest: Any = max(listed, key=lambda one: one.get("width") or 0, default={})
    caption = _first(picture.get("descriptions")) or picture.get("description_text") or _first(picture.get("headlines"))
    return figure(widest.get("href"), caption=caption or "")
