"""Role `site`: the public pages. Stateless; needs Postgres, and serves cached pages while Postgres is unavailable."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from starlette.routing import Route

from services.render.settings import RenderSettings
from services.render.site.files import Files
from services.render.site.images import Images
from services.render.site.portal import MethodNotAllowed, Pools, Portal
from services.render.site.preview_source import PreviewSource
from services.render.site.previews import ROUTE as PREVIEW_ROUTE
from services.render.site.previews import Previews
from services.render.site.representations import ROUTE
from services.render.site.saved_copies import ROUTE as SAVED_ROUTE
from services.render.site.saved_copies import SavedCopies
from shared.object_store import open_store
from shared.postgres import open_pool
from shared.role import Process, Role


def site_role(portal: Portal, images: Images, files: Files, previews: Previews, copies: SavedCopies) -> Role:
    """Return the role that serves a portal, its images, its files, and copies to keep."""
    routes = [
        Route("/media/{name}", images.image),
        Route("/tep/{file_id}/{name}", files.file),
        Route(SAVED_ROUTE, copies.copy),
        Route(PREVIEW_ROUTE, previews.preview),
        Route(ROUTE, portal.page),
        Route(ROUTE, MethodNotAllowed()),
    ]
    return Role("site", routes=routes, direct=portal.serve_direct, degraded=portal.warnings)


@asynccontextmanager
async def run_site(settings: RenderSettings, process: Process) -> AsyncIterator[Role]:
    """Run the public pages."""
    url = settings.database_url.get_secret_value()
    open_site_pool = partial(open_pool, url, role="presstally_render")
    pools = Pools(
        versions=await open_site_pool(size=1, statement_timeout_seconds=1),
        pages=await open_site_pool(size=6, statement_timeout_seconds=3),
        searches=await open_site_pool(size=3, statement_timeout_seconds=3),
    )
    sites, store = process.follow_sites(settings), open_store(settings.media)
    portal = Portal(pools, sites, settings.page_cache_bytes_max)
    eviction = process.spawn(portal.run_eviction(), "evict withdrawn pages")
    try:
        previews = Previews(portal, PreviewSource(settings.articles_url))
        yield site_role(portal, Images(store), Files(pools, sites, store), previews, SavedCopies(portal, store))
    finally:
        eviction.cancel()
        for pool in pools:
            pool.terminate()
