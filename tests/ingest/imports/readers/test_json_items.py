"""Exports in JSON are split into their items, which are parsed one by one."""

import json

import pytest

from services.ingest.imports.item import FormatError, ImportItem, UnreadableItem
from services.ingest.imports.readers.json_items import open_json
from tests.ingest.imports.samples import read_content

POST = '{"id": %s, "title": "Bài %s", "slug": "bai-%s", "html": "<p>Chữ [a] {b} \\"c\\"</p>", "status": "published"}'


def ghost(*posts: str, more: str = "") -> bytes:
    return f'{{"db": [{{"meta": {{}}, "data": {{"posts": [{", ".join(posts)}]{more}}}}}]}}'.encode()


def post(number: int) -> str:
    return POST % (number, number, number)


def test_open_json_finds_items_by_brackets() -> None:
    """Brackets in texts do not count; items that are no objects are items as well."""
    (found,) = open_json(b'{"a": [{"x": "]}\\""}, 5, ["b"], "c" ]}', frozenset(("a",))).lists
    file = open_json(b'{"a": [{"x": "]}\\""}, 5, ["b"], "c" ]}', frozenset(("a",)))
    assert len(found.starts) == 4
    assert next(file.items(found)) == b'{"x": "]}\\""}'


def test_read_ghost_damage_costs_its_post_only() -> None:
    """A control character, a wrong byte, a text instead of a post, and rows without their fields cost themselves."""
    content = ghost(
        post(1),
        post(2).replace("Chữ", "Chữ \x01"),
        '"chuỗi"',
        post(3),
        '{"title": "x"}',
        more=', "posts_meta": [null], "posts_tags": [{"tag_id": 1}, 7], "tags": [{"id": 1}], "users": [{}]',
    ).replace("Bài 3".encode(), b"B\xe0i 3")
    read = read_content("a.json", content)
    assert [one.title for one in read if isinstance(one, ImportItem)] == ["Bài 1", "Bài 2", "B\ufffdi 3"]
    assert [one.place for one in read if isinstance(one, UnreadableItem)] == ["post 3", "post 5", "file"]


def test_read_ghost_cut_off_file_keeps_what_precedes() -> None:
    """The posts before the end of a file that is cut off are read, and the rest is reported."""
    content = ghost(post(1), post(2))
    read = read_content("a.json", content[: content.index(b"bai-2")])
    assert [one.title for one in read if isinstance(one, ImportItem)] == ["Bài 1"]
    assert "is cut off" in read[-1].reason


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_open_json_reads_other_encodings(encoding: str) -> None:
    """Windows writes a byte order mark, or UTF-16."""
    (item,) = read_content("a.json", ghost(post(1)).decode().encode(encoding))
    assert item.title == "Bài 1"


def test_read_nukeviet_tables_of_old_phpmyadmin() -> None:
    """Before 4.8 phpMyAdmin wrote comments between its tables; NukeViet 3 keeps texts in tables of 2,000 rows."""
    row = {"id": "1", "catid": "1", "status": "1", "publtime": "1583283600", "title": "Một", "alias": "Mot"}
    tables = {
        "rows": [row],
        "bodyhtml_1": [{"id": "1", "bodyhtml": "<p>Thân bài</p>"}],
        "cat": [{"catid": "1", "alias": "tin-tuc", "title": "Tin tức", "status": "1", "groups_view": "6"}],
    }
    text = "/**\n Export to JSON plugin for PHPMyAdmin\n @version 0.1\n */\n\n// Database 'x'\n\n" + "".join(
        f"// x.nv3_vi_news_{name}\n\n{json.dumps(rows)}\n" for name, rows in tables.items()
    )
    (item,) = read_content("a.json", text.encode())
    assert (item.title, item.body[0].html, item.old_urls[3]) == ("Một", "Thân bài", "/tin-tuc/Mot-1.html")


def test_open_json_refuses_what_is_none() -> None:
    """A file without brackets is refused with a sentence."""
    for content, reason in ((b"", "is empty"), (b"abc", "is not JSON")):
        with pytest.raises(FormatError, match=reason):
            open_json(content, frozenset(("a",)))
