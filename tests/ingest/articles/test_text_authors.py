"""Who wrote the text of each copy of an article, by its revisions."""

import pytest

from services.ingest.articles.text_authors import TextAuthors, TextChange, authors_of
from services.ingest.auth.actors import Actor

LAN, MINH, HOA = (Actor(name, name.lower()) for name in ("Lan", "Minh", "Hoa"))
WORKING, BOTH = "working", "working scheduled"
SCHEDULED = [
    (LAN, "create", "draft", WORKING),
    (MINH, "approve", "approved", WORKING),
    (MINH, "schedule", "scheduled", BOTH),
]
SUCCESSOR = [*SCHEDULED, (MINH, "edit", "draft", WORKING)]
PUBLIC = [*SCHEDULED, (HOA, "publish", "published", "working live scheduled")]
DRAFT = [*PUBLIC, (MINH, "edit", "draft", WORKING)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (SCHEDULED, TextAuthors(LAN, None, LAN)),
        (SUCCESSOR, TextAuthors(MINH, None, LAN)),
        ([*SUCCESSOR, (HOA, "schedule", "scheduled", "scheduled")], TextAuthors(MINH, None, LAN)),
        ([*SUCCESSOR, (HOA, "crop", "draft", BOTH)], TextAuthors(MINH, None, LAN)),
        ([*SUCCESSOR, (HOA, "unschedule", "approved", "scheduled")], TextAuthors(MINH, None, None)),
        ([*SUCCESSOR, (HOA, "discard-draft", "scheduled", BOTH)], TextAuthors(LAN, None, LAN)),
        ([*SUCCESSOR, (HOA, "publish", "published", "live scheduled")], TextAuthors(MINH, LAN, None)),
        ([*SUCCESSOR, (HOA, "schedule", "scheduled", BOTH)], TextAuthors(MINH, None, MINH)),
        ([*SUCCESSOR, (HOA, "kill", "killed", BOTH)], TextAuthors(MINH, None, None)),
        (PUBLIC, TextAuthors(LAN, LAN, None)),
        ([*PUBLIC, (HOA, "place", "published", "working live")], TextAuthors(LAN, LAN, None)),
        ([*DRAFT, (HOA, "fix", "published", "live")], TextAuthors(MINH, LAN, None)),
        ([*DRAFT, (HOA, "unpublish", "unpublished", "live")], TextAuthors(MINH, LAN, None)),
        ([*DRAFT, (HOA, "kill", "killed", "working live")], TextAuthors(MINH, LAN, None)),
        ([*DRAFT, (HOA, "discard-draft", "published", WORKING)], TextAuthors(LAN, LAN, None)),
        (
            [*DRAFT, (HOA, "import", "published", "working live"), (HOA, "keep-edits", "draft", WORKING)],
            TextAuthors(MINH, HOA, None),
        ),
    ],
)
def test_authors_of_copies(changes: list[tuple[Actor, str, str, str]], expected: TextAuthors) -> None:
    """A copy keeps its author while others approve, move or withdraw it, and while they write another one."""
    assert authors_of(TextChange(action, state, frozenset(to.split()), who) for who, action, state, to in changes) == (
        expected
    )
