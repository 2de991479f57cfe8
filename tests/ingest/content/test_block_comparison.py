"""Two versions word by word: properties over random edits, and the cases that editors look for."""

import random
import time
from typing import Any

import pytest

from services.ingest.content.block_comparison import block_text, compare_bodies
from shared.articles import (
    Block,
    BulletList,
    Cell,
    Embed,
    Figure,
    File,
    Focus,
    Heading,
    Image,
    Item,
    Paragraph,
    Quote,
    Table,
)
from tests.ingest.content.test_text_comparison import WORDS, sides


def figure(media: str, caption: str = "", **fields: Any) -> Figure:
    image = Image(f"/media/{media}.jpg", fields.pop("alt", ""), media=media, focus=fields.pop("focus", None))
    return Figure(caption, image, **fields)


@pytest.mark.parametrize("seed", range(20))
def test_compared_bodies_have_each_block_of_both_once(seed: int) -> None:
    """Random edits: each place of either version is in exactly one entry, new ones in order; equal means equal."""
    chance = random.Random(seed)
    before: list[Block] = [
        Paragraph(" ".join(chance.sample(WORDS, 5))) if chance.random() < 0.8 else figure(str(number % 5))
        for number in range(chance.randrange(12))
    ]
    after = list(before)
    for _ in range(chance.randrange(6)):
        action, place = chance.choice("idmc"), chance.randrange(len(after) + 1)
        if action == "i" or not after:
            after.insert(place, Paragraph(" ".join(chance.sample(WORDS, 5))))
        elif action == "d":
            after.pop(place % len(after))
        elif action == "m":
            after.insert(place % len(after), after.pop(chance.randrange(len(after))))
        else:
            after[place % len(after)] = Heading(" ".join(chance.sample(WORDS, 4)))
    found = compare_bodies(before, after)
    assert [one.after for one in found if one.after is not None] == list(range(len(after)))
    assert sorted(one.before for one in found if one.before is not None) == list(range(len(before)))
    for one in found:
        old = None if one.before is None else before[one.before]
        new = None if one.after is None else after[one.after]
        assert sides(one.segments) == tuple("" if block is None else block_text(block) for block in (old, new))
        assert (one.kind == "equal") == (old == new and one.kind != "moved")
        assert (one.kind == "deleted", one.kind == "inserted") == (new is None, old is None)


def test_moved_and_changed_photos_are_named() -> None:
    """A photo that moved is one entry with its former place; another picture, text or focus point is a detail."""
    before: list[Block] = [figure("a", "Chợ"), Paragraph("Một hai ba"), Paragraph("Bốn năm sáu"), figure("b", "Cồn")]
    after: list[Block] = [
        Paragraph("Một hai ba"),
        Paragraph("Bốn năm sáu"),
        figure("a", "Chợ Cồn", alt="x"),
        figure("b", "Cồn", focus=Focus(0.1, 0.2), credit="Lan"),
    ]
    found = compare_bodies(before, after)
    assert [(one.kind, one.before, one.after, one.details) for one in found] == [
        ("equal", 1, 0, []),
        ("equal", 2, 1, []),
        ("moved", 0, 2, ["alt"]),
        ("changed", 3, 3, ["focus", "credit"]),
    ]
    (other,) = compare_bodies([figure("a", "Chợ Cồn")], [figure("c", "Chợ Cồn")])
    assert (other.kind, other.details) == ("changed", ["picture"])
    assert (other.picture_before, other.picture_after) == ("/media/a.jpg", "/media/c.jpg")


@pytest.mark.parametrize(
    ("before", "after", "details"),
    [
        (Paragraph("một hai"), Paragraph("một <strong>hai</strong>"), ["markup"]),
        (Paragraph("một hai"), Heading("một hai"), ["type"]),
        (File("/tep/a", "Nghị quyết"), File("/tep/b", "Nghị quyết"), ["target"]),
        (Embed("youtube", "a", "Phim"), Embed("youtube", "b", "Phim"), ["target"]),
        (Table([[Cell("a"), Cell("b")]]), Table([[Cell("a", header=True), Cell("b")]]), ["markup"]),
    ],
)
def test_changes_without_other_words_have_their_detail(before: Block, after: Block, details: list[str]) -> None:
    """What no word shows is named."""
    (found,) = compare_bodies([before], [after])
    assert (found.kind, found.details) == ("changed", details)


def test_block_text_has_all_words_of_each_kind() -> None:
    """Lists are indented lines, rows have bars, a quote ends with its source."""
    assert block_text(BulletList([Item("a &amp; b", [Item("<em>c</em>")])])) == "a & b\n  c"
    assert block_text(Table([[Cell("a"), Cell("b")], [Cell("c")]], "Bảng")) == "Bảng\na | b\nc"
    assert block_text(Quote(["a", "b"], "Lan")) == "a\nb\n— Lan"


def test_long_bodies_are_compared_soon() -> None:
    """Five hundred blocks that were all rewritten are compared in about a second of processor time."""
    chance = random.Random(1)
    one, other = (
        [Paragraph(" ".join(chance.choices(WORDS, k=40)) + f" {seed} {number}") for number in range(500)]
        for seed in range(2)
    )
    begun = time.process_time()
    found = compare_bodies(one, other)
    assert time.process_time() - begun < 10
    assert [one.after for one in found if one.after is not None] == list(range(500))
