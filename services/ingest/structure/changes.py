"""Changes of a site's structure: add, change, rename, merge and remove its sections, tags and authors. Pure.

Each function returns another structure, or raises a problem and changes nothing. Aliases are flat: a slug that was
given up leads to an entry, never to another slug that was given up, so no cycle can form.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from shared.front_page import FrontPage
from shared.http.problems import Problem
from shared.site_checks import RESERVED_SECTIONS
from shared.site_structure import (
    ALIASES_MAX,
    AUTHORS_MAX,
    MENUS,
    SECTIONS_MAX,
    STRUCTURE_BYTES_MAX,
    TAGS_MAX,
    Kind,
    MenuItem,
    SiteStructure,
    StructureAuthor,
    StructureSection,
    StructureTag,
)

Entry = StructureSection | StructureTag | StructureAuthor
LISTS: dict[Kind, str] = {"section": "sections", "tag": "tags", "author": "authors"}
ALIASES: dict[Kind, str] = {"section": "section_aliases", "tag": "tag_aliases", "author": "author_aliases"}
ENTRIES_MAX: dict[Kind, int] = {"section": SECTIONS_MAX, "tag": TAGS_MAX, "author": AUTHORS_MAX}


def entries_of(structure: SiteStructure, kind: Kind) -> Sequence[Entry]:
    """Return the entries of a kind, in their order."""
    found: Sequence[Entry] = getattr(structure, LISTS[kind])
    return found


def aliases_of(structure: SiteStructure, kind: Kind) -> dict[str, str]:
    """Return the slugs of a kind that were given up, each with the one that it stands for."""
    found: dict[str, str] = getattr(structure, ALIASES[kind])
    return found


def find(structure: SiteStructure, kind: Kind, slug: str) -> Entry | None:
    """Return the entry of a slug, or None; a slug that was given up has none."""
    return next((one for one in entries_of(structure, kind) if one.slug == slug), None)


def add(structure: SiteStructure, kind: Kind, entry: Entry, position: int | None = None) -> SiteStructure:
    """Add an entry, at its end or at a position from 0.

    Raises:
        Problem: 409 if another entry has its slug, if the slug was given up, or if there are too many.
    """
    _check_free(structure, kind, entry.slug)
    others = list(entries_of(structure, kind))
    if len(others) >= ENTRIES_MAX[kind]:
        raise Problem(
            409,
            f"A site has at most {ENTRIES_MAX[kind]:,} {LISTS[kind]}.",
            limit=ENTRIES_MAX[kind],
            code="limit_reached",
        )
    others.insert(len(others) if position is None else position, entry)
    return _replaced(structure, kind, others, aliases_of(structure, kind))


def change(structure: SiteStructure, kind: Kind, slug: str, entry: Entry, position: int | None = None) -> SiteStructure:
    """Replace an entry. With another slug the former one becomes an alias, and so do those that led to it.

    Raises:
        Problem: 409 if another entry has the slug, or if it was given up by another one; 404 if there is no such entry.
    """
    others = list(entries_of(structure, kind))
    index = next((number for number, one in enumerate(others) if one.slug == slug), None)
    if index is None:
        raise not_found(kind, slug)
    aliases = aliases_of(structure, kind)
    if entry.slug != slug:
        if aliases.get(entry.slug) != slug:  # its own former slug may be taken again
            _check_free(structure, kind, entry.slug)
        aliases = {former: entry.slug if target == slug else target for former, target in aliases.items()}
        aliases.pop(entry.slug, None)
        aliases[slug] = entry.slug
    others[index] = entry
    if position is not None:
        others.insert(min(position, len(others) - 1), others.pop(index))
    return _replaced(structure, kind, others, aliases)


def merge(structure: SiteStructure, kind: Kind, slug: str, into: str) -> SiteStructure:
    """Let a slug stand for another one: its entry, if it has one, is removed.

    Raises:
        Problem: 409 if both are one; 404 if there is no entry of the slug `into`.
    """
    if find(structure, kind, into) is None:
        raise not_found(kind, into)
    if slug == into:
        raise Problem(409, f"The {kind} {slug!r} cannot be merged into itself.", code="merged_into_itself")
    aliases = {former: into if target == slug else target for former, target in aliases_of(structure, kind).items()}
    aliases[slug] = into
    others = [one for one in entries_of(structure, kind) if one.slug != slug]
    return _replaced(structure, kind, others, aliases)


def remove(structure: SiteStructure, kind: Kind, slug: str) -> SiteStructure:
    """Remove an entry that no article names, and the slugs that were given up for it.

    Raises:
        Problem: 404 if there is no such entry.
    """
    if find(structure, kind, slug) is None:
        raise not_found(kind, slug)
    others = [one for one in entries_of(structure, kind) if one.slug != slug]
    aliases = {former: target for former, target in aliases_of(structure, kind).items() if target != slug}
    return _replaced(structure, kind, others, aliases)


def release(structure: SiteStructure, kind: Kind, slug: str) -> SiteStructure:
    """Let a slug that was given up be used again. No article may name it: those would move with it.

    Menus that name it lead to what it stood for, as before.
    """
    current = aliases_of(structure, kind).get(slug, slug)
    menus = {name: _retargeted(items, kind, slug, current) for name, items in structure.menus.items()}
    structure = msgspec.structs.replace(structure, menus=menus)
    aliases = {former: target for former, target in aliases_of(structure, kind).items() if former != slug}
    return _replaced(structure, kind, entries_of(structure, kind), aliases)


def _retargeted(items: Sequence[MenuItem], kind: Kind, slug: str, current: str) -> list[MenuItem]:
    return [
        msgspec.structs.replace(
            one,
            target=current if (one.kind, one.target) == (kind, slug) else one.target,
            items=_retargeted(one.items, kind, slug, current),
        )
        for one in items
    ]


def set_menu(structure: SiteStructure, name: str, items: Sequence[MenuItem] | None) -> SiteStructure:
    """Replace a menu; None removes it, so that the sections are shown.

    Raises:
        Problem: 404 if there is no menu of that name.
    """
    if name not in MENUS:
        raise Problem(404, f"There is no menu {name[:40]!r}; there are {', '.join(MENUS)}.")
    menus = {**structure.menus, name: list(items)} if items is not None else dict(structure.menus)
    if items is None:
        menus.pop(name, None)
    return msgspec.structs.replace(structure, menus=menus)


def without_ended(items: Sequence[MenuItem], before: Sequence[MenuItem], now: datetime) -> list[MenuItem]:
    """Return the entries of a menu without those that were in it before and have ended."""
    known = {_minute_of_end(one) for one in _all_items(before)}
    return [
        msgspec.structs.replace(one, items=without_ended(one.items, before, now))
        for one in items
        if one.until is None or now < one.until or _minute_of_end(one) not in known
    ]


def _minute_of_end(item: MenuItem) -> tuple[str, str, datetime | None]:
    """Return what an entry leads to and until when: forms have no seconds."""
    return item.kind, item.target, item.until and item.until.replace(second=0, microsecond=0)


def _all_items(items: Sequence[MenuItem]) -> Iterator[MenuItem]:
    for one in items:
        yield one
        yield from _all_items(one.items)


def check_section_slug(slug: str) -> None:
    """Check that pages of a section can be reached.

    Raises:
        Problem: 409 if the installation uses its path.
    """
    if slug in RESERVED_SECTIONS:
        raise Problem(409, f"The slug {slug!r} is reserved: the installation uses that path.", code="slug_reserved")


def check_size(structure: SiteStructure) -> None:
    """Check that a structure fits into a message. The front page does not count: breaking news never finds it full.

    Raises:
        Problem: 409 if it is too large.
    """
    for kind, name in LISTS.items():
        if len(aliases_of(structure, kind)) > ALIASES_MAX:
            raise Problem(
                409,
                f"At most {ALIASES_MAX:,} slugs of {name} can be given up.",
                limit=ALIASES_MAX,
                code="limit_reached",
            )
    size = len(msgspec.json.encode(msgspec.structs.replace(structure, front_page=FrontPage())))
    if size > STRUCTURE_BYTES_MAX:
        detail = f"The structure of a site must have at most {STRUCTURE_BYTES_MAX:,} bytes as JSON (got {size:,})."
        raise Problem(409, detail, limit=STRUCTURE_BYTES_MAX, size=size, code="limit_reached")


def not_found(kind: Kind, slug: str) -> Problem:
    """Return the problem of an entry that does not exist."""
    return Problem(404, f"There is no {kind} {slug[:100]!r}.")


def _check_free(structure: SiteStructure, kind: Kind, slug: str) -> None:
    known = find(structure, kind, slug)
    if known is not None:
        detail = f"The {kind} {known.name!r} has the slug {slug!r} already; merge the two, or choose another."
        raise Problem(409, detail, slug=slug, code="slug_taken")
    target = aliases_of(structure, kind).get(slug)
    if target is not None:
        raise Problem(
            409,
            f"The slug {slug!r} was given up for {target!r}, and its addresses redirect there. "
            "Send `reuse: true` to use it again, once no article has it.",
            slug=slug,
            stands_for=target,
            code="slug_given_up",
        )


def _replaced(structure: SiteStructure, kind: Kind, entries: Sequence[Entry], aliases: dict[str, str]) -> SiteStructure:
    changed = {LISTS[kind]: list(entries), ALIASES[kind]: aliases}
    return msgspec.structs.replace(structure, **changed)
