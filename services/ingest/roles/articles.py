"""Role `articles`: the editor API, the outbox relay, the scheduler and the publication status."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import asyncpg
from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi_offline import FastAPIOffline
from starlette.routing import Mount
from starlette.types import ASGIApp

from services.ingest.api import (
    article_list_routes,
    article_routes,
    author_routes,
    autosave_routes,
    banner_routes,
    bulk_routes,
    comment_routes,
    discard_routes,
    documentation,
    file_routes,
    front_page_routes,
    history_routes,
    import_routes,
    live_routes,
    me_routes,
    media_routes,
    menu_routes,
    oidc_routes,
    page_routes,
    people_routes,
    presence_routes,
    preview_routes,
    public_article_routes,
    section_routes,
    sent_form_routes,
    session_routes,
    tag_routes,
    webhook_routes,
)
from services.ingest.api.body_limits import BodyLimitMiddleware
from services.ingest.api.dependencies import ApiContext
from services.ingest.api.error_codes import ProblemCodes
from services.ingest.api.errors import HANDLERS
from services.ingest.api.query_parameters import check_query
from services.ingest.api.read_limits import ReadLimitMiddleware
from services.ingest.api.schemas import SCHEMAS
from services.ingest.articles.outbox_relay import run_outbox_relay
from services.ingest.articles.publication_status import CONSUMER_GROUP, PublicationTracker, save_publication
from services.ingest.articles.scheduler import run_scheduler
from services.ingest.articles.topic_comparison import ComparisonGate
from services.ingest.articles.undeclared_sections import UndeclaredSectionsWatch
from services.ingest.auth.account_settings import read_account_settings
from services.ingest.auth.accounts import Accounts
from services.ingest.auth.authentication import Authentication
from services.ingest.auth.mail import Mailer
from services.ingest.auth.oidc import Provider
from services.ingest.auth.tokens import Tokens
from services.ingest.media.library import MediaStore
from services.ingest.settings import IngestSettings
from services.ingest.webhooks.delivery import Deliveries
from shared import __version__
from shared.consumer_offsets import ConsumerOffsets
from shared.http import asyncapi
from shared.http.guarded_sender import Sender
from shared.kafka.consumer import create_broker, run_broker
from shared.kafka.database_consumer import DatabaseConsumer
from shared.kafka.producer import Producer
from shared.object_store import open_store
from shared.postgres import open_pool
from shared.role import Process, Role
from shared.sites import Sites
from shared.topic_watch import TopicWatch
from shared.topics import ARTICLES, COUNTER_ADJUSTMENTS, PAGES_LIVE, SITE_STRUCTURE, wanted_topics
from shared.tracing import consumer_middlewares, http_telemetry, start_tracing, stop_tracing

SHUTDOWN_SECONDS = 4.0
BACKGROUND_CONNECTIONS = 5
"""Connections of the relay, the scheduler, webhooks (one listens) and the consumer of `pages-live`."""
DESCRIPTION = """\
Articles are created as drafts, submitted, approved and published; the portal shows them within a second.

- **Tokens**: programs send `Authorization: Bearer pt_…`, with the scope that a route requires. Public reads need none.
- **Sessions**: people log in (`POST /sessions`); each change repeats the session's `csrf_token` as `X-CSRF-Token`.
- **Versions**: each accepted change makes the next version. An edit names the version that it changes
  (`If-Match: "3"` or the field `version`); if another change came first, the response is 412 and nothing is lost.
- **Retries**: a POST with an `Idempotency-Key` can be repeated safely; it takes effect once.
- **Images**: `POST /media` first; the article then refers to the image by ID (`"image": {"media": "…", "alt": "…"}`).
- **Files**: `POST /files` first; the block `{"type": "file", "media": "…"}` then offers the document for download.
- **Errors**: RFC 9457, each with a stable `code`, in Vietnamese if `Accept-Language` prefers it;
  `errors` lists each invalid field with its limit and the size of the value.
"""


def editor_api(context: ApiContext) -> FastAPI:
    """Build the API below `/api`."""
    api = FastAPIOffline(
        docs_url=None,
        redoc_url=None,
        title="Presstally editor API",
        version=__version__,
        description=DESCRIPTION,
        exception_handlers=HANDLERS,
        dependencies=[Depends(check_query)],
        telemetry=http_telemetry(),
    )
    api.state.context = context
    # The public routes first: `/articles/{id}.ninjs` must not match `/articles/{id}`.
    api.include_router(article_list_routes.router)
    api.include_router(bulk_routes.router)
    api.include_router(public_article_routes.router)
    api.include_router(article_routes.router)
    api.include_router(discard_routes.router)
    api.include_router(live_routes.router)
    api.include_router(history_routes.router)
    api.include_router(autosave_routes.router)
    api.include_router(presence_routes.router)
    api.include_router(comment_routes.router)
    api.include_router(media_routes.router)
    api.include_router(file_routes.router)
    api.include_router(import_routes.router)
    for structure in (
        section_routes,
        tag_routes,
        author_routes,
        menu_routes,
        page_routes,
        front_page_routes,
        banner_routes,
    ):
        api.include_router(structure.router)
    api.include_router(preview_routes.router)
    api.include_router(webhook_routes.router)
    api.include_router(me_routes.router)
    api.include_router(sent_form_routes.router)
    api.include_router(oidc_routes.router)
    api.include_router(session_routes.router)
    api.include_router(people_routes.router)
    documentation.add_documentation(api)

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


def limited(api: ASGIApp, authentication: Authentication) -> ASGIApp:
    """Return the API behind its limits on bodies and reads, with a code in each problem."""
    return ProblemCodes(BodyLimitMiddleware(ReadLimitMiddleware(api, authentication), authentication))


def _accounts(settings: IngestSettings, sites: Sites, pool: asyncpg.Pool) -> Accounts:
    """Return the accounts of people, with mail and a provider of log-ins as configured."""
    account_settings = read_account_settings(settings, sites)
    return Accounts(
        pool,
        Mailer(account_settings.mail_server),
        None if account_settings.provider is None else Provider(account_settings.provider),
        timedelta(minutes=settings.session_idle_minutes),
        timedelta(days=settings.session_days),
    )


@asynccontextmanager
async def run_articles(settings: IngestSettings, process: Process) -> AsyncIterator[Role]:
    """Run the editor API, the outbox relay, the scheduler and the consumer of `pages-live`."""
    start_tracing("ingest", settings.traces)
    sites = process.follow_sites(settings)
    url = settings.database_url.get_secret_value()
    pool = await open_pool(url, role="presstally_ingest")
    # Of their own, so that no number of requests delays publications and schedules.
    background = await open_pool(url, role="presstally_ingest", size=BACKGROUND_CONNECTIONS)
    producer = Producer(settings.kafka)
    producer.start()
    broker = create_broker(settings.kafka, consumer_middlewares())
    offsets = ConsumerOffsets("ingest", CONSUMER_GROUP, PAGES_LIVE.name)
    follower = DatabaseConsumer(
        broker, background, offsets, CONSUMER_GROUP, partial(save_publication, producer), process=process
    )
    tracker = PublicationTracker(pool, process.stop)
    media = MediaStore(open_store(settings.media))
    gate = ComparisonGate(background)
    accounts = _accounts(settings, sites, pool)
    origins = [settings.public_url] if settings.public_url else []
    authentication = Authentication(Tokens(pool), accounts.sessions, sites, origins)
    context = ApiContext(
        pool,
        authentication,
        accounts,
        sites,
        tracker,
        media,
        gate,
        file_bytes_max=settings.file_bytes_max,
        webhook_sender=Sender(settings.webhook_networks),
    )
    used = [ARTICLES, COUNTER_ADJUSTMENTS, PAGES_LIVE, SITE_STRUCTURE]
    topics = TopicWatch(settings.kafka, wanted_topics(settings.replication, used, dead_letters=False))
    sections = UndeclaredSectionsWatch(background, sites)
    tasks = [
        process.spawn(context.structures.run(), "structure of sites"),
        process.spawn(sections.run(), "look for undeclared sections"),
        process.spawn(topics.run(), "check the topics"),
        process.spawn(run_outbox_relay(background, settings.kafka), "outbox relay"),
        process.spawn(run_scheduler(background, sites), "scheduler"),
        process.spawn(gate.watch(), "state of the comparison"),
        process.spawn(Deliveries(background, context.webhook_sender).run(), "deliver webhooks"),
        process.spawn(tracker.poll_waiters(), "publication status"),
        process.spawn(follower.watch(), "compare positions"),
        process.spawn(accounts.mailer.run(), "mails"),
        process.spawn(accounts.run_cleanup(), "delete expired sessions"),
    ]
    try:
        async with run_broker(broker, settings.kafka, process):
            yield Role(
                "articles",
                routes=[
                    Mount("/api", limited(editor_api(context), authentication)),
                    preview_routes.internal_route(context),
                    *asyncapi.ROUTES,
                ],
                not_ready=lambda: [*gate.not_ready(), *([producer.problem] if producer.problem else [])],
                degraded=lambda: [*topics.warnings(), *sections.warnings()],
            )
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=SHUTDOWN_SECONDS)  # the relay releases its lock, so that another takes over
        await producer.stop()
        pool.terminate()
        background.terminate()
        await stop_tracing()
