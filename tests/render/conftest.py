"""The portal on a real Postgres, without Kafka before it: articles go in by the builder's call, readers ask by RSGI."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import msgspec
import pytest

from services.render.builder import store
from services.render.roles.site import site_role
from services.render.site.files import Files
from services.render.site.images import Images
from services.render.site.portal import Pools, Portal
from services.render.site.preview_source import PreviewSource
from services.render.site.previews import Previews
from services.render.site.saved_copies import SavedCopies
from shared.articles import Article, Paragraph, Source
from shared.http.app import HttpApp
from shared.http.direct import DirectRequest
from shared.object_store import open_store
from shared.postgres import open_pool
from shared.sites import Section, Site, Sites

URL = "https://haihau.example"
SITE = Site(
    slug="haihau",
    name="Hải Hậu",
    origins=[URL],
    identity="tag:haihau.example,2026",
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
    looking: asyncpg.Pool
    portal: Portal
    media: str
    site: Site = SITE
    articles: dict[int, Article] = field(default_factory=dict)
    articles_url: str = ""

    @property
    def pools(self) -> Pools:
        """For another portal on the same database. The first one keeps its own connection for looks."""
        return Pools(self.pool, self.pool, self.pool)

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

    async def put(self, article: Article) -> store.PublishedState:
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
        return await self.request("GET", address, **headers)

    async def request(self, method: str, address: str, **headers: str) -> Got:
        """Ask by any method. What is sent for HEAD is the server's to leave away, and is seen here."""
        path, _, query = address.partition("?")
        return await self.send(method, path, query, **headers)

    async def send(self, method: str, path: str, query: str, **headers: str) -> Got:
        """Ask for a path as it is when its escapes are undone."""
        named = {"host": "haihau.example", **{name.replace("_", "-"): value for name, value in headers.items()}}
        asked = SimpleNamespace(
            method=method,
            path=path,
            query_string=query,
            headers=named,
            http_version="1.1",
            scheme="https",
            client="127.0.0.1:1",
            server="127.0.0.1:443",
        )
        protocol = Protocol()
        front = HttpApp()
        front.starting = ["site"]
        media = open_store(self.media)
        files = Files(self.pools, Sites({self.site.slug: self.site}), media)
        previews = Previews(self.portal, PreviewSource(self.articles_url))
        front.open(site_role(self.portal, Images(media), files, previews, SavedCopies(self.portal, media)))
        direct = DirectRequest(path, asked, protocol, lambda _: protocol.ended.set())  # type: ignore[arg-type]
        if front.serve_direct(direct):
            await asyncio.wait_for(protocol.ended.wait(), 60)
        if protocol.got is None:
            await front.__rsgi__(asked, protocol)  # type: ignore[arg-type]
        assert protocol.got
        return protocol.got


class Protocol:
    """What granian's own does with a whole answer to a request without body."""

    def __init__(self) -> None:
        self.got: Got | None = None
        self.ended = asyncio.Event()

    def __aiter__(self) -> "Protocol":
        return self

    async def __anext__(self) -> bytes:
        raise StopAsyncIteration

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        assert self.got is None
        assert len({name for name, _ in headers}) == len(headers), "a header came twice"
        self.got = Got(status, {name: value for name, value in headers if name != "content-length"}, body)
        self.ended.set()


@pytest.fixture
async def portal(database: str, tmp_path: Path) -> AsyncIterator[TestPortal]:
    """A portal with a database of its own."""
    async with a_portal(database, SITE, tmp_path) as portal:
        yield portal


@asynccontextmanager
async def a_portal(database: str, site: Site, tmp_path: Path) -> AsyncIterator[TestPortal]:
    """A portal of one site."""
    pool = await open_pool(database, role="presstally_render", size=4)
    looking = await open_pool(database, role="presstally_render", size=1)
    yield TestPortal(
        pool,
        looking,
        Portal(Pools(looking, pool, pool), Sites({site.slug: site}), 8 * 1024 * 1024),
        str(tmp_path / "media"),
        site,
    )
    pool.terminate()
    looking.terminate()


@pytest.fixture
async def english(database: str, tmp_path: Path) -> AsyncIterator[TestPortal]:
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
    async with a_portal(database, site, tmp_path) as portal:
        yield portal
