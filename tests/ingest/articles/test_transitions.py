"""The table of transitions."""

from services.ingest.articles.transitions import ADMIN_PUBLISHABLE_STATES, TRANSITIONS, invalid_transition


def test_transitions_that_make_something_public_need_the_scope_publish() -> None:
    """Writers only submit."""
    assert {name for name, one in TRANSITIONS.items() if one.scope == "write"} == {"submit"}
    assert {one.scope for one in TRANSITIONS.values()} == {"write", "publish"}
    assert not ADMIN_PUBLISHABLE_STATES & TRANSITIONS["publish"].from_states


def test_invalid_transition_names_the_state_and_the_possible_ones() -> None:
    """The problem is a 409 with both."""
    problem = invalid_transition("publish", "draft", ["approved"])
    assert (problem.status, problem.extensions) == (409, {"state": "draft", "possible_from": ["approved"]})
