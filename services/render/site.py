"""Role `site`: the public pages, as the builder made them. Stateless; needs Postgres only."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import obstore
from obstore.exceptions import NotFoundError
from obstore.store import ObjectStore
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from services.render.pages import STYLE, STYLE_PATH, render_error, render_list
from services.render.settings import RenderSettings
from services.render.store import SQL
from shared.logs import log
from shared.media import NAME_PATTERN, PUBLIC, STORE_AWAY, TYPES, open_store
from shared.postgres import POSTGRES_AWAY, POSTGRES_UNFIT, open_pool
from shared.problems import Problem
from shared.process import Process, Role
from shared.sites import Site, Sites, read_sites

ARTICLE_PATH = re.compile(r"^/(?:.*-)?(\d{1,18})\.html$")
PAGE_HEADERS = {
    "cache-control": "public, max-age=0, must-revalidate",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
}
IMAGE_NAME = re.compile(NAME_PATTERN)
IMAGE_HEADERS = {
    "cache-control": "public, max-age=31536000, immutable",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
}
NOT_KEPT = {"cache-control": "no-store"}
"""An image that is not there yet may be there soon."""
ERRORS = {
    404: ("Không tìm thấy trang", "Trang này không có hoặc đã được chuyển đi."),
    410: ("Bài viết đã được gỡ", "Bài viết này không còn trên trang."),
    503: ("Trang tạm thời gián đoạn", "Xin thử lại sau ít phút."),
}


class Portal:
    """Serves pages by site and path."""

    def __init__(self, pool: asyncpg.Pool, sites: Sites, public_url: str | None) -> None:
        self._pool = pool
        self._sites = sites
        self._public_url = public_url

    async def page(self, request: Request) -> Response:
        """`GET` any page of the portal."""
        site = self._sites.of_host(request.headers.get("host", ""))
        path = request.url.path
        try:
            row = await self._pool.fetchrow(SQL["page"], site.slug, path)
            if row is None:
                return await self._absent(site, path)
        except POSTGRES_UNFIT:  # a path that cannot be stored cannot be a page
            return self._error(site, 404)
        except POSTGRES_AWAY:
            return self._error(site, 503, {"retry-after": "5"})
        headers = {**PAGE_HEADERS, "etag": row["etag"]}
        if row["etag"] in request.headers.get("if-none-match", ""):
            return Response(None, 304, headers)
        return HTMLResponse(row["html"], headers=headers)

    async def _absent(self, site: Site, path: str) -> Response:
        if path == "/":  # a portal without articles has a home page all the same
            return HTMLResponse(render_list([], site, None, self._url(site)).html, headers=PAGE_HEADERS)
        found = ARTICLE_PATH.match(path)
        row = await self._pool.fetchrow(SQL["article_of_number"], site.slug, int(found[1])) if found else None
        if row is None:
            return self._error(site, 404)
        if row["is_public"]:
            return RedirectResponse(row["path"], 301)
        return self._error(site, 410 if row["state"] == "killed" else 404)

    def _error(self, site: Site, status: int, headers: dict[str, str] | None = None) -> Response:
        html = render_error(site, self._url(site), *ERRORS[status])
        return HTMLResponse(html, status, {**PAGE_HEADERS, "cache-control": "no-store", **(headers or {})})

    def _url(self, site: Site) -> str:
        return self._public_url or site.origins[0]


class Images:
    """Serves the public copies of the media store. A name stands for one content for ever."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def image(self, request: Request) -> Response:
        """`GET /media/NAME`."""
        name = request.path_params["name"]
        if not IMAGE_NAME.match(name):
            raise Problem(404, "There is no image by that name.", headers=NOT_KEPT)
        headers = {**IMAGE_HEADERS, "etag": f'"{name}"'}
        if headers["etag"] in request.headers.get("if-none-match", ""):
            return Response(None, 304, headers)
        try:
            content = bytes(await (await obstore.get_async(self._store, PUBLIC + name)).bytes_async())
        except (FileNotFoundError, NotFoundError) as error:
            raise Problem(404, "There is no image by that name.", headers=NOT_KEPT) from error
        except STORE_AWAY as error:
            log.warning("The media store does not answer", reason=repr(error)[:500])
            detail = "The media store does not answer now."
            raise Problem(503, detail, headers={**NOT_KEPT, "retry-after": "5"}) from error
        return Response(content, media_type=TYPES[name.rpartition(".")[2]], headers=headers)


async def _style(request: Request) -> Response:
    return Response(STYLE, media_type="text/css", headers={"cache-control": "public, max-age=31536000, immutable"})


@asynccontextmanager
async def site(settings: RenderSettings, process: Process) -> AsyncIterator[Role]:
    """Run the public pages."""
    pool = await open_pool(
        settings.database_url.get_secret_value(), role="presstally_render", statement_timeout_seconds=3
    )
    portal = Portal(pool, read_sites(settings.sites), settings.public_url)
    images = Images(open_store(settings.media))
    routes = [Route(STYLE_PATH, _style), Route("/media/{name}", images.image), Route("/{path:path}", portal.page)]
    try:
        yield Role("site", routes=routes)
    finally:
        pool.terminate()
