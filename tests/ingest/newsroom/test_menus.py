"""Menus by plain forms."""

from typing import Any

from services.ingest.newsroom.menus import Row, items_of, moved, paths_of, rows_of
from tests.ingest.newsroom.conftest import Pages

ROWS = [
    Row("home:"),
    Row("section:a", until="2030-01-02T03:04:00+07:00"),
    Row("tag:b", level=2),
    Row("url:", "https://x.example/", "X", 2),
    Row("page:p"),
]


def test_rows_are_the_entries_of_a_menu() -> None:
    """Rows → entries → rows is the identity, and each row has the path that the API names it by."""
    items = items_of(ROWS)
    assert [len(one["items"]) for one in items] == [0, 2, 0]
    assert items[1]["items"][1] == {
        "kind": "url",
        "target": "https://x.example/",
        "label": "X",
        "items": [],
        "until": None,
    }
    assert rows_of(items) == ROWS
    assert paths_of(ROWS) == ["items.0", "items.1", "items.1.items.0", "items.1.items.1", "items.2"]


def test_entry_moves_with_those_below_it() -> None:
    """One of the second level changes places with its neighbour and stays below some entry."""
    assert moved(ROWS, 1, "up") == [*ROWS[1:4], ROWS[0], ROWS[4]]
    assert moved(ROWS, 0, "up") == ROWS
    assert moved(ROWS, 4, "down") == ROWS
    assert moved(ROWS, 2, "up") == [ROWS[0], ROWS[2], ROWS[1], *ROWS[3:]]
    assert moved([ROWS[0], ROWS[2]], 1, "up") == [ROWS[0], ROWS[2]]
    assert moved(ROWS, 3, "down") == [*ROWS[:3], ROWS[4], ROWS[3]]


async def test_menu_is_arranged_saved_and_removed(visit: Any, pages: Pages) -> None:
    """It begins with the sections; moving saves nothing; an entry without words of a link is named."""
    await pages.api.context.structures.step()
    editor = await visit("publish:haihau", name="Minh")
    shown = await editor.open("menu")
    assert "không có menu riêng" in shown.text
    before = [value for name, value in shown.form("menu")["fields"] if name == "target" and value]
    assert before[0] == "section:tin-tuc"
    shown = await editor.submit("menu", move="down:0")
    after = [value for name, value in shown.form("menu")["fields"] if name == "target" and value]
    assert after == [before[1], before[0], *before[2:]]
    rows = {"target": ["home:", "section:tin-tuc", "", ""], "label": ["", "Tin", "", ""]}
    rows |= {"url": ["", "", "https://namdinh.example/", ""], "level": ["2", "1", "2", "1"]}
    rows |= {"until": ["", "2100-01-02T03:04", "", ""]}
    shown = await editor.submit("menu", **rows)
    assert shown.status == 422
    assert 'id="said-3"' in shown.html
    shown = await editor.submit("menu", **{**rows, "label": ["", "Tin", "Nam Định", ""]})
    assert "Đã lưu menu" in shown.text
    stored = (await pages.api.call("GET", "/menus/main?site=haihau", None, "read")).json()["items"]
    assert [one["kind"] for one in stored] == ["home", "section"]
    assert stored[1]["items"][0]["label"] == "Nam Định"
    assert (stored[0]["until"], stored[1]["until"]) == (None, "2100-01-01T20:04:00Z")
    assert ("until", "2100-01-02T03:04") in shown.form("menu")["fields"]
    shown = await editor.submit("menu", move="drop:0")
    assert shown.form("menu")["fields"].count(("target", "home:")) == 0
    shown = await editor.submit("menu", action="remove")
    assert "không có menu riêng" in shown.text


async def test_menu_changed_meanwhile_keeps_what_was_typed(visit: Any, pages: Pages) -> None:
    """The stored menu is shown beside the typed one, which can be saved then; a writer cannot."""
    await pages.api.context.structures.step()
    first, second = await visit("publish:haihau", name="Minh"), await visit("publish:haihau", name="Lan")
    entry = {"target": ["home:"], "url": [""], "level": ["1"]}
    await second.open("menu", name="footer")
    await first.open("menu", name="footer")
    await first.submit("menu", **entry, label=["Của Minh"])
    shown = await second.submit("menu", **entry, label=["Của Lan"])
    assert shown.status == 412
    assert "Của Minh" in shown.text
    assert "Của Lan" in shown.html
    shown = await second.submit("menu", **entry, label=["Của Lan"])
    assert "Đã lưu menu" in shown.text
    writer = await visit("write:haihau")
    await writer.open("menu")
    assert (await writer.submit("menu")).status == 403
