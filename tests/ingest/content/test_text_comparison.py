"""Texts word by word: properties over random texts, and their bounds."""

import itertools
import random
import time

import pytest

from services.ingest.content.text_comparison import TOKENS_MAX, Segment, compare_texts

WORDS = [
    "chợ",
    "phiên",
    "Hải",
    "Hậu",
    "mở",
    "lại",
    "sau",
    "tám",
    "tháng",
    "tu",
    "sửa",
    "bà",
    "con",
    "đông",
    "đủ",
    "từ",
    "sáng",
    "sớm",
]


def sides(segments: list[Segment]) -> tuple[str, str]:
    before = "".join(one.text for one in segments if one.kind != "inserted")
    after = "".join(one.text for one in segments if one.kind != "deleted")
    return before, after


@pytest.mark.parametrize("seed", range(20))
def test_compared_texts_contain_both_texts_exactly(seed: int) -> None:
    """What is not inserted is the old text, what is not deleted the new one; neighbours differ in kind."""
    chance = random.Random(seed)
    one, other = (
        "".join(chance.choice([*WORDS, " ", "\n", ",", "🎉", "e\u0301", "<b>"]) for _ in range(chance.randrange(60)))
        for _ in range(2)
    )
    segments = compare_texts(one, other)
    assert sides(segments) == (one, other)
    assert all(left.kind != right.kind for left, right in itertools.pairwise(segments))
    assert all(one.text for one in segments)


def test_compared_texts_show_words() -> None:
    """A changed word is one deletion and one insertion between what is equal."""
    assert compare_texts("Chợ Cồn mở lại", "Chợ Cồn họp lại") == [
        Segment("equal", "Chợ Cồn "),
        Segment("deleted", "mở"),
        Segment("inserted", "họp"),
        Segment("equal", " lại"),
    ]
    assert compare_texts("x", "x") == [Segment("equal", "x")]
    assert compare_texts("", "") == []


def test_very_long_texts_are_compared_soon() -> None:
    """Beyond a limit only the beginning and the end are compared, and nothing is lost."""
    count = int(TOKENS_MAX**0.5) + 1
    one, other = " ".join(["a", *"b" * count, "z"]), " ".join(["a", *"c" * count, "z"])
    begun = time.process_time()
    segments = compare_texts(one, other)
    assert time.process_time() - begun < 2
    assert sides(segments) == (one, other)
    assert (segments[0].text, segments[-1].text) == ("a ", " z")
