"""Every filter of a list reads an index: a value that no article has costs as little as one that many have."""

from typing import Any, get_args

import asyncpg
import msgspec
import pytest

from services.ingest.api.article_lists import (
    NEVER,
    SORT_ORDERS,
    Direction,
    authors_named,
    fetch_filtered,
    list_statement,
)
from services.ingest.queries import SQL

ARTICLES = 4_000
ROWS_READ_MAX = 450
"""A section has 400 articles."""
FILL = """
INSERT INTO ingest.articles (id, site, version, state, title, source_system, external_id, content, modified_at, live,
    publish_due_at)
SELECT 'a-' || n, 'haihau', 1, CASE WHEN n % 100 = 0 THEN 'scheduled' ELSE 'published' END, 'Tin ' || n, 'cms',
    'x' || n, content, now(), content, CASE WHEN n % 100 = 0 THEN now() + make_interval(mins => n) END
FROM generate_series(1, $1) AS n,
     LATERAL (SELECT jsonb_build_object('state', 'published', 'title', 'Tin ' || n, 'section', 'muc-' || n % 10,
         'tags', jsonb_build_array('thẻ ' || n % 500, 'chung'),
         'authors', jsonb_build_array(jsonb_build_object('name', 'Người ' || n % 700)),
         'body', '[]'::jsonb) AS content) AS made
"""
LIST_ARTICLES = ("section", "tag", "author", "q", "source_system", "external_id")
LIST_PUBLISHED = LIST_ARTICLES[:4]
FEW: dict[str, Any] = {"section": "muc-3", "tag": "thẻ 7", "author": "Người 9", "q": "'1234'", "external_id": "x9"}
NONE = dict.fromkeys(FEW, "không có") | {"q": "'khong'"}
MANY = {"section": "muc-3", "tag": "chung", "q": "'tin'"}


@pytest.fixture
async def filled(pool: asyncpg.Pool) -> asyncpg.Pool:
    """Thousands of published articles."""
    await pool.execute(FILL, ARTICLES)
    await pool.execute(
        "INSERT INTO ingest.revisions"
        " (article, version, action, state, content, who, site, note, at, is_public_change, copies)"
        " SELECT 'a-' || n, 1, 'create', 'draft', '{}', 'Người ' || n % 700, 'haihau', '', now(), false, '{working}'"
        " FROM generate_series(1, $1) AS n",
        ARTICLES,
    )
    return pool


async def rows_read(pool: asyncpg.Pool, query: str, *values: Any) -> int:
    """Return how many rows the scans of a query read, also those that a filter removed."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(SQL["plan_each_list"])
        if query == SQL["matching_numbers"]:
            await connection.execute(SQL["search_by_index"])
        plan = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", *values)

    def of(node: dict[str, Any]) -> int:
        inner = [of(one) for one in node.get("Plans", ())]
        removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        return int(max([node["Actual Rows"], *inner]) + removed)

    return of(msgspec.json.decode(plan)[0]["Plan"])


@pytest.mark.parametrize("wanted", [FEW, NONE, MANY], ids=["few", "none", "many"])
async def test_filter_of_a_list_reads_an_index(filled: asyncpg.Pool, database: str, wanted: dict[str, Any]) -> None:
    """Without an index, a tag that no article has took seconds of Postgres for each request of anybody."""
    owner = await asyncpg.connect(database)
    await owner.execute("SELECT gin_clean_pending_list('ingest.article_words_words')")
    await owner.execute("ANALYZE ingest.articles, ingest.article_words, ingest.revisions")
    await owner.close()
    for sites in (["haihau"], None):
        for name, value in wanted.items():
            filters = [value if one == name else None for one in LIST_ARTICLES]
            filters[2] = authors_named(filters[2])
            given = [sites, None, *filters, *[None] * 7, 2**62, 2**62, 20, False]
            if name == "q":
                read = await rows_read(filled, SQL["matching_numbers"], value, 2_001)
                assert read <= ROWS_READ_MAX or value == MANY["q"], (value, read)
            else:
                read = await rows_read(filled, list_statement("number", "desc"), *given)
                assert read <= ROWS_READ_MAX, (name, value, read)
            if name in LIST_PUBLISHED:
                read = await rows_read(filled, SQL["list_published"], ["haihau"], 2**62, 20, *filters[:4], False)
                assert read <= ROWS_READ_MAX, (name, value, read)
    for who in ("Người 9", "không có"):
        read = await rows_read(filled, SQL["list_audit_entries"], None, 2**62, 20, who, None, None)
        assert read <= ROWS_READ_MAX, (who, read)


async def test_sorted_and_filtered_lists_read_an_index(filled: asyncpg.Pool, database: str) -> None:
    """Each order in both directions, states, a person's own articles and due times read few rows, on any page."""
    owner = await asyncpg.connect(database)
    await owner.execute("SELECT gin_clean_pending_list('ingest.article_words_words')")
    await owner.execute("ANALYZE ingest.articles, ingest.article_words, ingest.revisions")
    await owner.close()
    middle = {int: 2_000, str: ""}
    for sort, order in SORT_ORDERS.items():
        key = middle.get(order.key_type, NEVER)
        for direction in get_args(Direction):
            for sites in (["haihau"], None):
                statement = list_statement(sort, direction)
                for after in ((None, None), (key, 2_000)):
                    read = await rows_read(filled, statement, sites, *[None] * 14, *after, 20, False)
                    assert read <= ROWS_READ_MAX, (sort, direction, sites, after, read)
    by_number, by_due = list_statement("number", "desc"), list_statement("due", "asc")
    now = await filled.fetchval("SELECT now()")
    for statement, given in (
        (by_number, [["haihau"], ["draft"], *[None] * 13, 2**62, 2**62, 20, False]),
        (by_number, [["haihau"], ["draft", "scheduled"], *[None] * 13, 2**62, 2**62, 20, False]),
        (by_number, [["haihau"], None, *[None] * 10, [9, 709, 1409], None, None, 2**62, 2**62, 20, False]),
        (by_number, [["haihau"], None, *[None] * 12, ["refusal"], 2**62, 2**62, 20, False]),
        (by_number, [["haihau"], None, *[None] * 12, ["problem"], 2**62, 2**62, 20, False]),
        (SQL["own_numbers"], [["Người 9", "5f2c81aa"], 2_001]),
        (SQL["matching_numbers"], ["'1234'", 2_001]),
        (by_due, [["haihau"], None, *[None] * 7, now, NEVER, *[None] * 6, 20, False]),
    ):
        read = await rows_read(filled, statement, *given)
        assert read <= ROWS_READ_MAX, (given, read)


LONG_TEXTS = """
UPDATE ingest.article_words SET words = (
    SELECT to_tsvector('simple', string_agg(md5((n % 40000)::text), ' '))
    FROM generate_series(length(article) * 7, length(article) * 7 + 400) AS n
)
"""
SEARCH = 5
"""The place of the search among the filters."""


async def test_search_of_long_texts_reads_no_text(filled: asyncpg.Pool, database: str) -> None:
    """Words of long texts are stored apart, so that reading all seems cheap: a search never does it."""
    owner = await asyncpg.connect(database)
    await owner.execute(LONG_TEXTS)
    await owner.execute("VACUUM ANALYZE ingest.article_words")
    await owner.close()
    planned = f"EXPLAIN {list_statement('number', 'desc')}"
    for query in ("'khong':*", f"'{'0' * 32}'"):
        filters: list[Any] = [None] * 15
        filters[SEARCH] = query
        async with filled.acquire() as connection, connection.transaction():
            await connection.execute(SQL["plan_each_list"])
            await connection.execute(SQL["search_by_index"])
            rows = await connection.fetch(f"EXPLAIN {SQL['matching_numbers']}", query, 2_001)
            rows += await connection.fetch(planned, *filters, None, None, 20, False)
        assert "Seq Scan on article_words" not in "\n".join(row[0] for row in rows)


@pytest.mark.parametrize(("query", "is_on"), [("'chung' & 'tin'", "off"), (None, "on")])
async def test_list_with_a_search_is_planned_by_its_index(pool: asyncpg.Pool, query: str | None, is_on: str) -> None:
    """A search uses its index; other lists are planned as the planner likes."""
    filters: list[Any] = [None] * 15
    filters[SEARCH] = query
    named = ", ".join(f"${place}::text" for place in range(1, 13))
    statement = f"SELECT current_setting('enable_seqscan') AS it, {named}, $13::bigint[], $14::text, $15::text"
    (row,) = await fetch_filtered(pool, statement, filters)
    assert row["it"] == is_on


async def test_audit_log_reads_contents_of_its_page_only(filled: asyncpg.Pool) -> None:
    """Revisions are sorted without their contents: those of all articles of an installation take a second."""
    statement = f"EXPLAIN (VERBOSE, FORMAT JSON) {SQL['list_audit_entries']}"
    plan = await filled.fetchval(statement, None, 2**62, 20, None, None, None)
    sorts: list[str] = []

    def visit(node: dict[str, Any]) -> None:
        if node["Node Type"] == "Sort" and "revisions" in str(node["Output"]):
            sorts.append(str(node["Output"]))
        for one in node.get("Plans", ()):
            visit(one)

    visit(msgspec.json.decode(plan)[0]["Plan"])
    assert any("content" not in output for output in sorts), sorts
