"""Merging a change of the live copy into another one: by field and by block."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.articles.carry_over import (
    EXCERPT_CHARACTERS_MAX,
    SETTINGS,
    Conflict,
    merge_field,
    merge_lists,
    with_live_settings,
)
from shared.articles import BulletList, Figure, Heading, Image, Item, Paragraph, Seo
from tests.ingest.articles.test_workflow import NOW, article

WORDS = st.lists(st.sampled_from("abcdeg"), max_size=7)


def body(words: Any) -> list[Any]:
    return [Paragraph(word) for word in words]


def merge(before: Any, live: Any, other: Any) -> tuple[str, list[str]]:
    merged = merge_field("working", "body", body(before), body(live), body(other))
    return "".join(block.html for block in merged.value), [one.field for one in merged.conflicts]


@pytest.mark.parametrize(
    ("before", "live", "other", "merged", "conflicts"),
    [
        ("abc", "abc", "abc", "abc", []),
        ("abc", "aBc", "abc", "aBc", []),
        ("abc", "abc", "abD", "abD", []),
        ("abc", "aBc", "abD", "aBD", []),
        ("abc", "Abc", "aBc", "ABc", []),
        ("abc", "aBc", "aBc", "aBc", []),
        ("abc", "aBc", "aXc", "aXc", ["body.1"]),
        ("abc", "ABc", "aXc", "AXc", ["body.1"]),
        ("abc", "abcN", "abc", "abcN", []),
        ("abc", "abcN", "Nabc", "NabcN", []),
        ("abc", "abcN", "abcM", "abcM", ["body.3"]),
        ("abc", "abcN", "abcN", "abcN", []),
        ("abc", "ac", "abcN", "acN", []),
        ("abc", "ac", "aXc", "aXc", ["body.1"]),
        ("abc", "ac", "ac", "ac", []),
        ("abc", "", "abc", "", []),
        ("abc", "", "", "", []),
        ("", "abc", "", "abc", []),
        ("", "abc", "x", "x", ["body.0"]),
        ("abc", "aNbc", "abMc", "aNbMc", []),
        ("abc", "Abc", "Nabc", "NAbc", []),
        ("abcd", "acd", "aNbcd", "aNcd", []),
        ("abcd", "ad", "abNcd", "abNcd", ["body.2"]),
        ("aaaa", "aaaaa", "aaaa", "aaaaa", []),
        ("abcd", "dcba", "abcd", "dcba", []),
    ],
)
def test_merge_of_bodies_is_by_block(before: str, live: str, other: str, merged: str, conflicts: list[str]) -> None:
    """Blocks that only one side has changed are merged; of those that both have changed, the other copy's stays."""
    assert merge(before, live, other) == (merged, conflicts)


@given(WORDS, WORDS, WORDS)
def test_merge_of_bodies_invents_and_loses_nothing(before: list[str], live: list[str], other: list[str]) -> None:
    """Each merged block is of one side, and an unchanged side takes the other; both sides may be exchanged."""
    merged, conflicts = merge(before, live, other)
    assert set(merged) <= {*live, *other}
    assert merge(before, live, before) == ("".join(live), [])
    assert merge(before, before, other) == ("".join(other), [])
    mirrored, mirrored_conflicts = merge(before, other, live)
    assert bool(conflicts) == bool(mirrored_conflicts)
    if not conflicts:
        assert merged == mirrored


def test_merge_of_bodies_compares_whole_blocks() -> None:
    """Figures, lists and headings are blocks as paragraphs are; a caption that both have changed is a conflict."""
    figure = Figure("cũ", Image("/media/a.jpg", "x"))
    before = [Heading("h"), figure, BulletList([Item("i")])]
    live = [Heading("h"), Figure("mới", figure.image), BulletList([Item("i")])]
    other = [Heading("H", 3), figure, BulletList([Item("i"), Item("j")])]
    merged = merge_field("working", "body", before, live, other)
    assert (merged.value, merged.conflicts) == ([other[0], live[1], other[2]], ())
    clash = merge_field("working", "body", before, live, [before[0], Figure("khác", figure.image), before[2]])
    assert [one.field for one in clash.conflicts] == ["body.1"]
    assert "khác" in clash.conflicts[0].other


@pytest.mark.parametrize(
    ("name", "before", "live", "other", "expected"),
    [
        ("title", "a", "b", "a", ("b", True)),
        ("title", "a", "b", "b", ("b", True)),
        ("title", "a", "b", "c", ("c", False)),
        ("seo", None, Seo(title="x"), None, (Seo(title="x"), True)),
        ("seo", None, Seo(title="x"), Seo(title="y"), (Seo(title="y"), False)),
        ("tags", ["a"], ["a", "b"], ["a", "c"], (["a", "c", "b"], True)),
        ("tags", ["a", "b"], ["b"], ["a", "b", "c"], (["b", "c"], True)),
        ("also_in", [], ["x"], ["x"], (["x"], True)),
        ("tags", [], [f"t{n}" for n in range(20)], ["u"], (["u"], False)),
        ("priority", 5, 1, 5, (1, True)),
    ],
)
def test_merge_of_field(name: str, before: Any, live: Any, other: Any, expected: tuple[Any, bool]) -> None:
    """A field that both have changed stays as it is in the other copy; lists take the entries of both."""
    found = merge_field("scheduled", name, before, live, other)
    assert (found.value, not found.conflicts) == expected


def test_merge_of_lists_with_a_removal_on_each_side() -> None:
    """What either side has removed is gone."""
    assert merge_lists(list("abc"), list("bc"), list("abd")) == ["b", "d"]


def test_conflict_has_short_values_of_all_three() -> None:
    """A conflict names the copy and the field, with at most 300 characters of each value."""
    (conflict,) = merge_field("working", "lead", "a", "b" * 900, "c").conflicts
    assert isinstance(conflict, Conflict)
    assert (conflict.copy, conflict.field, conflict.before, conflict.other) == ("working", "lead", '"a"', '"c"')
    assert len(conflict.live) == EXCERPT_CHARACTERS_MAX


def test_settings_of_the_live_copy_stay_when_a_newer_text_goes_live() -> None:
    """A pin, a correction and tags that were set meanwhile are kept; what the newer text changed itself is not."""
    later = NOW + timedelta(days=1)
    live = article(state="published", pinned_until=later, tags=["a", "b"], slug="moi", title="Sửa", unpublish_at=later)
    before = {"pinned_until": None, "tags": ["a"], "slug": "tua", "title": "Tựa", "unpublish_at": None}
    copy, kept = with_live_settings(article(tags=["a", "c"], slug="khac"), live, before, NOW)
    assert (copy.pinned_until, copy.tags, copy.slug, copy.title, copy.unpublish_at) == (
        *(later, ["a", "c", "b"], "khac", "Tựa"),
        later,
    )
    assert set(kept) == {"pinned_until", "tags", "unpublish_at"}


@pytest.mark.parametrize("state", ["unpublished", "published"])
def test_settings_that_have_ended_the_live_copy_are_not_kept(state: str) -> None:
    """An expiry in the past, or of an article that was withdrawn, does not end the newer text."""
    live = article(state=state, unpublish_at=NOW)
    assert with_live_settings(article(), live, {"unpublish_at": None}, NOW)[0].unpublish_at is None
    assert with_live_settings(article(), None, {}, NOW) == (article(), ())
    assert "title" not in SETTINGS
