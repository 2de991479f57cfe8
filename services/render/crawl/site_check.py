"""Renders every page of a site, resolves its links, and reports what is wrong with a generation."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import asyncpg

from services.render.crawl.all_pages import BulkPageReader, RenderFailure, SiteUrls, render_all, render_url, site_urls
from services.render.crawl.links import copied_page, file_id, media_name, own_links
from services.render.pages.document import Document
from services.render.pages.themes import theme_of
from services.render.queries import GENERATIONS
from services.render.site.page_reader import PageReader, read_valid_site
from services.render.site.redirects_and_gone import Redirect
from shared.sites import Site

SHOWN_MAX = 10
SOURCES_MAX = 20
"""Pages that are kept for each link that is not one of the site's URLs."""


@dataclass
class SiteCheckReport:
    """The result of a check of every page of a site."""

    checksums: dict[str, str] = field(default_factory=dict)
    """Of each document, by URL."""
    failed: dict[str, str] = field(default_factory=dict)
    """URLs whose page cannot be rendered or does not exist, each with the reason."""
    broken: dict[str, str] = field(default_factory=dict)
    """Broken links that the portal made itself, each with a page that has it."""
    editors_broken: dict[str, str] = field(default_factory=dict)
    """Broken links that editors wrote into a text, each with a page that has it."""
    redirects: dict[str, str] = field(default_factory=dict)
    """Links that lead to a redirect, each with its target."""


class LinkChecker:
    """Records the links of each document, and resolves those that are not one of the site's URLs."""

    def __init__(self, urls: SiteUrls, site: Site, public_url: str) -> None:
        self._known = urls.all | theme_of(site).assets.keys()
        self._good = set(self._known)
        """Links that need no look: those of known URLs, and of what belongs to them."""
        self._public_url = public_url
        self._unknown: dict[str, list[str]] = defaultdict(list)

    def record(self, url: str, links: set[str]) -> None:
        """Record a document's links. Images are not looked up in the media store here."""
        for link in links - self._good:
            if copied_page(link) in self._known or media_name(link) is not None:
                self._good.add(link)
            elif len(self._unknown[link]) < SOURCES_MAX:
                self._unknown[link].append(url)

    async def resolve(self, reader: PageReader, report: SiteCheckReport) -> None:
        """Request the unknown links, and report the broken ones and the redirects."""
        offered = await offered_files(reader, self._unknown)
        for link, sources in sorted(self._unknown.items()):
            if file_id(link) in offered:
                continue
            result = await render_url(reader, link, self._public_url)
            if isinstance(result, Document):
                continue
            if isinstance(result, Redirect):
                report.redirects[link] = result.path
                continue
            portal_sources = [source for source in sources if not await _is_editor_link(reader, source, link)]
            broken = report.broken if portal_sources else report.editors_broken
            broken[link] = (portal_sources or sources)[0]


async def offered_files(reader: PageReader, links: Iterable[str]) -> set[str]:
    """Return the ids of the files among some links that readers get: public articles or static pages offer them."""
    ids = sorted({found for link in links if (found := file_id(link)) is not None})
    rows = await reader.connection.fetch(reader.sql["offered_files"], reader.site.slug, ids) if ids else []
    return {row["id"] for row in rows}


async def _is_editor_link(reader: PageReader, source: str, link: str) -> bool:
    """Return whether an editor wrote the link on a page, in its text or in the structure of the site."""
    return bool(await reader.connection.fetchval(reader.sql["text_contains"], reader.site.slug, source, link))


async def check_site(connection: asyncpg.Connection, schema: str, site: Site, public_url: str) -> SiteCheckReport:
    """Render every page of a site, in one snapshot of a generation, and resolve all links."""
    report = SiteCheckReport()
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        site = await read_valid_site(connection, GENERATIONS[schema], site)
        reader = BulkPageReader(connection, site, GENERATIONS[schema])
        urls = await site_urls(reader)
        links = LinkChecker(urls, site, public_url)
        async for url, result in render_all(reader, urls, public_url):
            if isinstance(result, Document):
                report.checksums[url] = result.checksum
                links.record(url, own_links(result, public_url))
            else:
                report.failed[url] = result.reason if isinstance(result, RenderFailure) else str(result)
        await links.resolve(reader, report)
    return report


def print_findings(title: str, found: Mapping[str, str] | Iterable[str]) -> None:
    """Print the number of findings and the first ones; print nothing if there are none."""
    lines = [f"{one} ({reason})" for one, reason in found.items()] if isinstance(found, Mapping) else list(found)
    if lines:
        shown = ", ".join(lines[:SHOWN_MAX]) + (", …" if len(lines) > SHOWN_MAX else "")
        print(f"{title}: {len(lines)}: {shown}", flush=True)
