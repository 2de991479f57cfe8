"""`/xem-truoc/SIGNED`: a version of an article, or a static page, in the theme of its site before it is published.

Whatever is wrong with a link, the response is the site's 404 page with the same bytes.
"""

import asyncio
import re
from functools import partial
from typing import get_args

from starlette.requests import Request
from starlette.responses import Response

from services.render.metrics import PAGES
from services.render.pages import html
from services.render.pages.document import Document
from services.render.pages.preview import FRAMES, PreviewInfo, View, preview_card, preview_frame, preview_page
from services.render.site.page_reader import PageReader
from services.render.site.portal import Portal
from services.render.site.preview_source import PreviewSource, PreviewUnavailableError
from services.render.site.representations import CACHE_NO_STORE
from shared.http.fair_limit import FairLimit
from shared.http.problems import Problem
from shared.logs import log
from shared.postgres import POSTGRES_UNAVAILABLE
from shared.previews import PreviewedVersion
from shared.sites import Site

ROUTE = "/xem-truoc/{signed}"
SECONDS_MAX = 6.0
RUNNING_MAX = 4
OF_ADDRESS_MAX = 16
IN_PROGRESS_MAX = 128
TURN_SECONDS_MAX = 2.0
VIEWS: frozenset[str] = frozenset(get_args(View))
_SIGNED = re.compile(r"[A-Za-z0-9_.-]{20,120}", re.ASCII)


class Previews:
    """Serves previews.

    Args:
        portal: Whose sites, pages of errors and database it uses.
        source: Where the versions come from.
    """

    def __init__(self, portal: Portal, source: PreviewSource) -> None:
        self._portal = portal
        self._source = source
        self._turns = FairLimit(
            "previews",
            running_max=RUNNING_MAX,
            in_progress_max=IN_PROGRESS_MAX,
            of_caller_max=OF_ADDRESS_MAX,
            wait_seconds_max=TURN_SECONDS_MAX,
        )

    async def preview(self, request: Request) -> Response:
        """`GET /xem-truoc/SIGNED?xem=VIEW`."""
        site = self._portal.site_of(request.headers.get("host", ""))
        try:
            async with asyncio.timeout(SECONDS_MAX), self._turns.admit():
                document = await self._document(request, site)
        except PreviewUnavailableError as error:
            log.warning("a preview cannot be shown: ingest is unavailable", reason=str(error))
            return self._portal.error(site, 503, request)
        except (Problem, *POSTGRES_UNAVAILABLE):
            return self._portal.error(site, 503, request)
        except Exception as error:  # noqa: BLE001 - the link must not be in the log
            log.error("rendering a preview failed", exc_info=error)
            return self._portal.error(site, 500, request)
        if document is None:
            return self._portal.error(site, 404, request)
        PAGES.labels("preview").inc()
        headers = {
            **self._portal.headers(site, document),
            "cache-control": CACHE_NO_STORE,
            "x-robots-tag": "noindex, nofollow, noarchive",
            "referrer-policy": "no-referrer",
        }
        headers["content-security-policy"] += "; frame-src 'self'"
        return Response(document.body, 200, headers, document.media_type)

    async def _document(self, request: Request, site: Site) -> Document | None:
        signed, query = request.path_params["signed"], request.query_params
        view = query.get("xem", "trang")
        if not _SIGNED.fullmatch(signed) or view not in VIEWS or set(query) - {"xem"} or len(query.multi_items()) > 1:
            return None
        found = await self._source.fetch(signed)
        if found is None or found.site != site.slug:
            return None
        version = None if found.article is None else found.article.version
        info = PreviewInfo(version, found.follows, found.expires_at, view)  # type: ignore[arg-type]
        if view in FRAMES:
            return preview_frame(info, site)
        page = await self._portal.read(site, partial(_page, found))
        return preview_card(page, info, site, site.url) if view == "the" else preview_page(page, info, site)


async def _page(shown: PreviewedVersion, reader: PageReader) -> Document:
    """Return the page of an article or a static page, as the page's own route renders it."""
    if shown.page is not None:
        return html.render_static_page(shown.page, await reader.inside(shown.page.body), reader.site, reader.site.url)
    article = shown.article
    assert article is not None, "a link shows one of the two"
    related = await reader.related_articles(article)
    return html.render_article(reader.site.resolved(article), related, reader.site, reader.site.url)
