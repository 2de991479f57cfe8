"""A comment finds its block again after edits."""

import random

from services.ingest.articles.comments import EXCERPT_CHARACTERS_MAX, excerpt_of, place_of
from shared.articles import Figure, Paragraph

BODY = [Paragraph(f"Đoạn {number} nói về chợ phiên số {number}.") for number in range(6)]


def test_place_of_a_block_that_moved_is_its_new_one() -> None:
    """Whatever is inserted, removed or moved elsewhere, the same words are found."""
    chance = random.Random(3)
    for _ in range(50):
        block = chance.randrange(6)
        body = [*BODY, *(Paragraph("Mới") for _ in range(chance.randrange(4)))]
        chance.shuffle(body)
        assert body[place_of(excerpt_of(BODY[block]), block, body) or 0] == BODY[block]


def test_place_of_equal_blocks_is_the_nearest() -> None:
    """Of several blocks with the same words, such as photos without a caption, it is the nearest one."""
    body = [Figure(""), Paragraph("a"), Figure(""), Figure("")]
    assert [place_of("", block, body) for block in range(4)] == [0, 0, 2, 3]


def test_place_of_a_rewritten_block_is_the_most_similar_one() -> None:
    """A corrected word does not lose the comment; a removed block does."""
    body = [*BODY[:2], Paragraph("Đoạn 2 nói về phiên chợ số hai."), *BODY[3:]]
    assert place_of(excerpt_of(BODY[2]), 2, body) == 2
    assert place_of("Hoàn toàn khác hẳn", 2, body) is None
    assert place_of("x", 0, []) is None


def test_excerpt_is_short() -> None:
    """Long blocks are found by their beginning."""
    assert len(excerpt_of(Paragraph("x" * 999))) == EXCERPT_CHARACTERS_MAX
