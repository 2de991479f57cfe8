"""Most read pages of a site that sends no article ids: exact, and only for who has the site's token."""

import csv
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from starlette.applications import Starlette

from services.stats.statistics.routes import StatisticsRoutes
from services.stats.statistics.top_pages import TopPage
from shared.http.app import EXCEPTION_HANDLERS
from shared.postgres import open_pool
from shared.sites import Site, Sites
from tests.stats.support import count_views

TOKEN = "a-token-of-the-site"
WITH = {"authorization": f"Bearer {TOKEN}"}
SITE = Site(slug="haihau", name="Hải Hậu", origins=["https://haihau.example"], timezone="Asia/Ho_Chi_Minh")
SPAM = "/buy-pills<script>"


@dataclass
class Answer:
    """A response of the application."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """Calls the application without a server."""

    app: Starlette

    async def get(self, url: str, **headers: str) -> Answer:
        path, _, query = url.partition("?")
        scope = {"type": "http", "method": "GET", "path": path, "http_version": "1.1"}
        scope |= {
            "query_string": quote(query, safe="=&%-_.").encode(),
            "client": ("192.0.2.1", 1),
            "http_version": "1.1",
        }
        scope |= {"headers": [(name.encode(), value.encode()) for name, value in headers.items()], "scheme": "https"}
        scope |= {"server": ("presstally.example", 443)}
        answer = Answer()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            answer.body += message.get("body", b"")

        await self.app(scope, receive, send)  # type: ignore[arg-type] # of ASGI
        return answer


@pytest_asyncio.fixture
async def client(database: str) -> AsyncIterator[Client]:
    """The statistics of a public site with two pages, an article, and a page that somebody invented."""
    pool = await open_pool(database, role="presstally_stats", size=2)
    for article, views in {"": 9, "/": 4, "/tin-tức/a b": 2, SPAM: 2, "bai-1": 1}.items():
        await count_views(pool, views, article)
    await pool.execute(
        "INSERT INTO stats.refused_origins SELECT 'haihau', extract(epoch FROM now())::bigint / 86400, origin, views"
        " FROM (VALUES ('https://spam.example', 3), ('', 2)) AS claimed (origin, views)"
    )
    app = Starlette(
        routes=StatisticsRoutes(pool, Sites(haihau=SITE), lambda: f"haihau {TOKEN}").routes,
        exception_handlers=EXCEPTION_HANDLERS,
    )
    yield Client(app)
    await pool.close()


async def test_pages_are_listed_with_the_token(client: Client) -> None:
    """JSON, CSV, workbook, list and page have the pages, with links that lead to the site."""
    answer = await client.get("/stats/haihau/pages?period=always", **WITH)
    assert answer.headers["cache-control"] == "private, no-store"
    assert [(one["page"], one["views"]) for one in answer.json()["pages"]] == [("/", 4), (SPAM, 2), ("/tin-tức/a b", 2)]
    assert answer.json()["pages"][2]["url"] == "https://haihau.example/tin-t%E1%BB%A9c/a%20b"
    assert len((await client.get("/stats/haihau/pages?period=always&limit=1", **WITH)).json()["pages"]) == 1
    rows = list(
        csv.reader(io.StringIO((await client.get(f"/stats/haihau/pages.csv?token={TOKEN}&period=always")).text))
    )
    assert [row[1:3] for row in rows[1:]] == [["/", "4"], [SPAM, "2"], ["/tin-tức/a b", "2"]]
    assert (await client.get("/stats/haihau/pages.xlsx?period=always", **WITH)).body[:2] == b"PK"
    html = (await client.get("/stats/haihau/pages.html?period=always", **WITH)).text
    assert html.count("<li>") == 3
    assert "<script>" not in html
    page = (await client.get("/stats/haihau", **WITH, accept="text/html")).text
    assert ">/tin-tức/a b</a>" in page
    assert "&lt;script&gt;" in page
    assert "<script>" not in page.replace("<script defer", "")
    assert "noindex" in page


@pytest.mark.parametrize("path", ["pages", "pages.csv", "pages.xlsx", "pages.html"])
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer another-token-of-nobody"}])
async def test_pages_without_the_token_are_refused(client: Client, path: str, headers: dict[str, str]) -> None:
    """Public statistics do not make public what strangers can write."""
    answer = await client.get(f"/stats/haihau/{path}", **headers)
    assert answer.status == 401
    assert SPAM not in answer.text


async def test_public_answers_have_no_text_of_strangers(client: Client) -> None:
    """The public page, lists of articles and sections, and exports name no page; the page asks for the token."""
    for path in ("", "/top", "/top.html?period=always", "/top.csv?period=always", "/sections", "/top?period=now"):
        answer = await client.get(f"/stats/haihau{path}")
        assert answer.status == 200, path
        assert "buy-pills" not in answer.text, path
        assert "tin-tức/a" not in answer.text, path
    assert 'name="token"' in (await client.get("/stats/haihau")).text
    top = (await client.get("/stats/haihau/top?period=always")).json()["articles"]
    assert [one["article"] for one in top] == ["bai-1"]


async def test_links_of_the_page_keep_the_token_only_if_it_is_right(client: Client) -> None:
    """A reader with the token stays one; a wrong token is not passed on."""
    assert f"token={TOKEN}" in (await client.get(f"/stats/haihau?token={TOKEN}")).text
    wrong = (await client.get("/stats/haihau?token=wrong")).text
    assert "token=wrong" not in wrong
    assert "buy-pills" not in wrong


async def test_parameters_of_pages_are_checked(client: Client) -> None:
    """As for articles; sections have no pages."""
    for query in ("section=tin-tuc", "limit=0", "period=x", "measure=x", "from=2026-13-01"):
        assert (await client.get(f"/stats/haihau/pages?{query}", **WITH)).status == 422, query
    assert (await client.get("/stats/haihau/pages?period=now", **WITH)).json()["measure"] == "online"


async def test_refused_origins_are_named_with_the_token_only(client: Client) -> None:
    """The owner reads the sentence of the doctor; the public page has the number of views, and no name."""
    owner = (await client.get("/stats/haihau?lang=en", **WITH)).text
    assert "views refused: origin https://spam.example is not declared (3)" in owner
    assert "views refused: other origins are not declared (2)" in owner
    public = (await client.get("/stats/haihau?lang=en")).text
    assert "spam.example" not in public
    assert "is not declared: 5" in public
    assert (await client.get("/stats/haihau/refused-origins")).status == 401
    assert (await client.get("/stats/haihau/refused-origins", **WITH)).json()["origins"] == [
        {"origin": "https://spam.example", "views": 3},
        {"origin": None, "views": 2},
    ]


def test_page_that_stands_for_several_has_no_link() -> None:
    """A link leads to exactly the page that was counted, on the site."""
    assert TopPage("/dat-lai/*").path is None
    assert TopPage("/" + "a" * 198 + "…").path is None
    assert TopPage("/a*b?c#d").path == "/a*b%3Fc%23d"
    assert TopPage("/\\evil.example").path == "/%5Cevil.example"
