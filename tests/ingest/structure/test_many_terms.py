"""Sites with 10,000 tags and 2,000 authors, and structures at their limits."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from shared.site_structure import (
    BIO_CHARACTERS_MAX,
    STRUCTURE_BYTES_MAX,
    TAGS_MAX,
    SiteStructure,
    StructureAuthor,
    StructureTag,
)
from shared.slugs import name_slug, transliterated_slug
from shared.topics import MESSAGE_BYTES_MAX

TAGS = [f"Thẻ số {number}" for number in range(10_000)]
AUTHORS = [f"Nguyễn Văn {number}" for number in range(2_000)]
INSERT_TERMS = "INSERT INTO ingest.article_terms SELECT $1, $2, name, 'haihau', true FROM unnest($3::text[]) name"
MANY_SECONDS_MAX = 60


@pytest.fixture
async def many(api: Any, pool: asyncpg.Pool) -> Any:
    """The editor API of a site whose articles name many tags and authors."""
    article = (await api.create("Một"))["id"]
    await pool.execute(INSERT_TERMS, article, "tag", TAGS)
    await pool.execute(INSERT_TERMS, article, "author", AUTHORS)
    await api.call("GET", "/tags", scope="read")
    return api


async def declare(pool: asyncpg.Pool, tags: int, size: int = 0) -> None:
    """Declare the first of the tags; and authors, until the structure has nearly `size` bytes."""
    row = await pool.fetchrow("SELECT content, version FROM ingest.site_structures")
    assert row is not None
    declared = [StructureTag(slug=name_slug(name), name=name, version=1) for name in TAGS[:tags]]
    structure = msgspec.json.decode(row["content"], type=SiteStructure)
    structure = msgspec.structs.replace(structure, tags=declared, version=row["version"] + 1)
    room = size - len(msgspec.json.encode(structure)) - 1_000
    authors: list[StructureAuthor] = []
    while room > 0:
        name, bio = AUTHORS[len(authors)], "x" * min(room, BIO_CHARACTERS_MAX)
        authors.append(StructureAuthor(slug=name_slug(name), name=name, bio=bio, version=1))
        room -= len(msgspec.json.encode(authors[-1])) + 1
    structure = msgspec.structs.replace(structure, authors=authors)
    statement = "UPDATE ingest.site_structures SET content = $1::jsonb, version = $2"
    await pool.execute(statement, msgspec.json.encode(structure).decode(), structure.version)


async def merge(api: Any, slug: str, into: str) -> Any:
    return await api.call("POST", f"/tags/{slug}/merge", {"into": into}, "admin")


@pytest.mark.timeout(MANY_SECONDS_MAX)
async def test_lists_of_many_tags_and_authors_compute_each_slug_once(many: Any) -> None:
    """Pages, searches and changes of 10,000 tags answer without making the slugs of all of them again."""
    first = (await many.call("GET", "/tags?limit=100", scope="read")).json()
    assert len(first["tags"]) == 100
    misses = transliterated_slug.cache_info().misses
    found = (await many.call("GET", "/tags?q=so%209999", scope="read")).json()["tags"]
    assert [one["slug"] for one in found] == ["the-so-9999"]
    assert (await many.call("GET", f"/tags?limit=100&cursor={first['next']}", scope="read")).status == 200
    assert (await many.call("GET", "/authors?q=nguyen%201999", scope="read")).json()["authors"][0]["articles"] == 1
    assert (await merge(many, "the-so-9998", "the-so-9999")).json()["spellings"] == ["Thẻ số 9998", "Thẻ số 9999"]
    renamed = await many.call("PATCH", "/tags/the-so-9999", {"name": "Thẻ cuối"}, "admin", if_match="*")
    assert (renamed.status, renamed.json()["former_slugs"]) == (200, ["the-so-9998", "the-so-9999"])
    assert transliterated_slug.cache_info().misses == misses, "plain names need no transliteration"


@pytest.mark.timeout(MANY_SECONDS_MAX)
async def test_tag_beyond_the_limit_is_refused_and_a_merge_makes_room(many: Any, pool: asyncpg.Pool) -> None:
    """With as many declared tags as there may be, another one is 409 with the limit, and declared ones still merge."""
    await declare(pool, TAGS_MAX)
    refused = await many.call("PATCH", "/tags/the-so-9999", {"name": "Thẻ chín"}, "admin", if_match="*")
    assert (refused.status, refused.json()["code"], refused.json()["limit"]) == (409, "limit_reached", TAGS_MAX)
    assert (await merge(many, "the-so-9998", "the-so-9999")).status == 409
    assert (await merge(many, "the-so-9998", "the-so-0")).status == 200
    assert (await merge(many, "the-so-1", "the-so-0")).status == 200
    added = await many.call("PATCH", "/tags/the-so-9999", {"name": "Thẻ số 9999!"}, "admin", if_match="*")
    assert added.status == 200, added.body


@pytest.mark.timeout(MANY_SECONDS_MAX)
async def test_full_structure_is_a_clear_problem_and_keeps_breaking_news_possible(
    many: Any, pool: asyncpg.Pool
) -> None:
    """At the limit of bytes a change says limit and size, the front page changes still, and messages fit into Kafka."""
    await declare(pool, 4_000, STRUCTURE_BYTES_MAX)
    added = await many.call("POST", "/authors", {"name": "Người mới", "bio": "y" * BIO_CHARACTERS_MAX}, "publish")
    status, problem = added.status, added.json()
    assert (status, problem["code"], problem["limit"]) == (409, "limit_reached", STRUCTURE_BYTES_MAX)
    assert problem["size"] > STRUCTURE_BYTES_MAX
    until = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    bar = {"text": "Bão số 9 đổ bộ " + "ế" * 60, "url": "https://namdinh.gov.vn/bao", "until": until}
    answer = await many.call("PUT", "/front-page", {"slots": [], "breaking": bar}, "publish", if_match="*")
    assert answer.status == 200, answer.body
    assert (await merge(many, "the-so-1", "the-so-0")).status == 200
    longest = await pool.fetchval("SELECT max(length(value)) FROM ingest.outbox WHERE topic = 'site-structure'")
    assert STRUCTURE_BYTES_MAX - 3_000 < longest < MESSAGE_BYTES_MAX - 100_000
