"""The rows of one page, in one snapshot, with what the page depends on."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.render.site.page_reader import (
    ANY_ARTICLE,
    FAR_AHEAD,
    NO_VERSION,
    RELATED_MAX,
    PageReader,
    hidden_articles,
    read_snapshot,
)
from tests.render.conftest import SITE


async def test_read_snapshot_tracks_articles_and_expiry(portal: Any) -> None:
    """The page depends on the articles read, in their versions, and expires when the first of them does."""
    expiry = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    await portal.add(1)
    await portal.add(2, unpublish_at=expiry)

    async def read(reader: PageReader) -> Any:
        return await reader.listed("section/tin-tuc")

    version, (articles, has_more), reader = await read_snapshot(portal.pool, SITE, read)
    assert version != NO_VERSION
    assert ([article.number for article in articles], has_more) == ([2, 1], False)
    assert reader.article_ids == {"a-1", "a-2"}
    assert reader.expires_at == expiry
    assert [("a-2", 1), ("a-1", 1)] in reader.dependencies


async def test_read_snapshot_of_a_changed_article_has_other_dependencies(portal: Any) -> None:
    """Equal dependencies mean equal pages: a new version of an article on the page changes them."""
    await portal.add(1)

    async def read(reader: PageReader) -> Any:
        return await reader.listed("section/tin-tuc", size=5)

    before, _, first = await read_snapshot(portal.pool, SITE, read)
    await portal.change(1, title="Mới")
    after, (articles, _), second = await read_snapshot(portal.pool, SITE, read)
    assert before != after
    assert first.dependencies != second.dependencies
    assert articles[0].title == "Mới"


async def test_read_snapshot_of_an_empty_site_has_no_version(portal: Any) -> None:
    """A site that never had an article has the version 0, and its pages do not expire."""

    async def read(reader: PageReader) -> Any:
        return await reader.rows("all_lists"), await reader.by_section(3), await reader.article_row(1)

    version, result, reader = await read_snapshot(portal.pool, SITE, read)
    assert (version, result) == (NO_VERSION, ([], [], None))
    assert reader.article_ids == {ANY_ARTICLE}
    assert reader.expires_at == FAR_AHEAD


async def test_related_articles_are_neighbours_tags_and_translations(portal: Any) -> None:
    """Newer and older articles of the section, those that share tags first, and translations in other languages."""
    for number in range(1, 9):
        await portal.add(number, tags=["chợ"] if number in (2, 5) else [])
    await portal.add(9, language="en", translation_of="a-5", section="van-hoa")

    async def read(reader: PageReader) -> Any:
        return await reader.related_articles(portal.articles[5])

    _, found, _ = await read_snapshot(portal.pool, SITE, read)
    assert (found.newer.number, found.older.number) == (6, 4)
    assert found.similar[0].number == 2
    assert 4 not in [article.number for article in found.similar]
    assert len(found.similar) <= RELATED_MAX
    assert [article.number for article in found.translations] == [9]


async def test_hidden_articles_are_those_that_are_not_public(portal: Any) -> None:
    """Withdrawn, expired and unknown articles are hidden; public ones are not."""
    await portal.add(1)
    await portal.add(2)
    await portal.change(2, state="unpublished")
    assert await hidden_articles(portal.pool, ["a-1", "a-2"]) == {"a-2"}
    assert await hidden_articles(portal.pool, []) == set()
