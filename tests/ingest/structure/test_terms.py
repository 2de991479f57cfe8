"""How many articles name a section, a tag or an author: kept by a trigger, counted under present slugs."""

import time
from datetime import UTC, datetime
from typing import Any

import asyncpg

from services.ingest.structure.store import TermCount
from services.ingest.structure.terms import Term, group_terms, matching, read_terms
from shared.site_structure import SiteStructure, StructureIndex, StructureTag

_AT = datetime(2026, 11, 29, tzinfo=UTC)


async def test_trigger_follows_every_copy_of_an_article(api: Any, pool: asyncpg.Pool) -> None:
    """A term is public while the published copy has it, and goes when no copy has it any more."""
    made = await api.create("Bài", tags=["Đất", "Lúa"], authors=["Lan"])
    path = f"/articles/{made['id']}"
    for number, step in enumerate(("submit", "approve", "publish"), 1):
        assert (await api.call("POST", f"{path}/{step}", {"version": number}, "publish")).status == 200

    async def terms() -> dict[tuple[str, str], bool]:
        rows = await pool.fetch("SELECT kind, name, is_public FROM ingest.article_terms")
        return {(row["kind"], row["name"]): row["is_public"] for row in rows}

    assert await terms() == {
        ("section", "tin-tuc"): True,
        ("tag", "Đất"): True,
        ("tag", "Lúa"): True,
        ("author", "Lan"): True,
    }
    await api.call("PATCH", path, {"tags": ["Muối"], "version": 4})
    assert (await terms())["tag", "Muối"] is False
    assert (await terms())["tag", "Lúa"] is True
    await api.call("POST", f"{path}/unpublish", {}, "publish")
    assert set((await terms()).values()) == {False}


async def test_article_with_two_spellings_of_a_tag_counts_once(api: Any, pool: asyncpg.Pool) -> None:
    """After a merge an older article may have both tags."""
    await api.create("Một", tags=["Nam Định", "tinh Nam Dinh"])
    await api.create("Hai", tags=["Nam Định"])
    tag = StructureTag(slug="nam-dinh", name="Nam Định", version=1)
    structure = SiteStructure(
        site="haihau", version=1, modified_at=_AT, tags=[tag], tag_aliases={"tinh-nam-dinh": "nam-dinh"}
    )
    terms = await read_terms(pool, StructureIndex(structure), "tag")
    assert {slug: (one.name, one.articles, one.spellings) for slug, one in terms.items()} == {
        "nam-dinh": ("Nam Định", 2, ["Nam Định", "tinh Nam Dinh"])
    }


def test_matching_finds_words_without_diacritics_in_any_form() -> None:
    """A query finds the beginnings of words, in NFD or NFC, with or without diacritics; the most used come first."""
    terms = [
        Term("dat", "Đất", articles=1),
        Term("dat-lua", "Đất lúa", articles=5),
        Term("mat-ong", "Mật ong", spellings=["mật hoa"]),
    ]
    found = {
        query: [one.slug for one in matching(terms, query)] for query in ("dat", "Đâ\u0301t", "lua dat", "hoa", "at")
    }
    assert found == {
        "dat": ["dat-lua", "dat"],
        "Đâ\u0301t": ["dat-lua", "dat"],
        "lua dat": ["dat-lua"],
        "hoa": ["mat-ong"],
        "at": [],
    }
    assert len(matching(terms, "")) == 3


def test_fifty_thousand_authors_are_grouped_and_searched_in_a_second() -> None:
    """More names than slugs are remembered cost no transliteration each time, and one of them is found alone."""
    counted = {f"Nguyễn Thị Hương Giang {number}": TermCount(1, 1) for number in range(50_000)}
    index = StructureIndex(SiteStructure(site="haihau", version=1, modified_at=_AT))
    group_terms(counted, index, "author")
    begun = time.process_time()
    terms = group_terms(counted, index, "author")
    assert len(terms) == len(matching(terms.values(), "")) == 50_000
    assert [one.slug for one in matching(terms.values(), "giang 49999")] == ["nguyen-thi-huong-giang-49999"]
    (one,) = group_terms(counted, index, "author", "nguyen-thi-huong-giang-7").values()
    assert (one.articles, one.spellings) == (1, ["Nguyễn Thị Hương Giang 7"])
    assert time.process_time() - begun < 1.5
