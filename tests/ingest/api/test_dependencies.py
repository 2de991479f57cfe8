"""What the routes share: sites, tokens and article IDs."""

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.api.dependencies import ApiContext, load_article
from services.ingest.auth.callers import Caller, token_grants
from shared.http.problems import Problem

NOW = datetime(2026, 11, 24, tzinfo=UTC)


async def token_of(api: Any, scope: str) -> Caller:
    context: ApiContext = api.context
    return await context.authentication.tokens.require(f"Bearer {await api.token(scope)}", "read")


async def test_load_article_needs_scope_and_an_existing_article(api: Any) -> None:
    """An unknown article is 404, and a token without the scope gets 403."""
    article = await api.create("Tựa")
    async with api.context.pool.acquire() as connection:
        reading = await token_of(api, "read")
        assert (await load_article(api.context, connection, article["id"], reading, "read")).head.title == "Tựa"
        for article_id, scope, status in ((article["id"], "write", 403), ("nothing", "read", 404)):
            with pytest.raises(Problem) as rejected:
                await load_article(api.context, connection, article_id, reading, scope)
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
    running, most, lock, pair = 0, 0, threading.Lock(), threading.Barrier(2)

    def work(number: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        pair.wait(60)
        with lock:
            running -= 1
        return number * 2

    assert await asyncio.gather(*(api.context.convert(work, number) for number in range(6))) == [0, 2, 4, 6, 8, 10]
    assert most == 2
