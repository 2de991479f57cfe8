"""NukeViet's tables: who wrote, what is attached, and which sections are hidden."""

import json
from typing import Any

import pytest

from shared.articles import Paragraph, Source
from tests.ingest.imports.samples import outcome, read_content

ROW = {"id": "1", "catid": "1", "status": "1", "publtime": "1583283600", "title": "Một", "alias": "Mot"}
CAT = {"catid": "1", "parentid": "0", "alias": "tin-tuc", "title": "Tin tức", "status": "1", "groups_view": "6"}


def read(rows: list[Any], cat: list[Any], **tables: list[Any]) -> list[Any]:
    detail = [{"id": str(number), "bodyhtml": "<p>Chữ.</p>"} for number in range(1, 5)]
    named = {"rows": rows, "detail": detail, "cat": cat, **tables}
    head = [{"type": "header", "comment": "PHPMyAdmin"}]
    listed = [{"type": "table", "name": f"nv4_vi_news_{name}", "data": data} for name, data in named.items()]
    return read_content("a.json", json.dumps(head + listed).encode())


def test_read_nukeviet_authors_files_and_source() -> None:
    """Authors are in a table of their own, attached files are links, and a source may be an address."""
    detail = [{"id": "1", "bodyhtml": "<p>Chữ.</p>", "files": "2020_03/vb.pdf", "sourcetext": "https://bao.example/x"}]
    writers = [{"id": "1", "aid": "3", "alias": "mai", "pseudonym": "Mai Anh"}]
    (item,) = read([{**ROW, "author": "Lan"}], [CAT], detail=detail, authorlist=writers)
    assert [one.name for one in item.authors] == ["Mai Anh", "Lan"]
    assert item.body[1] == Paragraph('<a href="/uploads/news/2020_03/vb.pdf">vb.pdf</a>')
    assert item.source == Source("bao.example", url="https://bao.example/x")
    assert [one.kind for one in item.warnings] == ["file"]


@pytest.mark.parametrize(
    ("cat", "expected"),
    [
        ([CAT], "public"),
        ([], "draft"),
        ([{**CAT, "status": "0"}], "draft"),
        ([{**CAT, "parentid": "2"}, {**CAT, "catid": "2", "status": "0"}], "draft"),
        ([{**CAT, "groups_view": "4,5"}], "draft"),
    ],
)
def test_read_nukeviet_hidden_or_unknown_section_makes_a_draft(cat: list[Any], expected: str) -> None:
    """An article of a section that is missing, hidden, or below a hidden one was not public."""
    (item,) = read([ROW], cat)
    assert outcome(item) == expected


def test_read_nukeviet_damaged_rows_cost_themselves() -> None:
    """Rows of other tables without an ID are reported, and prevent nothing."""
    found = read([ROW, {**ROW, "id": "2", "title": None}], [CAT, {"title": "x"}], tags_id=[{"tid": "1"}], sources=[5])
    assert [one.title for one in found[:2]] == ["Một", "Chữ."]
    assert found[2].reason == "has 3 rows of tables beside nv4_vi_news_rows without an ID"
