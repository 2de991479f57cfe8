"""Who is the same person, for the rule that nobody approves their own text."""

import pytest

from services.ingest.auth.actors import Actor


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (Actor("Trần Nam", "12345678"), True),
        (Actor("Trần Nam", "87654321"), True),
        (Actor("Trần Nam"), True),
        (Actor("T. Nam", "12345678"), True),
        (Actor("Lê Hà", "87654321"), False),
        (Actor("Lê Hà"), False),
    ],
)
def test_actor_with_a_second_token_is_the_same_person(other: Actor, is_same: bool) -> None:
    """A new token, or the import command, is no way to approve one's own text: the name decides, too."""
    assert Actor("Trần Nam", "12345678").is_same(other) is is_same
    assert other.is_same(Actor("Trần Nam", "12345678")) is is_same


def test_actors_without_tokens_are_compared_by_name() -> None:
    """Two runs of commands are the same person only under one name."""
    assert Actor("Trần Nam").is_same(Actor("Trần Nam"))
    assert not Actor("Trần Nam").is_same(Actor("Lê Hà"))


def test_people_of_one_name_are_different_people() -> None:
    """Accounts are compared by their ids; a token or a command under a person's name counts as that person."""
    one, other = Actor("Nguyễn Văn An", "person-1"), Actor("Nguyễn Văn An", "person-2")
    assert not one.is_same(other)
    assert one.is_same(Actor("N. V. An", "person-1"))
    assert one.is_same(Actor("Nguyễn Văn An", "12345678"))
    assert one.is_same(Actor("Nguyễn Văn An"))
    assert not one.is_same(Actor("Lê Hà", "12345678"))
