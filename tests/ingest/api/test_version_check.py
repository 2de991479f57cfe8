"""The version that a request names."""

from typing import Any

import asyncpg
import pytest
from starlette.requests import Request

from services.ingest.api.version_check import VersionRule, check_version
from services.ingest.articles.copies import StoredArticle
from shared.http.problems import Problem


def request(if_match: str | None) -> Request:
    headers = [] if if_match is None else [(b"if-match", if_match.encode())]
    return Request({"type": "http", "method": "PUT", "path": "/", "query_string": b"", "headers": headers})


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
