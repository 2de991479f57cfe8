"""What the actions and the kinds of objects of the audit log are called."""

from services.ingest.newsroom.desk import CHANGES
from shared.translations import pgettext, translate

_OTHER_ACTIONS = translate(
    {
        "discard-draft": pgettext("change", "discarded the draft"),
        "keep-edits": pgettext("change", "kept newer edits as a draft"),
        "give-up": pgettext("change", "could not be published at its time"),
        "change": pgettext("change", "changed"),
        "remove": pgettext("change", "removed"),
        "delete": pgettext("change", "deleted"),
        "merge": pgettext("change", "merged"),
        "upload": pgettext("change", "uploaded"),
        "focus": pgettext("change", "set the focus of a picture"),
        "invite": pgettext("change", "invited"),
        "reset": pgettext("change", "sent a link for a new password"),
        "lock": pgettext("change", "locked"),
        "unlock": pgettext("change", "unlocked"),
        "bind-identity": pgettext("change", "connected a log-in of another service"),
        "close-sessions": pgettext("change", "logged out everywhere"),
        "renew-recovery-codes": pgettext("change", "renewed the recovery codes"),
        "set-password": pgettext("change", "set a password"),
        "switch-on-two-steps": pgettext("change", "switched two steps on"),
        "switch-off-two-steps": pgettext("change", "switched two steps off"),
        "revoke": pgettext("change", "revoked"),
        "rotate": pgettext("change", "renewed the secret"),
        "redeliver": pgettext("change", "delivered again"),
    }
)
_NOT_OF_ARTICLES = translate({"rename": pgettext("change", "renamed"), "create": pgettext("object", "created")})
"""Words that are others for an article: its address is changed, and it is written."""
KINDS = translate(
    {
        "article": pgettext("kind of object", "article"),
        "author": pgettext("kind of object", "author"),
        "banners": pgettext("kind of object", "banners"),
        "file": pgettext("kind of object", "document"),
        "front_page": pgettext("kind of object", "front page"),
        "image": pgettext("kind of object", "picture"),
        "menu": pgettext("kind of object", "menu"),
        "page": pgettext("kind of object", "static page"),
        "person": pgettext("kind of object", "person"),
        "preview": pgettext("kind of object", "preview link"),
        "section": pgettext("kind of object", "section"),
        "tag": pgettext("kind of object", "tag"),
        "webhook": pgettext("kind of object", "webhook"),
    }
)


def action_words(action: str, kind: str, language: str) -> str:
    """Return what an action is called; as it is, if it has no name: programs may record others."""
    others = {} if kind == "article" else _NOT_OF_ARTICLES[language]
    words = {**CHANGES[language], **_OTHER_ACTIONS[language], **others}
    return str(words.get(action, action))


def kind_word(kind: str, language: str) -> str:
    """Return what a kind of objects is called; as it is, if it has no name."""
    return str(KINDS[language].get(kind, kind))
