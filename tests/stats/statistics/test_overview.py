"""The overview of portals: who sees which, the sums, the languages, and what a sweep over many sites costs."""

import asyncio
import json
import time
from collections import Counter
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from services.stats.counter_api.counter_cache import CachedCounter, CounterKey, CountsUnavailable
from services.stats.counter_api.counter_query import CounterValues
from services.stats.statistics import overview
from services.stats.statistics.access import StatisticsAuth
from services.stats.statistics.overview import READS_MAX, OverviewRoutes
from shared.http.problems import EXCEPTION_HANDLERS
from shared.sites import Site, Sites
from shared.translations import LANGUAGES

TOKENS = "mot 0123456789abcdef\nhai 0123456789abcdef\nhai fedcba9876543210\n"


def site(slug: str, **more: Any) -> Site:
    return Site(slug=slug, name=f"Cổng {slug}", origins=[f"https://{slug}.vn"], timezone="Asia/Ho_Chi_Minh", **more)


class FakeCounters:
    """Counters that are known by their site; they count what is asked of them."""

    def __init__(self) -> None:
        self.asked: Counter[CounterKey] = Counter()
        self.reading = self.most_reading = 0
        self.unavailable = False

    async def get(self, key: CounterKey) -> CachedCounter:
        self.asked[key] += 1
        self.reading += 1
        self.most_reading = max(self.most_reading, self.reading)
        await asyncio.sleep(0)
        self.reading -= 1
        if self.unavailable:
            raise CountsUnavailable
        values = CounterValues(
            site=key.site,
            online=1,
            today=20,
            week=300,
            total=4_000,
            measure=key.measure,
            window="calendar",
            timezone="Asia/Ho_Chi_Minh",
            as_of="2026-03-04T08:00:00+07:00",
        )
        return CachedCounter(values, time.monotonic())


class Got(NamedTuple):
    """A response."""

    status_code: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


class Client:
    """Asks the application at https://cong.vn."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def get(self, url: str, params: dict[str, str] | None = None, headers: dict[str, str] | None = None) -> Got:
        path, _, query = url.partition("?")
        named = {"host": "cong.vn", **(headers or {})}
        scope = {
            "type": "http",
            "method": "GET",
            "scheme": "https",
            "server": ("cong.vn", 443),
            "path": path,
            "query_string": (query + urlencode(params or {})).encode(),
            "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        }
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request"}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self._app(scope, receive, send))
        headers_sent = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Got(sent[0]["status"], headers_sent, b"".join(one.get("body", b"") for one in sent[1:]).decode())


def client_of(sites: Sites, counters: FakeCounters) -> Client:
    auth = StatisticsAuth(sites, TOKENS)
    routes = OverviewRoutes(counters, sites, lambda: auth)
    handlers = {"/stats": routes.without_slash, "/stats/": routes.page, "/stats/sites.json": routes.json}
    app = Starlette(
        routes=[Route(path, handler) for path, handler in handlers.items()], exception_handlers=EXCEPTION_HANDLERS
    )
    return Client(app)


@pytest.fixture
def counters() -> FakeCounters:
    return FakeCounters()


@pytest.fixture
def client(counters: FakeCounters) -> Client:
    sites = [site("cong"), site("mot", statistics="token"), site("hai", statistics="token"), site("ba")]
    return client_of(Sites({one.slug: one for one in sites}), counters)


@pytest.mark.parametrize(
    ("token", "seen"),
    [
        ("", ["cong", "ba"]),
        ("a-wrong-token-12345", ["cong", "ba"]),
        ("fedcba9876543210", ["cong", "hai", "ba"]),
        ("0123456789abcdef", ["cong", "mot", "hai", "ba"]),
    ],
)
def test_overview_shows_public_sites_and_those_of_the_token(client: Client, token: str, seen: list[str]) -> None:
    """One token may open several sites; the sums are those of what is shown, and nothing names the others."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    answer = client.get("/stats/sites.json", headers=headers)
    assert [one["site"] for one in answer.json()["sites"]] == seen
    assert answer.json()["sum"] == {
        name: len(seen) * n for name, n in zip(overview.NUMBERS, (1, 20, 300, 4000), strict=True)
    }
    page = client.get("/stats/", params={"token": token} if token else {})
    assert [slug for slug in ("cong", "mot", "hai", "ba") if f"https://{slug}.vn/stats/{slug}" in page.text] == seen
    assert ("Cổng mot" in page.text) == ("mot" in seen)
    assert f"{len(seen) * 4000:,}" in page.text
    for one in (answer, page):
        assert one.headers["cache-control"] == ("private, no-store" if token else "public, max-age=5")


def test_overview_links_keep_the_token_of_the_address(client: Client) -> None:
    """Who came by an address with a token stays logged in; search engines do not list that page."""
    page = client.get("/stats/?token=fedcba9876543210&measure=views").text
    assert "https://hai.vn/stats/hai?lang=vi&amp;token=fedcba9876543210" in page
    assert "measure=visitors&amp;lang=vi&amp;token=fedcba9876543210" in page
    assert 'content="noindex"' in page
    assert 'content="noindex"' not in client.get("/stats/").text


def test_overview_without_any_visible_site_asks_for_a_token(counters: FakeCounters) -> None:
    """A form for browsers, 401 for programs; a token of one site opens the page."""
    sites = Sites({slug: site(slug, statistics="token") for slug in ("mot", "hai")})
    client = client_of(sites, counters)
    page = client.get("/stats/")
    assert (page.status_code, "<form" in page.text, page.headers["cache-control"]) == (401, True, "no-store")
    assert 'role="alert"' in client.get("/stats/?token=wrong").text
    assert client.get("/stats/sites.json").status_code == 401
    assert client.get("/stats/?token=fedcba9876543210").status_code == 200
    assert not [key for key in counters.asked if key.site not in sites]


def test_overview_measure_is_the_common_default_or_visits(counters: FakeCounters) -> None:
    """Sums make sense for one measure only: that of all sites, if they have the same one."""
    same = Sites({slug: site(slug, default_measure="views") for slug in ("mot", "hai")})
    mixed = Sites({"mot": site("mot", default_measure="views"), "hai": site("hai")})
    assert client_of(same, counters).get("/stats/sites.json").json()["measure"] == "views"
    client = client_of(mixed, counters)
    assert client.get("/stats/sites.json").json()["measure"] == "visits"
    assert client.get("/stats/sites.json?measure=visitors").json()["measure"] == "visitors"
    assert client.get("/stats/sites.json?measure=clicks").status_code == 422


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_overview_in_each_language(client: Client, language: str) -> None:
    """The page is complete in each language, links to the others, and has no script."""
    page = client.get("/stats/", params={"lang": language}).text
    assert f'<html lang="{language}">' in page
    assert all(f'hreflang="{other}"' in page for other in LANGUAGES if other != language)
    assert "<script" not in page
    assert "<table" in page


def test_overview_of_many_sites_is_read_once_for_all_callers(counters: FakeCounters) -> None:
    """200 sites are read in one sweep, two at a time, once in five seconds, also for several callers at once."""
    sites = Sites({f"s{number}": site(f"s{number}") for number in range(200)})
    client = client_of(sites, counters)
    for path in ("/stats/", "/stats/sites.json") * 3:
        assert client.get(path).status_code == 200
    assert len(counters.asked) == 200
    assert set(counters.asked.values()) == {1}
    assert counters.most_reading <= READS_MAX


def test_overview_without_postgres_is_503(client: Client, counters: FakeCounters) -> None:
    """A failure is not cached."""
    counters.unavailable = True
    assert client.get("/stats/").status_code == client.get("/stats/sites.json").status_code == 503
    counters.unavailable = False
    assert client.get("/stats/").status_code == 200


def test_overview_of_two_sites_with_the_same_name(counters: FakeCounters) -> None:
    """Each has its own row and link; markup in a name is text."""
    same = [site("mot"), site("hai")]
    same = [Site(slug=one.slug, name="<b>Một</b>", origins=one.origins, timezone="UTC") for one in same]
    page = client_of(Sites({one.slug: one for one in same}), counters).get("/stats/").text
    assert page.count("&lt;b&gt;Một&lt;/b&gt;</a>") == 2
    assert "<b>" not in page


def test_stats_without_slash_redirects(client: Client) -> None:
    """The address without its slash keeps the query."""
    answer = client.get("/stats?lang=en")
    assert (answer.status_code, answer.headers["location"]) == (308, "/stats/?lang=en")
