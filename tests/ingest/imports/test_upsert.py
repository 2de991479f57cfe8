"""Drafts of an import in Postgres: new articles, next versions, and opening balances."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from services.ingest.articles.opening_balances import set_opening_balance
from services.ingest.articles.store import read_article, save_change
from services.ingest.articles.workflow import schedule_article
from services.ingest.auth.actors import Actor
from services.ingest.imports.upsert import ImportedDraft, UpsertResult, upsert_draft
from shared.articles import Article, Paragraph, updated_at
from shared.http.problems import Problem


async def count(pool: asyncpg.Pool, table: str) -> int:
    return int(await pool.fetchval(f"SELECT count(*) FROM ingest.{table}"))


async def test_set_opening_balance_returns_the_first_balance(pool: asyncpg.Pool) -> None:
    """A counter gets one opening balance; later calls return it and change nothing."""
    balances = []
    for amount in (5, 9):
        async with pool.acquire() as connection, connection.transaction():
            balance = await set_opening_balance(
                connection, site="haihau", article=None, measure="visits", amount=amount, who="An", why="x"
            )
            balances.append(balance)
    assert balances == [5, 5]
    assert await count(pool, "outbox") == 1


NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
FIELDS: dict[str, Any] = {
    "title": "Tựa",
    "slug": "tua",
    "section": "tin-tuc",
    "language": "vi",
    "body": [],
    "lead_image": None,
}


async def upsert(pool: asyncpg.Pool, fields: dict[str, Any], name: str = "e-1", **options: Any) -> UpsertResult:
    draft = ImportedDraft("haihau", "feed:haihau", name, {**FIELDS, **fields})
    async with pool.acquire() as connection, connection.transaction():
        return await upsert_draft(connection, draft, **{"publish": False, "now": NOW, "actor": Actor("An"), **options})


def test_checksum_depends_on_content_and_not_on_order() -> None:
    """The checksum changes with a field's value, and not with the order of the fields."""
    one, same = ({**FIELDS, "lead": "x"}, {"lead": "x", **FIELDS})
    checksums = [ImportedDraft("haihau", "s", "e", fields).checksum() for fields in (one, same, FIELDS)]
    assert checksums[0] == checksums[1] != checksums[2]


async def test_upsert_draft_keeps_a_slug_that_was_not_made_of_the_title(pool: asyncpg.Pool) -> None:
    """A later import changes the content; an address of the source's own choice stays."""
    first = await upsert(pool, {"slug": "cho-con"})
    second = await upsert(pool, {"title": "Tựa mới", "slug": "x"})
    assert (first.change, second.change) == ("created", "changed")
    assert (second.article.id, second.article.title, second.article.slug) == (first.article.id, "Tựa mới", "cho-con")
    assert (await upsert(pool, {"title": "Tựa mới", "slug": "x"})).change == "unchanged"
    assert await count(pool, "revisions") == 2


@pytest.mark.parametrize("publish", [False, True])
async def test_same_import_leaves_edits_also_if_another_article_has_its_old_url(
    pool: asyncpg.Pool, publish: bool
) -> None:
    """A repetition is one although an old URL is left out each time: what editors wrote since stays."""
    await upsert(pool, {"old_urls": ["/cu.html"]}, "e-0", publish=publish)
    fields = {"old_urls": ["/cu.html", "/khac.html"]}
    first = await upsert(pool, fields, publish=publish)
    assert first.article.old_urls == ["/khac.html"]
    edited = msgspec.structs.replace(first.article, title="Tựa của ban biên tập")
    content = msgspec.json.encode(edited).decode()
    await pool.execute("UPDATE ingest.articles SET content = $2 WHERE id = $1", edited.id, content)
    again = await upsert(pool, fields, publish=publish)
    assert (again.change, again.article.title, len(again.warnings)) == ("unchanged", "Tựa của ban biên tập", 1)


@pytest.mark.parametrize("is_of_editors", [True, False])
async def test_import_moves_its_own_schedule_and_none_of_editors(pool: asyncpg.Pool, is_of_editors: bool) -> None:
    """A later time of the source replaces the time that an import has set, and never one that editors chose."""
    due, later = NOW + timedelta(days=2), NOW + timedelta(days=3)
    times: dict[str, Any] = {} if is_of_editors else {"publish_at": due}
    first = await upsert(pool, times, publish=not is_of_editors)
    if is_of_editors:
        async with pool.acquire() as connection, connection.transaction():
            stored = await read_article(connection, first.article.id, for_update=True)
            assert stored is not None
            head = msgspec.structs.replace(stored.head, state="approved", publish_at=due)
            await save_change(connection, stored, schedule_article(stored, head, NOW), Actor("Bình"))
    await upsert(pool, {"title": "Tựa mới", "publish_at": later}, publish=True)
    assert await pool.fetchval("SELECT scheduled_for FROM ingest.articles") == (due if is_of_editors else later)


async def test_upsert_draft_of_killed_article_is_refused(pool: asyncpg.Pool) -> None:
    """An article that was killed is not imported again."""
    first = await upsert(pool, {}, publish=True)
    await pool.execute(
        "UPDATE ingest.articles SET state = 'killed', content = content || $2, live = live || $2 WHERE id = $1",
        first.article.id,
        '{"state": "killed"}',
    )
    with pytest.raises(Problem) as refused:
        await upsert(pool, {"title": "Tựa mới"})
    assert refused.value.status == 409


async def test_imported_article_has_the_date_that_its_source_gives(pool: asyncpg.Pool) -> None:
    """A text is as old as its source says, also after an import with other tags; another text has the import's date."""
    given = datetime(2015, 3, 4, 1, tzinfo=UTC)
    later = datetime(2026, 11, 25, tzinfo=UTC)
    fields = {"body": [Paragraph("Đoạn.")], "published_at": given}
    dates = []
    for changes in ({}, {"tags": ["đất"]}, {"section": "van-hoa", "tags": ["đất"]}, {"body": [Paragraph("Khác.")]}):
        result = await upsert(pool, {**fields, **changes}, publish=True, now=later if dates else NOW)
        assert result.article.state == "published"
        dates.append(updated_at(result.article))
    assert dates == [given, given, given, later]
    rows = await pool.fetch("SELECT value FROM ingest.outbox ORDER BY id")
    sent = [msgspec.json.decode(row["value"], type=Article) for row in rows]
    assert [one.text_updated_at for one in sent] == dates
    stored = await pool.fetchval("SELECT live FROM ingest.articles")
    assert msgspec.json.decode(stored, type=Article) == sent[-1]
