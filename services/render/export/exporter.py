"""All of a site → files of a folder. Only what is made of other things than at the last export is rendered again."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import obstore
from obstore.exceptions import NotFoundError
from obstore.store import ObjectStore

from services.render.crawl.all_pages import BulkPageReader, RenderFailure, Unchanged, render_all, site_urls
from services.render.crawl.links import file_id, media_name, own_links
from services.render.crawl.site_check import LinkChecker, SiteCheckReport, offered_files
from services.render.export.folder import ExportFolder, file_name
from services.render.export.redirects import redirects_of
from services.render.export.search_export import SEARCH_PAGE, search_documents, search_page
from services.render.export.search_files import FOLDER as SEARCH_FOLDER
from services.render.export.server_configs import Redirects, caddyfile, netlify_headers, netlify_redirects, nginx_map
from services.render.export.state import ExportState, KnownPage, made_of
from services.render.pages.document import Document
from services.render.pages.html import render_error
from services.render.pages.saved_copy import PATH_PREFIX as COPY_PREFIX
from services.render.pages.saved_copy import checksum_mark, complete, picture_paths
from services.render.pages.themes import PREVIEW_FILES, theme_of
from services.render.site.representations import CACHE_IMMUTABLE, CACHE_REVALIDATE, page_csp, security_headers
from services.render.site.routes import saved_article
from services.render.site.saved_copies import read_pictures
from shared.articles import FILE_PREFIX, MEDIA_PREFIX, article_path
from shared.object_store import FILES, PUBLIC, TYPES
from shared.sites import Site


class _Places(dict[str, int]):
    """The place of each link in the list of all links, in the order in which they are met."""

    def __missing__(self, link: str) -> int:
        place = self[link] = len(self)
        return place


class SiteExporter:
    """Renders all of a site into a folder.

    Args:
        folder: Where the files are written.
        store: The media store.
        public_url: Before absolute links of the site's own.
        before: What the last export left there.
        pages_only: Without copies of articles to keep, and without a search in the browser.

    Attributes:
        missing: Images and files that are not in the media store, each with its page.
        after: What this export leaves for the next one.
        rendered: How many pages were rendered.
    """

    def __init__(
        self,
        folder: ExportFolder,
        store: ObjectStore,
        public_url: str,
        before: ExportState | None = None,
        *,
        pages_only: bool = False,
    ) -> None:
        self._folder = folder
        self._store = store
        self._public_url = public_url
        self._before = before or ExportState()
        self._pages_only = pages_only
        self._seen: set[str] = set()
        self._places = _Places()
        self._made_of = ""
        self.missing: dict[str, str] = {}
        self.rendered = 0
        self.after = ExportState(self._before.everywhere)

    def keep_all(self, now: datetime) -> bool:
        """Keep everything as the last export left it, if that was complete and nobody touched a file since."""
        before = self._before
        is_current = before.is_complete and before.expires_at is not None and now < before.expires_at
        if not (is_current and self._folder.keep_untouched(_plain(before.files), before.files)):
            return False
        self.after = before
        return True

    async def export_site(self, reader: BulkPageReader) -> SiteCheckReport:
        """Write all of a site into the folder, and return the report of its check."""
        report, urls = SiteCheckReport(), await site_urls(reader)
        links = LinkChecker(urls, reader.site, self._public_url)
        theme = theme_of(reader.site)
        of_previews = {theme.paths[name] for name in PREVIEW_FILES if name in theme.paths}
        for path, document in theme.assets.items():
            if path not in of_previews:
                self._put(path, document)
        for status in (404, 410):
            self._put(f"/{status}.html", render_error(reader.site, self._public_url, status))
        async for url, result in render_all(reader, urls, self._public_url, self._is_known):
            if isinstance(result, Unchanged):
                own, report.checksums[url] = self._known_links(url), self._before.pages[url].checksum
            elif isinstance(result, Document):
                own, report.checksums[url] = own_links(result, self._public_url), result.checksum
                self._note(url, result, own)
                self.rendered += 1
            else:
                report.failed[url] = result.reason if isinstance(result, RenderFailure) else str(result)
                continue
            links.record(url, own)
            await self._put_media(reader, own, url)
            if isinstance(result, Document):
                in_browser = url == SEARCH_PAGE and not self._pages_only
                self._put(url, search_page(reader, self._public_url) if in_browser else result)
            if (copy := f"{COPY_PREFIX}{url[1:]}") in own and not self._pages_only:
                await self._put_copy(reader, copy)
        if not self._pages_only:
            await self._put_search(reader, urls.articles.values())
        await links.resolve(reader, report)
        self._put_server_configs(reader.site, await redirects_of(reader, report, urls))
        self.after.links, self.after.files = list(self._places), self._folder.stamps
        self.after.expires_at, self.after.editors_broken = reader.expires_at, report.editors_broken
        return report

    def _is_known(self, url: str, dependencies: list[Any]) -> bool:
        """Return whether the folder has the page that would be made of these rows, and keep it then."""
        self._made_of, known = made_of(dependencies), self._before.pages.get(url)
        if known is None or known.made_of != self._made_of:
            return False
        return self._folder.keep_untouched([file_name(url, known.media_type)], self._before.files)

    def _note(self, url: str, document: Document, links: Iterable[str]) -> None:
        places = [self._places[link] for link in links]
        self.after.pages[url] = KnownPage(self._made_of, document.checksum, document.media_type, places)

    def _known_links(self, url: str) -> set[str]:
        """Return the links of a page that was not rendered, and note it again."""
        known = self._before.pages[url]
        links = {self._before.links[place] for place in known.links}
        places = [self._places[link] for link in links]
        self.after.pages[url] = KnownPage(known.made_of, known.checksum, known.media_type, places)
        return links

    def _put(self, url: str, document: Document) -> None:
        self._folder.put(file_name(url, document.media_type), document)

    async def _put_media(self, reader: BulkPageReader, links: set[str], page: str) -> None:
        """Write the images and files of a page. A name never changes its content.

        A text may link to a file that nobody offers, or not any more: that is no file of the site.
        """
        new = {one for one in links - self._seen if one.startswith((MEDIA_PREFIX, FILE_PREFIX))}
        self._seen |= new
        offered = await offered_files(reader, new)
        for link in sorted(new):
            name, document = media_name(link), file_id(link)
            if name is None and document not in offered:
                continue
            file = link.lstrip("/")
            if self._folder.has(file):
                self._folder.keep(file)
                continue
            stored = PUBLIC + name if name is not None else f"{FILES}{document}"
            try:
                content = bytes(await (await obstore.get_async(self._store, stored)).bytes_async())
            except (FileNotFoundError, NotFoundError):
                self.missing[link] = page
                continue
            kind = "application/octet-stream" if name is None else TYPES[name.rpartition(".")[2]]
            self._folder.put(file, Document(content, kind), may_compress=False)

    async def _put_copy(self, reader: BulkPageReader, link: str) -> None:
        """Write the copy of an article that its readers may keep, unless it was made of the same before."""
        file, made = link.lstrip("/"), self._made_of
        if self._before.copies.get(link) == made and self._folder.keep_untouched([file], self._before.files):
            self.after.copies[link] = made
            return
        result = await saved_article(reader, link)
        if not isinstance(result, tuple):
            return
        article, page = result
        if self._folder.begins_with(file, checksum_mark(page)):
            self._folder.keep(file)
            self.after.copies[link] = made
            return
        pictures = await read_pictures(page, reader.site, self._store, self._written)
        canonical = self._public_url + article_path(article)
        self._folder.put(file, complete(page, pictures, canonical, self._public_url), may_compress=False)
        if pictures.keys() >= set(picture_paths(page)):
            self.after.copies[link] = made

    def _written(self, path: str) -> bytes:
        """Return a picture that is in the folder; nothing if it is not."""
        file = path.lstrip("/")
        return self._folder.read(file) if file in self._folder.stamps else b""

    async def _put_search(self, reader: BulkPageReader, articles: Iterable[str]) -> None:
        """Write the index of the search, unless it was made of the same articles before."""
        pages = self.after.pages
        self.after.search = made_of([(url, pages[url].made_of) for url in articles if url in pages])
        is_same = bool(self._before.search) and self.after.search == self._before.search
        files = [one for one in _plain(self._before.files) if one.startswith(SEARCH_FOLDER.lstrip("/"))]
        if is_same and self._folder.keep_untouched(files, self._before.files):
            return
        async for url, document in search_documents(reader):
            self._put(url, document)

    def _put_server_configs(self, site: Site, redirects: Redirects) -> None:
        headers = {**security_headers(page_csp(theme_of(site).inline_script_hash)), "cache-control": CACHE_REVALIDATE}
        texts = {
            "Caddyfile": caddyfile(redirects, headers, CACHE_IMMUTABLE),
            "redirects.nginx": nginx_map(redirects),
            "_redirects": netlify_redirects(redirects),
            "_headers": netlify_headers(headers, CACHE_IMMUTABLE),
        }
        for name, text in texts.items():
            self._folder.put(name, Document(text.encode(), "text/plain"), may_compress=False)


def _plain(files: Collection[str]) -> list[str]:
    """Return the files without those that are others compressed."""
    return [name for name in files if not (name.endswith(".gz") and name.removesuffix(".gz") in files)]
