"""The names of an article's states, as the newsroom's pages and the sentences of the editor API have them. Pure."""

from shared.translations import pgettext, translate

STATE_NAMES = translate(
    {
        "draft": pgettext("state", "Draft"),
        "in_review": pgettext("state", "Waits for approval"),
        "approved": pgettext("state", "Approved"),
        "scheduled": pgettext("state", "Scheduled"),
        "published": pgettext("state", "Live"),
        "unpublished": pgettext("state", "Taken down"),
        "archived": pgettext("state", "Archived"),
        "killed": pgettext("state", "Withdrawn"),
    }
)
"""By language and state."""


def name_within_sentence(state: str, language: str) -> str:
    """Return a state's name as it stands within a sentence, or another text unchanged."""
    name = str(STATE_NAMES[language].get(state, state))
    return name[:1].lower() + name[1:]
