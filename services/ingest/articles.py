"""Role `articles`: the editors' side. Reads for everybody; the outbox relay; what is live.

Writing comes through `python -m services.ingest import`. The HTTP write API waits for its tokens: without
them a public port would let anybody publish.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any

import asyncpg
import msgspec
from fastapi import FastAPI, Query
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi_offline import FastAPIOffline
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount

from services.ingest.publications import GROUP, save_publication
from services.ingest.relay import relay
from services.ingest.settings import IngestSettings
from shared import __version__, asyncapi
from shared.articles import Article
from shared.kafka import Producer, consuming, make_broker, subscribe
from shared.postgres import open_pool, read_queries
from shared.problems import EXCEPTION_HANDLERS, Problem
from shared.process import Process, Role
from shared.sites import Sites, read_sites
from shared.topics import PAGES_LIVE

SQL = read_queries(__package__)
PAGE_ARTICLES_MAX = 100
NUMBER_MAX = 2**63 - 1


class Publication(msgspec.Struct):
    """Whether readers can open an article, and which version they get."""

    article: str
    head_version: int
    live_version: int | None
    status: str
    url: str | None
    reason: str | None


class ArticleList(msgspec.Struct):
    """A page of articles, newest first; `next` is the `before` of the page that follows."""

    articles: list[Article]
    next: int | None


_refs, _schemas = msgspec.json.schema_components(
    [Article, ArticleList, Publication], ref_template="#/components/schemas/{name}"
)


def _answers(schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {"application/json": {"schema": schema}}}}


_ARTICLE, _LIST, _PUBLICATION = map(_answers, _refs)


def editor_api(pool: asyncpg.Pool, sites: Sites) -> FastAPI:
    """Build the API below `/api`."""
    api = FastAPIOffline(
        title="Presstally editor API",
        version=__version__,
        exception_handlers={**EXCEPTION_HANDLERS, RequestValidationError: _on_invalid_request},
    )

    @api.get("/articles", responses=_LIST, summary="List what is public, newest first")
    async def list_articles(
        site: str,
        before: Annotated[int, Query(ge=1, le=NUMBER_MAX)] = NUMBER_MAX,
        limit: Annotated[int, Query(ge=1, le=PAGE_ARTICLES_MAX)] = 20,
    ) -> Response:
        if site not in sites:
            raise Problem(404, f"There is no site {site!r} here.")
        rows = await pool.fetch(SQL["public_articles"], site, before, limit)
        found = [msgspec.json.decode(row["content"], type=Article) for row in rows]
        return _json(ArticleList(found, found[-1].number if len(found) == limit else None))

    @api.get("/articles/{article_id}", responses=_ARTICLE, summary="Read a public article")
    async def get_article(article_id: str) -> Response:
        content = await pool.fetchval(SQL["public_article"], article_id)
        if content is None:
            raise Problem(404, f"There is no public article {article_id!r}.")
        return Response(content, media_type="application/json")

    @api.get("/articles/{article_id}/publication", responses=_PUBLICATION, summary="Is it live?")
    async def get_publication(article_id: str) -> Response:
        row = await pool.fetchrow(SQL["publication"], article_id)
        if row is None:
            raise Problem(404, f"There is no article {article_id!r}.")
        behind = row["version"] is None or row["version"] < row["head_version"]
        return _json(
            Publication(
                article_id,
                row["head_version"],
                row["version"],
                "queued" if behind else row["status"],
                row["url"],
                row["reason"],
            )
        )

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            document = get_openapi(title=api.title, version=api.version, routes=api.routes, servers=[{"url": "/api"}])
            document.setdefault("components", {}).setdefault("schemas", {}).update(_schemas)
            api.openapi_schema = document
        return api.openapi_schema

    api.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way
    return api


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [{"field": ".".join(str(part) for part in item["loc"]), "fault": item["msg"]} for item in error.errors()]
    return Problem(422, "The request does not fit the API.", errors=errors).response()


@asynccontextmanager
async def articles(settings: IngestSettings, process: Process) -> AsyncIterator[Role]:
    """Run the editor API, the relay and the reader of `pages-live`."""
    sites = read_sites(settings.sites)
    pool = await open_pool(settings.database_url.get_secret_value(), role="presstally_ingest")
    producer = Producer(settings.kafka_bootstrap)
    producer.start()
    broker = make_broker(settings.kafka_bootstrap)
    subscribe(broker, PAGES_LIVE.name, GROUP, partial(save_publication, pool, producer), process)
    relaying = process.spawn(relay(pool, producer), "outbox relay")
    try:
        async with consuming(broker, process):
            yield Role(
                "articles",
                routes=[Mount("/api", editor_api(pool, sites)), *asyncapi.ROUTES],
                problems=lambda: [producer.problem] if producer.problem else [],
            )
    finally:
        relaying.cancel()
        await producer.stop()
        pool.terminate()
