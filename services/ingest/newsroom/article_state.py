"""What an article's state means to the person who looks at it: one line, and the steps that it may take. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.ingest.content.state_names import STATE_NAMES
from shared.translations import Message, Words, pgettext, translate

RETURNED = translate({"returned": pgettext("state", "Returned")})
STATES = {language: Words({**names, **RETURNED[language]}) for language, names in STATE_NAMES.items()}
"""What a list calls an article's state, by language: a draft that was sent back has a name of its own."""


@dataclass(frozen=True)
class Step:
    """A step of the workflow, as a button: of the form while somebody writes, or of a page that asks first."""

    name: str
    title: Message
    scope: str
    asks: bool = False
    """It is confirmed on a page of its own."""
    is_danger: bool = False


STEPS = {
    one.name: one
    for one in (
        Step("submit", pgettext("step", "Send for approval"), "write"),
        Step("publish", pgettext("step", "Publish"), "publish"),
        Step("approve", pgettext("step", "Approve"), "publish"),
        Step("review", pgettext("step", "Read and approve"), "publish"),
        Step("schedule", pgettext("step", "Schedule"), "publish", asks=True),
        Step("unschedule", pgettext("step", "Cancel the schedule"), "publish", asks=True),
        Step("live", pgettext("step", "Correct the live page"), "publish"),
        Step("refuse", pgettext("step", "Return"), "publish", asks=True),
        Step("unpublish", pgettext("step", "Take down"), "publish", asks=True),
        Step("archive", pgettext("step", "Archive"), "publish", asks=True),
        Step("kill", pgettext("step", "Withdraw for good"), "publish", asks=True, is_danger=True),
        Step("discard", pgettext("step", "Discard the draft"), "write", asks=True, is_danger=True),
        Step("undo", pgettext("step", "Undo"), "admin", asks=True),
    )
}
STEP_TITLES = translate({name: step.title for name, step in STEPS.items()})


def is_live(article: Mapping[str, Any]) -> bool:
    """Return whether readers see a version of it."""
    return bool(article.get("live_state") == "published")


def primary_step(
    article: Mapping[str, Any] | None, *, may_write: bool, may_publish: bool, is_own_approver: bool
) -> str:
    """Return the step that the state and the caller's rights suggest; "" if there is only saving.

    Args:
        article: As the API has it; None: a new one.
        may_write: The caller has the scope `write` in its section.
        may_publish: The caller has the scope `publish` in its section.
        is_own_approver: The caller may approve a text of the own.
    """
    state = "draft" if article is None else article["state"]
    if not may_write:
        return ""
    if state == "draft":
        return "publish" if may_publish and is_own_approver else "submit"
    if not may_publish:
        return ""
    if state == "in_review":
        return "review"
    if state == "published":
        return "live" if is_own_approver else ""
    return "publish" if state in ("approved", "unpublished", "archived") else ""


def other_steps(
    article: Mapping[str, Any], primary: str, *, may_write: bool, may_publish: bool, may_admin: bool
) -> list[Step]:
    """Return the further steps, in the order of STEPS: those that the API offers, and two that are no transitions.

    A draft that was never public can be discarded, and an administrator can undo a withdrawal for good.
    """
    possible = set(article.get("steps") or ())
    state = article["state"]
    is_unfinished = state in ("draft", "in_review", "approved") and article.get("scheduled_version") is None
    if is_unfinished and article.get("live_version") is None and (may_publish or state == "draft"):
        possible.add("discard")
    if state == "killed":
        possible = {"undo"}
    if state == "draft":
        possible.discard("publish")
    if is_live(article):
        possible -= {"approve"} if state == "published" else set()
    if state == "in_review":
        possible -= {"approve", "refuse", "publish"}  # on the page that reviews it
    rights = {"write": may_write, "publish": may_publish, "admin": may_admin}
    return [one for one in STEPS.values() if one.name in possible and one.name != primary and rights[one.scope]]
