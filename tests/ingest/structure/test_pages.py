"""Static pages in Postgres: bounds of a site and of a page."""

from datetime import UTC, datetime

import asyncpg
import pytest

from services.ingest.structure import pages
from services.ingest.structure.pages import insert_page, read_page
from shared.articles import Paragraph
from shared.http.problems import Problem
from shared.site_structure import StaticPage

AT = datetime(2026, 11, 29, tzinfo=UTC)


def page(number: int, text: str = "x") -> StaticPage:
    body = [Paragraph(text)]
    return StaticPage(
        site="haihau",
        id=f"p-{number}",
        version=1,
        state="withdrawn",
        slug=f"p{number}",
        title="P",
        modified_at=AT,
        body=body,
    )


async def test_pages_are_bounded_in_number_and_size(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message of a page stays small, and so does the menu's list of pages."""
    monkeypatch.setattr(pages, "PAGES_MAX", 2)
    async with pool.acquire() as connection, connection.transaction():
        await insert_page(connection, page(1), "Lan")
        with pytest.raises(Problem, match="at most 262,144 bytes"):
            await insert_page(connection, page(2, "x" * 270_000), "Lan")
        await insert_page(connection, page(2), "Lan")
        with pytest.raises(Problem, match="at most 2 static pages"):
            await insert_page(connection, page(3), "Lan")
    stored = await read_page(pool, "p-1")
    assert stored is not None
    assert (stored.page, stored.live, stored.modified_by) == (page(1), None, "Lan")
    assert await read_page(pool, "khong-co") is None
