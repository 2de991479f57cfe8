"""What the write page checks before an article is sent, and where blocks are after a change."""

from typing import Any

import pytest

from tests.ingest.newsroom.client.scripts import ClientScripts

VALUES = {"title": "Chợ Cồn mở lại", "lead": "Sáng nay.", "section": "tin-tuc", "authors": "Lan", "source_name": ""}
TEXT = {"type": "paragraph", "html": "Một đoạn."}
IMAGE = {"url": "/media/a.jpg", "alt": "Cổng chợ", "media": "a" * 64}
FIGURE = {"type": "figure", "caption": "Cổng chợ", "credit": None, "image": IMAGE}


def link(href: str) -> dict[str, Any]:
    return {"type": "list", "ordered": False, "items": [{"html": f'<a href="{href}">xem</a>', "items": []}]}


def open_checks(scripts: ClientScripts, values: dict[str, Any], body: list[Any], *missing: str) -> dict[str, Any]:
    """Return the checks that are not done, by name."""
    found = scripts.call("checksOf", values, body, list(missing))
    return {one["name"]: one for one in found if not one["isDone"]}


def test_whole_article_has_nothing_open(scripts: ClientScripts) -> None:
    """An article with all that is asked for has each check done."""
    assert open_checks(scripts, VALUES, [TEXT, FIGURE, link("https://baonamdinh.vn/a")]) == {}


CASES: list[tuple[str, dict[str, Any], list[Any], tuple[str, ...], set[str]]] = [
    ("title", {"title": " "}, [TEXT, FIGURE], (), {"title"}),
    ("long title", {"title": "a" * 111}, [TEXT, FIGURE], (), {"title_short"}),
    ("lead", {"lead": ""}, [TEXT, FIGURE], (), {"lead"}),
    ("long lead", {"lead": "a" * 401}, [TEXT, FIGURE], (), {"lead_short"}),
    ("section", {"section": ""}, [TEXT, FIGURE], (), {"section"}),
    ("author", {"authors": ""}, [TEXT, FIGURE], (), {"author"}),
    ("source alone", {"authors": "", "source_name": "Báo Nam Định"}, [TEXT, FIGURE], (), set()),
    ("empty", {}, [], (), {"text", "pictures"}),
    ("picture for lists", {"lead_image": '![a](media:b "Cổng")'}, [], (), set()),
    ("its caption", {"lead_image": "![a](media:b)"}, [TEXT], (), {"lead_picture"}),
    ("its description", {"lead_image": '![](media:b "Cổng")'}, [TEXT], (), {"lead_picture"}),
    ("caption", {}, [TEXT, {**FIGURE, "caption": " "}], (), {"captions"}),
    ("alt", {}, [TEXT, {**FIGURE, "image": {**IMAGE, "alt": ""}}], (), {"alts"}),
    ("elsewhere", {}, [TEXT, {**FIGURE, "image": {**IMAGE, "url": "https://a.vn/1.jpg"}}], (), {"elsewhere"}),
    ("local picture", {}, [TEXT, FIGURE, {**FIGURE, "image": None}], ("le-hoi.jpg",), {"files"}),
    *((href, {}, [TEXT, FIGURE, link(href)], (), {"links"}) for href in ("#", "/ban-bien-tap/bai-viet/1")),
    *((href, {}, [TEXT, FIGURE, link(href)], (), {"links"}) for href in ("http://localhost/a", "http://10.0.0.1/a")),
]


@pytest.mark.parametrize(
    ("values", "body", "missing", "wanted"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_missing_part_is_one_open_check(
    scripts: ClientScripts, values: dict[str, Any], body: list[Any], missing: tuple[str, ...], wanted: set[str]
) -> None:
    """What an article lacks is named, and nothing else."""
    assert set(open_checks(scripts, {**VALUES, **values}, body, *missing)) == wanted


def test_check_leads_to_the_block_that_lacks_something(scripts: ClientScripts) -> None:
    """The target of a check is the field, or the first block with the fault."""
    body = [TEXT, FIGURE, {**FIGURE, "caption": ""}, link("#")]
    found = open_checks(scripts, {**VALUES, "section": ""}, body)
    assert found["captions"]["target"] == {"block": 2, "part": "caption"}
    assert found["links"]["target"] == {"block": 3, "part": "text"}
    assert found["section"]["target"] == {"field": "section"}


@pytest.mark.parametrize(
    ("action", "wanted"), [("submit", ["section", "files"]), ("publish", ["section", "files", "captions"])]
)
def test_action_is_blocked_by_what_it_needs(scripts: ClientScripts, action: str, wanted: list[str]) -> None:
    """Advice blocks nothing, captions block a publication, a section and files of pictures block everything."""
    found = scripts.call(
        "checksOf", {**VALUES, "section": "", "lead": ""}, [TEXT, {**FIGURE, "caption": ""}], ["a.jpg"]
    )
    assert scripts.call("blocking", found, action) == wanted


@pytest.mark.parametrize(
    ("mine", "wanted"),
    [
        ("abcd", {0: 0, 1: 1, 2: 2, 3: 3}),
        ("xabcd", {0: 1, 1: 2, 2: 3, 3: 4}),
        ("abXd", {0: 0, 1: 1, 2: 2, 3: 3}),
        ("acd", {0: 0, 2: 1, 3: 2}),
        ("abXYd", {0: 0, 1: 1, 3: 4}),
        ("", {}),
    ],
)
def test_blocks_are_found_after_a_change(scripts: ClientScripts, mine: str, wanted: dict[int, int]) -> None:
    """A block is where its text is; a changed one is where its neighbours are; one that is gone is nowhere."""
    assert dict(scripts.call("matchBlocks", list("abcd"), list(mine))) == wanted
