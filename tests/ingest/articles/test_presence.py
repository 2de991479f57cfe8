"""Rows of presence → people; the routes are in test_presence_routes."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.ingest.articles.presence import PresentPerson, others

AT = datetime(2026, 11, 30, tzinfo=UTC)


def row(owner: str, tab: str, minutes: int, *, is_writing: bool = False) -> dict[str, Any]:
    since = AT + timedelta(minutes=minutes)
    return {"owner": owner, "tab": tab, "who": owner.upper(), "is_writing": is_writing, "since": since}


def test_others_are_one_entry_for_each_person_without_the_own_tab() -> None:
    """Several tabs of somebody are one entry: since the first one, and writing if any is."""
    rows: Any = [row("a", "1", 0), row("b", "1", 1), row("b", "2", 0, is_writing=True), row("a", "2", 3)]
    assert others(rows, "a", "1") == [
        PresentPerson("B", AT, is_writing=True, is_you=False),
        PresentPerson("A", AT + timedelta(minutes=3), is_writing=False, is_you=True),
    ]
    assert others([], "a", "1") == []
