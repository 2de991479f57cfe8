"""Exports in JSON → articles: Ghost, NukeViet's tables (phpMyAdmin), IPTC ninjs. Pure."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from services.ingest.imports.item import (
    Content,
    FormatError,
    ImportItem,
    ItemOrError,
    ReadContext,
    date_warnings,
    html_to_blocks,
    html_to_line,
    image_figure,
    leave_out,
    one_line,
    paragraph_text,
    parse_count,
    read_each,
    title_or_first_words,
    unescaped,
)
from services.ingest.imports.limits import check_json_values
from services.ingest.imports.publication import SourceState
from services.ingest.imports.text_repair import (
    DecodingError,
    decode_text,
    repair_value,
    repair_warnings,
    value_to_unicode,
)
from services.ingest.imports.times import ReadTime, read_first, read_time
from services.ingest.imports.warnings import ItemWarning, make_warning
from shared.articles import Author, Figure, Source

_MEMBERS_ONLY = re.compile(r"<!--\s*(?:members-only|kg-gated-block)", re.IGNORECASE)


def decode(content: Content) -> Any:
    """Return a file's JSON. Control characters and half surrogate pairs are accepted: the items are repaired.

    Raises:
        FormatError: it is not JSON, or has too many values.
    """
    content = content[:]
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
        item, of_fonts = value_to_unicode(item)
        return read(repair_value(item, removed), place, [*of_fonts, *repair_warnings(removed)])

    return read_repaired


def read_ghost(content: Content, name: str, context: ReadContext | None = None) -> Iterator[ItemOrError]:
    """Read the posts of a Ghost export (Settings, Labs, Export)."""
    base_url = (context or ReadContext()).base_url.rstrip("/")
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
        external_id = str(post.get("uuid") or post["id"])
        state = leave_out(_ghost_state(post, metas.get(post["id"], {})), one_line(post.get("title")), external_id)
        at = read_time(post.get("published_at"))
        warnings += date_warnings(("published_at", at, post.get("published_at")))
        # Tags named "#…" are internal.
        found = [tag for tag in tags.get(post["id"], []) if not str(tag["name"]).startswith("#")]
        meta = metas.get(post["id"], {})
        body = html_to_blocks(_with_base(post.get("html"), base_url), base_url, warnings)
        if not body:
            warnings.append(make_warning("field", "has no text: the article is empty", "html"))
        image = image_figure(
            _with_base(post.get("feature_image"), base_url),
            meta.get("feature_image_alt"),
            meta.get("feature_image_caption"),
            base_url,
            warnings,
        )
        for code in ("codeinjection_head", "codeinjection_foot"):
            if post.get(code):
                warnings.append(make_warning("field", "has code for the page, which was left out", code))
        return ImportItem(
            place=place,
            external_id=external_id,
            title=title_or_first_words(unescaped(html_to_line(post.get("title"))), body, warnings),
            lead=one_line(post.get("custom_excerpt")),
            body=body,
            section=str(found[0]["slug"]) if found else "",
            more_sections=[str(tag["slug"]) for tag in found[1:]],
            authors=[Author(one_line(one["name"])) for one in authors.get(post["id"], [])],
            tags=[one_line(tag["name"]) for tag in found],
            published_at=at.at,
            date_precision=at.precision,
            slug=one_line(post.get("slug")),
            old_urls=_ghost_urls(one_line(post.get("slug")), str(found[0]["slug"]) if found else "", at),
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


def _with_base(html: object, base_url: str) -> str:
    """Replace the placeholder that Ghost writes for its own address."""
    return str(html or "").replace("__GHOST_URL__", base_url)


def _ghost_urls(slug: str, tag: str, at: ReadTime) -> list[str]:
    """Return the addresses of a post in the routes of Ghost: by slug, by date, by its first tag."""
    if not slug:
        return []
    dated = [f"/{at.at:%Y/%m/%d}/{slug}/"] if at.at is not None else []
    return [f"/{slug}/", *dated, *([f"/{tag}/{slug}/"] if tag else [])]


def _by_post(rows: list[Any], key: str, known: Mapping[Any, Any]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for row in sorted(rows, key=lambda row: row.get("sort_order") or 0):
        if row[key] in known:
            found.setdefault(row["post_id"], []).append(known[row[key]])
    return found


def read_nukeviet(content: Content, name: str, context: ReadContext | None = None) -> Iterator[ItemOrError]:
    """Read the news tables of NukeViet 4 and 5 as phpMyAdmin exports them in JSON: rows, detail, cat, sources, tags_id.

    NukeViet has no export format; these are the columns of its module `news`.
    """
    base_url = (context or ReadContext()).base_url
    document = decode(content)
    tables: dict[str, list[Any]] = {}
    for one in document if isinstance(document, list) else []:
        if isinstance(one, dict) and one.get("type") == "table":
            tables[str(one.get("name"))] = one.get("data", [])
    prefixes = [name.removesuffix("rows") for name in tables if name.endswith("_rows")]
    if not prefixes:
        raise FormatError("is not a NukeViet table export: it has no table …_news_rows")
    for prefix in prefixes:
        module = _NukeVietModule(prefix, tables, base_url)
        unit = "row" if len(prefixes) == 1 else f"{prefix}rows, row"
        yield from read_each(tables[f"{prefix}rows"], repaired(module.read), unit)


class _NukeVietModule:
    """The tables of a news module in one language: a portal has several."""

    def __init__(self, prefix: str, tables: Mapping[str, list[Any]], base_url: str) -> None:
        self._prefix = prefix
        self._base_url = base_url
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
        external_id = f"{self._prefix}{number}"
        state = leave_out(_nukeviet_state(row, section, detail or {}), one_line(row.get("title")), external_id)
        if detail is None:
            raise FormatError(f"has no text: the table {self._prefix}detail has no row {number}")
        source = self._sources.get(str(row.get("sourceid")), {})
        author = one_line(row.get("author"))
        sections = self._section_names(row)
        at = read_first(row.get("publtime"))
        warnings += date_warnings(("publtime", at, row.get("publtime")))
        module = self._module.replace("_", "-")  # as in addresses
        return ImportItem(
            place=place,
            external_id=external_id,
            title=unescaped(html_to_line(row["title"])),
            lead=paragraph_text(html_to_blocks(str(row.get("hometext") or ""))),
            body=html_to_blocks(str(detail["bodyhtml"]), self._base_url, warnings),
            section=sections[0] if sections else "",
            more_sections=sections[1:],
            categories=[one_line(self._sections[one].get("title")) for one in self._listed(row)],
            source=Source(one_line(source["title"]), url=_web(source.get("link"))) if source else None,
            authors=[Author(author)] if author else [],
            tags=self._tags.get(number, []),
            published_at=at.at,
            date_precision=at.precision,
            slug=one_line(row["alias"]).lower(),
            old_urls=self._addresses(row, module),
            views=parse_count(row.get("hitstotal")),
            state=state,
            lead_image=self._picture(row, module, warnings),
            language=self._language,
            warnings=warnings,
        )

    def _section_names(self, row: Any) -> list[str]:
        """Return the aliases of an article's sections: the deepest first, then those above them."""
        lines = {one: self._above(one) for one in self._listed(row)}
        ordered = sorted(lines, key=lambda one: -len(lines[one]))
        above = sorted(
            {key: len(self._above(key)) for line in lines.values() for key in line}.items(), key=lambda one: -one[1]
        )
        keys = dict.fromkeys([*ordered, *(key for key, _ in above)])
        return [name for key in keys for name in (str(self._sections[key].get("alias", "")),) if name]

    def _listed(self, row: Any) -> list[str]:
        """Return the keys of an article's sections, the main one first."""
        listed = dict.fromkeys([str(row["catid"]), *str(row.get("listcatid") or "").split(",")])
        return [one for one in listed if one in self._sections]

    def _above(self, key: str) -> list[str]:
        found: list[str] = []
        while (key := str(self._sections.get(key, {}).get("parentid", "0"))) in self._sections and key not in found:
            found.append(key)
        return found

    def _addresses(self, row: Any, module: str) -> list[str]:
        """Return the addresses of an article in NukeViet: with and without language and module, and without rewriting.

        NukeViet finds an article by its number and redirects any other alias, so that each address is here twice: with
        its alias, and with none, which stands for any.
        """
        number = str(row["id"])
        sections = [str(self._sections[one]["alias"]) for one in self._listed(row)][:2]
        found = [
            f"{start}/{section}/{alias}-{number}.html"
            for alias in (row["alias"], "")
            for section in sections
            for start in (f"/{self._language}/{module}", f"/{module}", f"/{self._language}", "")
        ]
        query = f"/index.php?language={self._language}&nv={module}&op="
        return [*found, *(f"{query}{section}/{row['alias']}-{number}.html" for section in sections)]

    def _picture(self, row: Any, module: str, warnings: list[ItemWarning]) -> Figure | None:
        file = one_line(row.get("homeimgfile"))
        if not file or file.startswith(("http://", "https://", "/")):
            return image_figure(file, row.get("homeimgalt"), base=self._base_url, warnings=warnings)
        return image_figure(f"/uploads/{module}/{file}", row.get("homeimgalt"), base=self._base_url, warnings=warnings)


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
