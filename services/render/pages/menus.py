"""A site's menus → links. Pure. An entry whose target is gone is not shown; one whose target was merged follows it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.render.pages.paths import section_path, tag_path
from services.render.pages.translations import translations
from shared.site_structure import MenuItem, page_path
from shared.sites import Site

LINKS_MAX = 8


@dataclass(frozen=True)
class MenuLink:
    """A link of a menu, and those below it."""

    label: str
    href: str
    section: str = ""
    """Slug of the section to which it leads; "" for other links."""
    items: Sequence["MenuLink"] = ()
    is_external: bool = False
    until: datetime | None = None


def menu_links(site: Site, name: str) -> list[MenuLink]:
    """Return a menu's links: those that the newsroom has chosen.

    Else `main` has the home page and the sections, and `links` the static pages, up to LINKS_MAX.
    """
    chosen = None if site.structure is None else site.structure.structure.menus.get(name)
    if chosen is not None:
        return [link for item in chosen if (link := _link(site, item))]
    if name == "links" and site.structure is not None:
        return [MenuLink(one.title, page_path(one.slug)) for one in list(site.structure.pages.values())[:LINKS_MAX]]
    if name != "main":
        return []
    home = MenuLink(str(translations(site)["home"]), "/")
    return [home, *(MenuLink(one.name, section_path(one.slug), one.slug) for one in site.sections)]


def marked_menu(links: Sequence[MenuLink], entries: Callable[[str, str], str]) -> Callable[[str, str], str]:
    """Return a function like `entries`, which remembers what it has made.

    Args:
        links: The menu's.
        entries: Makes the menu for a page's path and the slug of its section, which mark the entry of the page.
    """
    shown = [one for link in links for one in (link, *link.items)]
    paths, sections = {one.href for one in shown}, {one.section for one in shown}
    made: dict[tuple[str, str], str] = {}

    def menu(path: str, section: str) -> str:
        marked = path if path in paths else "", section if section in sections else ""
        if marked not in made:
            made[marked] = entries(*marked)
        return made[marked]

    return menu


def _link(site: Site, item: MenuItem, until: datetime | None = None) -> MenuLink | None:
    """Return an entry's link, which ends with the entry above it."""
    until = min((one for one in (until, item.until) if one is not None), default=None)
    below = tuple(link for one in item.items if (link := _link(site, one, until)))
    target = _target(site, item)
    if target is None:
        return None
    label, href, section = target
    return MenuLink(item.label or label, href, section, below, item.kind == "url", until)


def _target(site: Site, item: MenuItem) -> tuple[str, str, str] | None:
    """Return name, path and section of an entry's target; None if it is gone."""
    match item.kind:
        case "home":
            return str(translations(site)["home"]), "/", ""
        case "url":
            return item.target, item.target, ""
        case "section":
            section = site.section(item.target)
            return None if section is None else (section.name, section_path(section.slug), section.slug)
        case "tag":
            assert site.structure is not None
            slug = site.structure.current("tag", item.target)
            tag = site.structure.tags.get(slug)
            return tag.name if tag else slug, tag_path(tag.name if tag else slug), ""
        case _:
            assert site.structure is not None
            page = site.structure.pages.get(item.target)
            return None if page is None else (page.title, page_path(page.slug), "")
