"""Shared parts of the ingest tests: a site, articles, a Postgres pool, and the editor API in this process."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from argon2 import PasswordHasher
from asyncpg.pool import Pool
from starlette.types import ASGIApp, Message

from services.ingest.api.dependencies import ApiContext
from services.ingest.articles.publication_status import PublicationTracker
from services.ingest.articles.topic_comparison import ComparisonGate
from services.ingest.auth.accounts import Accounts
from services.ingest.auth.actors import Actor
from services.ingest.auth.authentication import Authentication
from services.ingest.auth.people import Person, create_person, parse_grants
from services.ingest.auth.secret_tokens import csrf_token
from services.ingest.auth.tokens import Tokens, create
from services.ingest.media.library import MediaStore
from services.ingest.queries import ACCOUNTS
from services.ingest.roles.articles import editor_api, limited
from shared.articles import Article, Paragraph
from shared.http.fair_limit import CALLER
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
async def pool(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[asyncpg.Pool]:
    """A pool with the role of the service, in its size, of which no task borrows two connections at once."""
    refuse_second_loans(monkeypatch)
    pool = await open_pool(database, role="presstally_ingest")
    yield pool
    pool.terminate()


def refuse_second_loans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where a task of a service that has a connection of a pool waits for a second one.

    As many such tasks as the pool has connections would wait for each other, until Postgres ends their transactions.
    Tests may, and so may a task that only listens on its first one.
    """
    borrowed: dict[int, tuple[object, Any]] = {}
    acquire, release = Pool._acquire, Pool.release  # type: ignore[attr-defined]

    async def borrow(pool: Pool, timeout: float | None) -> Any:
        is_service, task = is_called_by_a_service(), (id(pool), asyncio.current_task())
        if is_service:
            held = [one for borrower, one in borrowed.values() if borrower == task and not one._con._listeners]
            assert not held, "a task that has a connection waits for another one"
        connection = await acquire(pool, timeout)
        if is_service:
            borrowed[id(connection)] = (task, connection)
        return connection

    async def give_back(pool: Pool, connection: Any, **given: Any) -> None:
        borrowed.pop(id(connection), None)
        await release(pool, connection, **given)

    monkeypatch.setattr(Pool, "_acquire", borrow)
    monkeypatch.setattr(Pool, "release", give_back)


def is_called_by_a_service() -> bool:
    """Return whether the code that uses a pool is a service's, not that of a test."""
    frame = sys._getframe(2)
    while frame.f_back is not None and (
        "asyncpg" in frame.f_code.co_filename or "contextlib" in frame.f_code.co_filename
    ):
        frame = frame.f_back
    return "/tests/" not in frame.f_code.co_filename


@dataclass
class Response:
    """A response of the editor API."""

    status: int
    headers: dict[str, str]
    body: bytes
    cookies: list[str] = field(default_factory=list)
    """The `set-cookie` headers."""

    def json(self) -> Any:
        return json.loads(self.body)


async def call_asgi(
    app: ASGIApp, method: str, target: str, sent: bytes, headers: Sequence[tuple[str, str]], *, root: str = ""
) -> Response:
    """Return the response of an application in this process, mounted below `root`, to exactly these headers."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": root,
        "headers": [(name.encode(), value.encode()) for name, value in headers],
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
            pairs = [(name.decode(), value.decode()) for name, value in message["headers"]]
            response.headers = dict(pairs)
            response.cookies = [value for name, value in pairs if name == "set-cookie"]
        else:
            response.body += message.get("body", b"")

    await app(scope, receive, send)
    return response


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
        self._app = limited(self.app, self.context.authentication)
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
        return await self.send(method, path, sent, list(all_headers.items()))

    async def send(self, method: str, path: str, sent: bytes, headers: Sequence[tuple[str, str]]) -> Response:
        """Send a request with exactly these headers."""
        return await call_asgi(self._app, method, path, sent, headers)

    async def create(self, title: str, **fields: Any) -> dict[str, Any]:
        """Create a draft and return it."""
        given = {"site": "haihau", "section": "tin-tuc", "title": title, "body": "<p>Thân bài.</p>", **fields}
        response = await self.call("POST", "/articles", given)
        assert response.status == 201, response.body
        return dict(response.json())


HTTPS = "https://haihau.example"
PASSWORD = "bốn từ không liên quan"


class Browser:
    """A browser with its cookies, whose pages are on the origin of a site."""

    def __init__(self, api: EditorApi, address: str = "203.0.113.7", origin: str = HTTPS) -> None:
        self.api = api
        self.address = address
        self.origin = origin
        self.cookies: dict[str, str] = {}
        self.csrf: str | None = None

    async def call(self, method: str, path: str, body: Any = None, **headers: str | None) -> Response:
        """Send a request as a page of the origin does; a header that is None is left out."""
        given: dict[str, str | None] = {
            "host": self.origin.partition("://")[2],
            "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "content-type": "application/json",
            "cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()) or None,
            "origin": None if method == "GET" else self.origin,
            "sec-fetch-site": "same-origin",
            "x-csrf-token": None if method == "GET" else self.csrf,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        CALLER.set(self.address)
        pairs = [(name, value) for name, value in given.items() if value is not None]
        response = await self.api.send(method, path, sent, pairs)
        for cookie in response.cookies:
            pair, *attributes = cookie.split("; ")
            name, _, value = pair.partition("=")
            if not value.strip('"') or "Max-Age=0" in attributes:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        if response.status < 300 and b'"csrf_token"' in response.body:
            self.csrf = response.json()["csrf_token"]
        return response

    async def log_in(self, email: str, password: str = PASSWORD, **more: str) -> Response:
        """Log in."""
        return await self.call("POST", "/sessions", {"email": email, "password": password, **more})


@dataclass
class Newsroom:
    """People of an editor API."""

    api: EditorApi
    count: int = 0

    async def person(self, *grants: str, name: str = "", password: str | None = PASSWORD) -> Person:
        """Create a person with grants such as `write:haihau:tin-tuc`, and a password."""
        self.count += 1
        email = f"nguoi{self.count}@haihau.example"
        async with self.api.context.pool.acquire() as connection, connection.transaction():
            given = frozenset(parse_grants(grants))
            called = name or f"Người {self.count}"
            person = await create_person(
                connection, Actor("test"), email=email, name=called, language="vi", grants=given
            )
            if password is not None:
                await connection.execute(ACCOUNTS["set_password"], person.id, _hashed(password))
        return person

    async def browser(self, *grants: str, name: str = "", origin: str = HTTPS) -> Browser:
        """Return a browser in which a new person with these grants has logged in."""
        person = await self.person(*grants, name=name)
        return await self.opened(person, origin)

    async def opened(self, person: Person, origin: str = HTTPS) -> Browser:
        """Return a browser with a session of a person, opened without a password."""
        browser = Browser(self.api, origin=origin)
        async with self.api.context.pool.acquire() as connection, connection.transaction():
            secret = await self.api.context.accounts.sessions.open(
                connection, person.id, method="password", agent="Firefox", network="203.0.113.0/24"
            )
        prefix = "__Host-" if origin.startswith("https") else ""
        browser.cookies[f"{prefix}presstally_session"] = secret
        browser.csrf = csrf_token(secret)
        return browser


@cache
def _hashed(password: str) -> str:
    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1).hash(password)


@pytest.fixture
def newsroom(tenants: EditorApi) -> Newsroom:
    """People of the two sites of `tenants`."""
    return Newsroom(tenants)


def editor_api_of(pool: asyncpg.Pool, sites: Sites, tracker: PublicationTracker, media: MediaStore) -> EditorApi:
    """Return the editor API of sites, with the accounts of people and without mails."""
    accounts = Accounts(pool)
    authentication = Authentication(Tokens(pool), accounts.sessions, sites)
    return EditorApi(ApiContext(pool, authentication, accounts, sites, tracker, media, OpenGate(pool)))


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
    return editor_api_of(pool, sites, tracker, media)


@pytest.fixture
async def api(pool: asyncpg.Pool, site: Site, tmp_path: Path) -> EditorApi:
    """The editor API of the site `haihau`."""
    tracker = PublicationTracker(pool, asyncio.Event())
    media = MediaStore(open_store(str(tmp_path / "media")))
    sites = Sites({site.slug: site})
    return editor_api_of(pool, sites, tracker, media)
