"""Where images and files are used."""

from typing import Any

from services.ingest.media.uses import ArticleUse, article_uses, page_uses

MEDIUM = "a" * 64
FILL = """
INSERT INTO ingest.articles (id, site, version, state, title, content, modified_at, live)
SELECT 'a-' || n, 'haihau', 1, 'draft', 'Tin ' || n,
    jsonb_build_object('section', CASE WHEN n = 3 THEN 'khac' ELSE 'tin-tuc' END, 'title', 'Tin ' || n,
        'body', jsonb_build_array(jsonb_build_object('media', $1::text))), now(), NULL
FROM generate_series(1, 3) AS n
"""


async def test_uses_are_the_newest_that_may_be_read(pool: Any) -> None:
    """Of a site and its sections only, and as many as asked for; another image has none."""
    await pool.execute(FILL, MEDIUM)
    key = ("haihau", MEDIUM)
    async with pool.acquire() as connection:
        found = await article_uses(connection, [key, ("haihau", "b" * 64), ("khac", MEDIUM)])
        assert [one.id for one in found[key]] == ["a-3", "a-2", "a-1"]
        assert list(found) == [key]
        found = await article_uses(connection, [key], ["haihau/tin-tuc"], 1)
        number = await connection.fetchval("SELECT number FROM ingest.articles WHERE id = 'a-2'")
        assert found[key] == [ArticleUse("a-2", number, "Tin 2", "draft", is_live=False)]
        assert not await page_uses(connection, [key])
