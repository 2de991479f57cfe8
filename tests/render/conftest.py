"""The portal on a real Postgres, without Kafka before it: articles go in by the builder's call, readers ask by ASGI."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from services.render import store
from services.render.site import Portal
from shared.articles import Article, Paragraph, Source
from shared.postgres import open_pool
from shared.sites import Section, Site, Sites

URL = "https://haihau.example"
SITE = Site(
    slug="haihau",
    name="Hải Hậu",
    origins=[URL],
    timezone="Asia/Ho_Chi_Minh",
    sections=[Section("tin-tuc", "Tin tức"), Section("van-hoa", "Văn hóa")],
    agency="UBND huyện Hải Hậu",
)


@dataclass
class Got:
    """An answer of the portal."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class TestPortal:
    """One site of one portal, and the articles that went in."""

    __test__ = False
    pool: asyncpg.Pool
    portal: Portal
    site: Site = SITE
    articles: dict[int, Article] = field(default_factory=dict)

    def article(self, number: int, **fields: Any) -> Article:
        """Return an article as it is published, the higher its number the newer."""
        at = datetime.now(UTC) - timedelta(days=1) + timedelta(minutes=number)
        given: dict[str, Any] = {
            "id": f"a-{number}",
            "number": number,
            "site": self.site.slug,
            "version": 1,
            "state": "published",
            "title": f"Bài số {number}",
            "slug": f"bai-so-{number}",
            "section": "tin-tuc",
            "language": "vi",
            "lead": f"Phần dẫn của bài {number}.",
            "body": [Paragraph(f"Thân bài {number}.")],
            "source": Source("Báo Nam Định"),
            "modified_at": at,
            "first_published_at": at,
            "published_at": at,
        }
        return Article(**{**given, **fields})

    async def put(self, article: Article) -> store.Standing:
        """Let the builder save an article."""
        self.articles[article.number] = article
        return await store.save(self.pool, article, self.site)

    async def add(self, number: int, **fields: Any) -> Article:
        """Make an article and put it in."""
        article = self.article(number, **fields)
        await self.put(article)
        return article

    async def change(self, number: int, **fields: Any) -> Article:
        """Put the next version of an article in."""
        before = self.articles[number]
        after = msgspec.structs.replace(before, version=before.version + 1, **fields)
        await self.put(after)
        return after

    async def get(self, address: str, **headers: str) -> Got:
        """Ask the portal as a reader does."""
        path, _, query = address.partition("?")
        named = {"host": "haihau.example", **{name.replace("_", "-"): value for name, value in headers.items()}}
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in named.items()],
            "server": ("haihau.example", 443),
            "scheme": "https",
            "root_path": "",
        }
        got = Got(0, {}, b"")

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                got.status = message["status"]
                got.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                got.body += message.get("body", b"")

        app = Starlette(routes=[Route("/{path:path}", self.portal.page)])
        await app(scope, receive, send)
        return got


@pytest.fixture
async def portal(database: str) -> AsyncIterator[TestPortal]:
    """A portal with a database of its own."""
    async with a_portal(database, SITE) as portal:
        yield portal


@asynccontextmanager
async def a_portal(database: str, site: Site) -> AsyncIterator[TestPortal]:
    """A portal of one site."""
    pool = await open_pool(database, role="presstally_render", size=4)
    yield TestPortal(pool, Portal(pool, pool, Sites({site.slug: site}), URL, 8 * 1024 * 1024), site)
    pool.terminate()


@pytest.fixture
async def english(database: str) -> AsyncIterator[TestPortal]:
    """The same in English, in another zone."""
    sections = [Section("news", "News"), Section("culture", "Culture")]
    site = Site(
        slug="english",
        name="Hai Hau Portal",
        origins=[URL],
        timezone="America/New_York",
        language="en",
        thousands_separator=",",
        sections=sections,
        tagline="News of the coast",
        agency="District Office",
        address="1 Main Street",
        responsible="The Editors",
        phone="1 23",
        email="desk@haihau.example",
    )
    async with a_portal(database, site) as portal:
        yield portal
