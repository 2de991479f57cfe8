"""Shared parts of the ingest tests: a site, articles, a Postgres pool, and the editor API in this process."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from starlette.types import Message

from services.ingest.api.dependencies import ApiContext
from services.ingest.articles.publication_status import PublicationTracker
from services.ingest.articles.topic_comparison import ComparisonGate
from services.ingest.auth.tokens import Tokens, create
from services.ingest.media.library import MediaStore
from services.ingest.roles.articles import editor_api, limited
from shared.articles import Article, Paragraph
from shared.object_store import open_store
from shared.postgres import open_pool
from shared.sites import Section, Site, Sites

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)


@pytest.fixture
def site() -> Site:
    """A site with two sections."""
    return Site(
        slug="haihau",
        name="Hải Hậu",
        origins=["https://haihau.example"],
        timezone="Asia/Ho_Chi_Minh",
        sections=[Section("tin-tuc", "Tin tức"), Section("thong-bao", "Thông báo")],
    )


@pytest.fixture
def new_article() -> Callable[..., Article]:
    """Build a draft with the given fields."""

    def build(**fields: Any) -> Article:
        given = {
            "id": "a-1",
            "number": 1,
            "site": "haihau",
            "version": 1,
            "state": "draft",
            "title": "Tựa",
            "slug": "tua",
            "section": "tin-tuc",
            "language": "vi",
            "body": [Paragraph("Đoạn")],
            "modified_at": NOW,
            "first_published_at": None,
        }
        return Article(**{**given, **fields})

    return build


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool with the role of the service."""
    pool = await open_pool(database, role="presstally_ingest", size=4)
    yield pool
    pool.terminate()


@dataclass
class Response:
    """A response of the editor API."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class OpenGate(ComparisonGate):
    """A gate that is open from the start: no relay runs here."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        super().__init__(pool)
        self._open.set()


class EditorApi:
    """The editor API in this process, without Kafka: called as ASGI."""

    def __init__(self, context: ApiContext) -> None:
        self.context = context
        self.app = editor_api(context)
        self._app = limited(self.app, self.context.tokens)
        self._tokens: dict[tuple[str, str | None], str] = {}

    async def token(self, scope: str, at: str | None = None) -> str:
        """Return a token with a scope, for one site if `at` names it."""
        if (scope, at) not in self._tokens:
            name = f"Người {scope}" if at is None else f"Người {scope} {len(self._tokens)}"
            sites = None if at is None else [at]
            self._tokens[scope, at] = await create(self.context.pool, name=name, scopes=[scope], sites=sites)
        return self._tokens[scope, at]

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        scope: str | None = "write",
        at: str | None = None,
        **headers: str,
    ) -> Response:
        """Send a request with a token of a scope, for one site if `at` names it, or without one."""
        sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        all_headers = {"content-type": "application/json", **{name.replace("_", "-"): v for name, v in headers.items()}}
        if scope is not None:
            all_headers["authorization"] = f"Bearer {await self.token(scope, at)}"
        path, _, query = path.partition("?")
        scope_of_request = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in all_headers.items()],
            "scheme": "http",
            "server": ("test", 80),
            "client": ("127.0.0.1", 1),
        }
        messages: list[Message] = [{"type": "http.request", "body": sent, "more_body": False}]
        response = Response(0, {}, b"")

        async def receive() -> Message:
            if messages:
                return messages.pop()
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                response.status = message["status"]
                response.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                response.body += message.get("body", b"")

        await self._app(scope_of_request, receive, send)
        return response

    async def create(self, title: str, **fields: Any) -> dict[str, Any]:
        """Create a draft and return it."""
        given = {"site": "haihau", "section": "tin-tuc", "title": title, "body": "<p>Thân bài.</p>", **fields}
        response = await self.call("POST", "/articles", given)
        assert response.status == 201, response.body
        return dict(response.json())


OTHER_NAME = "Giao Thủy"


@pytest.fixture
async def tenants(pool: asyncpg.Pool, site: Site, tmp_path: Path) -> EditorApi:
    """The editor API of two sites: `haihau`, and `giao-thuy`, whose versions another editor approves."""
    other = Site(
        slug="giao-thuy",
        name=OTHER_NAME,
        origins=["https://giaothuy.example"],
        timezone="Asia/Ho_Chi_Minh",
        separate_approver=True,
        sections=[Section("tin-tuc", "Tin tức"), Section("bien-dong", "Biển Đông")],
    )
    tracker = PublicationTracker(pool, asyncio.Event())
    media = MediaStore(open_store(str(tmp_path / "media")))
    sites = Sites({site.slug: site, other.slug: other})
    return EditorApi(ApiContext(pool, Tokens(pool), sites, tracker, media, OpenGate(pool)))


@pytest.fixture
async def api(pool: asyncpg.Pool, site: Site, tmp_path: Path) -> EditorApi:
    """The editor API of the site `haihau`."""
    tracker = PublicationTracker(pool, asyncio.Event())
    media = MediaStore(open_store(str(tmp_path / "media")))
    sites = Sites({site.slug: site})
    return EditorApi(ApiContext(pool, Tokens(pool), sites, tracker, media, OpenGate(pool)))
