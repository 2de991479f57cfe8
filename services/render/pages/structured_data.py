"""What pages say about themselves to programs besides articles: schema.org, the manifest, and languages. Pure."""

from collections.abc import Sequence
from typing import Any

import msgspec

from services.render.pages.document import Document
from services.render.pages.themes import Theme
from services.render.pages.translations import translations
from shared.articles import Article
from shared.site_structure import PageLink, StaticPage, StructureAuthor, author_path, page_path
from shared.sites import Site
from shared.structured_data import is_hosted, publisher

CONTEXT = "https://schema.org"
MANIFEST_PATH = "/manifest.json"
COLOUR, BACKGROUND = "#7f1518", "#fffdf9"


def breadcrumbs(steps: Sequence[tuple[str, str]], site: Site, public_url: str) -> dict[str, Any]:
    """Return the way from the home page, over steps of a name and a path, as schema.org BreadcrumbList."""
    way = [(str(translations(site)["home"]), "/"), *steps]
    return {
        "@context": CONTEXT,
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"@type": "ListItem", "position": position, "name": name, "item": public_url + path}
            for position, (name, path) in enumerate(way, 1)
        ],
    }


def web_site(site: Site, public_url: str) -> dict[str, Any]:
    """Return the portal, with its search, as schema.org WebSite."""
    search = {
        "@type": "SearchAction",
        "target": {"@type": "EntryPoint", "urlTemplate": f"{public_url}/tim-kiem?q={{search_term_string}}"},
        "query-input": "required name=search_term_string",
    }
    named = {"@context": CONTEXT, "@type": "WebSite", "name": site.name, "url": f"{public_url}/"}
    return {**named, "inLanguage": site.language, "potentialAction": search}


def translations_of(page: StaticPage, site: Site) -> list[PageLink]:
    """Return the public pages of the same kind in other languages, one of each, with their languages."""
    if page.kind == "page" or site.structure is None:
        return []
    own = page.language or site.language
    same = [one for one in site.structure.pages.values() if one.kind == page.kind and one.slug != page.slug]
    found = {language: one for one in same if (language := one.language or site.language) != own}
    return [one._replace(language=language) for language, one in sorted(found.items())]


def about_page(page: StaticPage, site: Site, public_url: str, logo: str) -> dict[str, Any] | None:
    """Return a page about the organisation, or how to reach it, as schema.org AboutPage or ContactPage."""
    if page.kind == "page":
        return None
    reached = {"telephone": site.phone, "email": site.email}
    point = {"@type": "ContactPoint", "contactType": "editorial", **reached} if any(reached.values()) else None
    address = {"@type": "PostalAddress", "streetAddress": site.address} if site.address else None
    organization = {**publisher(site, public_url, logo), **reached, "address": address, "contactPoint": point}
    present = {name: _present(value) if isinstance(value, dict) else value for name, value in organization.items()}
    return {
        "@context": CONTEXT,
        "@type": "ContactPage" if page.kind == "contact" else "AboutPage",
        "url": public_url + page_path(page.slug),
        "name": page.title,
        "inLanguage": page.language or site.language,
        "mainEntity": _present(present),
    }


def _present(properties: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if value}


def profile_page(author: StructureAuthor, site: Site, public_url: str) -> dict[str, Any]:
    """Return an author's page as schema.org ProfilePage; an e-mail address only if pages show it."""
    url = public_url + author_path(author.slug)
    person: dict[str, Any] = {
        "@type": "Person",
        "@id": url,
        "name": author.name,
        "url": url,
        "jobTitle": author.role,
        "description": author.bio,
        "image": public_url + author.photo.url if author.photo and is_hosted(author.photo) else "",
        "email": author.email if author.email_is_public else "",
    }
    organization = {"@type": "NewsMediaOrganization", "name": site.agency or site.name, "url": f"{public_url}/"}
    return {"@context": CONTEXT, "@type": "ProfilePage", "mainEntity": {**_present(person), "worksFor": organization}}


def first_language(versions: Sequence[Article], site: Site) -> Article:
    """Return the version for readers of no language of them: the one in the site's own, else the original."""
    own = [one for one in versions if one.language == site.language]
    originals = [one for one in versions if not one.translation_of]
    return [*own, *originals, *versions][0]


def manifest(site: Site, theme: Theme) -> Document:
    """Return the manifest with which phones put the portal among their applications."""
    icons = [{"src": theme.paths["icon.svg"], "sizes": "any", "type": "image/svg+xml"}]
    if "icon-512.png" in theme.paths:
        icons.append({"src": theme.paths["icon-512.png"], "sizes": "512x512", "type": "image/png"})
    content = {
        "name": site.name,
        "lang": site.language,
        "start_url": "/",
        "display": "minimal-ui",
        "theme_color": COLOUR,
        "background_color": BACKGROUND,
        "icons": icons,
    }
    return Document(msgspec.json.encode(content) + b"\n", "application/json")
