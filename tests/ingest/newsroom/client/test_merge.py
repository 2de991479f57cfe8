"""Merging of two changes of a text in the script of the write page."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ingest.newsroom.client.scripts import ClientScripts

LINES = st.lists(st.integers(0, 9), max_size=7)
"""Paragraphs of a text by number."""


def merged(scripts: ClientScripts, base: list[str], mine: list[str], theirs: list[str]) -> tuple[list[str], int]:
    """Return the lines of the merged text, and how many places need a choice."""
    texts = [{"body": [{"type": "paragraph", "html": line} for line in lines]} for lines in (base, mine, theirs)]
    result: dict[str, Any] = scripts.call("merge", *texts)
    return [block["html"] for block in result["fields"]["body"]], len(result["conflicts"])


def test_neighbours_that_two_people_have_changed_are_no_conflict(scripts: ClientScripts) -> None:
    """Each has changed other paragraphs, side by side and in turn: the text has all changes once and asks nothing."""
    base = ["1", "2", "3", "4", "5"]
    assert merged(scripts, base, ["1", "2a", "3", "4a", "5"], ["1", "2", "3b", "4", "5b"]) == (
        ["1", "2a", "3b", "4a", "5b"],
        0,
    )


def test_choice_is_asked_only_where_both_have_changed_a_paragraph(scripts: ClientScripts) -> None:
    """Of three changed neighbours one was changed by both: it alone is there twice."""
    found = merged(scripts, ["1", "2", "3"], ["1a", "2a", "3"], ["1", "2b", "3b"])
    assert found == (["1a", "2a", "2b", "3b"], 1)


@settings(max_examples=200)
@given(base=LINES, mine=LINES, theirs=LINES)
def test_no_new_line_of_anybody_is_lost(
    scripts: ClientScripts, base: list[int], mine: list[int], theirs: list[int]
) -> None:
    """Every line that somebody has written and the base lacks is in the merged text, in the order of its writer."""
    lines, _ = merged(scripts, [*map(str, base)], [*map(str, mine)], [*map(str, theirs)])
    for written in (mine, theirs):
        rest = iter(lines)
        assert all(str(line) in rest for line in written if line not in base)
