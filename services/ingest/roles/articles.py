"""Role `articles`: the editor API, the outbox relay, the scheduler, and what the portal says is live."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi_offline import FastAPIOffline
from starlette.routing import Mount

from services.ingest.api import article_routes, history_routes, import_routes, media_routes, public_routes
from services.ingest.api.body_limits import Bounded
from services.ingest.api.dependencies import Desk
from services.ingest.api.errors import HANDLERS
from services.ingest.api.schemas import SCHEMAS
from services.ingest.articles.outbox_relay import relay
from services.ingest.articles.publication_status import GROUP, Publications, save_publication
from services.ingest.articles.scheduler import schedule
from services.ingest.auth.tokens import Tokens
from services.ingest.media.library import MediaStore
from services.ingest.settings import IngestSettings
from shared import __version__
from shared.http import asyncapi
from shared.kafka.consumer import create_broker, run_broker, subscribe
from shared.kafka.producer import Producer
from shared.object_store import open_store
from shared.postgres import open_pool
from shared.role import Process, Role
from shared.sites import read_sites
from shared.topics import PAGES_LIVE
from shared.tracing import consumer_middlewares, http_telemetry, start_tracing, stop_tracing

END_SECONDS = 4.0
DESCRIPTION = """\
Articles come in as drafts, are submitted, approved and published; readers get them within a second.

- **Tokens**: `Authorization: Bearer pt_…`, with the scope that a route names. What is public needs none.
- **Versions**: each accepted change is the next version. An edit says which version it changes
  (`If-Match: "3"` or the field `version`); if another came first, it is 412 and nothing is lost.
- **Repetition**: a POST with an `Idempotency-Key` may be sent again; it is done once.
- **Images**: `POST /media` first; an article then names the image by its id (`"image": {"media": "…", "alt": "…"}`).
- **Errors**: RFC 9457; `errors` names each field with its limit and the value's size.
"""


def editor_api(desk: Desk) -> FastAPI:
    """Build the API below `/api`."""
    api = FastAPIOffline(
        title="Presstally editor API",
        version=__version__,
        description=DESCRIPTION,
        exception_handlers=HANDLERS,
        telemetry=http_telemetry(),
    )
    api.state.desk = desk
    # Reading first: `/articles/{id}.ninjs` must not be taken for an id.
    api.include_router(public_routes.router)
    api.include_router(article_routes.router)
    api.include_router(history_routes.router)
    api.include_router(media_routes.router)
    api.include_router(import_routes.router)

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            document = get_openapi(
                title=api.title,
                version=api.version,
                description=api.description,
                routes=api.routes,
                servers=[{"url": "/api"}],
            )
            document.setdefault("components", {}).setdefault("schemas", {}).update(SCHEMAS)
            api.openapi_schema = document
        return api.openapi_schema

    api.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way
    return api


@asynccontextmanager
async def run_articles(settings: IngestSettings, process: Process) -> AsyncIterator[Role]:
    """Run the editor API, the relay, the scheduler and the reader of `pages-live`."""
    start_tracing("ingest", settings.traces)
    sites = read_sites(settings.sites)
    pool = await open_pool(settings.database_url.get_secret_value(), role="presstally_ingest")
    producer = Producer(settings.kafka)
    producer.start()
    broker = create_broker(settings.kafka, consumer_middlewares())
    subscribe(broker, PAGES_LIVE.name, GROUP, partial(save_publication, pool, producer), process)
    publications = Publications(pool, process.stop)
    desk = Desk(pool, Tokens(pool), sites, publications, settings.public_url, MediaStore(open_store(settings.media)))
    working = [
        process.spawn(relay(pool, settings.kafka), "outbox relay"),
        process.spawn(schedule(pool, sites), "scheduler"),
        process.spawn(publications.watch(), "publications"),
    ]
    try:
        async with run_broker(broker, settings.kafka, process):
            yield Role(
                "articles",
                routes=[Mount("/api", Bounded(editor_api(desk))), *asyncapi.ROUTES],
                not_ready=lambda: [producer.problem] if producer.problem else [],
            )
    finally:
        for work in working:
            work.cancel()
        await asyncio.wait(working, timeout=END_SECONDS)  # the relay gives its lock back: another takes over at once
        await producer.stop()
        pool.terminate()
        await stop_tracing()
