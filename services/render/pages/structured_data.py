"""The breadcrumbs of an article's page as schema.org BreadcrumbList. Pure."""

from typing import Any

from shared.articles import Article, article_path
from shared.sites import Site


def breadcrumbs(article: Article, site: Site, public_url: str, home: str) -> dict[str, Any]:
    """Return the path from the home page to an article, as schema.org BreadcrumbList."""
    section = site.section(article.section)
    steps = [(home, f"{public_url}/")]
    steps += [(section.name, f"{public_url}/{section.slug}/")] if section else []
    return {
        "@context": "https://schema.org",
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"@type": "ListItem", "position": position, "name": name, "item": url}
            for position, (name, url) in enumerate([*steps, (article.title, public_url + article_path(article))], 1)
        ],
    }
