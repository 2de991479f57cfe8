"""`/ban-luu/SLUG-NUMBER.html`: an article as one file to keep, with its pictures inside.

Copies are made for each request and never cached: they are large, and few readers ask for one.
"""

import asyncio
import gzip
from collections.abc import Callable
from functools import partial

import obstore
from obstore.exceptions import NotFoundError
from obstore.store import ObjectStore
from starlette.requests import Request
from starlette.responses import Response

from services.render.metrics import PAGES
from services.render.pages.document import Document
from services.render.pages.saved_copy import PATH_PREFIX, PICTURE_BYTES_MAX, complete, picture_paths
from services.render.pages.themes import theme_of
from services.render.site.page_reader import PageReader
from services.render.site.portal import Portal
from services.render.site.redirects_and_gone import NoPage, Redirect
from services.render.site.representations import CACHE_REVALIDATE, redirect, security_headers
from services.render.site.routes import saved_article
from shared.articles import MEDIA_PREFIX, Article, article_path
from shared.http.downloads import attachment
from shared.http.fair_limit import FairLimit
from shared.http.negotiation import etag_matches, takes_gzip
from shared.http.problems import Problem
from shared.logs import log
from shared.object_store import PUBLIC, STORE_ERRORS
from shared.postgres import POSTGRES_DATA_ERRORS, POSTGRES_UNAVAILABLE
from shared.sites import Site

ROUTE = PATH_PREFIX + "{name}"
CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; sandbox"
"""Should a browser show a copy instead of saving it, it needs no more."""
SECONDS_MAX = 15.0
RUNNING_MAX = 2
"""Copies that are made at once: each has its pictures in memory."""
OF_ADDRESS_MAX = 4
IN_PROGRESS_MAX = 64
TURN_SECONDS_MAX = 5.0


class SavedCopies:
    """Serves articles as files to keep.

    Args:
        portal: Whose sites, pages of errors and database it uses.
        store: The media store.
    """

    def __init__(self, portal: Portal, store: ObjectStore) -> None:
        self._portal = portal
        self._store = store
        self._turns = FairLimit(
            "copies",
            running_max=RUNNING_MAX,
            in_progress_max=IN_PROGRESS_MAX,
            of_caller_max=OF_ADDRESS_MAX,
            wait_seconds_max=TURN_SECONDS_MAX,
        )

    async def copy(self, request: Request) -> Response:
        """`GET /ban-luu/SLUG-NUMBER.html`."""
        site = self._portal.site_of(request.headers.get("host", ""))
        try:
            async with asyncio.timeout(SECONDS_MAX), self._turns.admit():
                return await self._respond(request, site)
        except POSTGRES_DATA_ERRORS:
            return self._portal.error(site, 404, request)
        except STORE_ERRORS as error:
            log.warning("The media store is unavailable", reason=repr(error)[:500])
            return self._portal.error(site, 503, request)
        except (Problem, *POSTGRES_UNAVAILABLE):
            return self._portal.error(site, 503, request)
        except Exception as error:  # noqa: BLE001 - readers get an error page, operators the traceback
            log.error("saving a copy failed", path=request.url.path, exc_info=error)
            return self._portal.error(site, 500, request)

    async def _respond(self, request: Request, site: Site) -> Response:
        result = await self._portal.read(site, partial(_saved, request.scope["path"]))
        match result:
            case Redirect(to):
                return redirect(to)
            case NoPage(status):
                return self._portal.error(site, status, request)
        article, page = result
        is_gzip = takes_gzip(request.headers.get("accept-encoding") or "identity")
        headers = {
            **security_headers(),
            **attachment(f"{article.slug}.html"),
            "content-security-policy": CSP,
            "cache-control": CACHE_REVALIDATE,
            "etag": page.etag("gzip" if is_gzip else "identity"),
            "vary": "accept-encoding",
            "x-robots-tag": "noindex",
        }
        if etag_matches(headers["etag"], request.headers.get("if-none-match", "")):
            return Response(None, 304, headers)
        PAGES.labels("copy").inc()
        pictures = await read_pictures(page, site, self._store)
        body = await asyncio.to_thread(_body, page, pictures, article, site, is_gzip=is_gzip)
        if is_gzip:
            headers["content-encoding"] = "gzip"
        return Response(body, 200, headers, page.media_type)


async def _saved(path: str, reader: PageReader) -> tuple[Article, Document] | Redirect | NoPage:
    return await saved_article(reader, path)


def _nothing(path: str) -> bytes:
    return b""


async def read_pictures(
    page: Document, site: Site, store: ObjectStore, known: Callable[[str], bytes] = _nothing
) -> dict[str, bytes]:
    """Return the pictures of a copy by path, as many as it may have: of its theme, and of the media store.

    Args:
        page: The copy without them.
        site: Its site.
        store: The media store.
        known: Returns a picture of the media store that the caller has already, else nothing.

    Raises:
        OSError, obstore.exceptions.BaseError: the store is unavailable.
    """
    assets, found, size = theme_of(site).assets, dict[str, bytes](), 0
    for path, count in picture_paths(page).items():
        if path in assets:
            found[path] = assets[path].body
            continue
        if content := known(path):
            size += count * len(content)
            if size > PICTURE_BYTES_MAX:
                break
            found[path] = content
            continue
        try:
            stored = await obstore.get_async(store, PUBLIC + path.removeprefix(MEDIA_PREFIX))
            size += count * int(stored.meta["size"])
            if size > PICTURE_BYTES_MAX:
                break
            found[path] = bytes(await stored.bytes_async())
        except (FileNotFoundError, NotFoundError):
            continue  # the copy links to the article instead
    return found


def _body(page: Document, pictures: dict[str, bytes], article: Article, site: Site, *, is_gzip: bool) -> bytes:
    body = complete(page, pictures, site.url + article_path(article), site.url).body
    return gzip.compress(body, 1, mtime=0) if is_gzip else body
