"""The transitions of the editorial workflow: the states that they start from, their results and scopes. Pure."""

from dataclasses import dataclass

from shared.articles import State
from shared.http.problems import Problem


@dataclass(frozen=True)
class Transition:
    """A transition of the workflow: the states of the head it starts from, its result, and the scope it needs."""

    from_states: frozenset[State]
    to_state: State
    scope: str
    summary: str
    needs_reason: bool = False
    is_withdrawal: bool = False
    """It withdraws the published version; `from_states` are then states of that version."""


TRANSITIONS: dict[str, Transition] = {
    "submit": Transition(frozenset({"draft"}), "in_review", "write", "Submit a draft for review"),
    "approve": Transition(frozenset({"in_review"}), "approved", "publish", "Approve an article in review (duyệt)"),
    "refuse": Transition(
        frozenset({"in_review", "approved", "scheduled"}),
        "draft",
        "publish",
        "Reject it: back to its author, with a reason",
        needs_reason=True,
    ),
    "schedule": Transition(frozenset({"approved", "scheduled"}), "scheduled", "publish", "Schedule its publication"),
    "unschedule": Transition(frozenset({"scheduled"}), "approved", "publish", "Cancel the schedule"),
    "publish": Transition(
        frozenset({"approved", "scheduled", "unpublished", "archived"}),
        "published",
        "publish",
        "Publish an approved article (đăng), now or at its scheduled time",
    ),
    "unpublish": Transition(
        frozenset({"published"}),
        "unpublished",
        "publish",
        "Withdraw it from the portal; its URL is 404",
        is_withdrawal=True,
    ),
    "archive": Transition(
        frozenset({"published", "unpublished"}),
        "archived",
        "publish",
        "Archive it: off the portal, not deleted",
        is_withdrawal=True,
    ),
    "kill": Transition(
        frozenset({"published", "unpublished", "archived"}),
        "killed",
        "publish",
        "Withdraw it permanently, with a reason; its URL is 410",
        needs_reason=True,
        is_withdrawal=True,
    ),
}


ADMIN_PUBLISHABLE_STATES: frozenset[State] = frozenset({"draft", "in_review"})
"""Administrators may also publish from these states, which approves and publishes in one transition."""


def invalid_transition(name: str, state: State, from_states: list[State]) -> Problem:
    """Return the problem of a transition that the state does not allow."""
    return Problem(
        409,
        f"{name} is not possible from {state}; it is possible from {', '.join(from_states)}.",
        state=state,
        possible_from=from_states,
    )
