"""Posts of WordPress exports (WXR) → articles. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from lxml import etree

from services.ingest.imports.item import (
    ImportItem,
    check_title,
    date_warnings,
    html_to_blocks,
    html_to_line,
    image_figure,
    item_address,
    leave_out,
    one_line,
    paragraph_text,
    parse_count,
    parse_old_url,
    title_or_first_words,
    unescaped,
)
from services.ingest.imports.markup.addresses import split_address
from services.ingest.imports.markup.autop import add_paragraphs, has_blocks
from services.ingest.imports.markup.block_editor import MEMBERS_ONLY, with_dynamic_blocks
from services.ingest.imports.markup.shortcodes import Attachment, Shortcodes
from services.ingest.imports.publication import SourceState
from services.ingest.imports.readers.xml_items import XmlFile, XmlItem, items_with
from services.ingest.imports.similar_fields import kind_of_name, source_state
from services.ingest.imports.times import ABSENT, ReadTime, read_time
from services.ingest.imports.warnings import ItemWarning, make_warning
from shared.articles import Author

CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"
CREATOR = "{http://purl.org/dc/elements/1.1/}creator"
EXPORT_NAMESPACE = "wordpress.org/export/"
VIEWS = ("post_views_count", "views", "_post_views", "views_count")
"""Meta keys under which common WordPress plugins store view counts."""
PARTS = frozenset({"attachment", "nav_menu_item", "revision", "custom_css", "customize_changeset", "oembed_cache"})
"""Types of items that belong to other items or to the theme; they are counted, not listed one by one."""
_META_STATES = ("_expiration-date", "_members_access_role", "rcp_user_level", "rcp_subscription_level")
_DATED_STATES = ("publish", "future", "private", "trash", "inherit")
"""Without a GMT date, other states have never been published: their local date is that of the last edit."""


@dataclass(frozen=True)
class Export:
    """What the posts of an export refer to."""

    attachments: Mapping[str, Attachment]
    """By their post ID."""
    names: Mapping[str, str]
    """Names of authors by their login."""
    parents: Mapping[str, str] = field(default_factory=dict)
    """Slugs of the parents of categories, by the slug of the category."""
    blocks: Mapping[str, str] = field(default_factory=dict)
    """Texts of reusable blocks, by their post ID."""
    base_url: str = ""


def wp_values(item: etree._Element, name: str) -> list[str]:
    """Return the texts of the elements of the wp namespace with a name; its URL contains the export's version."""
    ending = f"}}{name}"
    return [
        child.text or ""
        for child in item
        if isinstance(child.tag, str) and child.tag.endswith(ending) and EXPORT_NAMESPACE in child.tag
    ]


def wp_text(item: etree._Element, name: str) -> str:
    """Return the text of the first element of the wp namespace with a name, as a single line."""
    return one_line(next(iter(wp_values(item, name)), ""))


def is_wordpress(item: etree._Element) -> bool:
    """Return whether an item is of a WordPress export: it has a child in the export's namespace."""
    return any(isinstance(child.tag, str) and EXPORT_NAMESPACE in child.tag for child in item)


def post_type(item: etree._Element) -> str:
    """Return the type of an item, such as "post"."""
    return wp_text(item, "post_type").lower()


def open_export(file: XmlFile, base_url: str = "") -> Export:
    """Return what the posts of a file refer to; empty for a file that is no export."""
    attachments: dict[str, Attachment] = {}
    for item in items_with(file, b"attachment_url"):
        if post_type(item.element) == "attachment":
            attachments[wp_text(item.element, "post_id")] = _attachment(item.element)
    blocks = {
        wp_text(item.element, "post_id"): item.element.findtext(CONTENT) or ""
        for item in items_with(file, b"wp_block")
        if post_type(item.element) == "wp_block"
    }
    names = {login.lower(): name for login, name in _authors(file.header)}
    return Export(attachments, names, dict(_parents(file.header)), blocks, base_url)


def _attachment(item: etree._Element) -> Attachment:
    return Attachment(
        wp_text(item, "attachment_url"),
        caption=html_to_line(_excerpt(item)),
        alt=_meta(item).get("_wp_attachment_image_alt", ""),
        parent=wp_text(item, "post_parent"),
    )


def _excerpt(item: etree._Element) -> str:
    found = (one.text for one in item if isinstance(one.tag, str) and one.tag.endswith("excerpt/}encoded"))
    return next(found, "") or ""


def _parents(header: etree._Element | None) -> Iterable[tuple[str, str]]:
    for element in () if header is None else header.iter():
        if isinstance(element.tag, str) and etree.QName(element.tag).localname == "category":
            name, parent = wp_text(element, "category_nicename"), wp_text(element, "category_parent")
            if name and parent:
                yield name, parent


def _authors(header: etree._Element | None) -> Iterable[tuple[str, str]]:
    for element in () if header is None else header.iter():
        if isinstance(element.tag, str) and etree.QName(element.tag).localname == "author":
            login, name = wp_text(element, "author_login"), wp_text(element, "author_display_name")
            if login and name:
                yield login, name


def read_post(file_item: object, place: str, export: Export) -> ImportItem:
    """Read a post of an export."""
    assert isinstance(file_item, XmlItem)
    item, warnings = file_item.element, file_item.warnings
    raw_title = unescaped(html_to_line(check_title(item.findtext("title") or "")))
    meta = _meta(item)
    guid, number = one_line(item.findtext("guid")), wp_text(item, "post_id")
    link = item_address(export.base_url, item.findtext("link"), warnings)
    external_id = f"{guid or link} {number}".strip()  # copied posts have the GUID of the original
    content = item.findtext(CONTENT) or ""
    state = leave_out(_state(item, meta, content), raw_title, external_id)
    sections = _sections(item, export)
    tags = [one_line(one.text) for one in item.findall("category") if one.get("domain") in ("post_tag", "tag")]
    excerpt = Shortcodes({}, number, warnings).replace(_excerpt(item))
    at, dates = _time(item)
    warnings += [*date_warnings(*dates), *_taxonomy_warnings(item)]
    text = with_dynamic_blocks(content, export.blocks, meta.get("footnotes", ""), warnings)
    text = Shortcodes(export.attachments, number, warnings).replace(text)
    body = html_to_blocks(text if has_blocks(text) else add_paragraphs(text), link or export.base_url, warnings)
    picture = export.attachments.get(meta.get("_thumbnail_id", ""), Attachment(""))
    if meta.get("_thumbnail_id", "0") not in ("", "0", "-1") and not picture.url:
        missing = f"the picture {meta['_thumbnail_id']} is not in the export: export all content, not posts only"
        warnings.append(make_warning("image", missing, "_thumbnail_id"))
    return ImportItem(
        place=place,
        external_id=external_id,
        title=title_or_first_words(raw_title, body, warnings),
        lead=paragraph_text(html_to_blocks(excerpt)) if excerpt and excerpt.strip() else "",
        body=body,
        section=sections[0] if sections else "",
        more_sections=sections[1:],
        categories=_category_names(item),
        authors=[Author(one) for one in _bylines(item, export, warnings)],
        tags=list(dict.fromkeys(tag for tag in tags if tag)),
        published_at=at.at,
        date_precision=at.precision,
        slug=wp_text(item, "post_name"),
        old_urls=list(dict.fromkeys([*parse_old_url(link), *_old_numbers(guid, number)])),
        views=next((found for key in VIEWS if (found := parse_count(meta.get(key))) is not None), None),
        lead_image=image_figure(picture.url, picture.alt, picture.caption, link, warnings),
        language=_language(item),
        state=state,
        warnings=warnings,
    )


_META_KEYS = frozenset((*_META_STATES, *VIEWS, "_thumbnail_id", "footnotes"))
"""The meta fields that are read besides those of access and expiry; others are data of plugins, of any size."""
_ULTIMATE_MEMBER = "um_content_restriction"
_RESTRICTS = re.compile(r'"_um_custom_access_settings";(?:s:1:"1"|[bi]:1)')
_FOR_MEMBERS = re.compile(r'"_um_accessible";(?:s:1:"[1-9]"|i:[1-9])')
_LOGIN = re.compile(r"[a-z0-9._@-]+")
_KNOWN_TAXONOMIES = (
    *("", "category", "post_tag", "tag", "author", "post_format", "language", "post_translations", "nav_menu"),
    *("wp_theme", "link_category"),
)


def _bylines(item: etree._Element, export: Export, warnings: list[ItemWarning]) -> list[str]:
    """Return the names of the authors: those of a plugin for several ones, else the creator, whose login is no name."""
    several = [one for one in item.findall("category") if one.get("domain") == "author"]
    logins = [(one.get("nicename", "").removeprefix("cap-"), one_line(one.text)) for one in several]
    creator = one_line(item.findtext(CREATOR))
    found: list[str] = []
    for login, shown in logins or [(creator, creator)]:
        name = export.names.get(login.lower()) or export.names.get(shown.lower()) or shown
        is_login = not is_old_export(item) and _LOGIN.fullmatch(name) is not None and name not in export.names.values()
        if is_login:
            message = f"is a login whose name the export does not have: {name[:100]!r}"
            warnings.append(make_warning("field", message, "dc:creator"))
        elif name:
            found.append(name)
    return list(dict.fromkeys(found))


def is_old_export(item: etree._Element) -> bool:
    """Return whether an item is of WXR 1.0, which has names of authors, not logins."""
    return any(isinstance(one.tag, str) and f"{EXPORT_NAMESPACE}1.0/" in one.tag for one in item)


def _language(item: etree._Element) -> str:
    """Return the language that a plugin for several ones has given to a post; "" for none."""
    return next((one.get("nicename", "") for one in item.findall("category") if one.get("domain") == "language"), "")


def _taxonomy_warnings(item: etree._Element) -> list[ItemWarning]:
    others = [one for one in item.findall("category") if one.get("domain", "") not in _KNOWN_TAXONOMIES]
    if not others:
        return []
    listed = ", ".join(f"{one.get('domain')}: {one_line(one.text)}" for one in others)
    return [make_warning("field", f"of other taxonomies are not carried over: {listed}", "category")]


def _old_numbers(guid: str, number: str) -> list[str]:
    """Return the addresses by the number of a post, which WordPress redirects to its permanent one."""
    query = parse_qs(split_address(guid).query)
    of_guid = parse_old_url(guid) if number and query.get("p") == [number] else []
    return list(dict.fromkeys([*of_guid, f"/?p={number}"])) if number.isdigit() else []


def _category_names(item: etree._Element) -> list[str]:
    given = (one_line(one.text) for one in item.findall("category") if one.get("domain") == "category")
    return [name for name in given if name]


def _sections(item: etree._Element, export: Export) -> list[str]:
    """Return the slugs and names of a post's categories: those with most parents first, then their parents."""
    given: dict[str, str] = {}
    for one in item.findall("category"):
        if one.get("domain") == "category" and (one.get("nicename") or one_line(one.text)):
            given[one.get("nicename") or one_line(one.text)] = one_line(one.text)
    lines = {slug: _ancestors(slug, export.parents) for slug in given}
    ordered = sorted(given, key=lambda slug: -len(lines[slug]))
    above = sorted(
        {one: len(_ancestors(one, export.parents)) for slug in given for one in lines[slug]}.items(),
        key=lambda one: -one[1],
    )
    names = [name for slug in ordered for name in (slug, given[slug]) if name]
    return list(dict.fromkeys([*names, *(slug for slug, _ in above)]))


def _ancestors(slug: str, parents: Mapping[str, str]) -> list[str]:
    found: list[str] = []
    while (slug := parents.get(slug, "")) and slug not in found:
        found.append(slug)
    return found


def _meta(item: etree._Element) -> dict[str, str]:
    """Return the values of meta fields by their names: those of `_META_KEYS`, and those of access and expiry."""
    found: dict[str, str] = {}
    for element in item:
        if isinstance(element.tag, str) and element.tag.endswith("}postmeta"):
            key = next(iter(wp_values(element, "meta_key")), "").strip()
            if key in _META_KEYS or key == "_wp_attachment_image_alt" or kind_of_name(key, is_prefixed=True):
                found[key] = wp_text(element, "meta_value")
    return found


def _state(item: etree._Element, meta: Mapping[str, str], content: str) -> SourceState:
    values: dict[str, object] = {
        # Several different values are contradictory, which is an unknown value.
        f"wp:{name}": " ".join(dict.fromkeys(one_line(value).lower() for value in wp_values(item, name)))
        for name in ("post_type", "status")
    }
    values["wp:post_password"] = "set" if any(wp_values(item, "post_password")) else ""
    part = MEMBERS_ONLY.search(content)
    values["members-only part of content:encoded"] = part[0] if part else ""
    values |= {name: meta.get(name) for name in _META_STATES}
    restriction = meta.get(_ULTIMATE_MEMBER, "")
    is_restricted = bool(_RESTRICTS.search(restriction) and _FOR_MEMBERS.search(restriction))
    others = {**meta, _ULTIMATE_MEMBER: "true" if is_restricted else ""}
    return source_state("wxr", values, others, is_prefixed=True)


def _time(item: etree._Element) -> tuple[ReadTime, list[tuple[str, ReadTime, object]]]:
    """Return when a post was published: its GMT date, else its date in the zone of the site, else that of the feed."""
    gmt, local = wp_text(item, "post_date_gmt"), wp_text(item, "post_date")
    published = one_line(item.findtext("pubDate"))
    if published.find(" -0001 ") > 0:  # how PHP writes WordPress's zero date
        published = ""
    found: list[tuple[str, ReadTime, object]] = [
        ("wp:post_date_gmt", read_time(f"{gmt.replace(' ', 'T')}+00:00") if gmt[:4].strip("0") else ABSENT, gmt),
        ("wp:post_date", read_time(local) if wp_text(item, "status") in _DATED_STATES else ABSENT, local),
        ("pubDate", read_time(published), published),
    ]
    return next((read for _, read, _ in found if read.at is not None), ABSENT), found
