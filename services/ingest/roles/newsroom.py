"""Role `newsroom`: the pages where editors work. Stateless; needs nothing but the editor API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount

from services.ingest.newsroom import (
    account,
    article,
    banners,
    comments,
    desk,
    front_page,
    history,
    live_page,
    login,
    media,
    menus,
    people,
    review,
    static_pages,
    steps,
    structure,
)
from services.ingest.newsroom.api_client import HttpTransport
from services.ingest.newsroom.pages import ROOT, STATIC_ROUTE, Newsroom, show_missing
from services.ingest.newsroom.unread_uploads import UnreadUploads
from services.ingest.settings import IngestSettings
from shared.http.problems import EXCEPTION_HANDLERS
from shared.role import Process, Role


def newsroom_app(newsroom: Newsroom) -> Starlette:
    """Return the application that serves the pages."""
    routes = [
        STATIC_ROUTE,
        *login.ROUTES,
        *account.ROUTES,
        *desk.ROUTES,
        *article.ROUTES,
        *steps.ROUTES,
        *live_page.ROUTES,
        *review.ROUTES,
        *comments.ROUTES,
        *history.ROUTES,
        *people.ROUTES,
        *front_page.ROUTES,
        *structure.ROUTES,
        *static_pages.ROUTES,
        *menus.ROUTES,
        *banners.ROUTES,
        *media.ROUTES,
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(UnreadUploads)],
        exception_handlers={**EXCEPTION_HANDLERS, HTTPException: show_missing},
    )
    app.state.newsroom = newsroom
    return app


@asynccontextmanager
async def run_newsroom(settings: IngestSettings, process: Process) -> AsyncIterator[Role]:
    """Run the pages."""
    transport = HttpTransport(settings.articles_url)
    newsroom = Newsroom(transport, process.follow_sites(settings))
    app = newsroom_app(newsroom)
    missing = [] if settings.articles_url else ["PRESSTALLY_ARTICLES_URL is not set: the pages have no editor API"]
    try:
        yield Role(
            "newsroom",
            routes=[Mount(ROOT, app)],
            degraded=lambda: missing,
        )
    finally:
        newsroom.close()
        transport.close()
