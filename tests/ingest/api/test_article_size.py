"""An article of the greatest size: it can be published, changed and withdrawn, also at its scheduled times."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.ingest.articles.copies import ArticleChange
from services.ingest.articles.scheduler import run_next_due
from services.ingest.articles.store import insert_article, read_article
from services.ingest.auth.actors import Actor
from services.ingest.content.validation import check_limits
from shared.articles import ARTICLE_BYTES_MAX, Article, Paragraph, State
from shared.http.problems import Problem
from shared.sites import Site

NewArticle = Callable[..., Article]
PATH = "/articles/a-1"


def largest(new_article: NewArticle, site: Site, state: State) -> Article:
    """Return an article that one more letter would make too large to be saved."""
    article = new_article(state=state, body=[], created_at=datetime.now(UTC))
    while (left := ARTICLE_BYTES_MAX - len(msgspec.json.encode(article))) > 20_000:
        article = msgspec.structs.replace(article, body=[*article.body, Paragraph("đ" * 7_000)])
    paragraph = len(msgspec.json.encode(Paragraph(""))) + 1
    last = [Paragraph("x" * size) for size in (9_000, left - 9_000 - 2 * paragraph)]
    article = msgspec.structs.replace(article, body=[*article.body, *last])
    check_limits(article, site)
    with pytest.raises(Problem, match=r"at most 524,288 bytes"):
        check_limits(msgspec.structs.replace(article, title=f"{article.title}x"), site)
    return article


async def stored(api: Any, article: Article) -> None:
    async with api.context.pool.acquire() as connection, connection.transaction():
        await insert_article(
            connection, ArticleChange("create", article, None, is_public_change=False), Actor("Người viết")
        )


async def test_article_of_the_greatest_size_is_published_changed_and_withdrawn(
    api: Any, new_article: NewArticle, site: Site
) -> None:
    """The dates that a publication adds make it no larger than it may be; it can always be taken off the portal."""
    await stored(api, largest(new_article, site, "approved"))
    assert (await api.call("POST", f"{PATH}/publish", {"version": 1}, "admin")).status == 200
    for sent in ({"priority": 1}, {"unpublish_at": "2099-01-01T00:00:00Z"}):
        assert (await api.call("PATCH", f"{PATH}/live", sent, "admin", if_match="*")).status == 200
    assert (await api.call("PATCH", PATH, {"title": "Bản sau"}, if_match="*")).status == 200
    refused = await api.call("PATCH", f"{PATH}/live", {"correction": {"text": "đ" * 900}}, "admin", if_match="*")
    assert (refused.status, refused.json()["code"]) == (413, "too_large")
    for name in ("unpublish", "archive", "kill"):
        assert (await api.call("POST", f"{PATH}/{name}", {"reason": "theo yêu cầu"}, "admin")).status == 200


async def test_article_of_the_greatest_size_is_published_and_withdrawn_at_its_times(
    api: Any, new_article: NewArticle, site: Site
) -> None:
    """A schedule that was accepted is kept, and so is the end of what it has published."""
    await stored(api, largest(new_article, site, "approved"))
    at = datetime.now(UTC) + timedelta(days=1)
    sent = {"version": 1, "publish_at": at.isoformat()}
    assert (await api.call("POST", f"{PATH}/schedule", sent, "admin")).status == 200
    pool, sites = api.context.pool, api.context.sites
    await pool.execute("UPDATE ingest.articles SET scheduled_for = now()")
    assert await run_next_due(pool, sites)
    sent = {"unpublish_at": (at + timedelta(days=1)).isoformat()}
    assert (await api.call("PATCH", f"{PATH}/live", sent, "admin", if_match="*")).status == 200
    await pool.execute("UPDATE ingest.articles SET unpublish_due_at = now()")
    assert await run_next_due(pool, sites)
    async with pool.acquire() as connection:
        after = await read_article(connection, "a-1")
    assert after is not None
    assert after.live is not None
    assert (after.live.state, after.schedule_error) == ("unpublished", None)
    assert not await run_next_due(pool, sites)
