"""What pages say about themselves to programs besides articles: schema.org, the manifest, and languages. Pure."""

from collections.abc import Sequence
from typing import Any

import msgspec

from services.render.pages.document import Document
from services.render.pages.themes import Theme
from services.render.pages.translations import translations
from shared.articles import Article
from shared.sites import Site

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
