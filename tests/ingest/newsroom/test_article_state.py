"""The one button that a state and rights suggest, and the further steps."""

from typing import Any

import pytest

from services.ingest.newsroom.article_state import other_steps, primary_step


@pytest.mark.parametrize(
    ("state", "rights", "wanted"),
    [
        ("draft", "w", "submit"),
        ("draft", "wp", "submit"),
        ("draft", "wpo", "publish"),
        ("in_review", "w", ""),
        ("in_review", "wp", "review"),
        ("approved", "wp", "publish"),
        ("published", "wpo", "live"),
        ("published", "wp", ""),
        ("killed", "wpo", ""),
        ("draft", "", ""),
    ],
)
def test_primary_step_follows_state_and_rights(state: str, rights: str, wanted: str) -> None:
    """w: may write, p: may publish, o: may approve the own text."""
    given = {"may_write": "w" in rights, "may_publish": "p" in rights, "is_own_approver": "o" in rights}
    assert primary_step({"state": state}, **given) == wanted


def test_other_steps_are_those_that_may_be_taken() -> None:
    """A writer discards a draft; withdrawals need the right to publish; administrators undo a killed article."""
    all_rights = {"may_write": True, "may_publish": True, "may_admin": True}
    writer = {**all_rights, "may_publish": False, "may_admin": False}
    draft: dict[str, Any] = {"state": "draft", "steps": ["submit"], "live_version": None}
    assert [step.name for step in other_steps(draft, "submit", **writer)] == ["discard"]
    live = {
        "state": "published",
        "steps": ["unpublish", "archive", "kill"],
        "live_version": 4,
        "live_state": "published",
    }
    assert [step.name for step in other_steps(live, "live", **all_rights)] == ["unpublish", "archive", "kill"]
    killed = {"state": "killed", "steps": [], "live_version": 5}
    assert [step.name for step in other_steps(killed, "", **all_rights)] == ["undo"]
    assert other_steps(killed, "", **writer) == []
