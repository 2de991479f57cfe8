"""What the routes share: sites, tokens, article IDs and version checks."""

import asyncio
import threading
import time
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from starlette.requests import Request

from services.ingest.api.dependencies import ApiContext, VersionRule, check_version, load_article
from services.ingest.articles.copies import StoredArticle
from services.ingest.auth.callers import Caller, token_grants
from shared.http.problems import Problem

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def request(if_match: str | None) -> Request:
    headers = [] if if_match is None else [(b"if-match", if_match.encode())]
    return Request({"type": "http", "method": "PUT", "path": "/", "query_string": b"", "headers": headers})


async def token_of(api: Any, scope: str) -> Caller:
    context: ApiContext = api.context
    return await context.authentication.tokens.require(f"Bearer {await api.token(scope)}", "read")


@pytest.mark.parametrize(
    ("if_match", "body_version"),
    [
        ("3", None),
        ('"3"', None),
        ('W/"3"', None),
        ('"3-gzip"', None),
        ('"1", "3"', None),
        ("*", None),
        (None, 3),
        ('"3"', 3),
        ("*", 3),
    ],
)
async def test_check_version_of_the_newest_version_passes(
    pool: asyncpg.Pool, new_article: Any, if_match: str | None, body_version: Any
) -> None:
    """The version may be named by If-Match, also as a proxy changed it, or in the body."""
    stored = StoredArticle(new_article(version=3), None)
    async with pool.acquire() as connection:
        await check_version(connection, request(if_match), body_version, stored, VersionRule.REQUIRED)


@pytest.mark.parametrize(
    ("if_match", "body_version", "status"),
    [
        (None, None, 428),
        ('"2"', None, 412),
        ('"1", "2"', None, 412),
        (None, 4, 412),
        ("*", 2, 412),
        ('"3"', 2, 412),
        ('"2"', 3, 412),
        ('"three"', None, 400),
        ('"3", x', None, 400),
        ("", None, 400),
    ],
)
async def test_check_version_of_another_version_is_rejected(
    pool: asyncpg.Pool, new_article: Any, if_match: str | None, body_version: Any, status: int
) -> None:
    """A change without a version, of another one, or with an unreadable If-Match is a problem with its status."""
    stored = StoredArticle(new_article(version=3), None)
    async with pool.acquire() as connection:
        with pytest.raises(Problem) as rejected:
            await check_version(connection, request(if_match), body_version, stored, VersionRule.REQUIRED)
    assert rejected.value.status == status
    if status != 400:
        assert rejected.value.extensions["version"] == 3


async def test_check_version_without_one_passes_where_it_is_not_required(pool: asyncpg.Pool, new_article: Any) -> None:
    """A withdrawal needs no version, but a wrong one is rejected there too."""
    stored = StoredArticle(new_article(version=3), None)
    async with pool.acquire() as connection:
        await check_version(connection, request(None), None, stored, VersionRule.OPTIONAL)
        with pytest.raises(Problem):
            await check_version(connection, request('"2"'), None, stored, VersionRule.OPTIONAL)


async def test_check_version_any_is_not_what_somebody_has_read(pool: asyncpg.Pool, new_article: Any) -> None:
    """If-Match: * does not name a version, so it neither approves nor publishes (a swap a moment before passed)."""
    stored = StoredArticle(new_article(version=3), None)
    async with pool.acquire() as connection:
        await check_version(connection, request("*"), 3, stored, VersionRule.EXACT)
        for if_match in ("*", " * ", None):
            with pytest.raises(Problem) as rejected:
                await check_version(connection, request(if_match), None, stored, VersionRule.EXACT)
            assert (rejected.value.status, rejected.value.extensions["version"]) == (428, 3)


async def test_load_article_needs_scope_and_an_existing_article(api: Any) -> None:
    """An unknown article is 404, and a token without the scope gets 403."""
    article = await api.create("Tựa")
    async with api.context.pool.acquire() as connection:
        reading = await token_of(api, "read")
        assert (await load_article(connection, article["id"], reading, "read")).head.title == "Tựa"
        for article_id, scope, status in ((article["id"], "write", 403), ("nothing", "read", 404)):
            with pytest.raises(Problem) as rejected:
                await load_article(connection, article_id, reading, scope)
            assert rejected.value.status == status


async def test_article_id_with_other_characters_is_404(api: Any) -> None:
    """An ID that no article can have is not looked up in Postgres."""
    cases: list[Any] = ["a%20b", "x" * 65, "%00", "a%2Fb"]
    for article_id in cases:
        assert (await api.call("GET", f"/articles/{article_id}")).status == 404


async def test_visible_sites_are_those_of_the_token(api: Any) -> None:
    """A token of some sites lists theirs; one of all sites lists all; an unknown site is 404 with the known ones."""
    context: ApiContext = api.context
    everywhere = Caller("12345678", "An", token_grants(["read"], None))
    limited = Caller("12345678", "An", token_grants(["read"], ["x", "haihau"]))
    elsewhere = Caller("12345678", "An", token_grants(["read"], ["x"]))
    assert context.visible_sites(everywhere, None) is None
    assert context.visible_sites(limited, None) == ["haihau", "x"]
    assert context.visible_sites(limited, "haihau") == ["haihau"]
    for token, site, status in ((everywhere, "nowhere", 404), (elsewhere, "haihau", 403)):
        with pytest.raises(Problem) as rejected:
            context.visible_sites(token, site)
        assert rejected.value.status == status


async def test_convert_runs_two_at_a_time(api: Any) -> None:
    """Conversions run in threads, off the event loop, and not more than two at once."""
    running, most, lock = 0, 0, threading.Lock()

    def work(number: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return number * 2

    assert await asyncio.gather(*(api.context.convert(work, number) for number in range(6))) == [0, 2, 4, 6, 8, 10]
    assert most == 2
