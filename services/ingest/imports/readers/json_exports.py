"""Exports of Ghost in JSON → articles. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
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
    title_or_first_words,
    unescaped,
)
from services.ingest.imports.markup.site_generators import markdown_to_html
from services.ingest.imports.publication import SourceState
from services.ingest.imports.readers.json_items import JsonFile, open_json, read_items, repaired
from services.ingest.imports.times import ReadTime, read_time
from services.ingest.imports.warnings import ItemWarning, make_warning
from shared.articles import Author

_MEMBERS_ONLY = re.compile(r"<!--\s*(?:members-only|kg-gated-block)", re.IGNORECASE)
_LISTS = frozenset(("posts", "tags", "users", "posts_tags", "posts_authors", "posts_meta"))


def read_ghost(content: Content, name: str, context: ReadContext | None = None) -> Iterator[ItemOrError]:
    """Read the posts of a Ghost export (Settings, Labs, Export)."""
    base_url = (context or ReadContext()).base_url.rstrip("/")
    file = open_json(content, _LISTS)
    posts = [one for one in file.lists if one.name == "posts"]
    if not posts:
        raise FormatError("is not a Ghost export: it has no db[0].data.posts")
    rows = {kind: {row["id"]: row for row in file.rows(kind) if "id" in row} for kind in ("tags", "users")}
    tags = _by_post(file.rows("posts_tags"), "tag_id", rows["tags"])
    authors = _by_post(file.rows("posts_authors"), "author_id", rows["users"])
    metas = {row.get("post_id"): row for row in file.rows("posts_meta")}

    def read(post: Any, place: str, warnings: list[ItemWarning]) -> ImportItem:
        external_id = str(post.get("uuid") or post["id"])
        state = leave_out(_ghost_state(post, metas.get(post["id"], {})), one_line(post.get("title")), external_id)
        at = read_time(post.get("published_at"))
        warnings += date_warnings(("published_at", at, post.get("published_at")))
        # Tags named "#…" are internal.
        named = [tag for tag in tags.get(post["id"], []) if one_line(tag.get("name"))]
        found = [tag for tag in named if not str(tag["name"]).startswith("#")]
        names = [one_line(one.get("name")) for one in authors.get(post["id"], [])]
        if not names and post.get("author_id") in rows["users"]:  # Ghost 0 and 1
            names = [one_line(rows["users"][post["author_id"]].get("name"))]
        meta = metas.get(post["id"], {})
        body = html_to_blocks(_with_base(_text_of(post, warnings), base_url), base_url, warnings)
        if not body:
            warnings.append(make_warning("field", "has no text: the article is empty", "html"))
        image = image_figure(
            _with_base(post.get("feature_image") or post.get("image"), base_url),
            meta.get("feature_image_alt"),
            meta.get("feature_image_caption"),
            base_url,
            warnings,
        )
        for code in ("codeinjection_head", "codeinjection_foot"):
            if post.get(code):
                warnings.append(make_warning("field", "has code for the page, which was left out", code))
        if post.get("canonical_url"):
            message = f"is not carried over: {one_line(post['canonical_url'])[:200]}"
            warnings.append(make_warning("field", message, "canonical_url"))
        slugs = [one_line(tag.get("slug")) for tag in found]
        return ImportItem(
            place=place,
            external_id=external_id,
            title=title_or_first_words(unescaped(html_to_line(post.get("title"))), body, warnings),
            lead=one_line(post.get("custom_excerpt")),
            body=body,
            section=slugs[0] if slugs else "",
            more_sections=slugs[1:],
            authors=[Author(one) for one in names if one],
            tags=[one_line(tag["name"]) for tag in found],
            published_at=at.at,
            date_precision=at.precision,
            slug=one_line(post.get("slug")),
            old_urls=_ghost_urls(one_line(post.get("slug")), slugs[0] if slugs else "", at),
            state=state,
            lead_image=image,
            warnings=warnings,
        )

    for one in posts:
        yield from read_items(file, file.items(one), repaired(read), "post", context)
    yield from _faults(file)


def _faults(file: JsonFile) -> Iterator[UnreadableItem]:
    """Yield what is wrong with a file besides its posts."""
    lost = sum(len(one.starts) for one in file.lists if one.name != "posts") - sum(
        1 for _ in file.rows(*(_LISTS - {"posts"}))
    )
    if lost:
        yield UnreadableItem("file", f"has {lost:,} rows of tags, authors or settings of posts that cannot be read")
    if file.is_cut_off:
        yield UnreadableItem("file", "is cut off: posts, tags or authors may be missing; export it again")


def _text_of(post: Any, warnings: list[ItemWarning]) -> str:
    """Return the text of a post as HTML: Ghost 0 has Markdown, and all versions the text alone."""
    if one_line(post.get("html")):
        return str(post["html"])
    if one_line(post.get("markdown")):
        return markdown_to_html(str(post["markdown"]))
    plain = str(post.get("plaintext") or "")
    if plain.strip():
        warnings.append(make_warning("field", "is missing: the text was read without its pictures and links", "html"))
    return "".join(f"<p>{escape(part)}</p>" for part in re.split(r"\n\s*\n", plain) if part.strip())


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


def _order(value: object) -> int:
    return value if isinstance(value, int) else 0


def _by_post(rows: Iterable[Any], key: str, known: Mapping[Any, Any]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for row in sorted(rows, key=lambda row: _order(row.get("sort_order"))):
        if row.get(key) in known:
            found.setdefault(row.get("post_id"), []).append(known[row[key]])
    return found
